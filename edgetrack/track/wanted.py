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
    """(N,) whose embedding could change the answer; of more than `embed_at_most` those longest without one.

    Args:
        confirmed, expected: (T,) and (T, 4) where the tracks will be at this time.
        xyxy: (N, 4) of all detections that may be anybody's.
    """
    if not config.embed_every_s:
        return np.ones(len(xyxy), np.bool_)
    waited = np.full(len(xyxy), np.inf)
    if len(live.rows) and len(xyxy):
        waited = _waited(live, confirmed, expected, time, xyxy, config)
    needed = waited >= 0
    if config.embed_at_most is not None and needed.sum() > config.embed_at_most:
        needed[(-waited).argsort(kind="stable")[config.embed_at_most :]] = False
    return needed


def _waited(
    live: Live, confirmed: Mask, expected: Boxes, time: float, xyxy: Boxes, config: TrackConfig
) -> NDArray[np.float64]:
    """(N,) s since the track at its place was described; infinite for a new one; below 0 for whom the box tells.

    That is a detection whose box alone gives it to a confirmed track that was described lately. A track and a
    detection are rivals of a pair where looks could prefer them: they outweigh at most `max_unlikeness` of its
    overlap, and nothing below the gate (`matching.vetoed`).
    """
    overlap = iou(xyxy.astype(np.float64), expected)
    nearest, best = overlap.argmax(axis=1), overlap.max(axis=1)
    gate = 1 - config.max_iou_distance
    rival = np.maximum(best - config.max_unlikeness, gate)
    alone = (overlap >= rival[:, None]).sum(axis=1) == 1
    alone &= (overlap[:, nearest] >= rival).sum(axis=0) == 1
    described = live.rows["described"]
    since = np.where(described > 0, time - live.rows["described_at"], np.inf)
    every_s = config.embed_every_s * np.where(described < SETTLED, YOUNG, 1.0)
    fresh = confirmed & (since < every_s - SLACK_S)
    told = alone & fresh[nearest] & (best >= SAME)
    return np.where(told, -1.0, np.where(best >= gate, since[nearest], np.inf))
