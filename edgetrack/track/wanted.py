"""Whose looks are worth an embedding: networks that give one cost more than all of the tracking."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import Boxes, iou
from edgetrack.config import TrackConfig
from edgetrack.track.matching import SETTLED, Live

Mask = NDArray[np.bool_]

SAME = 0.6  # IoU with where a track is expected from which the box alone tells whose it is; docs/tracking.md
YOUNG = 1 / 3  # of embed_every_s, until an average is SETTLED
SLACK_S = 1e-3  # a look that comes so much early counts as due


def wanted(live: Live, confirmed: Mask, expected: Boxes, time: float, xyxy: Boxes, config: TrackConfig) -> Mask:
    """(N,) false for the detections (N, 4) whose box alone gives them to a confirmed track that was described lately.

    A track and a detection are rivals of a pair where looks could prefer them: they outweigh at most `max_unlikeness`
    of its overlap, and nothing below the gate (`matching.vetoed`).

    Args:
        confirmed, expected: (T,) and (T, 4) where the tracks will be at this time.
        xyxy: of all detections that may be anybody's.
    """
    if not len(live.rows) or not len(xyxy):
        return np.ones(len(xyxy), np.bool_)
    overlap = iou(xyxy.astype(np.float64), expected)
    nearest, best = overlap.argmax(axis=1), overlap.max(axis=1)
    rival = np.maximum(best - config.max_unlikeness, 1 - config.max_iou_distance)
    alone = (overlap >= rival[:, None]).sum(axis=1) == 1
    alone &= (overlap[:, nearest] >= rival).sum(axis=0) == 1
    described = live.rows["described"]
    every_s = config.embed_every_s * np.where(described < SETTLED, YOUNG, 1.0)
    fresh = confirmed & (described > 0) & (time - live.rows["described_at"] < every_s - SLACK_S)
    told: Mask = alone & fresh[nearest] & (best >= SAME)
    return ~told
