"""A model for pictures of another size: convolutions mind none, what knows the old one is told the new one.

Needs the onnx package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edgetrack.detect import rect
from edgetrack.detect.forms import STRIDES
from edgetrack.detect.heads import cells
from edgetrack.detect.rect import STRIDE
from edgetrack.detect.yolo import YoloDetector
from edgetrack.errors import ModelError
from edgetrack.modelling.classes import Shape, shapes_of
from edgetrack.modelling.lean import Graph, free_initializers, plain_constants
from edgetrack.modelling.trial import opened

Size = tuple[int, int]  # width, height in px

ELEMENTWISE = {"Add", "Sub", "Mul", "Div", "QuantizeLinear", "DequantizeLinear"}  # what reads a grid of cells


def resize(source: str, target: Path, size: Size) -> None:
    """Write a copy whose input has this size. Its answers are not those of the model: judge it before it is used.

    Args:
        size: of the new input, px. Detectors want multiples of their largest stride, 32 or 64.

    Raises:
        ModelError: it is neither detector nor embedder, or is made for its own size alone.
    """
    opened(source)
    model = onnx.load(source)
    free_initializers(model)
    plain_constants(model)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    own = [dim.dim_value for dim in dims]
    rows, columns = (1, 2) if own[1] != 3 else (2, 3)
    before = own[columns], own[rows]
    if all(before):
        shapes = shapes_of(model, source, (own[0] or 1, *own[1:]))
        _tell(model, shapes, before, size)
        _cut_grids(model, before, size)
    dims[columns].dim_value, dims[rows].dim_value = size
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    for fact in model.metadata_props:
        if fact.key == "imgsz":  # of Ultralytics
            fact.value = f"[{size[1]}, {size[0]}]"
    onnx.save(model, target)
    try:
        opened(str(target))
    except ModelError as error:
        target.unlink()
        why = str(error).replace(str(target), "it").partition("; ")[0][:300]
        wanted, had = f"{size[0]} x {size[1]} px", f"{before[0] or 'any'} x {before[1] or 'any'}"
        remedy = f"choose multiples of {STRIDE}, or " if size[0] % STRIDE or size[1] % STRIDE else ""
        raise ModelError(
            f"{source}: cannot take {wanted} instead of {had} ({why}); {remedy}export it again at that size"
        ) from None


def filled(source: str, camera: Size) -> Size:
    """The part of a detector's input that a camera's pictures fill: the answers to it are those to the whole, but for
    objects at the very edge.

    Args:
        camera: width and height of its pictures, px.

    Raises:
        ModelError: it is no detector, or such pictures fill all of its input.
    """
    model = opened(source)
    if not isinstance(model, YoloDetector):
        raise ModelError(f"{source}: is no detector, and sees crops, not a camera's pictures; give --size")
    if model.fitting == "stretch":
        raise ModelError(f"{source}: pictures fill all of its input, stretched; give --size, which changes its answers")
    part = rect.filled(camera, model.size, model.fitting)
    if part == model.size:
        raise ModelError(
            f"{source}: pictures of {camera[0]} x {camera[1]} px fill all of its {part[0]} x {part[1]}; there is "
            "nothing to leave out. Give --size to make it smaller, which changes its answers"
        )
    return part


def _tell(model: Any, shapes: Mapping[str, Shape], before: Size, after: Size) -> None:
    """Put the new heights and widths where the graph holds the old ones: in what maps are reshaped and resized to.

    Args:
        shapes: of all values, at the old size.
    """
    graph = Graph(model)
    sides = {_map(before, 1 << k): _map(after, 1 << k) for k in range(8)}  # height and width of a map: the new ones
    for node in model.graph.node:
        if node.op_type not in ("Reshape", "Resize") or node.input[-1] not in graph.constants:
            continue
        wanted = graph.value(node.input[-1])
        if wanted is None or wanted.dtype != np.int64:
            continue  # factors, which stay
        maps = [node.input[0], node.output[0]] if node.op_type == "Reshape" else [node.output[0]]
        told = wanted.tolist()
        for shape in (shapes[name] for name in maps):  # attention makes rows of a map, and a map of rows
            for old in (shape[2:], shape[1:3]) if len(shape) == 4 else ():  # channels first, or last
                if told == wanted.tolist() and old in sides:
                    told = _told(told, old, sides[old])
        if told != wanted.tolist():
            node.input[len(node.input) - 1] = graph.constant(f"{node.output[0]}_size", np.array(told, np.int64))


def _cut_grids(model: Any, before: Size, after: Size) -> None:
    """Of constants that have something for each cell, such as where it lies, keep the cells of the smaller input.

    What lies beyond them is not known: a larger input is left to fail.
    """
    if after[0] > before[0] or after[1] > before[1]:
        return
    graph = Graph(model)
    for strides in STRIDES:
        total, kept = sum(cells(before, stride) for stride in strides), _kept(before, after, strides)
        for node in model.graph.node:
            for place, name in enumerate(node.input):
                value = graph.value(name)
                if value is None:
                    continue
                if node.op_type in ELEMENTWISE and total in value.shape:
                    value = np.take(value, kept, axis=value.shape.index(total))
                elif node.op_type == "Reshape" and place == 1 and total in value:
                    value = np.where(value == total, len(kept), value)
                else:
                    continue
                node.input[place] = graph.constant(f"{name}_cut", value)


def _kept(before: Size, after: Size, strides: Sequence[int]) -> NDArray[np.int64]:
    """Places of a smaller input's cells among those of a larger one, stride by stride and row by row."""
    places, first = [], 0
    for stride in strides:
        rows, columns = (np.arange(side) for side in _map(after, stride))
        places.append((first + rows[:, None] * _map(before, stride)[1] + columns).ravel())
        first += cells(before, stride)
    return np.concatenate(places)


def _map(size: Size, stride: int) -> Shape:
    """Height and width of a map, in cells."""
    return -(-size[1] // stride), -(-size[0] // stride)


def _told(wanted: list[int], old: Shape, new: Shape) -> list[int]:
    """A shape with a map's height and width, or their product, in it; the last place that fits is meant."""
    for place in range(len(wanted) - 1, 0, -1):
        if tuple(wanted[place - 1 : place + 1]) == old:
            return [*wanted[: place - 1], *new, *wanted[place + 1 :]]
        if wanted[place] == old[0] * old[1]:
            return [*wanted[:place], new[0] * new[1], *wanted[place + 1 :]]
    return wanted
