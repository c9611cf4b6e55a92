"""Writes .caffemodel files of GOTURN's architecture with random weights, and computes them with numpy alone.

The encoder and the arithmetic are written from the description of Protocol Buffers, caffe.proto and the papers, apart
from what they test.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


# --- Protocol Buffers ------------------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def number(key: int, value: float) -> bytes:
    if isinstance(value, float):
        return varint(key << 3 | 5) + struct.pack("<f", value)
    return varint(key << 3) + varint(value)


def message(key: int, content: bytes) -> bytes:
    return varint(key << 3 | 2) + varint(len(content)) + content


def text(key: int, value: str) -> bytes:
    return message(key, value.encode())


# --- the architecture ------------------------------------------------------------------------------------------------


@dataclass
class Made:
    """One layer with its weights and settings, by the names of caffe.proto."""

    name: str
    type: str
    bottoms: list[str]
    top: str
    blobs: list[Array] = field(default_factory=list)
    settings: dict[str, float] = field(default_factory=dict)


NUMBERS = {  # caffe.proto: the message of a type in LayerParameter, and its fields
    "Convolution": (106, {"num_output": 1, "bias_term": 2, "pad": 3, "kernel_size": 4, "group": 5, "stride": 6}),
    "ReLU": (123, {"negative_slope": 1}),
    "Pooling": (121, {"pool": 1, "kernel_size": 2, "stride": 3, "pad": 4}),
    "LRN": (118, {"local_size": 1, "alpha": 2, "beta": 3, "norm_region": 4, "k": 5}),
    "Concat": (104, {"concat_dim": 1, "axis": 2}),
    "Dropout": (108, {"dropout_ratio": 1}),
    "InnerProduct": (117, {"num_output": 1, "bias_term": 2, "axis": 5, "transpose": 6}),
    "Power": (122, {"power": 1, "scale": 2, "shift": 3}),
}


def goturn(
    convolutions: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256), dense: int = 4096, seed: int = 1
) -> list[Made]:
    """CaffeNet's conv1 to conv5 twice, then fc6, fc7, fc7b and the four answers; and a loss behind them.

    The published widths, unless narrower ones are given. Weights keep the spread of the values near 1.
    """
    chance = np.random.default_rng(seed)

    def weights(*shape: int) -> list[Array]:
        fan = int(np.prod(shape[1:]))
        weight = chance.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / fan))
        return [weight, chance.standard_normal(shape[0], np.float32) * np.float32(0.1)]

    layers = []
    c1, c2, c3, c4, c5 = convolutions
    for end, source in (("", "target"), ("_p", "image")):
        before = source
        for index, (wide, inner, kernel, stride, pad, group) in enumerate(
            [
                (c1, 3, 11, 4, 0, 1),
                (c2, c1, 5, 1, 2, 2),
                (c3, c2, 3, 1, 1, 1),
                (c4, c3, 3, 1, 1, 2),
                (c5, c4, 3, 1, 1, 2),
            ],
            start=1,
        ):
            name = f"conv{index}{end}"
            shape = {"num_output": wide, "pad": pad, "kernel_size": kernel, "stride": stride, "group": group}
            layers.append(
                Made(name, "Convolution", [before], name, weights(wide, inner // group, kernel, kernel), {**shape})
            )
            if index == 1:
                layers[-1].blobs[0] /= 60  # pixels
            layers.append(Made(f"relu{index}{end}", "ReLU", [name], name))  # in place
            before = name
            if index in (1, 2, 5):
                pool, pooling = f"pool{index}{end}", {"pool": 0, "kernel_size": 3, "stride": 2}
                layers.append(Made(pool, "Pooling", [before], pool, settings={**pooling}))
                before = pool
            if index in (1, 2):
                norm, lrn = f"norm{index}{end}", {"local_size": 5, "alpha": 1e-4, "beta": 0.75}
                layers.append(Made(norm, "LRN", [before], norm, settings={**lrn}))
                before = norm
    layers.append(Made("concat", "Concat", ["pool5", "pool5_p"], "pool5_concat", settings={"axis": 1}))
    before, inner = "pool5_concat", 2 * c5 * 6 * 6
    for name in ("fc6", "fc7", "fc7b"):
        layers.append(Made(f"{name}-new", "InnerProduct", [before], name, weights(dense, inner), {"num_output": dense}))
        layers.append(Made(f"relu-{name}", "ReLU", [name], name))
        layers.append(Made(f"drop-{name}", "Dropout", [name], name, settings={"dropout_ratio": 0.5}))
        before, inner = name, dense
    layers.append(Made("fc8-shapes", "InnerProduct", [before], "fc8", weights(4, inner), {"num_output": 4}))
    layers.append(Made("neg", "Power", ["bbox"], "bbox_neg", settings={"scale": -1.0}))
    layers.append(Made("loss", "EuclideanLoss", ["fc8", "bbox_neg"], "loss"))
    return layers


def write(path: Path, layers: Iterable[Made], legacy_blobs: bool = False) -> Path:
    """A .caffemodel.

    Args:
        legacy_blobs: with four sides instead of a shape, as before 2014.
    """
    with path.open("wb") as stream:
        stream.write(text(1, "TRACKER"))
        stream.write(message(100, text(1, "input") + text(2, "Input") + b"".join(text(4, t) for t in INPUTS)))
        for layer in layers:
            stream.write(_encoded(layer, legacy_blobs))
    return path


INPUTS = ("target", "image", "bbox")


def _encoded(layer: Made, legacy: bool) -> bytes:
    parts = [text(1, layer.name), text(2, layer.type), *(text(3, b) for b in layer.bottoms), text(4, layer.top)]
    for blob in layer.blobs:
        if legacy:
            sides = (1,) * (4 - blob.ndim) + blob.shape
            shape = b"".join(number(key, side) for key, side in enumerate(sides, start=1))
        else:
            shape = message(7, message(1, b"".join(map(varint, blob.shape))))
        parts.append(message(7, shape + message(5, blob.tobytes())))
    if layer.settings:
        key, numbers = NUMBERS[layer.type]
        parts.append(message(key, b"".join(number(numbers[n], value) for n, value in layer.settings.items())))
    return message(100, b"".join(parts))


# --- arithmetic ------------------------------------------------------------------------------------------------------


def compute(layers: Iterable[Made], inputs: dict[str, Array]) -> dict[str, Array]:
    """What every layer makes, by the layer's name; the loss is left out. float64 inside."""
    blobs: dict[str, NDArray[Any]] = {name: array.astype(np.float64) for name, array in inputs.items()}
    made = {}
    for layer in layers:
        if layer.type in ("Power", "EuclideanLoss"):
            continue
        blobs[layer.top] = made[layer.name] = LAYERS[layer.type](layer, [blobs[b] for b in layer.bottoms])
    return made


def _convolution(layer: Made, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    (x,), (weight, bias), s = inputs, layer.blobs, {k: int(v) for k, v in layer.settings.items()}
    pad, step, kernel, group = s["pad"], s["stride"], s["kernel_size"], s["group"]
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (2, 3))[:, :, ::step, ::step]
    ins, outs = x.shape[1] // group, weight.shape[0] // group
    parts = [
        np.tensordot(windows[:, g * ins : (g + 1) * ins], weight[g * outs : (g + 1) * outs], ([1, 4, 5], [1, 2, 3]))
        for g in range(group)
    ]
    return np.concatenate(parts, axis=-1).transpose(0, 3, 1, 2) + bias[:, None, None]


def _pooling(layer: Made, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    """Windows cut off at the edge count."""
    (x,), kernel, step = inputs, int(layer.settings["kernel_size"]), int(layer.settings["stride"])
    height, width = (-(-(side - kernel) // step) + 1 for side in x.shape[2:])
    out = np.empty((*x.shape[:2], height, width))
    for i in range(height):
        for j in range(width):
            out[:, :, i, j] = x[:, :, i * step : i * step + kernel, j * step : j * step + kernel].max((2, 3))
    return out


def _lrn(layer: Made, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    (x,), size = inputs, int(layer.settings["local_size"])
    sums = np.zeros_like(x)
    for channel in range(x.shape[1]):
        near = slice(max(channel - size // 2, 0), channel + size // 2 + 1)
        sums[:, channel] = (x[:, near] ** 2).sum(axis=1)
    return np.asarray(x / (1 + layer.settings["alpha"] / size * sums) ** layer.settings["beta"])


def _dense(layer: Made, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    flat = inputs[0].reshape(len(inputs[0]), -1)
    return np.asarray(flat @ layer.blobs[0].T.astype(np.float64) + layer.blobs[1])


LAYERS = {
    "Convolution": _convolution,
    "Pooling": _pooling,
    "LRN": _lrn,
    "InnerProduct": _dense,
    "ReLU": lambda _, inputs: np.maximum(inputs[0], 0),
    "Dropout": lambda _, inputs: inputs[0],
    "Concat": lambda _, inputs: np.concatenate(inputs, axis=1),
}
