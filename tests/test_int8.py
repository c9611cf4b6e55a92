"""Quantized convolutions through ONNX Runtime, against integers: one answer on every processor.

All scales are powers of two, so that neither float rounding nor the kernel chosen may change a bit; weights keep to 7
bits, so that processors that multiply bytes in pairs (AVX2 without VNNI) do not saturate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgetrack.config import RuntimeConfig
from edgetrack.runtime import OnnxModel

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Layer:
    """One quantized convolution, and the scale and zero point of what it gives."""

    weight: NDArray[np.int8]  # (M, C / group, K, K)
    weight_exponent: NDArray[np.int64]  # (M,) scale per channel is 2 ** of it
    bias: NDArray[np.int32]  # (M,)
    stride: int
    group: int
    exponent: int  # of the output's scale
    zero: int  # of the output


def layers(kind: type[np.integer[Any]], seed: int) -> list[Layer]:
    """A small head of a detector: full, depthwise with stride, pointwise."""
    random = np.random.default_rng(seed)
    zero = 0 if kind is np.uint8 else -128
    middle = 128 if kind is np.uint8 else 0

    def layer(shape: tuple[int, ...], exponents: tuple[int, int], stride: int, group: int, out: int, at: int) -> Layer:
        weight = random.integers(-63, 64, shape, np.int8)
        bias = random.integers(-2000, 2000, shape[0], np.int32)
        return Layer(weight, random.integers(*exponents, shape[0]), bias, stride, group, out, at)

    return [
        layer((16, 3, 3, 3), (-9, -6), 1, 1, -8, zero),  # a ReLU lies in the zero point
        layer((16, 1, 3, 3), (-8, -6), 2, 16, -8, middle),
        layer((6, 16, 1, 1), (-9, -6), 1, 1, -9, middle),
    ]


def by_integers(picture: Integers, net: list[Layer], kind: type[np.integer[Any]], zero: int) -> Integers:
    """(1, C, H, W) quantized in, quantized out: sums in int64, one rounding half to even for each layer."""
    bounds, values, exponent = np.iinfo(kind), picture - zero, -8
    for layer in net:
        pad = layer.weight.shape[2] // 2
        padded = np.pad(values, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, layer.weight.shape[2:], axis=(2, 3))
        windows = windows[0, :, :: layer.stride, :: layer.stride]  # (C, H, W, K, K)
        grouped = windows.reshape(layer.group, -1, *windows.shape[1:])
        weight = layer.weight.astype(np.int64).reshape(layer.group, -1, *layer.weight.shape[1:])
        sums = np.einsum("gchwij,gmcij->gmhw", grouped, weight).reshape(len(layer.bias), *windows.shape[1:3])
        sums = sums + layer.bias[:, None, None]
        scaled = sums * 2.0 ** (exponent + layer.weight_exponent - layer.exponent)[:, None, None]
        quantized = np.clip(np.rint(scaled).astype(np.int64) + layer.zero, bounds.min, bounds.max)
        values, exponent = (quantized - layer.zero)[None], layer.exponent
    return values


def save(path: Path, net: list[Layer], kind: type[np.integer[Any]], zero: int, side: int) -> Path:
    """The same as a model in QDQ form, as quantizers write it."""
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, value: NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(value, name))
        return name

    def quantized(name: str, exponent: int, at: int) -> str:
        scale = [constant(f"{name}.scale", np.float32(2.0**exponent)), constant(f"{name}.zero", kind(at))]
        nodes.append(helper.make_node("QuantizeLinear", [name, *scale], [f"{name}.q"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}.q", *scale], [f"{name}.dq"]))
        return f"{name}.dq"

    current, exponent = quantized("images", -8, zero), -8
    for number, layer in enumerate(net):
        name = f"conv{number}"
        scale = constant(f"{name}.w.scale", np.exp2(layer.weight_exponent).astype(np.float32))
        weight = [constant(f"{name}.w.q", layer.weight), scale]
        nodes.append(helper.make_node("DequantizeLinear", weight, [f"{name}.w"], axis=0))
        scale = constant(f"{name}.b.scale", np.exp2(layer.weight_exponent + exponent).astype(np.float32))
        bias = [constant(f"{name}.b.q", layer.bias), scale]
        nodes.append(helper.make_node("DequantizeLinear", bias, [f"{name}.b"], axis=0))
        pad, inputs = layer.weight.shape[2] // 2, [current, f"{name}.w", f"{name}.b"]
        shape = {"pads": [pad] * 4, "strides": [layer.stride] * 2, "group": layer.group}
        nodes.append(helper.make_node("Conv", inputs, [name], **shape))
        current, exponent = quantized(name, layer.exponent, layer.zero), layer.exponent
    graph = helper.make_graph(
        nodes,
        "quantized",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info(current, TensorProto.FLOAT, [1, 6, side // 2, side // 2])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize("seed", range(4))
def test_a_quantized_net_gives_the_same_bits_everywhere(tmp_path: Path, kind: Any, seed: int) -> None:
    zero, net = np.iinfo(kind).min, layers(kind, seed)
    model = OnnxModel(str(save(tmp_path / "net.onnx", net, kind, zero, side=24)), RuntimeConfig())
    levels = np.random.default_rng(seed).integers(0, 256, (1, 3, 24, 24))
    (found,) = model.run((levels / 256).astype(np.float32))
    expected = by_integers(levels + zero, net, kind, zero) * 2.0 ** net[-1].exponent
    assert len(np.unique(expected)) > 100
    assert np.array_equal(found, expected)
