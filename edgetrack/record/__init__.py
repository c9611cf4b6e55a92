"""What tracker and scene received, on disk, so that the same events can be had again: recorder writes, replay reads."""

from edgetrack.record.idle import Idle
from edgetrack.record.recorder import Recorder

__all__ = ["Idle", "Recorder"]
