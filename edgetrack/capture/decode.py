"""What every source that FFmpeg reads shares: which stream, which errors, and how a decoded frame becomes a picture."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Final

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from edgetrack.planes import Bgr, Decoded, planar
from edgetrack.types import Picture

# InvalidDataError is a ValueError, a refused connection an OSError, a read that timed out neither (PyAV 14 to 18).
FAULTS: Final = (av.FFmpegError, OSError, ValueError)
LARGEST_PX = 8192 * 8192  # width * height; a damaged header may claim gigabytes


class Pictures:
    """Decoded frames as pictures: in planes where that is of use, else BGR."""

    def __init__(self) -> None:
        self._bgr = Bgr()

    def __call__(self, frame: av.VideoFrame) -> Picture:
        """The picture; raises ValueError for a frame of over LARGEST_PX."""
        if frame.width * frame.height > LARGEST_PX:
            raise ValueError(f"picture is {frame.width}x{frame.height}, over {LARGEST_PX >> 20} megapixels")
        return Decoded(frame, self._bgr) if planar(frame) else self._bgr(frame)


def clockwise(frame: av.VideoFrame) -> int:
    """Degrees, a multiple of 90, by which the picture must be turned to stand upright (a phone's display matrix)."""
    return -90 * round(frame.rotation / 90) % 360


def video_stream(container: InputContainer) -> VideoStream:
    """The first stream of pictures; raises ValueError where there is none, as in a text, though FFmpeg paints one."""
    found = [s for s in container.streams.video if s.codec_context is not None and s.codec_context.name != "ansi"]
    if not found:
        others = ", ".join(sorted({s.type for s in container.streams if s.type != "video"}))
        raise ValueError(f"no video stream in it{f', only {others}' if others else ''}")
    return found[0]


def live_frames(container: InputContainer, stream: VideoStream) -> Generator[av.VideoFrame | None, None, None]:
    """The frames of a stream as they come; None for a packet that gives none, as before the first key frame.

    Slices may be decoded side by side, pictures not: that would hold back one per thread.
    """
    stream.thread_type = "SLICE"
    for packet in container.demux(stream):
        frame = None
        with suppress(av.FFmpegError):
            for frame in packet.decode():
                yield frame
        if frame is None:
            yield None
