"""The ways in which tracks find their detections: by appearance within the motion gate, and by overlap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import iou_pairs
from edgetrack.track import kalman
from edgetrack.track.assignment import assign, inside, overlapping, unrivalled
from edgetrack.track.gallery import Gallery
from edgetrack.track.look import Look

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]

SETTLED = 10  # embeddings from which on an average is what the person looks like, and not the first few crops
BEYOND_GATE = 1e-5  # how much worse than the gate a pair counts that may not be matched; reference implementation
EVERY = np.array([True])  # of the tracks or the detections

TRACK = np.dtype(
    [
        ("track_id", np.int64),
        ("class_id", np.int32),
        ("score", np.float32),
        ("hits", np.int64),  # matches so far, the birth included
        ("last_look", np.int64),  # number of the look of the last match
        ("last_seen", np.float64),  # s
        ("described", np.uint8),  # embeddings that its average is made of; SETTLED and more are counted as SETTLED
        ("described_at", np.float64),  # s, when it last got one; of those that are described
        ("slot", np.intp),  # in the gallery
        ("innovation", np.float64, 3),  # of cx, cy and h at the last match, box heights; unless exact
    ],
    align=True,
)


@dataclass(slots=True)
class Live:
    """The tracks that are alive; row t of `rows` and column t of `state` are the same one, the eldest first."""

    rows: NDArray[np.void]  # (T,) of TRACK
    state: Array  # (22, T) of kalman
    gallery: Gallery | None = None  # if exact, from the first embedding on
    average: NDArray[np.float32] | None = None  # (T, D) unit rows; unless exact, from the first embedding on

    def unlikeness(self, look: Look, i: Index, j: Index) -> Array:
        """Cosine distance (P,) of tracks' averages and detections; NaN where one of them is not described."""
        if self.average is None or look.embedding is None:
            return np.full(len(i), np.nan)
        distance = 1 - np.einsum("pd,pd->p", self.average.take(i, axis=0), look.embedding.take(j, axis=0))
        return np.where((self.rows["described"].take(i) > 0) & look.described.take(j), distance, np.nan)


class Matches:
    """The pairs found so far, and who is still without."""

    def __init__(self, n_tracks: int, n_detections: int) -> None:
        self.detection_of: Index = np.full(n_tracks, -1, np.intp)
        self.detection_open: Mask = np.ones(n_detections, np.bool_)

    @property
    def track_open(self) -> Mask:
        return self.detection_of < 0

    def add(self, tracks: Index, detections: Index) -> None:
        self.detection_of[tracks] = detections
        self.detection_open[detections] = False


@dataclass(frozen=True, slots=True)
class Pairs:
    """Tracks and detections that may be matched: pair p is track i[p], detection j[p]."""

    i: Index  # (P,)
    j: Index  # (P,)
    cost: NDArray[np.floating[Any]]  # (P,)
    limit: float  # of the cost

    def within(self, limit: float) -> Pairs:
        near = (self.cost <= limit).nonzero()[0]
        return Pairs(self.i.take(near), self.j.take(near), self.cost.take(near), min(limit, self.limit))

    def match(self, matches: Matches, tracks: Mask = EVERY, detections: Mask = EVERY) -> None:
        """The cheapest matching of those of `tracks` (T,) and `detections` (N,) that are still open."""
        open_tracks, open_detections = matches.track_open & tracks, matches.detection_open & detections
        free = (open_tracks.take(self.i) & open_detections.take(self.j)).nonzero()[0]
        if len(free):
            i, j = self.i.take(free), self.j.take(free)
            chosen = assign(i, j, self.cost.take(free), self.limit + BEYOND_GATE)
            matches.add(i.take(chosen), j.take(chosen))


@dataclass(frozen=True, slots=True)
class Appearance:
    """Limits of matching by appearance."""

    max_distance: float  # cosine
    motion_weight: float  # lambda of Wojke et al. 2017, eq. 5
    class_aware: bool

    def match(
        self, live: Live, look: Look, variance: Array, missed: NDArray[np.int64], matches: Matches, tracks: Mask
    ) -> None:
        """The matching cascade: among the pairs within the motion gate, the most recently seen tracks choose first.

        A pair without a rival needs no exact cost, only to be within the limit, and no place in the cascade.
        Wojke et al. 2017, listing 1.

        Args:
            variance: (4, T) of the innovation.
            missed: (T,) looks since the last match.
            tracks: (T,) who may take part.
        """
        gallery, embedding = live.gallery, look.embedding
        if gallery is None or embedding is None:
            return
        i, j, motion = self._gated(live, look, variance, tracks)
        slots = live.rows["slot"].take(i)
        distance = gallery.distance_to_anchor(slots, embedding.take(j, axis=0))
        possible = (distance <= gallery.reach(slots, self.max_distance)).nonzero()[0]
        i, j, motion = i.take(possible), j.take(possible), motion.take(possible)
        slots, distance = slots.take(possible), distance.take(possible)

        alone = unrivalled(i, j)
        near = alone & (distance <= self.max_distance)
        doubtful = (alone & ~near).nonzero()[0]
        if len(doubtful):
            near[doubtful] = gallery.distance(slots[doubtful], embedding[j[doubtful]]) <= self.max_distance
        matches.add(i[near], j[near])
        if alone.all():
            return

        rivals = (~alone).nonzero()[0]
        ages = missed[i[rivals]]
        for age in sorted(set(ages.tolist())):
            pairs = rivals[ages == age]
            pairs = pairs[matches.detection_open[j[pairs]]]
            exact = gallery.distance(slots[pairs], embedding[j[pairs]])
            pairs, exact = pairs[exact <= self.max_distance], exact[exact <= self.max_distance]
            cost = self.motion_weight * motion[pairs] + (1 - self.motion_weight) * exact
            worst = self.motion_weight * kalman.CHI2_95 + (1 - self.motion_weight) * self.max_distance
            chosen = pairs[assign(i[pairs], j[pairs], cost, worst + BEYOND_GATE)]
            matches.add(i[chosen], j[chosen])

    def _gated(self, live: Live, look: Look, variance: Array, tracks: Mask) -> tuple[Index, Index, Array]:
        """Pairs of a track and a detection within the motion gate, and their Mahalanobis distance."""
        position = live.state[:4]
        reach = np.sqrt(kalman.CHI2_95 * variance[0])
        i, j = inside(position[0] - reach, position[0] + reach, look.cxcyah[0])
        innovation = look.cxcyah.take(j, axis=1) - position.take(i, axis=1)
        distance = kalman.mahalanobis(innovation, variance.take(i, axis=1))
        near = tracks.take(i) & (distance <= kalman.CHI2_95)
        if self.class_aware:
            near &= live.rows["class_id"].take(i) == look.class_id.take(j)
        gated = near.nonzero()[0]
        return i.take(gated), j.take(gated), distance.take(gated)


@dataclass(frozen=True, slots=True)
class Overlap:
    """Limits of matching by overlap."""

    max_distance: float  # 1 - IoU
    class_aware: bool

    def pairs(self, live: Live, look: Look) -> Pairs:
        """The tracks and detections whose boxes overlap enough; the cost is 1 - IoU."""
        here, there = kalman.xyxy(live.state), look.xyxy
        i, j = overlapping(here[0], here[2], there[0], there[2])
        cost = 1 - iou_pairs(here.take(i, axis=1).T, there.take(j, axis=1).T)
        near = cost <= self.max_distance
        if self.class_aware:
            near &= live.rows["class_id"].take(i) == look.class_id.take(j)
        chosen = near.nonzero()[0]
        return Pairs(i.take(chosen), j.take(chosen), cost.take(chosen), self.max_distance)


def vetoed(pairs: Pairs, live: Live, look: Look, max_unlikeness: float) -> Pairs:
    """Those pairs of an overlap where the box does not look unlike the track, however well it overlaps.

    They are weighed by both, half and half (compare Aharon et al. 2022, BoT-SORT). Where one of the two is not
    described, the box has the benefit of the doubt and counts as unlike as is allowed.

    Args:
        max_unlikeness: cosine distance to the track's average embedding.
    """
    unlikeness = live.unlikeness(look, pairs.i, pairs.j)
    alike = (~(unlikeness > max_unlikeness)).nonzero()[0]
    cost = (pairs.cost.take(alike) + np.fmin(unlikeness.take(alike), max_unlikeness)) / 2
    return Pairs(pairs.i.take(alike), pairs.j.take(alike), cost, (pairs.limit + max_unlikeness) / 2)


@dataclass(frozen=True, slots=True)
class Recovery:
    """Limits of finding a lost track again by its looks, where it may have walked to since."""

    max_unlikeness: float  # cosine distance to the average embedding
    class_aware: bool
    speed: float = 2.0  # box heights per second; a person walks 0.8
    slack_s: float = 0.3  # of walking, for what the boxes are off
    size_ratio: float = 1.65  # of the heights then and now

    def pairs(self, live: Live, look: Look, time: float, tracks: Mask, detections: Mask) -> Pairs:
        """Those of `tracks` (T,) and `detections` (N,) that may be the same; the cost is their unlikeness."""
        rows, columns = tracks.nonzero()[0], detections.nonzero()[0]
        here, there = live.state[:4].take(rows, axis=1), look.cxcyah.take(columns, axis=1)
        reach = self.speed * here[3] * (time - live.rows["last_seen"].take(rows) + self.slack_s)
        i, j = inside(here[0] - reach, here[0] + reach, there[0])
        ratio = there[3, j] / here[3, i]
        near = (np.abs(there[1, j] - here[1, i]) <= reach[i]) & (np.maximum(ratio, 1 / ratio) <= self.size_ratio)
        i, j = rows[i[near]], columns[j[near]]
        cost = live.unlikeness(look, i, j)
        alike = cost <= self.max_unlikeness
        if self.class_aware:
            alike &= live.rows["class_id"][i] == look.class_id[j]
        return Pairs(i[alike], j[alike], cost[alike], self.max_unlikeness)
