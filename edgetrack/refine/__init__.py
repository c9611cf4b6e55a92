"""Where a target is when no detector says so: followers that need a picture and nothing else."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from edgetrack.config import GoturnRefine, Refine, RuntimeConfig
from edgetrack.refine.bridge import Bridge
from edgetrack.refine.follow import Follower
from edgetrack.refine.goturn import Goturn, Regressor
from edgetrack.types import Picture, Tracks

__all__ = ["Bridge", "Follower", "Goturn", "Refiner", "open_refine"]


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


def open_refine(
    config: Refine, runtime: RuntimeConfig, max_unlikeness: float = 0.2, every_s: float = 0.0
) -> tuple[Refiner, Follower]:
    """What bridges tracks and what follows targets, as the configuration says; a model is loaded once and run once.

    Args:
        config, runtime: of the daemon.
        max_unlikeness: cosine distance up to which a detection looks like a target.
        every_s: between updates of one target.

    Raises:
        ModelError: the file cannot be loaded, or is no follower.
    """
    if not isinstance(config, GoturnRefine):
        return Rest(), Follower()
    net = Regressor(config.model, runtime, config.head)
    refiner = Rest() if config.mode == "follow" else Bridge(config, net)
    follower = Follower() if config.mode == "bridge" else Follower(config, net, max_unlikeness, every_s)
    return refiner, follower
