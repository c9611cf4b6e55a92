"""Where a target is when no detector says so: followers that need a picture and nothing else."""

from __future__ import annotations

from typing import Protocol

from edgetrack.refine.goturn import Goturn
from edgetrack.types import Image, Tracks

__all__ = ["Goturn", "Refiner"]


class Refiner(Protocol):
    """Gives confirmed tracks that no detection backs on this picture a box of its own."""

    def refine(self, image: Image, tracks: Tracks) -> Tracks:
        """Call it once for every picture, with all tracks.

        Args:
            image: (H, W, 3) uint8 BGR; it is kept until the next call and may not be written to.
            tracks: as they were predicted and matched for this picture.

        Returns:
            Those rows that have a new box, `score` being its confidence 0..1; the rest is left out.
        """
