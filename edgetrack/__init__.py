"""edgetrack: multi-object tracking for edge devices.

    from edgetrack import Detections, Tracker

    tracker = Tracker()
    tracks = tracker.step(time=0.033, detections=Detections(xyxy, score, class_id))

Importing this package loads numpy and msgspec, and `Tracker` scipy: no camera, model, image or broker library.
"""

from typing import TYPE_CHECKING, Any

from edgetrack.types import Detections, Frame, TrackEvent, Tracks

if TYPE_CHECKING:
    from edgetrack.track.tracker import Tracker

__version__ = "0.1.0"

__all__ = ["Detections", "Frame", "TrackEvent", "Tracker", "Tracks", "__version__"]


def __getattr__(name: str) -> Any:
    """`Tracker`, when it is first asked for: scipy takes half a second that `edgetrack check` need not wait."""
    if name == "Tracker":
        from edgetrack.track.tracker import Tracker

        return Tracker
    raise AttributeError(f"module 'edgetrack' has no attribute {name!r}")
