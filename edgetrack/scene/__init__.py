"""What tracks mean: zones entered and left, lines crossed, counts."""

from edgetrack.scene.scene import Scene

__all__ = ["Scene"]
