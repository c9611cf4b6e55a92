"""A USB camera, through Video4Linux."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path

import av
from av.container import InputContainer

from edgetrack.capture.decode import FAULTS, Pictures, live_frames, video_stream
from edgetrack.capture.latest import Shot
from edgetrack.config import V4l2Capture
from edgetrack.errors import CaptureError

SYSFS = Path("/sys/class/video4linux")
USB2_BYTES_S = 35e6  # what a camera gets through USB 2; more than that must be compressed
YUYV_BYTES = 2  # a pixel
AGE_MAX_S = 1.0  # a kernel's stamp that is older was made by another clock than time.monotonic()


class V4l2Camera:
    """Reads one camera; `latest.Latest` brings it back when it was unplugged."""

    lost = FAULTS
    open_s = 5.0  # some cameras start slowly

    def __init__(self, config: V4l2Capture, sysfs: Path = SYSFS) -> None:
        self._config = config
        self._sysfs = sysfs
        self._picture = Pictures()

    @property
    def place(self) -> str:
        return self._config.device

    def check(self) -> None:
        try:
            path = find(self._config.device, self._sysfs)
        except OSError as error:
            raise CaptureError(f"capture.device: {error}") from error
        if not os.access(path, os.R_OK | os.W_OK):
            raise CaptureError(f"{path}: permission denied; add the user to the group video")

    def shots(self) -> Generator[Shot | None, None, None]:
        with self._opened(find(self._config.device, self._sysfs)) as container:
            for frame in live_frames(container, video_stream(container)):
                now = time.monotonic()
                if frame is None:
                    yield None
                else:
                    taken = frame.time  # of the kernel, when the picture's first byte came
                    known = taken is not None and 0 <= now - taken < AGE_MAX_S
                    yield Shot(partial(self._picture, frame), taken if known and taken is not None else now)

    def _opened(self, path: str) -> InputContainer:
        """With `auto`, MJPEG where the raw pictures do not fit through USB 2, else what the camera prefers."""
        config = self._config
        options = {"video_size": f"{config.width}x{config.height}", "framerate": f"{config.fps:g}"}
        if config.format != "auto":
            return av.open(path, format="v4l2", options=options | {"input_format": config.format})
        if config.width * config.height * YUYV_BYTES * config.fps > USB2_BYTES_S:
            try:
                return av.open(path, format="v4l2", options=options | {"input_format": "mjpeg"})
            except (ValueError, av.FFmpegError):
                pass  # it has none
        return av.open(path, format="v4l2", options=options)


def find(device: str, sysfs: Path = SYSFS) -> str:
    """The path of a camera given by path or by name (or a part of it, in any case of letters).

    Raises OSError, with what there is, where no camera or more than one answers to it.
    """
    there = cameras(sysfs)
    listed = "; ".join(f"{path} is {name!r}" for path, name in there.items()) or "no camera at all"
    if "/" in device:
        if os.path.exists(device):
            return device
        raise FileNotFoundError(f"no {device} here, found {listed}; plug it in, or correct capture.device")
    wanted = device.casefold()
    matches = [path for path, name in there.items() if name.casefold() == wanted]
    matches = matches or [path for path, name in there.items() if wanted in name.casefold()]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise OSError(f"{device!r} is the name of {', '.join(matches)}; give one of the paths in /dev/v4l/by-id")
    near = difflib.get_close_matches(device, there.values(), n=1)
    hint = f"did you mean {near[0]!r}?" if near else "plug it in, or correct capture.device"
    raise FileNotFoundError(f"no camera is named {device!r}, found {listed}; {hint}")


def cameras(sysfs: Path = SYSFS) -> dict[str, str]:
    """Device path -> name of everything that may be a camera; of one that has many nodes, the first gives pictures."""
    found = {}
    for node in sorted(sysfs.glob("video*"), key=lambda node: int(node.name.removeprefix("video") or 0)):
        try:
            if int((node / "index").read_text()) == 0:
                found[f"/dev/{node.name}"] = (node / "name").read_text().strip()
        except (OSError, ValueError):  # unplugged meanwhile
            continue
    return found
