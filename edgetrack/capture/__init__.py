"""Where pictures come from: one contract, whatever the camera."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from edgetrack.capture.ahead import Ahead, Looks
from edgetrack.capture.latest import Latest
from edgetrack.capture.recording import Recorded
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

    @property
    def slow(self) -> Callable[[float | None], None] | None:
        """Asks for at most so many pictures/s from now on, None: as many as there are. None where it drops nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[Frame | None]: ...


PLACES = {  # each a `latest.Camera` or a `recording.Recording`
    "file": ("edgetrack.capture.file:VideoFile", "pip install av"),
    "images": ("edgetrack.capture.images:ImageFolder", "pip install av"),
    "rtsp": ("edgetrack.capture.rtsp:RtspCamera", "pip install av"),
    "v4l2": ("edgetrack.capture.v4l2:V4l2Camera", "pip install av"),
    "gstreamer": ("edgetrack.capture.gstreamer:GstreamerCamera", "sudo apt install python3-opencv"),
    "picamera": ("edgetrack.capture.picamera:Picamera", "sudo apt install python3-picamera2"),
    "scene": ("edgetrack.capture.scene:RenderedStreet", "pip install edgetrack"),
}
WAITING = 2  # pictures of a recording that are ready while all sessions look


def open_source(config: Capture, looks: Looks | None = None, sessions: int = 1) -> Source:
    """The source that the configuration names; nothing is opened until it is entered.

    Args:
        looks: begins the look at a picture before the loop comes for it; None: the loop looks.
        sessions: looks at once.
    """
    place, needs = PLACES[config.__struct_config__.tag]  # type: ignore[index]
    part = load(place, needs, CaptureError)(config)
    if not isinstance(config, LiveOptions):
        return Ahead(Recorded(part), looks, room=sessions + WAITING)
    camera = Latest(part, config)
    return Ahead(camera, looks, room=sessions, fresh=True) if looks else camera
