"""The camera behind the stand-in: a sensor thread that paints pictures into whatever buffers are queued.

What is real: file descriptors, shared memory, threads, the event descriptor, and the rules of libcamera's bindings that
picamera2 leans on (a request belongs to the camera from queue_request() until get_ready_requests() hands it over;
stop() returns what is queued as Cancelled; every failure is a RuntimeError).
"""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import (
    ColorSpace,
    ControlId,
    ControlInfo,
    FrameBuffer,
    FrameMetadata,
    Orientation,
    PixelFormat,
    SensorConfiguration,
    Size,
    Stream,
    StreamConfiguration,
    StreamRole,
    controls,
    properties,
)

Pixels = NDArray[np.uint8]
STRIDE_ALIGN = 64  # bytes of every plane's rows; what the Raspberry Pi 5's PiSP asks for
PADDING = 0xA5  # no painted value: a picture that shows it has not been cut

# Channel of R, G, B (0, 1, 2) by byte in memory, X: unused. DRM fourcc names read from the most significant byte of a
# little-endian word, so that they are backwards in memory: RGB888 is "[23:0] R:G:B" (drm_fourcc.h).
MEMORY = {"RGB888": (2, 1, 0), "BGR888": (0, 1, 2), "XRGB8888": (2, 1, 0, None), "XBGR8888": (0, 1, 2, None)}
PLANES = "YUV420"  # Y, then U and V at half the size and half the stride, in one buffer (libcamera's pisp.cpp)
LUMA = {"Rec601": (0.299, 0.587, 0.114), "Rec709": (0.2126, 0.7152, 0.0722)}  # of R, G, B; ITU-R BT.601 and BT.709


@dataclass
class Faults:
    """What can go wrong, switched on and off by a test while the camera runs."""

    busy: bool = False  # another process has the camera
    gone: bool = False  # unplugged: nothing comes, nothing can be queued or started
    stalled: bool = False  # nothing comes, whatever the application does
    error_every: int = 0  # each n-th frame has FrameMetadata.Status.Error
    late_s: float = 0.0  # from exposure to delivery
    clock_behind_s: float = 0.0  # of the stamps, against CLOCK_BOOTTIME
    no_timestamp: bool = False  # the metadata lacks SensorTimestamp
    refuse_queue: int = 0  # so many calls of queue_request() fail
    stop_waits_for: threading.Event | None = None  # stop() hangs until it is set
    adjust: Callable[[StreamConfiguration], None] | None = None  # what validate() changes
    recolour: ColorSpace | None = None  # what the driver makes of any colour space


class CameraConfiguration:
    class Status(Enum):
        Valid = 0
        Adjusted = 1
        Invalid = 2

    def __init__(self, camera: Camera, streams: list[StreamConfiguration]) -> None:
        self._camera = camera
        self._streams = streams
        self.orientation = Orientation.Rotate0
        self.sensor_config: SensorConfiguration | None = None

    def at(self, index: int) -> StreamConfiguration:
        return self._streams[index]

    def __iter__(self) -> Iterator[StreamConfiguration]:
        return iter(self._streams)

    def validate(self) -> Status:
        asked = [(s.size, s.pixel_format) for s in self._streams]
        for stream in self._streams:
            if self._camera.faults.adjust:
                self._camera.faults.adjust(stream)
            if stream.pixel_format.name not in self._camera.formats:
                stream.pixel_format = PixelFormat(self._camera.formats[0])
            planes = stream.pixel_format.name == PLANES
            row = stream.size.width * (1 if planes else len(MEMORY.get(stream.pixel_format.name, "YX")))
            align = STRIDE_ALIGN * 2 if planes else STRIDE_ALIGN
            stream.stride = max(stream.stride, -(-row // align) * align)
            stream.frame_size = stream.stride * stream.size.height * (3 if planes else 2) // 2 + self._camera.spare
            stream.color_space = shared(stream.color_space, stream.pixel_format.name in MEMORY)
            if self._camera.faults.recolour:
                stream.color_space = self._camera.faults.recolour
        got = [(s.size, s.pixel_format) for s in self._streams]
        return self.Status.Valid if got == asked else self.Status.Adjusted


def shared(asked: ColorSpace | None, rgb: bool) -> ColorSpace:
    """One of three colour spaces, for RGB without a matrix, as RPiCameraConfiguration::validateColorSpaces chooses."""
    space = ColorSpace.Sycc()
    for known in (ColorSpace.Smpte170m(), ColorSpace.Rec709()):
        if asked and (known.primaries, known.transferFunction) == (asked.primaries, asked.transferFunction):
            space = known
    if rgb:
        space.ycbcrEncoding, space.range = ColorSpace.YcbcrEncoding.Null, ColorSpace.Range.Full
    return space


class Request:
    class Status(Enum):
        Pending = 0
        Complete = 1
        Cancelled = 2

    def __init__(self, cookie: int) -> None:
        self.cookie = cookie
        self.buffers: dict[Stream, FrameBuffer] = {}
        self.metadata: dict[ControlId, Any] = {}
        self.controls: dict[ControlId, Any] = {}
        self.status = Request.Status.Pending
        self.sequence = 0

    def add_buffer(self, stream: Stream, buffer: FrameBuffer) -> None:
        self.buffers[stream] = buffer

    def set_control(self, control: ControlId, value: Any) -> None:
        self.controls[control] = value

    def reuse(self) -> None:
        self.status = Request.Status.Pending
        self.metadata = {}
        self.controls = {}


def no_paint(width: int, height: int, number: int) -> Pixels:
    """Mid grey."""
    return np.full((height, width, 3), 128, np.uint8)


class Camera:
    """One camera; everything above the line is libcamera's, what is below belongs to the tests."""

    def __init__(self, name: str) -> None:
        self.id = name
        self.properties: dict[ControlId, Any] = {
            properties.Model: "standin",
            properties.Location: 2,
            properties.Rotation: 0,
            properties.ColorFilterArrangement: 0,
        }
        self.controls = {
            controls.FrameDurationLimits: ControlInfo(2_000, 60_000_000, 33_333),
            controls.NoiseReductionMode: ControlInfo(0, 4, 0),
            controls.ExposureTime: ControlInfo(1, 60_000_000, 20_000),
            controls.ExposureTimeMode: ControlInfo(0, 1, 0),
            controls.AnalogueGain: ControlInfo(1.0, 16.0, 1.0),
            controls.AnalogueGainMode: ControlInfo(0, 1, 0),
        }
        self._lock = threading.Lock()
        self._acquired = False
        self._sensor: threading.Thread | None = None
        self._stopping = threading.Event()
        self._sequence = 0  # of requests, from 0 at each start
        # ---
        self.faults = Faults()
        self.paint: Callable[[int, int, int], Pixels] = no_paint  # width, height, number -> (H, W, 3) R, G, B
        self.formats = [*MEMORY, PLANES]  # what it gives; asked for another, it gives the first
        self.spare = 0  # bytes at the end of a buffer that no picture needs
        self.queued: deque[Request] = deque()  # requests that the camera holds
        self.started_with: list[dict[str, Any]] = []  # the controls of each start
        self.queued_at_stop: list[int] = []  # how many requests the camera held at each stop
        self.configured = 0
        self.number = 0  # pictures since the beginning, lost ones too
        self.error_frames = 0
        self.period_us = 33_333

    def acquire(self) -> None:
        if self.faults.busy or self._acquired:
            raise RuntimeError("Failed to acquire camera: Device or resource busy")
        self._acquired = True

    def release(self) -> None:
        self._acquired = False

    def generate_configuration(self, roles: list[StreamRole]) -> CameraConfiguration:
        return CameraConfiguration(self, [self._stream(role) for role in roles])

    def _stream(self, role: StreamRole) -> StreamConfiguration:
        names = ["SRGGB10_CSI2P"] if role is StreamRole.Raw else self.formats
        formats = [PixelFormat(name) for name in names]
        offered = SimpleNamespace(pixel_formats=formats, sizes=lambda _: [Size(1536, 864), Size(4608, 2592)])
        return StreamConfiguration(Size(640, 480), formats[0], offered)

    def configure(self, configuration: CameraConfiguration) -> None:
        for stream in configuration:
            stream.stream.configuration = stream
        self.configured += 1

    def create_request(self, cookie: int) -> Request:
        return Request(cookie)

    def queue_request(self, request: Request) -> None:
        if self.faults.gone or self.faults.refuse_queue:
            self.faults.refuse_queue = max(0, self.faults.refuse_queue - 1)
            raise RuntimeError("Failed to queue request: No such device")
        if self._sensor is None:
            raise RuntimeError("Failed to queue request: Permission denied")
        with self._lock:
            if request in self.queued:
                raise AssertionError("a request was queued twice: two owners of one buffer")
            request.sequence = self._sequence
            self._sequence += 1
            self.queued.append(request)

    def start(self, settings: dict[ControlId, Any]) -> None:
        if self.faults.gone:
            raise RuntimeError("Failed to start camera: No such device")
        self.started_with.append({control.name: value for control, value in settings.items()})
        self.period_us = settings.get(controls.FrameDurationLimits, (self.period_us,))[0]
        self._sequence = 0
        self._stopping.clear()
        self._sensor = threading.Thread(target=self._run, name="sensor", daemon=True)
        self._sensor.start()

    def stop(self) -> None:
        if self.faults.stop_waits_for:
            self.faults.stop_waits_for.wait()
        self._stopping.set()
        if self._sensor:
            self._sensor.join()
            self._sensor = None
            self.queued_at_stop.append(len(self.queued))
        self.cancel_queued()

    # ---

    @property
    def streaming(self) -> bool:
        return self._sensor is not None

    @property
    def acquired(self) -> bool:
        return self._acquired

    def cancel_queued(self) -> None:
        """Hand everything back unfilled: in stop(), and by the Raspberry Pi's pipeline when the sensor falls silent."""
        with self._lock:
            cancelled, self.queued = list(self.queued), deque()
        for request in cancelled:
            request.status = Request.Status.Cancelled
            CameraManager.singleton().complete(request)

    def time_out(self) -> None:
        """The sensor falls silent ("Camera frontend has timed out!"), until the application stops and starts it."""
        self._stopping.set()
        self.cancel_queued()

    def _run(self) -> None:
        while not self._stopping.wait(self.period_us / 1e6):
            self.number += 1
            if self.faults.stalled or self.faults.gone:
                continue
            with self._lock:
                request = self.queued.popleft() if self.queued else None
            if request is not None:
                self._expose(request, self.number)

    def _expose(self, request: Request, number: int) -> None:
        taken_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - round(self.faults.clock_behind_s * 1e9)
        failed = bool(self.faults.error_every) and number % self.faults.error_every == 0
        self.error_frames += failed
        for stream, buffer in request.buffers.items():
            fill(buffer, stream.configuration, self.paint, number)
            buffer.metadata.status = FrameMetadata.Status.Error if failed else FrameMetadata.Status.Success
            buffer.metadata.sequence = number
            buffer.metadata.timestamp = taken_ns
        request.metadata = {controls.FrameDuration: self.period_us}
        if not self.faults.no_timestamp:
            request.metadata[controls.SensorTimestamp] = taken_ns
        time.sleep(self.faults.late_s)
        request.status = Request.Status.Complete
        CameraManager.singleton().complete(request)


def fill(
    buffer: FrameBuffer, stream: StreamConfiguration, paint: Callable[[int, int, int], Pixels], number: int
) -> None:
    """Write one picture into a buffer's memory, row by row with its padding."""
    plane = buffer.planes[0]
    buffer.metadata.planes = [FrameMetadata.Plane(plane.length)]
    name = stream.pixel_format.name
    if name not in MEMORY and name != PLANES:  # a format that only refuses: nothing to see
        return
    rgb = paint(stream.size.width, stream.size.height, number)
    rows = planes(rgb, stream) if name == PLANES else packed(rgb, stream)
    with mmap.mmap(plane.fd, plane.length) as memory:
        memory[: len(rows)] = rows


def packed(rgb: Pixels, stream: StreamConfiguration) -> bytes:
    order, (height, width) = MEMORY[stream.pixel_format.name], rgb.shape[:2]
    rows = np.full((height, stream.stride), PADDING, np.uint8)
    pixels = rows[:, : width * len(order)].reshape(height, width, len(order))
    for byte, channel in enumerate(order):
        pixels[:, :, byte] = 255 if channel is None else rgb[:, :, channel]
    return rows.tobytes()


def planes(rgb: Pixels, stream: StreamConfiguration) -> bytes:
    """Y'CbCr of the stream's colour space, as the ITU's recommendations and IEC 61966-2-1 define it."""
    red, green, blue = LUMA[stream.color_space.ycbcrEncoding.name]
    values = rgb / 255
    luma = values @ [red, green, blue]
    halved = values.reshape(rgb.shape[0] // 2, 2, rgb.shape[1] // 2, 2, 3).mean(axis=(1, 3))
    grey = halved @ [red, green, blue]
    limited = stream.color_space.range is ColorSpace.Range.Limited
    black, white, span = (16, 219, 224) if limited else (0, 255, 255)
    found = [
        (luma * white + black, stream.stride),
        ((halved[..., 2] - grey) / (2 - 2 * blue) * span + 128, stream.stride // 2),
        ((halved[..., 0] - grey) / (2 - 2 * red) * span + 128, stream.stride // 2),
    ]
    laid = b""
    for plane, stride in found:
        rows = np.full((len(plane), stride), PADDING, np.uint8)
        rows[:, : plane.shape[1]] = np.clip(np.round(plane), 0, 255)
        laid += rows.tobytes()
    return laid


class CameraManager:
    _one: CameraManager | None = None

    def __init__(self) -> None:
        self.cameras = [Camera("/base/soc/i2c0mux/i2c@1/standin@1a")]
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ready: list[Request] = []
        self._lock = threading.Lock()

    @staticmethod
    def singleton() -> CameraManager:
        if CameraManager._one is None:
            CameraManager._one = CameraManager()
        return CameraManager._one

    def get_ready_requests(self) -> list[Request]:
        try:
            os.eventfd_read(self.event_fd)
        except BlockingIOError:
            return []
        with self._lock:
            ready, self._ready = self._ready, []
        return ready

    # ---

    def complete(self, request: Request) -> None:
        with self._lock:
            self._ready.append(request)
        os.eventfd_write(self.event_fd, 1)
