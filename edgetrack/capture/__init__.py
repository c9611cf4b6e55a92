"""Where pictures come from: one contract, whatever the camera."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from edgetrack.capture.ahead import Ahead, Begin
from edgetrack.capture.latest import Latest
from edgetrack.config import Capture, LiveOptions
from edgetrack.errors import CaptureError
from edgetrack.registry import load
from edgetrack.types import CaptureState, Frame

if TYPE_CHECKING:
    from typing_extensions import Self


class Source(Protocol):
    """A context manager; iterating yields frames.

    A live source keeps the newest frame only, counts what it drops, reopens a lost camera by itself and for ever, and
    yields None at least once a second when it has no new picture. A file drops nothing and ends.
    Entering raises CaptureError where the operator must act (no such file, no such device, a library is missing);
    a network camera that does not answer is no such case: it is retried.
    """

    @property
    def state(self) -> CaptureState:
        """How it is doing now; may be read from any thread."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[Frame | None]: ...


@runtime_checkable
class Slows(Protocol):
    """A source that hands out fewer pictures on request."""

    def slow(self, max_fps: float | None) -> None:
        """At most so many a second from now on; None: as many as the camera gives."""


PLACES = {  # each a `latest.Camera` or an `ahead.Recording`
    "file": ("edgetrack.capture.file:VideoFile", "pip install av"),
    "images": ("edgetrack.capture.images:ImageFolder", "pip install av"),
    "rtsp": ("edgetrack.capture.rtsp:RtspCamera", "pip install av"),
    "v4l2": ("edgetrack.capture.v4l2:V4l2Camera", "pip install av"),
    "gstreamer": ("edgetrack.capture.gstreamer:GstreamerCamera", "sudo apt install python3-opencv"),
    "picamera": ("edgetrack.capture.picamera:Picamera", "sudo apt install python3-picamera2"),
    "scene": ("edgetrack.capture.scene:RenderedStreet", "pip install edgetrack"),
}


def open_source(config: Capture, begin: Begin | None = None, depth: int = 1) -> Source:
    """The source that the configuration names; nothing is opened until it is entered.

    Args:
        begin: called with every picture of a recording and its index as soon as it is decoded, by the reader's thread;
            what it returns is `Frame.begun`. Of a live picture nobody knows whether it will ever be handed out.
        depth: pictures of a recording that wait for the loop, besides the one in the reader's hand.
    """
    place, needs = PLACES[config.__struct_config__.tag]  # type: ignore[index]
    part = load(place, needs, CaptureError)(config)
    return Latest(part, config) if isinstance(config, LiveOptions) else Ahead(part, begin, depth)
