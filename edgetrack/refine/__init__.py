"""Where a target is when no detector says so: followers that need a picture and nothing else."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from edgetrack.config import GoturnRefine, Refine, RuntimeConfig
from edgetrack.refine.bridge import Bridge
from edgetrack.refine.goturn import Goturn
from edgetrack.types import Picture, Tracks

__all__ = ["Bridge", "Goturn", "Refiner", "open_refiner"]


class Refiner(Protocol):
    """Gives confirmed tracks that no detection backs on this picture a box of its own."""

    def refine(self, picture: Picture, tracks: Tracks) -> Tracks:
        """Call it once for every picture, with all tracks.

        Args:
            picture: it is kept until the next call and may not be written to.
            tracks: as they were predicted and matched for this picture.

        Returns:
            Those rows that have a new box, `score` being its confidence 0..1; the rest is left out.
        """


class Rest:
    """Motion alone: no track gets a new box."""

    def refine(self, picture: Picture, tracks: Tracks) -> Tracks:
        return tracks[np.empty(0, np.intp)]


def open_refiner(config: Refine, runtime: RuntimeConfig) -> Refiner:
    """The refiner that the configuration names; a model is loaded and run once.

    Raises:
        ModelError: the file cannot be loaded, or is no follower.
    """
    return Bridge(config, runtime) if isinstance(config, GoturnRefine) else Rest()
