"""When the detector looks: a ladder that a device at its limit goes down, and a gate for pictures without news."""

from edgetrack.pace.pace import Pace

__all__ = ["Pace"]
