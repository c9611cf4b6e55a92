"""`snapshot`: the newest picture, with the privacy masks that everything in the daemon sees."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Annotated

from msgspec import Meta, Struct

from edgetrack.errors import CaptureError
from edgetrack.image import jpeg, outline, resize
from edgetrack.publish.payload import Size, Time
from edgetrack.publish.periods import rfc3339
from edgetrack.request.verb import Ask, Daemon
from edgetrack.types import Frame, Image, Tracks

AROUND_BYTES = 1500  # topics, correlation data and all that an answer says beside its picture
QUALITIES = (4, 8, 16)  # quantizers of FFmpeg, tried in this order; then the picture is halved
COLOUR = (60, 220, 255)  # BGR


class Snapshot(Ask, kw_only=True):
    """A picture of now."""

    boxes: Annotated[bool, Meta(description="draw the boxes of confirmed tracks that were seen last time")] = False
    raw: Annotated[
        bool, Meta(description="the JPEG itself goes to .../snapshot, not retained, and is left out of the answer")
    ] = False
    width: Annotated[Annotated[int, Meta(ge=16, le=8192)] | None, Meta(description="px at most")] = None


class Picture(Struct):
    """A JPEG."""

    jpeg: Annotated[str, Meta(description="the file in base64; empty if it was to be raw")]
    size: Size
    ts: Annotated[Time, Meta(description="when it was taken")]
    age_s: Annotated[float, Meta(ge=0, description="since then; it grows while the camera is away")]
    frame: Annotated[int, Meta(ge=0, description="number of the picture")]


def snapshot(daemon: Daemon, ask: Snapshot) -> Callable[[], Picture]:
    frame, tracks = daemon.frame, daemon.tracks
    if frame is None:
        raise CaptureError("the camera has given no picture yet; ask again when health is ok")
    room = daemon.room - AROUND_BYTES if ask.raw else (daemon.room - AROUND_BYTES) * 3 / 4  # base64
    max_bytes = int(min(daemon.options.snapshot_max_kb * 1000, room))
    show = daemon.show
    seen = tracks[tracks.confirmed & (tracks.missed == 0)]  # the others are where they are expected, perhaps
    return lambda: picture(frame, seen, ask, max_bytes, show)


def picture(frame: Frame, tracks: Tracks, ask: Snapshot, max_bytes: int, show: Callable[[str, bytes], None]) -> Picture:
    """Encode; takes tens of milliseconds."""
    image = frame.image
    if ask.boxes:
        image = image.copy()
        for xyxy in tracks.xyxy:
            outline(image, xyxy, COLOUR, max(2, image.shape[0] // 240))
    content, size = shrunk(image, ask.width or frame.size[0], max_bytes)
    if ask.raw:
        show("snapshot", content)
    return Picture(
        jpeg="" if ask.raw else base64.b64encode(content).decode(),
        size=size,
        ts=rfc3339(frame.utc),
        age_s=round(time.monotonic() - frame.captured, 3),
        frame=frame.index,
    )


def shrunk(image: Image, width: int, max_bytes: int) -> tuple[bytes, tuple[int, int]]:
    """A JPEG of at most `max_bytes` and `width` px, and its width and height: quality gives way first, then size."""
    width = min(width, image.shape[1])
    while True:
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        smaller = resize(image, width, height)
        for quality in QUALITIES:
            content = jpeg(smaller, quality)
            if len(content) <= max_bytes or width <= 16:
                return content, (width, height)
        width //= 2
