"""Only the wanted classes' scores: follows them back through a graph, to the weights that make them, and cuts there."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from edgetrack.config import RuntimeConfig
from edgetrack.detect.heads import Distances, EndToEnd, Head, Yolov5, Yolov8, Yolox
from edgetrack.errors import ModelError
from edgetrack.modelling.lean import Array, Graph, attribute
from edgetrack.runtime import OnnxModel

Shape = tuple[int, ...]
Rows = tuple[int, ...]

ALIKE = {"Sigmoid", "Relu", "Cast", "Clip", "HardSigmoid", "LeakyRelu", "Tanh", "Exp", "Identity", "Softplus"}
PAIRS = {"Add", "Sub", "Mul", "Div"}
CONVOLUTIONS = {"Conv": (1, 2), "ConvInteger": (1,)}  # which inputs hold something for each channel
LINEAR = {"QuantizeLinear", "DequantizeLinear"}


class UnknownGraphError(ValueError):
    """A graph is built in a way that cannot be followed; the message says where."""


def places(head: Head, wanted: Sequence[int], widths: Sequence[Shape]) -> list[tuple[int, int, Rows]]:
    """Output, axis and what to keep along it, so that only the `wanted` classes remain.

    Args:
        widths: shapes of the outputs.

    Raises:
        ModelError: the form has no score of its own for each class.
    """
    if isinstance(head, Yolox | Yolov5):
        return [(0, 2, (*range(5), *(5 + k for k in wanted)))]
    if isinstance(head, Yolov8):
        return [(0, 1, (*range(4), *(4 + k for k in wanted)))]
    if isinstance(head, Distances) and head.pairs is None:
        return [(0, 2, (*wanted, *range(head.classes or 0, widths[0][2])))]
    if isinstance(head, Distances):
        return [(scores, 2, tuple(wanted)) for scores, _ in head.pairs or ()]
    assert isinstance(head, EndToEnd)
    raise ModelError("its form is end2end, which has no scores to leave out; leave --classes away")


class Cutter:
    """Keeps part of an output, and of everything that only this part needs.

    Args:
        model: onnx.ModelProto, changed in place.
        shapes: of every value, as in a run.
    """

    def __init__(self, model: Any, shapes: Mapping[str, Shape]) -> None:
        self._model, self._graph, self._shapes = model, Graph(model), dict(shapes)
        self._done: dict[str, tuple[int, Rows]] = {}

    def keep(self, name: str, axis: int, rows: Rows) -> None:
        """
        Raises:
            UnknownGraphError: the value is made in a way that is not known here, or others need all of it.
        """
        shape = self._shapes[name]
        axis %= len(shape)
        if rows == tuple(range(shape[axis])):
            return
        if name in self._done:
            if self._done[name] != (axis, rows):
                raise UnknownGraphError(f"{name} is needed in two ways")
            return
        node = self._graph.makers.get(name)
        if node is None:
            raise UnknownGraphError(f"{name} is no computed value")
        self._done[name] = (axis, rows)
        self._follow(node, name, axis, rows)

    def _follow(self, node: Any, name: str, axis: int, rows: Rows) -> None:
        kind = node.op_type
        if kind in ALIKE:
            self.keep(node.input[0], axis, rows)
        elif kind in PAIRS:
            for place in (0, 1):
                self._operand(node, place, len(self._shapes[name]), axis, rows)
        elif kind in LINEAR:
            self._linear(node, axis, rows)
        elif kind in CONVOLUTIONS:
            self._convolution(node, axis, rows)
        elif kind == "Transpose":
            order = attribute(node, "perm") or list(range(len(self._shapes[name])))[::-1]
            self.keep(node.input[0], order[axis], rows)
        elif kind == "Concat":
            self._concat(node, axis, rows)
        elif kind == "Split":
            self._split(node, name, axis, rows)
        elif kind == "Reshape":
            self._reshape(node, name, axis, rows)
        elif kind == "Slice":
            self._part(node, name, axis, rows)
        else:
            raise UnknownGraphError(f"{name} comes from {kind}")

    def _operand(self, node: Any, place: int, rank: int, axis: int, rows: Rows) -> None:
        """One side of a sum or product, which may be smaller than the result."""
        name = node.input[place]
        shape = self._shapes[name]
        own = axis - (rank - len(shape))
        if own < 0 or shape[own] == 1:
            return
        if name in self._graph.constants:
            self._slice(node, place, own, rows)
        else:
            self.keep(name, own, rows)

    def _slice(self, node: Any, place: int, axis: int, rows: Rows) -> None:
        """Part of a constant, for this node alone."""
        value = self._graph.value(node.input[place])
        assert value is not None
        node.input[place] = self._graph.constant(f"{node.input[place]}_kept", np.take(value, rows, axis=axis))

    def _linear(self, node: Any, axis: int, rows: Rows) -> None:
        """Quantizing, or back: whole, or with a scale for each channel."""
        if node.input[0] in self._graph.constants:
            self._slice(node, 0, axis, rows)
        else:
            self.keep(node.input[0], axis, rows)
        rank = len(self._shapes[node.output[0]])
        for place in range(1, len(node.input)):
            if node.input[place] and math.prod(self._shapes[node.input[place]]) > 1:
                if attribute(node, "axis", 1) % rank != axis:
                    raise UnknownGraphError(f"{node.output[0]} has scales along another axis")
                self._slice(node, place, 0, rows)

    def _convolution(self, node: Any, axis: int, rows: Rows) -> None:
        if axis != 1 or attribute(node, "group", 1) != 1:
            raise UnknownGraphError(f"{node.output[0]} is a convolution in groups")
        for place in CONVOLUTIONS[node.op_type]:
            if place < len(node.input) and node.input[place]:
                if node.input[place] in self._graph.constants:
                    self._slice(node, place, 0, rows)
                else:
                    self.keep(node.input[place], 0, rows)
        if node.op_type == "ConvInteger" and len(node.input) > 3 and math.prod(self._shapes[node.input[3]]) > 1:
            self._slice(node, 3, 0, rows)

    def _concat(self, node: Any, axis: int, rows: Rows) -> None:
        along = attribute(node, "axis") % len(self._shapes[node.output[0]])
        first = 0
        for name in node.input:
            end = first + self._shapes[name][along]
            own = rows if along != axis else tuple(k - first for k in rows if first <= k < end)
            if not own:
                raise UnknownGraphError(f"nothing of {name} is wanted")
            self.keep(name, axis, own)
            first = end

    def _split(self, node: Any, name: str, axis: int, rows: Rows) -> None:
        along = attribute(node, "axis", 0) % len(self._shapes[name])
        if along != axis:
            raise UnknownGraphError(f"{name} is split along another axis")
        sizes = [self._shapes[output][axis] for output in node.output]
        place = list(node.output).index(name)
        first = sum(sizes[:place])
        whole = (*range(first), *(first + k for k in rows), *range(first + sizes[place], sum(sizes)))
        sizes[place] = len(rows)
        self.keep(node.input[0], axis, whole)
        for old in [a for a in node.attribute if a.name in ("split", "num_outputs")]:
            node.attribute.remove(old)
        if self._opset() < 13:
            node.attribute.append(helper.make_attribute("split", sizes))
        else:
            del node.input[1:]
            node.input.append(self._graph.constant(f"{name}_sizes", np.array(sizes, np.int64)))

    def _part(self, node: Any, name: str, axis: int, rows: Rows) -> None:
        """A slice that ends where the value ends."""
        span = self._span(node)
        if span is None or span[0] != axis or len(self._shapes[node.input[0]]) != len(self._shapes[name]):
            raise UnknownGraphError(f"{name} is a slice of an unusual kind")
        _, first, end = span
        if end != self._shapes[node.input[0]][axis]:
            raise UnknownGraphError(f"{name} is a slice from the middle")
        self.keep(node.input[0], axis, (*range(first), *(first + k for k in rows)))
        node.input[2] = self._graph.constant(f"{name}_end", np.array([np.iinfo(np.int64).max], np.int64))

    def _span(self, node: Any) -> tuple[int, int, int] | None:
        """Axis, first and end of a slice along one axis, every row of it."""
        values = [self._graph.value(name) for name in node.input[1:]]
        if len(values) < 3 or any(value is None or value.size != 1 for value in values):
            return None
        first, end, axis, *step = (int(value.reshape(())) for value in values if value is not None)
        rank = len(self._shapes[node.input[0]])
        size = self._shapes[node.input[0]][axis % rank]
        if step not in ([], [1]):
            return None
        return axis % rank, first % size, min(end if end >= 0 else end + size, size)

    def _reshape(self, node: Any, name: str, axis: int, rows: Rows) -> None:
        before, after = self._shapes[node.input[0]], self._shapes[name]
        ahead = math.prod(after[:axis])
        source = next(
            (k for k in range(len(before)) if math.prod(before[:k]) == ahead and before[k] == after[axis]), None
        )
        if source is None:
            raise UnknownGraphError(f"{name} is reshaped across the classes")
        self.keep(node.input[0], source, rows)
        told = self._graph.value(node.input[1])  # as it was, -1 and all, so that it still fits other inputs
        wanted = list(after) if told is None or len(told) != len(after) else told.tolist()
        wanted[axis] = len(rows)
        node.input[1] = self._graph.constant(f"{name}_shape", np.array(wanted, np.int64))

    def _opset(self) -> int:
        return max(int(entry.version) for entry in self._model.opset_import if entry.domain in ("", "ai.onnx"))

    def check(self) -> None:
        """
        Raises:
            UnknownGraphError: somebody else reads a value that was cut.
        """
        for name in self._done:
            for reader in self._graph.readers.get(name, ()):
                if not any(output in self._done for output in reader.output) and not self._spared(name, reader):
                    raise UnknownGraphError(f"{name} is read by {reader.op_type} too")

    def _spared(self, name: str, reader: Any) -> bool:
        """Whether it reads a part in front of everything that was cut off."""
        span = self._span(reader) if reader.op_type == "Slice" else None
        axis, rows = self._done[name]
        return span is not None and span[0] == axis and rows[: span[2]] == tuple(range(span[2]))


def shapes_of(model: Any, file: str, given: Shape) -> dict[str, Shape]:
    """Shape of every value in a run on zeros."""
    known = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output if name]
    del shown.graph.output[:]
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/shown.onnx"
        onnx.save(shown, path)
        network = OnnxModel(path, RuntimeConfig(threads=1))
        try:
            arrays: list[Array] = network.warm_up(given)
        except ModelError as error:
            raise ModelError(f"{file}: {error}") from None
        known |= {tensor.name: array.shape for tensor, array in zip(network.outputs, arrays, strict=True)}
        known[network.inputs[0].name] = given
    return known


def keep_classes(model: Any, cuts: Sequence[tuple[str, int, Rows]], shapes: Mapping[str, Shape]) -> None:
    """Cut a model in place.

    Raises:
        UnknownGraphError: it cannot be done; the model is then of no use any more.
    """
    cutter = Cutter(model, shapes)
    for name, axis, rows in cuts:
        cutter.keep(name, axis, rows)
    cutter.check()
    for output in model.graph.output:
        for name, axis, rows in cuts:
            dims = output.type.tensor_type.shape.dim
            if output.name == name and len(dims) > axis:
                dims[axis].dim_value = len(rows)
    del model.graph.value_info[:]  # they tell the old shapes
