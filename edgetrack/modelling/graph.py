"""What only the graph of a model tells: parameters, multiply-adds, how it is quantized. Needs the onnx package."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx
from onnx import TensorProto

from edgetrack.config import RuntimeConfig
from edgetrack.errors import ModelError
from edgetrack.runtime import OnnxModel

Shape = tuple[int, ...]

CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3, "FusedConv": 1}  # operator -> which input is its weights
PRODUCTS = {"MatMul": 1, "MatMulInteger": 1, "QLinearMatMul": 3, "Gemm": 1, "QGemm": 3, "FusedMatMul": 1}
TRANSPOSED = {"ConvTranspose": 1}
WEIGHTS = CONVOLUTIONS | PRODUCTS | TRANSPOSED
PASSING = {"DequantizeLinear", "Transpose", "Cast", "Identity", "Reshape", "QuantizeLinear"}  # weights remain weights
LEARNED = {*WEIGHTS, "BatchNormalization", "PRelu", "InstanceNormalization", "LayerNormalization"}
INTEGERS = {
    TensorProto.INT8: "int8",
    TensorProto.UINT8: "uint8",
    TensorProto.INT16: "int16",
    TensorProto.UINT16: "uint16",
}


@dataclass
class Anatomy:
    """Counted from the graph."""

    opset: int
    producer: str
    operators: dict[str, int]
    parameters: int
    multiply_adds: int  # of one picture; what is not known is in `uncounted`
    uncounted: int  # operators with weights whose shapes cannot be told
    quantized: str  # "no", or how
    quantized_share: float  # of the multiply-adds
    metadata: dict[str, str] = field(default_factory=dict)


def anatomy(path: str, inputs: Mapping[str, Shape]) -> Anatomy:
    """Take a model apart.

    Args:
        inputs: shape of each input as it is really run; decides the multiply-adds, which none leaves uncounted.
    """
    try:
        model = onnx.load(path)
        shapes = _shapes(model, inputs)
    except (ValueError, OSError) as error:
        raise ModelError(
            f"{path}: its graph cannot be read ({' '.join(str(error).split())[:200]}); export it again"
        ) from error
    makers = {output: node for node in model.graph.node for output in node.output}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    constants |= {
        node.output[0]: attribute.t
        for node in model.graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    costs = {k: _cost(node, shapes) for k, node in enumerate(model.graph.node) if node.op_type in WEIGHTS}
    total = sum(cost for cost in costs.values() if cost is not None)
    small = [k for k in costs if _is_integer(model.graph.node[k], makers, constants)]
    share = sum(costs[k] or 0 for k in small) / total if total else 0.0
    return Anatomy(
        max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0),
        " ".join(part for part in (model.producer_name, model.producer_version) if part),
        dict(Counter(node.op_type for node in model.graph.node).most_common()),
        _parameters(model, makers, constants),
        total,
        sum(cost is None for cost in costs.values()),
        _form(model, makers, constants),
        share,
        {entry.key: entry.value for entry in model.metadata_props},
    )


def _shapes(model: Any, inputs: Mapping[str, Shape]) -> dict[str, Shape]:
    """Shape of what operators with weights read and write: those of constants, and of all others in a run on zeros."""
    known = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer} | dict(inputs)
    wanted: dict[str, None] = {}
    for node in model.graph.node:
        if node.op_type in WEIGHTS:
            wanted.update(dict.fromkeys((node.input[0], node.input[WEIGHTS[node.op_type]], node.output[0])))
    if not inputs or not wanted:
        return known
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in known)
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/shown.onnx"
        onnx.save(shown, file)
        network = OnnxModel(file, RuntimeConfig(threads=1))
        arrays = network.warm_up(*(inputs[tensor.name] for tensor in network.inputs))
    return known | {tensor.name: array.shape for tensor, array in zip(network.outputs, arrays, strict=True)}


def _cost(node: Any, shapes: Mapping[str, Shape]) -> int | None:
    """Multiply-adds of one operator; None where its shapes are not known."""
    weight, output = shapes.get(node.input[WEIGHTS[node.op_type]]), shapes.get(node.output[0])
    first = shapes.get(node.input[0])
    if node.op_type in TRANSPOSED:
        return None if weight is None or first is None else math.prod(first) * math.prod(weight[1:])
    if output is None or weight is None:
        return None
    if node.op_type in CONVOLUTIONS:
        return math.prod(output) * math.prod(weight[1:])
    transposed = node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute)
    return math.prod(output) * weight[-1 if transposed or len(weight) == 1 else -2]


def _source(name: str, makers: Mapping[str, Any], constants: Mapping[str, Any]) -> Any | None:
    """The constant that a value is made of, None where it is computed."""
    while name not in constants:
        node = makers.get(name)
        if node is None or node.op_type not in PASSING:
            return None
        name = node.input[0]
    return constants[name]


def _parameters(model: Any, makers: Mapping[str, Any], constants: Mapping[str, Any]) -> int:
    """Numbers that training found: the constants that operators with weights read, scales and zero points left out."""
    found: dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type in LEARNED:
            places = (3, 8) if node.op_type in ("QLinearConv", "QGemm") else range(len(node.input))
            names = [node.input[k] for k in places if k < len(node.input)]
            sources = (_source(name, makers, constants) for name in names if name)
            found |= {tensor.name: math.prod(tensor.dims) for tensor in sources if tensor is not None}
    return sum(found.values())


def _is_integer(node: Any, makers: Mapping[str, Any], constants: Mapping[str, Any]) -> bool:
    """Whether an operator with weights computes in integers, or will when a runtime joins it with its neighbours."""
    if node.op_type in ("QLinearConv", "QLinearMatMul", "QGemm", "ConvInteger", "MatMulInteger"):
        return True
    given = [makers.get(node.input[k]) for k in (0, WEIGHTS[node.op_type]) if k < len(node.input)]
    return all(maker is not None and maker.op_type == "DequantizeLinear" for maker in given)


def _form(model: Any, makers: Mapping[str, Any], constants: Mapping[str, Any]) -> str:
    kinds = {node.op_type for node in model.graph.node}
    if kinds & {"ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"}:
        return "dynamic: activations are quantized anew for each picture, which is slow for convolutions"
    if kinds & {"QLinearConv", "QLinearMatMul", "QGemm"}:
        return f"QOperator, static, {_types(model, constants)}"
    if "QuantizeLinear" in kinds:
        return f"QDQ, static, {_types(model, constants)}"
    if "DequantizeLinear" in kinds:
        return "weights only: smaller, not faster"
    return "no"


def _types(model: Any, constants: Mapping[str, Any]) -> str:
    """Types of activations and weights, and whether weights have a scale for each channel."""
    values, weights, channels = Counter[str](), Counter[str](), False
    for node in model.graph.node:
        zero = constants.get(node.input[2]) if len(node.input) > 2 else None
        if node.op_type == "QuantizeLinear":
            values["uint8" if zero is None else INTEGERS.get(zero.data_type, "?")] += 1
        place = {"DequantizeLinear": 0, "QLinearConv": 3, "QLinearMatMul": 3, "QGemm": 3}.get(node.op_type)
        tensor = constants.get(node.input[place]) if place is not None else None
        if tensor is not None and tensor.data_type in INTEGERS:
            weights[INTEGERS[tensor.data_type]] += 1
            scale = constants.get(node.input[place + 1]) if place is not None else None
            channels |= scale is not None and math.prod(scale.dims) > 1
    return f"activations {_most(values)}, weights {_most(weights)} {'per channel' if channels else 'per tensor'}"


def _most(kinds: Counter[str]) -> str:
    return kinds.most_common(1)[0][0] if kinds else "unknown"
