"""Decoders written box by box from the descriptions of the formats, for comparison: slow, plain, and on their own.

Each takes the raw outputs as nested loops see them and gives a list of (left, top, right, bottom, score, class).
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Row = tuple[float, float, float, float, float, int]


def cells(width: int, height: int, strides: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Column, row and stride of every cell, in the order of the outputs."""
    for stride in strides:
        for row in range(math.ceil(height / stride)):
            for column in range(math.ceil(width / stride)):
                yield column, row, stride


def best(scores: Array) -> tuple[float, int]:
    """The first of the largest scores, and its place."""
    top, place = -math.inf, -1
    for i, score in enumerate(scores):
        if float(score) > top:
            top, place = float(score), i
    return top, place


def around(cx: float, cy: float, width: float, height: float) -> tuple[float, float, float, float]:
    return cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2


def yolox(output: Array, width: int, height: int, strides: Sequence[int] = (8, 16, 32)) -> list[Row]:
    rows = []
    for i, (column, row, stride) in enumerate(cells(width, height, strides)):
        x, y, w, h, objectness = (float(v) for v in output[0, i, :5])
        score, class_id = best(output[0, i, 5:])
        box = around((x + column) * stride, (y + row) * stride, math.exp(w) * stride, math.exp(h) * stride)
        rows.append((*box, objectness * score, class_id))
    return rows


def yolov5(output: Array) -> list[Row]:
    rows = []
    for i in range(output.shape[1]):
        x, y, w, h, objectness = (float(v) for v in output[0, i, :5])
        score, class_id = best(output[0, i, 5:])
        rows.append((*around(x, y, w, h), objectness * score, class_id))
    return rows


def yolov8(output: Array) -> list[Row]:
    rows = []
    for i in range(output.shape[2]):
        score, class_id = best(output[0, 4:, i])
        rows.append((*around(*(float(v) for v in output[0, :4, i])), score, class_id))
    return rows


def end2end(output: Array) -> list[Row]:
    return [(*(float(v) for v in row[:5]), int(row[5])) for row in output[0]]  # type: ignore[misc]


def distance(logits: Array) -> float:
    """The mean of 0, 1, 2 ... under the softmax of the logits."""
    largest = max(float(v) for v in logits)
    weights = [math.exp(float(v) - largest) for v in logits]
    return sum(i * weight for i, weight in enumerate(weights)) / sum(weights)


def distances(scores: Array, sides: Array, width: int, height: int, strides: Sequence[int], middle: float) -> list[Row]:
    """PicoDet and NanoDet; scores (N, C), sides (N, 4 * bins): left, top, right, bottom."""
    rows = []
    bins = sides.shape[1] // 4
    for i, (column, row, stride) in enumerate(cells(width, height, strides)):
        score, class_id = best(scores[i])
        left, top, right, bottom = (distance(sides[i, k * bins : (k + 1) * bins]) * stride for k in range(4))
        x, y = (column + middle) * stride, (row + middle) * stride
        rows.append((x - left, y - top, x + right, y + bottom, score, class_id))
    return rows


def above(rows: Sequence[Row], floor: Sequence[float]) -> list[Row]:
    return [row for row in rows if row[4] >= floor[row[5]]]
