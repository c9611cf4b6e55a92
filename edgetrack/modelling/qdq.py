"""Static int8 in QDQ form: a prepared network, the ranges of its values, and any choice of blocks in int8.

Made of ONNX Runtime's quantizer; the calibration is our own (see `ranges`).
"""

from __future__ import annotations

import copy
import logging
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import version_converter
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process

from edgetrack.config import RuntimeConfig
from edgetrack.errors import ModelError
from edgetrack.modelling.ranges import Ranges
from edgetrack.runtime import ORT_ERRORS, OnnxModel

Form = Literal["u8s8", "s8s8"]  # activations, weights

OPSET = 13  # from which a scale per channel is possible
WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}  # where int8 saves time
OPERATORS = (  # all others stay in float
    *sorted(WEIGHTED),
    *("Add", "AveragePool", "Clip", "Concat", "GlobalAveragePool", "LeakyRelu", "MaxPool", "Mul", "Relu", "Reshape"),
    *("Resize", "Sigmoid", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"),
)
FAULTS: tuple[type[Exception], ...] = (
    *ORT_ERRORS,
    onnx.checker.ValidationError,
    onnx.shape_inference.InferenceError,
)


@dataclass(frozen=True)
class Prepared:
    """A network ready to be quantized: batch normalisation folded, shapes known, every node named.

    blocks: names of nodes that go together, in the order of the network; each holds at least one that has weights.
    tail: names of the nodes after the last weights; they make boxes of numbers and stay in float.
    """

    model: Any  # onnx.ModelProto
    blocks: tuple[tuple[str, ...], ...]
    tail: frozenset[str]


def prepare(path: str, blocks: int = 20) -> Prepared:
    """Read a float model and make it ready.

    Args:
        blocks: into how many the network is cut for the search.

    Raises:
        ModelError: it is quantized already, has no weights, or cannot be prepared.
    """
    model = onnx.load(path)
    kinds = {node.op_type for node in model.graph.node}
    already = kinds & {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger"}
    if already:
        raise ModelError(f"{path}: is quantized already ({sorted(already)[0]}); give the float model that it came from")
    if not kinds & WEIGHTED:
        raise ModelError(f"{path}: has no convolution and no matrix product; int8 would gain nothing, keep it")
    try:
        model = _raised(model)
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "source.onnx", Path(folder) / "prepared.onnx"
            onnx.save(model, source)
            quant_pre_process(source, target, skip_symbolic_shape=True)
            model = onnx.load(target)
    except FAULTS as error:
        gist = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{path}: cannot be prepared for int8 ({gist}); export it again with opset 13 or newer"
        ) from error
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
    tail = _tail(model)
    return Prepared(model, _blocks(model, tail, blocks), tail)


def _raised(model: Any) -> Any:
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    return version_converter.convert_version(model, OPSET) if opset < OPSET else model


def _tail(model: Any) -> frozenset[str]:
    """The nodes from which no weights follow."""
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    leading: set[str] = set()  # nodes that have weights behind them, themselves included
    for node in reversed(model.graph.node):
        behind = (reader for output in node.output for reader in readers.get(output, ()))
        if node.op_type in WEIGHTED or any(reader.name in leading for reader in behind):
            leading.add(node.name)
    return frozenset(node.name for node in model.graph.node if node.name not in leading)


def _blocks(model: Any, tail: Collection[str], wanted: int) -> tuple[tuple[str, ...], ...]:
    """Consecutive nodes, cut before nodes with weights so that each block holds about as many of them.

    The last of them, whose outputs the tail reads, are a block of their own.
    """
    nodes = [node for node in model.graph.node if node.name not in tail and node.op_type in OPERATORS]
    makers = {output: node for node in nodes for output in node.output}
    ends = {
        makers[name].name for node in model.graph.node if node.name in tail for name in node.input if name in makers
    }
    ends |= {makers[output.name].name for output in model.graph.output if output.name in makers}
    last = [node.name for node in nodes if node.name in ends and node.op_type in WEIGHTED]
    nodes = [node for node in nodes if node.name not in last]
    weighted = sum(node.op_type in WEIGHTED for node in nodes)
    each = max(1, round(weighted / wanted))
    found: list[list[str]] = [[]]
    seen = 0
    for node in nodes:
        if node.op_type in WEIGHTED:
            if seen and seen % each == 0:
                found.append([])
            seen += 1
        found[-1].append(node.name)
    blocks = [tuple(block) for block in found if block]
    return (*blocks, tuple(last)) if last else tuple(blocks)


def activations(prepared: Prepared) -> list[str]:
    """Names of the float values that a quantizer may need the range of."""
    constants = {constant.name for constant in prepared.model.graph.initializer}
    constants |= {name for node in prepared.model.graph.node if node.op_type == "Constant" for name in node.output}
    kinds = {
        info.name: info.type.tensor_type.elem_type
        for info in (*prepared.model.graph.value_info, *prepared.model.graph.input, *prepared.model.graph.output)
    }
    names: dict[str, None] = {}
    for node in prepared.model.graph.node:
        if node.op_type in OPERATORS:
            names.update(dict.fromkeys((*node.input, *node.output)))
    return [name for name in names if name and name not in constants and kinds.get(name, 1) == onnx.TensorProto.FLOAT]


def observe(prepared: Prepared, inputs: Iterable[NDArray[Any]], threads: int) -> Ranges:
    """Run the float network on each input and note the ranges of all its values."""
    names = activations(prepared)
    own = {tensor.name for tensor in (*prepared.model.graph.input, *prepared.model.graph.output)}
    model = copy.deepcopy(prepared.model)
    infos = {info.name: info for info in model.graph.value_info}
    for name in names:
        if name not in own:
            model.graph.output.append(infos.get(name) or onnx.ValueInfoProto(name=name))
    ranges = Ranges(names)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "observed.onnx"
        onnx.save(model, file)
        network = OnnxModel(str(file), RuntimeConfig(threads=threads))
        outputs = [tensor.name for tensor in network.outputs]
        (source,) = (tensor.name for tensor in network.inputs)
        for array in inputs:
            found = dict(zip(outputs, network.run(array), strict=True))
            found[source] = array
            ranges.add({name: found[name] for name in names})
    return ranges


def quantize(
    prepared: Prepared,
    limits: dict[str, tuple[float, float]],
    form: Form,
    blocks: Collection[int],
    target: Path,
    facts: dict[str, str],
) -> None:
    """Write the network with these blocks in int8 and all else in float.

    Args:
        limits: by name of the value, from `Ranges.limits`.
        blocks: numbers of `prepared.blocks`.
        facts: go into the file's metadata.
    """
    chosen = [name for number in sorted(blocks) for name in prepared.blocks[number]]
    ranges = {name: (np.float32(low), np.float32(high)) for name, (low, high) in limits.items()}
    quantizer = QDQQuantizer(
        copy.deepcopy(prepared.model),
        per_channel=True,
        reduce_range=form == "u8s8" and sums_overflow(),
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8 if form == "u8s8" else QuantType.QInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, ranges),
        nodes_to_quantize=chosen,
        nodes_to_exclude=sorted(prepared.tail),
        op_types_to_quantize=OPERATORS,
        extra_options={},
    )
    with _unheard():
        quantizer.quantize_model()
    model = quantizer.model.model
    known = {entry.key: entry.value for entry in prepared.model.metadata_props} | facts
    del model.metadata_props[:]
    for key, value in known.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, target)


@contextmanager
def _unheard() -> Iterator[None]:
    """The quantizer tells the root logger of every scale that it touches."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        root.setLevel(level)


def sums_overflow(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this processor multiplies bytes in pairs into 16 bits, which eight-bit weights overflow in silence.

    x86 processors without VNNI do; weights then keep to 7 bits.
    """
    try:
        flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        return True
    return flags is not None and "vnni" not in flags[1]
