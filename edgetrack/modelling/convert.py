"""The original GOTURN (Held et al. 2016) from Caffe to ONNX, layer by layer: `edgetrack model convert`.

Two stacks of CaffeNet's convolutions (conv1 to conv5, with groups and local response normalisation), one for the target
and one for the picture, into dense layers; the last one answers with the box times 10. Layers that only training needs
are left out.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgetrack.config import RuntimeConfig
from edgetrack.errors import ModelError
from edgetrack.modelling.caffe import Layer, Net, read
from edgetrack.modelling.qdq import FAULTS, sums_overflow
from edgetrack.runtime import OnnxModel

OPSET, IR = 13, 8
SIDE_PX = 227
INPUTS = ("target", "image")  # the crop of the picture before, the crop of this one
OUTPUT = "xyxy_times_10"
ANSWERS = 4
SOURCES = ("Input", "Data", "MemoryData", "HDF5Data", "ImageData", "Python", "DummyData")
MAX = 0  # PoolingParameter.pool
ACROSS_CHANNELS = 0  # LRNParameter.norm_region


def convert(source: Path, target: Path, int8: bool = False) -> dict[str, str]:
    """Write the ONNX file; returns what stands in its metadata.

    Args:
        int8: dense layers, which hold nine tenths of the weights, in 8 bits; what flows in is quantized as it comes.

    Raises:
        ModelError: the file is no GOTURN.
    """
    net = read(source)
    model = to_onnx(net, str(source), int8)
    digest = hashlib.sha256()
    with source.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    facts = {
        "task": "follow",
        "head": "goturn-caffe",
        "converted_from": f"{source.name}, sha256 {digest.hexdigest()}",
        "licence": "that of the Caffe model",
    }
    if not target.parent.is_dir():
        raise ModelError(f"{target}: there is no folder {target.parent}; create it, or choose another --output")
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
    with tempfile.TemporaryDirectory(prefix=".converting-", dir=target.parent) as room:
        made = Path(room) / target.name
        onnx.save(model, str(made))
        del model
        OnnxModel(str(made), RuntimeConfig(threads=1)).warm_up()
        made.replace(target)
    return facts


def to_onnx(net: Net, path: str, int8: bool = False) -> Any:
    """The part of the net that answers, as an onnx.ModelProto with inputs `target` and `image`.

    Raises ModelError, naming the layer, where it is no GOTURN.
    """
    answer = _answer(net, path)
    layers = _needed(net, answer)
    names = _inputs(layers, path)
    graph = _Graph(path, {layer.name for layer in layers if int8 and layer is not answer})
    current = dict(zip(names, INPUTS, strict=True))  # name in Caffe -> in ONNX; layers may write where they read
    for layer in layers:
        for bottom in layer.bottoms:
            if bottom not in current:
                raise ModelError(f"{path}: {layer.name} reads {bottom}, which no layer before it makes")
        current.update(graph.add(layer, [current[bottom] for bottom in layer.bottoms]))
    graph.nodes[-1].output[0] = OUTPUT
    shape = ["targets", 3, SIDE_PX, SIDE_PX]
    made = helper.make_graph(
        graph.nodes,
        "goturn",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in INPUTS],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["targets", ANSWERS])],
        graph.weights,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    model.producer_name = "edgetrack"
    try:
        onnx.checker.check_model(model)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except FAULTS as error:
        raise ModelError(f"{path}: its layers do not fit together: {' '.join(str(error).split())[:200]}") from None
    return model


def _answer(net: Net, path: str) -> Layer:
    """The last dense layer with four answers; what follows is the loss."""
    dense = [layer for layer in net.layers if layer.type == "InnerProduct"]
    found = [layer for layer in dense if layer.blobs and layer.blobs[0].size and _rows(layer.blobs[0]) == ANSWERS]
    if not found:
        widths = ", ".join(f"{layer.name} {_rows(layer.blobs[0]) if layer.blobs else 'no weights'}" for layer in dense)
        raise ModelError(
            f"{path}: has no dense layer with {ANSWERS} answers (dense are: {widths or 'none'}); expected a GOTURN "
            "with its weights"
        )
    return found[-1]


def _needed(net: Net, answer: Layer) -> list[Layer]:
    """The layers from which the answer follows, in their order, without those that make inputs."""
    wanted, layers = {answer.tops[0]}, []
    upto = next(k for k, layer in enumerate(net.layers) if layer is answer)
    for layer in reversed(net.layers[: upto + 1]):
        if wanted & set(layer.tops) and layer.bottoms and layer.type not in SOURCES:
            layers.append(layer)
            wanted |= set(layer.bottoms)
    return layers[::-1]


def _inputs(layers: Sequence[Layer], path: str) -> list[str]:
    """The two blobs that nobody makes: by name, or in the order in which they are read."""
    made: set[str] = set()
    free: dict[str, None] = {}
    for layer in layers:
        free.update(dict.fromkeys(bottom for bottom in layer.bottoms if bottom not in made))
        made.update(layer.tops)
    if set(INPUTS) <= set(free):
        return list(INPUTS)
    if len(free) != len(INPUTS):
        raise ModelError(f"{path}: has the inputs {', '.join(free) or 'none'}; expected two, target and image")
    return list(free)


def _rows(blob: NDArray[np.float32]) -> int:
    """Answers of a dense layer; older files write (1, 1, answers, inputs)."""
    return int(blob.shape[-2]) if blob.ndim >= 2 else 0


class _Graph:
    """Nodes and weights as they come; every value has a name of its own."""

    def __init__(self, path: str, small: Collection[str]) -> None:
        """Args: small: names of layers whose weights are to be in 8 bits, if they are dense."""
        self._small = small
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._path = path
        self._kinds: dict[str, Callable[[Layer, list[str]], str]] = {
            "Concat": self._concat,
            "Convolution": self._convolution,
            "InnerProduct": self._dense,
            "LRN": self._lrn,
            "Pooling": self._pooling,
            "ReLU": self._relu,
        }

    def add(self, layer: Layer, inputs: list[str]) -> Iterator[tuple[str, str]]:
        """Names in Caffe and in ONNX of what the layer makes."""
        if layer.type in ("Dropout", "Split", "Flatten"):  # nothing happens in them here
            return ((top, inputs[0]) for top in layer.tops)
        kind = self._kinds.get(layer.type)
        if kind is None:
            raise self._error(layer, f"is a {layer.type}", f"one of {', '.join(self._kinds)}")
        made = kind(layer, inputs)
        return ((top, made) for top in layer.tops)

    def _error(self, layer: Layer, found: str, expected: str) -> ModelError:
        return ModelError(f"{self._path}: layer {layer.name}: {found}; expected {expected}, as GOTURN has it")

    def _node(self, layer: Layer, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"{layer.name}:{kind}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def _weight(self, layer: Layer, name: str, array: NDArray[np.float32]) -> str:
        if not np.isfinite(array).all():
            raise self._error(layer, f"its {name} hold NaN or infinity", "numbers")
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), f"{layer.name}:{name}"))
        return f"{layer.name}:{name}"

    def _parameters(self, layer: Layer, bias_key: int) -> list[NDArray[np.float32]]:
        """Weights and, unless it has none, bias."""
        wanted = 2 if layer.number(bias_key, 1) else 1
        if len(layer.blobs) != wanted:
            raise self._error(layer, f"has {len(layer.blobs)} blobs of weights", f"{wanted}")
        return layer.blobs

    def _convolution(self, layer: Layer, inputs: list[str]) -> str:
        weight, *bias = self._parameters(layer, 2)
        height, width = layer.pair(4, 11, 12, 1)
        group, (top, left) = int(layer.number(5, 1)), layer.pair(3, 9, 10, 0)
        if weight.ndim != 4 or weight.shape[0] % group or weight.shape[2:] != (height, width):
            raise self._error(layer, f"weights are {weight.shape}", f"(N, C, {height}, {width}) in {group} groups")
        names = [self._weight(layer, "weight", weight)]
        names += [self._weight(layer, "bias", b.reshape(-1)) for b in bias]
        return self._node(
            layer,
            "Conv",
            [*inputs, *names],
            kernel_shape=[height, width],
            strides=list(layer.pair(6, 13, 14, 1)),
            pads=[top, left, top, left],
            dilations=list(layer.pair(18, 18, 18, 1)),
            group=group,
        )

    def _dense(self, layer: Layer, inputs: list[str]) -> str:
        weight, *bias = self._parameters(layer, 2)
        if layer.number(6, 0) or layer.number(5, 1) != 1:
            raise self._error(layer, "is transposed or works along another axis", "a plain dense layer")
        flat = self._node(layer, "Flatten", inputs, axis=1)
        matrix = weight.reshape(_rows(weight), -1).T
        if layer.name in self._small:
            made = self._small_product(layer, flat, matrix)
        else:
            made = self._node(layer, "MatMul", [flat, self._weight(layer, "weight", matrix)])
        if bias:
            made = self._node(layer, "Add", [made, self._weight(layer, "bias", bias[0].reshape(-1))])
        return made

    def _small_product(self, layer: Layer, flat: str, matrix: NDArray[np.float32]) -> str:
        """Weights (inputs, answers) in 8 bits with a scale for each answer; what flows in is quantized as it comes."""
        most = 63 if sums_overflow() else 127
        scale = np.maximum(np.abs(matrix).max(axis=0), 1e-12).astype(np.float32) / most
        rounded = np.rint(matrix / scale).astype(np.int8)
        flows, step, zero = (f"{layer.name}:{part}" for part in ("flows", "step", "zero"))
        self.nodes.append(helper.make_node("DynamicQuantizeLinear", [flat], [flows, step, zero], name=flows))
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(rounded), f"{layer.name}:weight"))
        sums = self._node(layer, "MatMulInteger", [flows, f"{layer.name}:weight", zero])
        sums = self._node(layer, "Cast", [sums], to=TensorProto.FLOAT)
        return self._node(layer, "Mul", [sums, self._steps(layer, step, scale)])

    def _steps(self, layer: Layer, step: str, scale: NDArray[np.float32]) -> str:
        name = f"{layer.name}:steps"
        self.nodes.append(helper.make_node("Mul", [step, self._weight(layer, "scale", scale)], [name], name=name))
        return name

    def _lrn(self, layer: Layer, inputs: list[str]) -> str:
        if layer.number(4, ACROSS_CHANNELS) != ACROSS_CHANNELS:
            raise self._error(layer, "normalises within channels", "across channels")
        values = {"alpha": layer.number(2, 1), "beta": layer.number(3, 0.75), "bias": layer.number(5, 1)}
        floats = {name: float(value) for name, value in values.items()}
        return self._node(layer, "LRN", inputs, size=int(layer.number(1, 5)), **floats)

    def _pooling(self, layer: Layer, inputs: list[str]) -> str:
        if layer.number(1, MAX) != MAX or layer.number(12, 0):
            raise self._error(layer, "does not pool maxima of windows", "MAX")
        top, left = layer.pair(4, 9, 10, 0)
        return self._node(
            layer,
            "MaxPool",
            inputs,
            kernel_shape=list(layer.pair(2, 5, 6, 1)),
            strides=list(layer.pair(3, 7, 8, 1)),
            pads=[top, left, top, left],
            ceil_mode=1,  # Caffe counts a window that is cut off
        )

    def _relu(self, layer: Layer, inputs: list[str]) -> str:
        slope = layer.number(1, 0)
        return self._node(layer, "LeakyRelu", inputs, alpha=slope) if slope else self._node(layer, "Relu", inputs)

    def _concat(self, layer: Layer, inputs: list[str]) -> str:
        return self._node(layer, "Concat", inputs, axis=int(layer.number(2, layer.number(1, 1))))
