"""Whose looks are worth an embedding: networks that give one cost more than all of the tracking."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import Boxes, iou
from edgetrack.track.matching import Live

Mask = NDArray[np.bool_]

SAME = 0.8  # IoU with where a track is expected from which the box alone tells whose it is
RIVAL = 0.3  # IoU with where another one is expected from which it does not
SLACK_S = 1e-3  # a look that comes so much early counts as due


def wanted(live: Live, confirmed: Mask, expected: Boxes, time: float, xyxy: Boxes, every_s: float) -> Mask:
    """(N,) false for the detections (N, 4) that can be but one track, confirmed and described less than `every_s` ago.

    Args:
        confirmed, expected: (T,) and (T, 4) where the tracks will be at this time.
    """
    if not len(live.rows) or not len(xyxy):
        return np.ones(len(xyxy), np.bool_)
    overlap = iou(xyxy.astype(np.float64), expected)
    nearest = overlap.argmax(axis=1)
    fresh = confirmed & live.rows["described"] & (time - live.rows["described_at"] < every_s - SLACK_S)
    alone = (overlap >= RIVAL).sum(axis=1) == 1
    told: Mask = fresh[nearest] & alone & (overlap[np.arange(len(xyxy)), nearest] >= SAME)
    return ~told
