"""edgetrack: multi-object tracking for edge devices.

    from edgetrack import Detections, Tracker

    tracker = Tracker()
    tracks = tracker.step(time=0.033, detections=Detections(xyxy, score, class_id))

Importing this package loads numpy, scipy and msgspec, and no camera, model, image or broker library.
"""

from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections, Frame, TrackEvent, Tracks

__version__ = "0.1.0"

__all__ = ["Detections", "Frame", "TrackEvent", "Tracker", "Tracks", "__version__"]
