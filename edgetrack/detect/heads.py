"""From a detector's raw outputs to boxes: one decoder for each form that YOLO-like models have.

A decoder takes the outputs, all float32, and `floor` (C,): the least score of each class, infinite for those unwanted.
It gives every row whose best class reaches its floor, as (xyxy, score, class_id): (K, 4) float32 pixels of the model's
input, (K,) float32, (K,) int64. It decodes those rows only, which are few of thousands. NaN never fails a comparison
here: such rows come along, for the caller to drop and to tell of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import cxcywh_to_xyxy
from edgetrack.image import Fitting, PixelFormat

Array = NDArray[np.float32]
Rows = NDArray[np.int64]
Candidates = tuple[Array, Array, Rows]
Size = tuple[int, int]  # width, height in px

UNIT_RGB = PixelFormat("rgb", 1 / 255, (0, 0, 0), (1, 1, 1))
RAW_BGR = PixelFormat("bgr", 1, (0, 0, 0), (1, 1, 1))
IMAGENET_RGB = PixelFormat("rgb", 1, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))  # of 0..255
IMAGENET_BGR = PixelFormat("bgr", 1, (103.53, 116.28, 123.675), (57.375, 57.12, 58.395))


class Head(Protocol):
    """A decoder, what it has learned from the shapes, and the input that models of its form usually want."""

    name: ClassVar[str]  # as in `detect.head`
    pixels: ClassVar[PixelFormat]
    fitting: ClassVar[Fitting]
    nms: ClassVar[bool]  # the boxes overlap and need suppression

    @property
    def classes(self) -> int | None:
        """How many; None where the outputs do not tell."""

    def decode(self, outputs: Sequence[Array], floor: Array) -> Candidates: ...


def cells(size: Size, stride: int) -> int:
    """Cells of one feature map; a map that does not divide the input has one more at its end."""
    return math.ceil(size[0] / stride) * math.ceil(size[1] / stride)


def grid(size: Size, strides: Sequence[int]) -> tuple[Array, Array]:
    """(N, 2) column and row of every cell, stride by stride and row by row, and (N, 1) its stride."""
    corners, steps = [], []
    for stride in strides:
        columns, rows = math.ceil(size[0] / stride), math.ceil(size[1] / stride)
        x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
        corners.append(np.stack([x.ravel(), y.ravel()], axis=1))
        steps.append(np.full((rows * columns, 1), stride, np.float32))
    return np.concatenate(corners), np.concatenate(steps)


def best(scores: Array, floor: Array) -> tuple[Rows, Array, Rows]:
    """Of (K, C) class scores: the rows whose best class reaches its floor, its score, and the class."""
    class_id = scores.argmax(axis=1)
    score = scores[np.arange(len(scores)), class_id]
    rows = np.flatnonzero(~(score < floor[class_id]))
    return rows, score[rows], class_id[rows]


def by_objectness(rows: Array, floor: Array) -> tuple[Rows, Array, Rows]:
    """Of (N, 5 + C) rows of box, objectness and class scores: those that pass, by the product of the two."""
    some = np.flatnonzero(~(rows[:, 4] < floor.min()))  # no product is larger than its objectness
    kept, score, class_id = best(rows[some, 4:5] * rows[some, 5:], floor)
    return some[kept], score, class_id


@dataclass(frozen=True)
class Yolox:
    """[1, N, 5 + C]: offsets in cells, logarithms of sizes in strides, objectness, class scores (Ge et al. 2021)."""

    name: ClassVar[str] = "yolox"
    pixels: ClassVar[PixelFormat] = RAW_BGR
    fitting: ClassVar[Fitting] = "top_left"
    nms: ClassVar[bool] = True
    classes: int | None
    corners: Array  # (N, 2)
    strides: Array  # (N, 1)

    def decode(self, outputs: Sequence[Array], floor: Array) -> Candidates:
        rows, score, class_id = by_objectness(outputs[0][0], floor)
        raw, stride = outputs[0][0, rows, :4], self.strides[rows]
        with np.errstate(over="ignore"):  # an infinite size is dropped later
            sides = np.exp(raw[:, 2:]) * stride
        centres = (raw[:, :2] + self.corners[rows]) * stride
        return cxcywh_to_xyxy(np.concatenate([centres, sides], axis=1)), score, class_id


@dataclass(frozen=True)
class Yolov5:
    """[1, N, 5 + C]: centre, size, objectness, class scores, already in pixels; also YOLOv6, v7 and decoded YOLOX."""

    name: ClassVar[str] = "yolov5"
    pixels: ClassVar[PixelFormat] = UNIT_RGB
    fitting: ClassVar[Fitting] = "centre"
    nms: ClassVar[bool] = True
    classes: int | None

    def decode(self, outputs: Sequence[Array], floor: Array) -> Candidates:
        rows, score, class_id = by_objectness(outputs[0][0], floor)
        return cxcywh_to_xyxy(outputs[0][0, rows, :4]), score, class_id


@dataclass(frozen=True)
class Yolov8:
    """[1, 4 + C, N]: centre, size, class scores, in pixels; YOLOv8, 9, 11 and 12."""

    name: ClassVar[str] = "yolov8"
    pixels: ClassVar[PixelFormat] = UNIT_RGB
    fitting: ClassVar[Fitting] = "centre"
    nms: ClassVar[bool] = True
    classes: int | None

    def decode(self, outputs: Sequence[Array], floor: Array) -> Candidates:
        columns = outputs[0][0]
        wanted = np.flatnonzero(np.isfinite(floor))  # the other 79 of 80 rows need not be read
        top = columns[4:] if len(wanted) == len(floor) else columns[4 + wanted]
        some = np.flatnonzero(~(top.max(axis=0, initial=-1) < floor.min()))
        few = columns[:, some].T
        kept, score, class_id = best(few[:, 4:], floor)
        return cxcywh_to_xyxy(few[kept, :4]), score, class_id


@dataclass(frozen=True)
class EndToEnd:
    """[1, N, 6]: left, top, right, bottom in pixels, score, class; YOLOv10, YOLO26, and models with NMS inside."""

    name: ClassVar[str] = "end2end"
    pixels: ClassVar[PixelFormat] = UNIT_RGB
    fitting: ClassVar[Fitting] = "centre"
    nms: ClassVar[bool] = False
    classes: int | None = None

    def decode(self, outputs: Sequence[Array], floor: Array) -> Candidates:
        rows = outputs[0][0]
        rows = rows[~(rows[:, 4] < floor.min())]
        with np.errstate(invalid="ignore"):
            class_id = rows[:, 5].astype(np.int64)
        known = (class_id >= 0) & (class_id < len(floor))  # what has no name cannot be reported
        rows, class_id = rows[known], class_id[known]
        kept = ~(rows[:, 4] < floor[class_id])
        return rows[kept, :4], rows[kept, 4], class_id[kept]


@dataclass(frozen=True)
class Distances:
    """Class scores, and for each side of the box a distribution over B bins: its mean times the stride is the distance
    from the cell's point to that side (generalised focal loss, Li et al. 2020).

    `scores` and `sides` say where they are: numbers of the outputs, one pair for each stride, [1, n, C] and
    [1, n, 4 * B]; or None where both stand in one output [1, N, C + 4 * B].
    """

    name: ClassVar[str] = ""
    pixels: ClassVar[PixelFormat] = IMAGENET_RGB
    fitting: ClassVar[Fitting] = "stretch"
    nms: ClassVar[bool] = True
    classes: int | None
    points: Array  # (N, 2) px
    strides: Array  # (N, 1)
    pairs: tuple[tuple[int, int], ...] | None

    def decode(self, outputs: Sequence[Array], floor: Array) -> Candidates:
        if self.pairs is None:
            scores, sides = [outputs[0][0, :, : self.classes]], [outputs[0][0, :, self.classes :]]
        else:
            scores, sides = ([outputs[pair[which]][0] for pair in self.pairs] for which in (0, 1))
        found, first = [], 0
        for score, side in zip(scores, sides, strict=True):
            some = np.flatnonzero(~(score.max(axis=1) < floor.min()))
            kept, values, class_id = best(score[some], floor)
            rows = some[kept]
            found.append((rows + first, side[rows], values, class_id))
            first += len(score)
        rows, logits, values, class_id = (np.concatenate(part) for part in zip(*found, strict=True))
        return self._boxes(rows, logits), values, class_id

    def _boxes(self, rows: Rows, logits: Array) -> Array:
        logits = logits.reshape(len(rows), 4, -1) if len(rows) else logits.reshape(0, 4, 1)
        weights = np.exp(logits - logits.max(axis=2, keepdims=True))
        bins = np.arange(logits.shape[2], dtype=np.float32)
        distance = (weights @ bins) / weights.sum(axis=2) * self.strides[rows]
        point = self.points[rows]
        return np.concatenate([point - distance[:, :2], point + distance[:, 2:]], axis=1)


class Picodet(Distances):
    """Pairs of outputs, scores and distributions for each stride; also NanoDet's older exports (Yu et al. 2021)."""

    name = "picodet"


class Nanodet(Distances):
    """[1, N, C + 4 * B], scores and distributions in one output: NanoDet and NanoDet-Plus."""

    name = "nanodet"
    pixels = IMAGENET_BGR
