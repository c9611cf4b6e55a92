"""Reads a .caffemodel without Caffe: layers, settings and weights, from the wire format of Protocol Buffers.

The numbers are those of caffe.proto (BVLC Caffe 1.0). Weights are views of the mapped file, so that 400 MB of them cost
no memory until they are used.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.errors import ModelError
from edgetrack.protobuf import BYTES, FIXED32, VARINT, WireError, fields, varint

OLD_LAYERS = 2  # NetParameter: layers before 2014
INPUT, LAYER = 3, 100
NAME, TYPE, BOTTOM, TOP, BLOBS = 1, 2, 3, 4, 7  # LayerParameter
BLOB_DATA, BLOB_SHAPE, BLOB_DOUBLES = 5, 7, 8  # BlobProto; 1 to 4 are the four sides of older files
SETTINGS = {  # LayerParameter: the settings of a layer by its type
    "Concat": 104,
    "Convolution": 106,
    "InnerProduct": 117,
    "LRN": 118,
    "Pooling": 121,
    "ReLU": 123,
}


@dataclass
class Layer:
    """One layer; `settings` by number of the field, each a list of what was given, in the file's own numbers."""

    name: str = ""
    type: str = ""
    bottoms: list[str] = field(default_factory=list)
    tops: list[str] = field(default_factory=list)
    blobs: list[NDArray[np.float32]] = field(default_factory=list)
    settings: dict[int, list[int | float]] = field(default_factory=dict)

    def number(self, key: int, default: float) -> float:
        """The value of a setting that is given once."""
        return self.settings.get(key, [default])[-1]

    def pair(self, both: int, high: int, wide: int, default: int) -> tuple[int, int]:
        """Height and width of a setting that is given once, twice or by side."""
        if high in self.settings or wide in self.settings:
            return int(self.number(high, default)), int(self.number(wide, default))
        given = self.settings.get(both, [default])
        return int(given[0]), int(given[-1])


@dataclass
class Net:
    """Layers in the order of the file; `inputs` are those that it declares by itself."""

    inputs: list[str]
    layers: list[Layer]


def read(path: Path) -> Net:
    """The net in a .caffemodel.

    Raises:
        ModelError: it cannot be read, is no .caffemodel, is truncated, or older than 2014.
    """
    try:
        with path.open("rb") as stream:
            if not stream.seek(0, 2):
                raise ModelError(f"{path}: is empty (0 bytes); download it again")
            mapped = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; expected a .caffemodel") from None
    try:
        return _net(mapped, path)
    except (WireError, UnicodeDecodeError, struct.error) as error:
        about = "is text; give the .caffemodel, which holds the weights" if _is_text(mapped) else str(error)
        raise ModelError(f"{path}: is no .caffemodel, or truncated: {about}; download it again") from None


def _is_text(data: memoryview) -> bool:
    return all(9 <= byte < 127 for byte in data[:256])


def _net(data: memoryview, path: Path) -> Net:
    net = Net([], [])
    for number, _, value, *_ in fields(data):
        if number == OLD_LAYERS:
            raise ModelError(
                f"{path}: has layers of the form before 2014; convert it with Caffe's upgrade_net_proto_binary"
            )
        if number == INPUT:
            net.inputs.append(_text(value))
        elif number == LAYER:
            net.layers.append(_layer(_bytes(value)))
    if not net.layers:
        raise WireError("there are no layers in it")
    return net


def _layer(data: memoryview) -> Layer:
    layer, messages = Layer(), {}
    for number, _, value, *_ in fields(data):
        if number == NAME:
            layer.name = _text(value)
        elif number == TYPE:
            layer.type = _text(value)
        elif number == BOTTOM:
            layer.bottoms.append(_text(value))
        elif number == TOP:
            layer.tops.append(_text(value))
        elif number == BLOBS:
            layer.blobs.append(_blob(_bytes(value)))
        elif isinstance(value, memoryview):
            messages[number] = value
    settings = messages.get(SETTINGS.get(layer.type, 0))
    for number, wire, value, *_ in fields(settings) if settings is not None else ():
        if wire == FIXED32:
            layer.settings.setdefault(number, []).append(struct.unpack("<f", struct.pack("<I", value))[0])
        elif wire == VARINT:
            layer.settings.setdefault(number, []).append(int(value))
    return layer


def _blob(data: memoryview) -> NDArray[np.float32]:
    shape: list[int] = []
    sides: dict[int, int] = {}
    parts: list[NDArray[Any]] = []
    for number, wire, value, *_ in fields(data):
        if number == BLOB_SHAPE:
            shape = [dim for n, _, packed, *_ in fields(_bytes(value)) if n == 1 for dim in _dims(packed)]
        elif number in (BLOB_DATA, BLOB_DOUBLES) and wire == BYTES:
            kind = np.dtype("<f4" if number == BLOB_DATA else "<f8")
            if len(_bytes(value)) % kind.itemsize:
                raise WireError("a blob is cut off")
            parts.append(np.frombuffer(_bytes(value), kind))
        elif number in (BLOB_DATA, BLOB_DOUBLES):  # one by one
            form = ("<f", "<I") if number == BLOB_DATA else ("<d", "<Q")
            parts.append(np.array(struct.unpack(form[0], struct.pack(form[1], value))))
        elif wire == VARINT and 1 <= number <= 4:
            sides[number] = int(value)
    shape = shape or [sides.get(n, 1) for n in range(1, 5)]
    flat = parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.float32), *parts])
    if flat.size != math.prod(shape):
        raise WireError(f"a blob of shape {shape} holds {flat.size} numbers")
    return np.asarray(flat, np.float32).reshape(shape)


def _dims(packed: int | memoryview) -> Iterator[int]:
    if isinstance(packed, int):
        yield packed
        return
    place = 0
    while place < len(packed):
        value, place = varint(packed, place)
        yield value


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise WireError("a number where a message is expected")
    return value


def _text(value: int | memoryview) -> str:
    return str(_bytes(value), "utf-8")
