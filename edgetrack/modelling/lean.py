"""Exact rewrites of a graph that make it quicker: nothing here changes what a model answers, but for rounding.

Each takes an onnx.ModelProto, changes it in place, and says what it did, or nothing.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgetrack.config import RuntimeConfig
from edgetrack.runtime import OnnxModel

Array = NDArray[Any]

# Shapes and small sums that exporters leave in a graph; no quantized weights, which are meant to be unpacked each time.
FOLDABLE = {"Reshape", "Unsqueeze", "Squeeze", "Transpose", "Add", "Sub", "Mul", "Div", "Concat", "Slice", "Gather"}


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """Its value, `default` where the node has none of that name."""
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


class Graph:
    """Names to nodes and constants, of a graph that changes."""

    def __init__(self, model: Any) -> None:
        self.graph = model.graph
        self.constants = {tensor.name: tensor for tensor in self.graph.initializer}
        self.makers = {output: node for node in self.graph.node for output in node.output}
        self.readers: dict[str, list[Any]] = {}
        for node in self.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.outputs = {output.name for output in self.graph.output}

    def value(self, name: str) -> Array | None:
        """Of a constant; None where it is computed."""
        tensor = self.constants.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def number(self, name: str) -> float:
        """Of a constant that is one number; NaN for all else."""
        value = self.value(name)
        return float(value.reshape(())) if value is not None and value.size == 1 else math.nan

    def only_reader(self, name: str) -> Any | None:
        """The one node that reads a value which nobody outside sees."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def constant(self, name: str, value: Array) -> str:
        """Add one under a name like this that is free."""
        free = name
        while free in self.constants or free in self.makers:
            free += "_"
        tensor = numpy_helper.from_array(np.ascontiguousarray(value), free)
        self.graph.initializer.append(tensor)
        self.constants[free] = self.graph.initializer[-1]
        return free

    def replace(self, old: list[Any], new: list[Any]) -> None:
        """Nodes for nodes, at the place of the last old one, behind all that they read."""
        place = max(k for k, node in enumerate(self.graph.node) if any(node is gone for gone in old))
        nodes = list(self.graph.node)
        kept = [*nodes[: place + 1], *new, *nodes[place + 1 :]]
        del self.graph.node[:]
        self.graph.node.extend(node for node in kept if not any(node is gone for gone in old))


def evaluated(model: Any) -> dict[str, Array]:
    """The outputs of a model without inputs."""
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model, f"{folder}/part.onnx")
        network = OnnxModel(f"{folder}/part.onnx", RuntimeConfig(threads=1))
        return {tensor.name: array for tensor, array in zip(network.outputs, network.run(), strict=True)}


def free_initializers(model: Any) -> str:
    """Weights that are also listed as inputs might change from run to run, and are then never folded or packed."""
    constants = {tensor.name for tensor in model.graph.initializer}
    listed = [value for value in model.graph.input if value.name in constants]
    for value in listed:
        model.graph.input.remove(value)
    model.ir_version = max(model.ir_version, 4)  # before 4 they had to be listed
    return f"{len(listed)} weights no longer listed as inputs" if listed else ""


def plain_constants(model: Any) -> str:
    """Constant nodes become weights, Identity nodes go."""
    graph, count = model.graph, 0
    for node in list(graph.node):
        value = attribute(node, "value") if node.op_type == "Constant" else None
        if value is not None:
            tensor = onnx.TensorProto()
            tensor.CopyFrom(value)
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
            graph.node.remove(node)
            count += 1
    outputs = {output.name for output in graph.output}
    for node in [n for n in graph.node if n.op_type == "Identity" and n.output[0] not in outputs]:
        for reader in graph.node:
            for place, name in enumerate(reader.input):
                if name == node.output[0]:
                    reader.input[place] = node.input[0]
        graph.node.remove(node)
        count += 1
    return f"{count} constants and identities folded" if count else ""


def known_shapes(model: Any, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Where the input has one size, what asks for the shape of a value is a constant."""
    graph = model.graph
    if any(not dim.dim_value for value in graph.input for dim in value.type.tensor_type.shape.dim):
        return ""
    asking = [node for node in graph.node if node.op_type == "Shape" and not node.attribute]
    for node in asking:
        graph.node.remove(node)
        graph.initializer.append(numpy_helper.from_array(np.array(shapes[node.input[0]], np.int64), node.output[0]))
    return f"{len(asking)} shapes known beforehand" if asking else ""


def fold(model: Any) -> str:
    """What is computed of weights alone is computed once."""
    graph = model.graph
    known = {tensor.name for tensor in graph.initializer}
    before, found = len(known), []
    for node in graph.node:
        if node.op_type in FOLDABLE and all(name in known for name in node.input):
            known.update(node.output)
            found.append(node)
    if not found:
        return ""
    part = onnx.ModelProto()
    part.CopyFrom(model)
    del part.graph.node[:], part.graph.input[:], part.graph.output[:]
    part.graph.node.extend(found)
    part.graph.output.extend(onnx.ValueInfoProto(name=name) for node in found for name in node.output)
    values = evaluated(part)
    for node in found:
        graph.node.remove(node)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in values.items())
    return f"{len(known) - before} values of weights alone computed once"


def hard_swish(model: Any) -> str:
    """x * clip(x + 3, 0, 6) / 6, which exporters write as four operators, as two: x * HardSigmoid(x)."""
    count = 0
    while _one_hard_swish(Graph(model)):
        count += 1
    return f"{count} activations of four operators in two" if count else ""


def _one_hard_swish(g: Graph) -> bool:
    for add in g.graph.node:
        if add.op_type != "Add" or math.isnan(three := g.number(add.input[1])) or three != 3:
            continue
        x, clip = add.input[0], g.only_reader(add.output[0])
        if clip is None or clip.op_type != "Clip" or len(clip.input) != 3:
            continue
        multiply = g.only_reader(clip.output[0])
        if g.number(clip.input[1]) != 0 or g.number(clip.input[2]) != 6 or multiply is None:
            continue
        last = g.only_reader(multiply.output[0])
        if multiply.op_type != "Mul" or x not in multiply.input or last is None:
            continue
        scale = g.number(last.input[1])
        if (last.op_type, scale) != ("Div", 6.0) and not (last.op_type == "Mul" and abs(scale * 6 - 1) < 1e-6):
            continue
        gate = f"{last.output[0]}_gate"
        new = [
            helper.make_node("HardSigmoid", [x], [gate], name=gate, alpha=1 / 6, beta=0.5),
            helper.make_node("Mul", [x, gate], list(last.output), name=f"{gate}d"),
        ]
        g.replace([add, clip, multiply, last], new)
        return True
    return False


def fold_focus(model: Any) -> str:
    """YOLOX and YOLOv5 cut a picture into four, each of every other pixel, before their first convolution (Focus).

    A convolution of twice the side and stride reads the same pixels where they are.
    """
    g = Graph(model)
    for concat in g.graph.node:
        if concat.op_type != "Concat" or attribute(concat, "axis") != 1 or len(concat.input) != 4:
            continue
        parts = [_every_other(g, name) for name in concat.input]
        conv = g.only_reader(concat.output[0])
        if conv is None or conv.op_type != "Conv" or None in parts:
            continue
        source = {part[0] for part in parts if part}
        offsets = [part[1] for part in parts if part]
        weight = g.value(conv.input[1])
        if (
            len(source) != 1
            or sorted(offsets) != [(0, 0), (0, 1), (1, 0), (1, 1)]
            or not _plain(conv)
            or weight is None
        ):
            continue
        conv.input[0] = source.pop()
        conv.input[1] = g.constant(f"{conv.input[1]}_whole", _spread(weight, offsets))
        pads = attribute(conv, "pads", [0, 0, 0, 0])
        _set(conv, "pads", [2 * pad for pad in pads])
        _set(conv, "strides", [2, 2])
        _set(conv, "kernel_shape", [2 * side for side in weight.shape[2:]])
        sweep(model)
        return "Focus folded into the first convolution"
    return ""


def _every_other(g: Graph, name: str) -> tuple[str, tuple[int, int]] | None:
    """What a chain of slices takes every other pixel of, and from which row and column."""
    starts = {}
    while (node := g.makers.get(name)) is not None and node.op_type == "Slice" and len(node.input) == 5:
        first, axes, steps = (g.value(node.input[k]) for k in (1, 3, 4))
        last = g.value(node.input[2])
        if first is None or axes is None or steps is None or last is None:
            return None
        for start, end, axis, step in zip(first.tolist(), last.tolist(), axes.tolist(), steps.tolist(), strict=True):
            if step != 2 or start not in (0, 1) or axis not in (2, 3) or axis in starts or end < 1 << 15:
                return None
            starts[axis] = start
        name = node.input[0]
    return (name, (starts[2], starts[3])) if len(starts) == 2 else None


def _plain(conv: Any) -> bool:
    """One group, no strides, no holes, its own pads."""
    ones = [1, 1]
    return (
        attribute(conv, "group", 1) == 1
        and list(attribute(conv, "strides", ones)) == ones
        and list(attribute(conv, "dilations", ones)) == ones
        and attribute(conv, "auto_pad", b"NOTSET") == b"NOTSET"
    )


def _spread(weight: Array, offsets: list[tuple[int, int]]) -> Array:
    """(O, 4 C, k, k) weights of the four parts -> (O, C, 2 k, 2 k) of the picture that they were cut from."""
    out, four, tall, wide = weight.shape
    whole = np.zeros((out, four // 4, 2 * tall, 2 * wide), weight.dtype)
    for part, (row, column) in zip(np.split(weight, 4, axis=1), offsets, strict=True):
        whole[:, :, row::2, column::2] = part
    return whole


def _set(node: Any, name: str, value: Any) -> None:
    for old in [a for a in node.attribute if a.name == name]:
        node.attribute.remove(old)
    node.attribute.append(helper.make_attribute(name, value))


def sweep(model: Any) -> str:
    """Remove nodes and weights that no output needs."""
    graph = model.graph
    before = len(graph.node) + len(graph.initializer)
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if any(name in needed for name in node.output):
            kept.append(node)
            needed.update(node.input)
            for body in (a.g for a in node.attribute if a.HasField("g")):
                needed.update(name for inner in body.node for name in inner.input)
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    kept.reverse()
    del graph.node[:]
    graph.node.extend(kept)
    del graph.initializer[:]
    graph.initializer.extend(weights)
    gone = before - len(graph.node) - len(graph.initializer)
    return f"{gone} unused nodes and weights removed" if gone else ""
