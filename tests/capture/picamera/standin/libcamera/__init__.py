"""A stand-in for libcamera's Python bindings, on which the real picamera2 runs where there is no camera.

The types that picamera2 touches, named as the bindings name them (libcamera, src/py/libcamera/py_main.cpp); the camera
itself, with threads, buffers and faults, is in `hardware`. Written for these tests: it shows that the calls fit
together, not that a sensor, an ISP or a driver behaves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any


class StreamRole(Enum):
    Raw = 0
    StillCapture = 1
    VideoRecording = 2
    Viewfinder = 3


class ControlType(Enum):
    Bool = 1
    Integer32 = 3
    Integer64 = 4
    Float = 5
    Rectangle = 7
    Size = 8


class ControlId:
    def __init__(self, name: str, type: ControlType = ControlType.Integer32) -> None:  # noqa: A002 - as in the bindings
        self.name = name
        self.type = type


@dataclass
class ControlInfo:
    min: Any
    max: Any
    default: Any


class Orientation(Enum):
    Rotate0 = 1
    Rotate0Mirror = 2
    Rotate180 = 3
    Rotate180Mirror = 4
    Rotate90Mirror = 5
    Rotate270 = 6
    Rotate270Mirror = 7
    Rotate90 = 8


class Transform:
    def __init__(self, other: Transform | None = None, hflip: int = 0, vflip: int = 0, transpose: int = 0) -> None:
        self.hflip = other.hflip if other else bool(hflip)
        self.vflip = other.vflip if other else bool(vflip)
        self.transpose = other.transpose if other else bool(transpose)

    def __str__(self) -> str:
        return f"<hflip {self.hflip}, vflip {self.vflip}, transpose {self.transpose}>"


class ColorSpace:
    class YcbcrEncoding(Enum):
        Null = 0
        Rec601 = 1
        Rec709 = 2

    class Range(Enum):
        Full = 0
        Limited = 1

    def __init__(self, other: ColorSpace) -> None:
        self.__dict__.update(other.__dict__)

    def __str__(self) -> str:
        return f"<{self.primaries} {self.transferFunction}>"

    @classmethod
    def _of(cls, primaries: str, transfer: str, encoding: YcbcrEncoding, range_: Range) -> ColorSpace:
        space = cls.__new__(cls)
        space.primaries, space.transferFunction = primaries, transfer
        space.ycbcrEncoding, space.range = encoding, range_
        return space

    @staticmethod
    def Sycc() -> ColorSpace:  # noqa: N802 - as in the bindings
        return ColorSpace._of("Rec709", "Srgb", ColorSpace.YcbcrEncoding.Rec601, ColorSpace.Range.Full)

    @staticmethod
    def Smpte170m() -> ColorSpace:  # noqa: N802
        return ColorSpace._of("Smpte170m", "Rec709", ColorSpace.YcbcrEncoding.Rec601, ColorSpace.Range.Limited)

    @staticmethod
    def Rec709() -> ColorSpace:  # noqa: N802
        return ColorSpace._of("Rec709", "Rec709", ColorSpace.YcbcrEncoding.Rec709, ColorSpace.Range.Limited)

    @staticmethod
    def Raw() -> ColorSpace:  # noqa: N802
        return ColorSpace._of("Raw", "Linear", ColorSpace.YcbcrEncoding.Null, ColorSpace.Range.Full)


@dataclass
class Size:
    width: int = 0
    height: int = 0


@dataclass
class Rectangle:
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class PixelFormat:
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass
class SensorConfiguration:
    bit_depth: int = 0
    output_size: Size = field(default_factory=Size)


class FrameMetadata:
    class Status(Enum):
        Success = 0
        Error = 1
        Cancelled = 2
        Startup = 3

    @dataclass
    class Plane:
        bytes_used: int

    def __init__(self) -> None:
        self.status = FrameMetadata.Status.Success
        self.sequence = 0
        self.timestamp = 0
        self.planes: list[FrameMetadata.Plane] = []


class FrameBuffer:
    class Plane:
        fd: int
        offset: int
        length: int

    def __init__(self, planes: list[FrameBuffer.Plane]) -> None:
        self.planes = planes
        self.metadata = FrameMetadata()


@dataclass(eq=False)
class Stream:
    configuration: Any = None


@dataclass(eq=False)
class StreamConfiguration:
    size: Size
    pixel_format: PixelFormat
    formats: Any
    buffer_count: int = 4
    stride: int = 0
    frame_size: int = 0
    color_space: ColorSpace | None = None
    stream: Stream = field(default_factory=Stream)


_libcamera = SimpleNamespace(ColorSpace=ColorSpace, Transform=Transform)

from . import controls, properties  # noqa: E402, F401 - they need the types above
from .hardware import Camera, CameraConfiguration, CameraManager, Faults, Request  # noqa: E402, F401
