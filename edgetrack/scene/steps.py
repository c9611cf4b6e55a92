"""Where tracks went since the frame before, picture by picture, and what that made happen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from edgetrack.scene.geometry import Points
from edgetrack.types import Direction, EventKind

MAX_STEPS = 1000  # positions between two sightings; longer gaps are walked in longer steps
SLACK = 0.1  # of a frame's duration: timestamps are rounded, and n frames are to last n / fps


class Steps(NamedTuple):
    """R positions, those of one track together and in order; what lies between two sightings is a straight walk."""

    track_id: list[int]
    class_id: list[int]
    before: Points  # (R, 2) foot point one step earlier; the same as `foot` where the track is new
    foot: Points  # (R, 2)
    frame: list[int]
    time: list[float]
    period: list[float]  # s that the position stands for: from one picture to the next
    sighted: list[bool]  # False: interpolated


class Happening(NamedTuple):
    """What one track did, and when."""

    kind: EventKind
    track_id: int
    frame: int
    time: float
    direction: Direction | None = None
    duration_s: float | None = None


class Sighting(NamedTuple):
    """Where and when a detection backed a track."""

    foot: tuple[float, float]
    frame: int
    time: float

    def scaled(self, before: tuple[int, int], now: tuple[int, int]) -> Sighting:
        """The same place on pictures of another width and height."""
        x, y = self.foot
        return self._replace(foot=(x * now[0] / before[0], y * now[1] / before[1]))


def walk(
    track_id: list[int],
    class_id: list[int],
    earlier: Sequence[Sighting | None],
    foot: Points,
    frame: int,
    time: float,
    period: float,
) -> Steps:
    """The steps from every track's earlier sighting to the present one.

    Args:
        track_id, class_id: of S tracks that a detection backs now.
        earlier: S sightings; None for a track that is new.
        foot: (S, 2) present positions.
        frame, time: present picture.
        period: s between pictures, for those that are new.
    """
    since = np.array([s.frame if s else frame - 1 for s in earlier], np.int64)
    start_time = np.array([s.time if s else time - period for s in earlier])
    start = np.array([s.foot if s else here for s, here in zip(earlier, foot.tolist(), strict=True)]).reshape(-1, 2)
    gap = np.maximum(frame - since, 1)
    count = np.minimum(gap, MAX_STEPS)
    row = np.repeat(np.arange(len(count)), count)
    step = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + 1
    part = step / count[row]
    sighted = step == count[row]
    position = np.where(sighted[:, None], foot[row], start[row] + (foot - start)[row] * part[:, None])
    before = np.where((step == 1)[:, None], start[row], np.concatenate([position[:1], position[:-1]]))
    times = np.where(sighted, time, start_time[row] + (time - start_time)[row] * part)
    return Steps(
        track_id=[track_id[i] for i in row],
        class_id=[class_id[i] for i in row],
        before=before,
        foot=position,
        frame=(since[row] + np.rint(gap[row] * part).astype(np.int64)).tolist(),
        time=times.tolist(),
        period=((time - start_time) / gap)[row].tolist(),
        sighted=sighted.tolist(),
    )
