"""A video file, every picture of it, with the file's own times."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator
from typing import Literal

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from edgetrack.capture.decode import FAULTS, Pictures, clockwise, video_stream
from edgetrack.capture.orient import Orient
from edgetrack.capture.reason import why
from edgetrack.capture.recording import Timed
from edgetrack.config import FileCapture
from edgetrack.errors import CaptureError

log = logging.getLogger(__name__)

RATE = 25.0  # frames/s of a file that does not tell
SHORT = 0.9  # of the pictures that the header announces: fewer, and the file counts as cut off


class MediaClock:
    """Time that starts at 0 and never goes back, whatever a file's time stamps do.

    A stamp that is missing or does not come after the last one (the file starts again, or was joined from several)
    continues one step after the last picture.
    """

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._offset_s: float | None = None
        self._last_s = -step_s

    def __call__(self, stamp_s: float | None) -> float:
        if stamp_s is None:
            self._last_s += self._step_s
            return self._last_s
        if self._offset_s is None or stamp_s + self._offset_s <= self._last_s:
            self._offset_s = self._last_s + self._step_s - stamp_s
        self._last_s = stamp_s + self._offset_s
        return self._last_s


class VideoFile:
    """Decodes one file; damaged parts are left out, and told of once."""

    def __init__(self, config: FileCapture) -> None:
        self._path = config.path
        self._loop = config.loop
        self._orient = Orient(config)
        self._picture = Pictures()
        self._read = 0  # pictures
        self._told = False  # that the file is damaged
        self.pace: Literal["realtime", "fast"] = config.pace

    @property
    def place(self) -> str:
        return self._path

    def check(self) -> None:
        if os.path.isdir(self._path):
            raise CaptureError(f"{self._path}: is a folder, expected a video file; set capture.kind: images")
        if not os.path.exists(self._path):
            remedy = "set capture.kind: rtsp" if "://" in self._path else "correct capture.path"
            raise CaptureError(f"{self._path}: no such file; {remedy}")
        with self._opened():
            pass

    def pictures(self) -> Generator[Timed, None, None]:
        clock: MediaClock | None = None
        while True:
            before = self._read
            with self._opened() as container:
                stream = video_stream(container)
                stream.thread_type = "SLICE"  # a thread per picture takes 14 MB at 1080p, and more CPU, to decode ahead
                clock = clock or MediaClock(1 / float(stream.average_rate or stream.guessed_rate or RATE))
                for frame in self._decoded(container, stream):
                    picture = self._orient(self._picture(frame), clockwise(frame))
                    self._read += 1
                    yield Timed(picture, clock(frame.time))
            if self._read == before:
                raise self._unusable("not one picture in it can be decoded")
            if not self._loop:
                return

    def _opened(self) -> InputContainer:
        """The file, known to hold video."""
        try:
            if os.path.getsize(self._path) == 0 and os.path.isfile(self._path):
                raise ValueError("the file is empty")
            container = av.open(f"file:{self._path}", metadata_errors="replace")
            try:
                video_stream(container)
            except ValueError:
                container.close()
                raise
        except FAULTS as error:
            raise self._unusable(why(error)) from error
        return container

    def _unusable(self, found: str) -> CaptureError:
        return CaptureError(
            f"{self._path}: {found}, expected a video that FFmpeg reads; give another, or copy it again"
        )

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Generator[av.VideoFrame, None, None]:
        """The frames of one pass; packets that cannot be decoded are left out, a read that fails is the end."""
        packets = damaged = 0
        found = ""
        try:
            for packet in container.demux(stream):
                packets += packet.size > 0
                try:
                    yield from packet.decode()
                except av.FFmpegError:
                    damaged += 1
        except FAULTS as error:
            found = f"cannot be read beyond picture {self._read}: {why(error)}"
        if packets < SHORT * stream.frames:
            found = found or f"ends after {self._read} of {stream.frames} pictures; it is cut off"
        elif damaged:
            found = found or f"{damaged} of {packets} packets are damaged and left out"
        if found and self._read and not self._told:
            self._told = True
            log.warning("%s: %s", self._path, found)
