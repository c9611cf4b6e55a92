"""A camera module on a Raspberry Pi, through picamera2.

picamera2 comes from the system (`sudo apt install python3-picamera2`): its libcamera and pykms are no pip packages, and
what PyPI has under such names is something else.

The main stream is YUV420, in planes: half the bytes of BGR, and what a model wants is scaled straight from them, as of
a decoded video. One copy takes a picture out of its buffer, the padding of rows cut. Each buffer is one picture of CMA
memory: 4 of 1280 x 720 take 5.5 MB. The colours are those of a JPEG (sYCC: the matrix of BT.601, black 0, white 255),
which lose less to rounding than video's; what the camera answers is what counts. A camera that has no such planes is
asked for RGB888, which lies in memory as B, G, R.

What goes wrong on these cameras, and what is done about it:

- The sensor falls silent (a loose ribbon, a voltage dip, a driver that wedges). libcamera hands its buffers back and
  expects the application to stop and start. That is what happens, on the same `Picamera2` object: opening another one
  in the same process has leaked memory and CMA in many versions of the stack.
- It stays silent. After `RESTARTS_MAX` starts in a row without a picture, iterating raises CaptureError: only a new
  process begins with a fresh libcamera, and the service manager makes one.
- The driver hangs in stop(). The thread that called it is left behind, and CaptureError says so. libcamera's Python
  bindings keep the interpreter lock through that call, so that the whole process may stand still: then the watchdog of
  the service ends it.
- An exception in one of picamera2's own threads ends the pictures without a word. That looks like a silent sensor, and
  the same stop and start makes a new thread.
"""

from __future__ import annotations

import atexit
import concurrent.futures
import logging
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from typing import Any

from av.video.reformatter import ColorRange, Colorspace

from edgetrack.capture.latest import Shot
from edgetrack.config import PicameraCapture
from edgetrack.errors import CaptureError
from edgetrack.planes import Bgr, Decoded, copied
from edgetrack.types import Picture

log = logging.getLogger(__name__)

POLL_S = 0.2  # longest wait for a picture before the reader may look whether it is still wanted
RESTARTS_MAX = 5  # starts in a row that brought no picture
AGE_MAX_S = 10.0  # a picture older than this on arrival was stamped by some other clock
PLANES, BGR = "YUV420", "RGB888"  # as libcamera names them
BT2020 = getattr(Colorspace, "BT2020", Colorspace.ITU709)  # PyAV 17, the last for Python 3.10, has no name for it
MATRICES = {"Rec709": Colorspace.ITU709, "Rec2020": BT2020}  # by libcamera's names; else BT.601

Timeouts = (TimeoutError, concurrent.futures.TimeoutError)  # two classes until Python 3.11
Picamera2 = Any  # picamera2 is not there where types are checked
Request = Any  # picamera2.CompletedRequest
Copy = Callable[[Request], Picture]  # out of the camera's buffer, which is used again


class Picamera:
    """One camera module; `latest.Latest` makes a source of it."""

    lost: tuple[type[Exception], ...] = (RuntimeError, OSError)  # what libcamera, picamera2 and the kernel raise
    open_s = 2.0  # s, on top of stall_s, until the first picture of a start

    def __init__(self, config: PicameraCapture) -> None:
        self._config = config
        self._bgr = Bgr()
        self._picam2: Picamera2 | None = None
        self._in_use = threading.Lock()  # by the one thread that runs the camera
        self._fruitless = 0  # starts in a row without a picture

    @property
    def place(self) -> str:
        return f"picamera {self._config.camera}"

    def check(self) -> None:
        """Open and configure the camera; CaptureError where it is missing, busy or cannot do what is asked."""
        self._fruitless = 0
        self._picam2 = opened(self._config, self.place)

    def shots(self) -> Generator[Shot | None, None, None]:
        if not self._in_use.acquire(blocking=False):
            raise CaptureError(f"{self.place}: the driver hangs; only a new process frees it: restart the daemon")
        try:
            yield from self._shots()
        finally:
            self._in_use.release()

    def _shots(self) -> Generator[Shot | None, None, None]:
        picam2 = self._picam2
        assert picam2 is not None, "check() comes first"
        if self._fruitless == RESTARTS_MAX:
            raise CaptureError(
                f"{self.place}: no picture after {RESTARTS_MAX} starts; only a new process can help: "
                "restart the daemon, and check the camera's cable and power"
            )
        self._fruitless += 1
        try:
            picam2.set_controls(pace(picam2, self._config.fps))  # picamera2 forgets them with each start
            picam2.start()
            for shot in pictures(picam2, copy_of(picam2, self._bgr)):
                self._fruitless = 0 if shot else self._fruitless
                yield shot
        finally:
            halt(picam2)

    def close(self) -> None:
        """Let the camera go; the next check() opens it again."""
        if not self._in_use.acquire(blocking=False):
            return  # the thread that hangs in the driver closes it, should it ever come back
        try:
            picam2, self._picam2 = self._picam2, None
            if picam2 is not None:
                picam2.close()
        finally:
            self._in_use.release()


def pictures(picam2: Picamera2, copy: Copy) -> Generator[Shot | None, None, None]:
    """The pictures of a started camera, for ever; None after POLL_S without one.

    There is always at most one job: one that timed out stays with picamera2 and takes the next request, so that another
    beside it would hold a second request that nobody releases, and a few of them all the buffers there are.
    """
    job, last = None, None
    try:
        while True:
            job = job or picam2.capture_request(wait=False)
            try:
                request = picam2.wait(job, POLL_S)
            except Timeouts:
                yield None
                continue
            job = None
            try:
                shot = shot_of(request, last, copy)
                last = request.request.sequence
            finally:
                request.release()
            yield shot
    finally:
        picam2.cancel_all_and_flush()
        if job is not None:
            with suppress(concurrent.futures.CancelledError, *Timeouts):
                picam2.wait(job, POLL_S).release()  # it had its request already


def shot_of(request: Request, last: int | None, copy: Copy) -> Shot:
    """The picture that a request holds; `last` is the number of the request before it."""
    picture = copy(request)
    taken = taken_at(request.get_metadata().get("SensorTimestamp"))
    return Shot(lambda: picture, taken, skipped=0 if last is None else request.request.sequence - last - 1)


def copy_of(picam2: Picamera2, bgr: Bgr) -> Copy:
    """How the pictures of a configured camera are copied."""
    main = picam2.camera_configuration()["main"]
    if main["format"] == BGR:
        return lambda request: request.make_array("main")
    return partial(planes_of, size=main["size"], stride=main["stride"], colours=colours_of(picam2), bgr=bgr)


def planes_of(
    request: Request, size: tuple[int, int], stride: int, colours: tuple[Colorspace, ColorRange], bgr: Bgr
) -> Picture:
    from picamera2 import MappedArray  # type: ignore[import-not-found, unused-ignore]

    with MappedArray(request, "main", reshape=False, write=False) as mapped:
        return Decoded(copied(mapped.array, size, stride, *colours), bgr)


def colours_of(picam2: Picamera2) -> tuple[Colorspace, ColorRange]:
    """Matrix and range of what the camera gives, as libcamera says; what picamera2 says is set right by its names."""
    space = picam2.libcamera_config.at(0).color_space
    if space is None:
        return Colorspace.DEFAULT, ColorRange.UNSPECIFIED
    limited = space.range.name == "Limited"
    return (
        MATRICES.get(space.ycbcrEncoding.name, Colorspace.ITU601),
        ColorRange.MPEG if limited else ColorRange.JPEG,
    )


def taken_at(stamp_ns: int | None) -> float:
    """time.monotonic() of a CLOCK_BOOTTIME stamp, which runs on while the machine sleeps; without one, now."""
    age_s = 0.0 if stamp_ns is None else (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - stamp_ns) / 1e9
    return time.monotonic() - (age_s if 0 <= age_s < AGE_MAX_S else 0.0)


def halt(picam2: Picamera2) -> None:
    """Stop the camera, whatever state it or picamera2's threads are in, so that it can be started again.

    picamera2's event loop, which may be dead, goes first: without it stop() runs in this thread.
    """
    with suppress(RuntimeError):  # there is no event loop: start() did not come that far
        picam2.stop_preview()
    picam2.stop()


def pace(picam2: Picamera2, fps: float) -> dict[str, tuple[int, int]]:
    """The control that fixes the frame rate; {} for a camera without it (most USB cameras)."""
    period_us = round(1e6 / fps)
    return {"FrameDurationLimits": (period_us, period_us)} if "FrameDurationLimits" in picam2.camera_controls else {}


def opened(config: PicameraCapture, place: str) -> Picamera2:
    """The camera, open and configured, not started."""
    library = imported(place)
    try:
        listed = library.global_camera_info()
        if config.camera >= len(listed):
            raise CaptureError(f"{place}: libcamera lists {names(listed)}; set capture.camera, or check the cable")
        picam2 = library(config.camera)
    except (RuntimeError, OSError) as error:
        raise CaptureError(f"{place}: {why_not_open(error)}") from error
    atexit.unregister(picam2.close)  # closed here; at exit a driver that hangs must not keep the process alive
    try:
        configure(picam2, config, place)
    except (RuntimeError, OSError, CaptureError) as error:
        with suppress(RuntimeError, OSError):
            picam2.close()
        if isinstance(error, CaptureError):
            raise
        raise CaptureError(f"{place}: {why_not_configured(error, config)}") from error
    return picam2


def imported(place: str) -> Picamera2:
    """picamera2's class, or what to do to have it."""
    try:
        from picamera2 import Picamera2 as Library  # type: ignore[import-not-found, unused-ignore]
    except (ImportError, ValueError) as error:
        raise CaptureError(f"{place}: {why_not_imported(error)}") from error
    return Library


def configure(picam2: Picamera2, config: PicameraCapture, place: str) -> None:
    """Ask for one stream, in planes where the camera has them, and read back what it made of it."""
    main = asked_for(PLANES, picam2, config)
    if main["format"] != PLANES or main["size"][0] % 2 or main["size"][1] % 2:
        log.info("%s: gives %s of %d x %d, not planes; asked for %s", place, main["format"], *main["size"], BGR)
        main = asked_for(BGR, picam2, config)
        if main["format"] != BGR:
            raise CaptureError(
                f"{place}: the camera gives {main['format']}, not {PLANES} or {BGR}; use kind: v4l2 for a USB camera"
            )
    if main["size"] != (config.width, config.height):
        log.warning("%s: gives %d x %d, not %d x %d", place, *main["size"], config.width, config.height)
    shortest_us = picam2.camera_controls.get("FrameDurationLimits", (1, 1, 1))[0]  # in the sensor mode for this size
    if shortest_us * config.fps > 1.01e6:
        log.warning("%s: gives at most %.1f frames/s at this size, not %g", place, 1e6 / shortest_us, config.fps)


def asked_for(form: str, picam2: Picamera2, config: PicameraCapture) -> dict[str, Any]:
    """What the camera makes of one stream of this format; its buffers are allocated, those before are freed."""
    from libcamera import ColorSpace  # type: ignore[import-not-found, unused-ignore]

    wanted = picam2.create_video_configuration(
        main={"size": (config.width, config.height), "format": form},
        raw=None,  # the default allocates a raw stream beside it
        colour_space=ColorSpace.Sycc(),  # the default depends on the size
        buffer_count=config.buffers,
        queue=False,  # True hands out a picture that has waited
        controls=pace(picam2, config.fps),
        display=None,
        encode=None,
    )
    picam2.configure(wanted)
    main: dict[str, Any] = picam2.camera_configuration()["main"]
    return main


def names(listed: list[dict[str, Any]]) -> str:
    return ", ".join(f"{number}: {camera.get('Model', camera['Id'])}" for number, camera in enumerate(listed)) or "none"


def why_not_imported(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return (
            f"cannot import {error.name}; sudo apt install -y python3-picamera2, and make the virtual environment with "
            "python3 -m venv --system-site-packages"
        )
    if "numpy" in str(error):  # "numpy.dtype size changed", from a library that was built for another one
        return (
            f"the system's picamera2 does not fit this environment's NumPy ({error}); "
            'pip install "numpy<2" here, or use a system whose picamera2 was built for NumPy 2 (Debian 13)'
        )
    return f"cannot import picamera2: {error}; sudo apt install --reinstall python3-picamera2 python3-libcamera"


def why_not_open(error: Exception) -> str:
    cause = error.__cause__ or error
    if isinstance(cause, PermissionError):
        return f"{cause}; add the daemon's user to the group video"
    if "busy" in str(cause).lower():
        return f"{cause}; another process has it: sudo fuser -v /dev/media*"
    return f"{cause}; see rpicam-hello --list-cameras"


def why_not_configured(error: Exception, config: PicameraCapture) -> str:
    if isinstance(error, OSError):  # of the DMA heap
        return (
            f"no memory for {config.buffers} buffers of {config.width} x {config.height} ({error}); "
            "lower capture.buffers, width or height, or raise cma in config.txt"
        )
    return f"{error}; set another capture.width and height"
