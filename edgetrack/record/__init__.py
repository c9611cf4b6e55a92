"""What tracker and scene received, on disk, so that the same events can be had again: recorder writes, replay reads."""

from edgetrack.record.recorder import Idle, Recorder

__all__ = ["Idle", "Recorder"]
