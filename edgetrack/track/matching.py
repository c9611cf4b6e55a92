"""The ways in which tracks find their detections: by appearance within the motion gate, and by overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import iou_pairs
from edgetrack.track import kalman
from edgetrack.track.assignment import assign, inside, overlapping, unrivalled
from edgetrack.track.gallery import Gallery

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]

BEYOND_GATE = 1e-5  # how much worse than the gate a pair counts that may not be matched; reference implementation

TRACK = np.dtype(
    [
        ("track_id", np.int64),
        ("class_id", np.int32),
        ("score", np.float32),
        ("confirmed", np.bool_),
        ("missed", np.int64),  # looks since the last match
        ("seen", np.bool_),
        ("hits", np.int64),  # matches so far, the birth included
        ("last_seen", np.float64),  # s
        ("described", np.bool_),  # has an average embedding
        ("slot", np.intp),  # in the gallery
    ],
    align=True,
)


@dataclass(frozen=True, slots=True)
class Look:
    """The detections of one frame as the tracker wants them."""

    xyxy: Array  # (4, N)
    cxcyah: Array  # (4, N)
    score: NDArray[np.float32]
    class_id: NDArray[np.int32]
    embedding: NDArray[np.float32] | None  # (N, D) unit rows

    @property
    def described(self) -> Mask:
        """(N,) whether there is an embedding that says anything: not all zeros."""
        if self.embedding is None:
            return np.zeros(len(self.score), np.bool_)
        return np.asarray(self.embedding.any(axis=1), np.bool_)


@dataclass(slots=True)
class Live:
    """The tracks that are alive; row t of `rows` and state[:, :, t] are the same one, the eldest first."""

    rows: NDArray[np.void]  # (T,) of TRACK
    state: Array  # (5, 4, T) of kalman
    gallery: Gallery | None = None  # if exact, from the first embedding on
    average: NDArray[np.float32] | None = None  # (T, D) unit rows; unless exact, from the first embedding on

    def unlikeness(self, look: Look, i: Index, j: Index) -> Array:
        """Cosine distance (P,) of tracks' averages and detections; NaN where one of them is not described."""
        if self.average is None or look.embedding is None:
            return np.full(len(i), np.nan)
        distance = 1 - np.einsum("pd,pd->p", self.average[i], look.embedding[j])
        return np.where(self.rows["described"][i] & look.described[j], distance, np.nan)


class Matches:
    """The pairs found so far, and who is still without."""

    def __init__(self, n_tracks: int, n_detections: int) -> None:
        self.detection_of: Index = np.full(n_tracks, -1, np.intp)
        self.track_open: Mask = np.ones(n_tracks, np.bool_)
        self.detection_open: Mask = np.ones(n_detections, np.bool_)

    def add(self, tracks: Index, detections: Index) -> None:
        self.detection_of[tracks] = detections
        self.track_open[tracks] = False
        self.detection_open[detections] = False


@dataclass(frozen=True, slots=True)
class Appearance:
    """Limits of matching by appearance."""

    max_distance: float  # cosine
    motion_weight: float  # lambda of Wojke et al. 2017, eq. 5
    class_aware: bool

    def match(self, live: Live, look: Look, variance: Array, matches: Matches, tracks: Mask) -> None:
        """The matching cascade: among the pairs within the motion gate, the most recently seen tracks choose first.

        A pair without a rival needs no exact cost, only to be within the limit, and no place in the cascade.
        Wojke et al. 2017, listing 1.

        Args:
            variance: (4, T) of the innovation.
            tracks: (T,) who may take part.
        """
        if live.gallery is None or look.embedding is None:
            return
        i, j, motion = self._gated(live, look, variance, tracks)
        slots = live.rows["slot"][i]
        possible = live.gallery.possible(slots, look.embedding[j], self.max_distance)
        i, j, motion, slots = i[possible], j[possible], motion[possible], slots[possible]

        alone = unrivalled(i, j)
        pairs = alone.nonzero()[0]
        pairs = pairs[live.gallery.within(slots[pairs], look.embedding[j[pairs]], self.max_distance)]
        matches.add(i[pairs], j[pairs])
        if len(pairs) == len(i):
            return

        rivals = (~alone).nonzero()[0]
        missed = live.rows["missed"][i[rivals]]
        for age in sorted(set(missed.tolist())):
            pairs = rivals[missed == age]
            pairs = pairs[matches.detection_open[j[pairs]]]
            distance = live.gallery.distance(slots[pairs], look.embedding[j[pairs]])
            near = distance <= self.max_distance
            pairs, distance = pairs[near], distance[near]
            cost = self.motion_weight * motion[pairs] + (1 - self.motion_weight) * distance
            worst = self.motion_weight * kalman.CHI2_95 + (1 - self.motion_weight) * self.max_distance
            chosen = pairs[assign(i[pairs], j[pairs], cost, worst + BEYOND_GATE)]
            matches.add(i[chosen], j[chosen])

    def _gated(self, live: Live, look: Look, variance: Array, tracks: Mask) -> tuple[Index, Index, Array]:
        """Pairs of a track and a detection within the motion gate, and their Mahalanobis distance."""
        position = live.state[0]
        reach = np.sqrt(kalman.CHI2_95 * variance[0])
        i, j = inside(position[0] - reach, position[0] + reach, look.cxcyah[0])
        innovation = look.cxcyah.take(j, axis=1) - position.take(i, axis=1)
        distance = kalman.mahalanobis(innovation, variance.take(i, axis=1))
        near = tracks.take(i) & (distance <= kalman.CHI2_95)
        if self.class_aware:
            near &= live.rows["class_id"].take(i) == look.class_id.take(j)
        return i[near], j[near], distance[near]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Limits of matching by overlap."""

    max_distance: float  # 1 - IoU
    class_aware: bool
    max_unlikeness: float = np.inf  # cosine distance to the average embedding; infinite: appearance does not count

    def match(self, live: Live, look: Look, matches: Matches, tracks: Mask, detections: Mask | None = None) -> None:
        """Match those of `tracks` (T,) and `detections` (N,) that are still open; None: all.

        Where appearance counts, a box that looks unlike the track is refused however well it overlaps, and the others
        are weighed by both, half and half (compare Aharon et al. 2022, BoT-SORT).
        """
        open_detections = matches.detection_open if detections is None else matches.detection_open & detections
        rows, columns = (tracks & matches.track_open).nonzero()[0], open_detections.nonzero()[0]
        if not len(rows) or not len(columns):
            return
        here, there = kalman.xyxy(live.state[:, :, rows]), look.xyxy[:, columns]
        i, j = overlapping(here[0], here[2], there[0], there[2])
        cost = 1 - iou_pairs(here.take(i, axis=1).T, there.take(j, axis=1).T)
        near = cost <= self.max_distance
        i, j, cost, worst = rows[i[near]], columns[j[near]], cost[near], self.max_distance
        if self.class_aware:
            same = live.rows["class_id"][i] == look.class_id[j]
            i, j, cost = i[same], j[same], cost[same]
        if live.average is not None and look.embedding is not None and self.max_unlikeness < np.inf:
            unlikeness = live.unlikeness(look, i, j)
            alike = ~(unlikeness > self.max_unlikeness)
            i, j, worst = i[alike], j[alike], (worst + self.max_unlikeness) / 2
            cost = (cost[alike] + np.fmin(unlikeness[alike], self.max_unlikeness)) / 2
        chosen = assign(i, j, cost, worst + BEYOND_GATE)
        matches.add(i[chosen], j[chosen])


@dataclass(frozen=True, slots=True)
class Recovery:
    """Limits of finding a lost track again by its looks, where it may have walked to since."""

    max_unlikeness: float  # cosine distance to the average embedding
    class_aware: bool
    speed: float = 2.0  # box heights per second; a person walks 0.8
    slack_s: float = 0.3  # of walking, for what the boxes are off
    size_ratio: float = 1.65  # of the heights then and now

    def match(
        self, live: Live, look: Look, time: float, matches: Matches, tracks: Mask, detections: Mask | None = None
    ) -> None:
        """Match those of `tracks` (T,) and `detections` (N,) that are still open; None: all."""
        open_detections = matches.detection_open if detections is None else matches.detection_open & detections
        rows, columns = (tracks & matches.track_open).nonzero()[0], open_detections.nonzero()[0]
        if live.average is None or look.embedding is None or not len(rows) or not len(columns):
            return
        here, there = live.state[0][:, rows], look.cxcyah[:, columns]
        reach = self.speed * here[3] * (time - live.rows["last_seen"][rows] + self.slack_s)
        i, j = inside(here[0] - reach, here[0] + reach, there[0])
        ratio = there[3, j] / here[3, i]
        near = (np.abs(there[1, j] - here[1, i]) <= reach[i]) & (np.maximum(ratio, 1 / ratio) <= self.size_ratio)
        i, j = rows[i[near]], columns[j[near]]
        cost = live.unlikeness(look, i, j)
        alike = cost <= self.max_unlikeness
        if self.class_aware:
            alike &= live.rows["class_id"][i] == look.class_id[j]
        i, j = i[alike], j[alike]
        chosen = assign(i, j, cost[alike], self.max_unlikeness + BEYOND_GATE)
        matches.add(i[chosen], j[chosen])
