"""The tracker: predict, match, update; births and deaths."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgetrack import boxes
from edgetrack.config import TrackConfig
from edgetrack.track import kalman
from edgetrack.track.assignment import assign, inside, overlapping, unrivalled
from edgetrack.track.gallery import Gallery
from edgetrack.types import Detections, Tracks

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]

NOMINAL_FPS = 30.0  # the noise of the filter is per frame; sequences of MOT16, for which it was chosen, have 25 to 30
BEYOND_GATE = 1e-5  # how much worse than the gate a pair counts that may not be matched; reference implementation
UNIT_ERROR = 1e-6  # rounding of a row made unit in float32
TINY = 1e-24

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
        ("slot", np.intp),  # in the gallery
    ],
    align=True,
)


@dataclass(frozen=True, slots=True)
class _Look:
    """The detections of one frame as the tracker wants them."""

    xyxy: Array  # (4, N)
    cxcyah: Array  # (4, N)
    score: NDArray[np.float32]
    class_id: NDArray[np.int32]
    embedding: NDArray[np.float32] | None  # (N, D) unit rows


class _Matches:
    """The pairs found so far, and who is still without."""

    def __init__(self, n_tracks: int, n_detections: int) -> None:
        self.detection_of: Index = np.full(n_tracks, -1, np.intp)
        self.track_open: Mask = np.ones(n_tracks, np.bool_)
        self.detection_open: Mask = np.ones(n_detections, np.bool_)

    def add(self, tracks: Index, detections: Index) -> None:
        self.detection_of[tracks] = detections
        self.track_open[tracks] = False
        self.detection_open[detections] = False


class Tracker:
    """DeepSORT (Wojke et al. 2017) over arrays."""

    def __init__(self, config: TrackConfig = TrackConfig()) -> None:
        self.config = config
        self._state: Array = np.zeros((5, 4, 0))
        self._tracks = np.zeros(0, TRACK)
        self._gallery: Gallery | None = None
        self._time: float | None = None
        self._next_id = 1

    def step(self, time: float, detections: Detections | None) -> Tracks:
        """Move all tracks to `time` and match them with what the detector saw.

        Args:
            time: s, never before the last one.
            detections: None: the detector did not look; all tracks are predicted and none grows older.

        Raises:
            ValueError: the input makes no sense; the tracker is as it was before the call.
        """
        dt = self._check_time(time)
        look = None if detections is None else self._check(detections)
        self._time = time
        if look is not None and look.embedding is not None and self._gallery is None:
            self._gallery = Gallery(self.config.gallery, look.embedding.shape[1])
            self._tracks["slot"] = self._gallery.take(len(self._tracks))
        kalman.predict(self._state, dt)
        if look is None:
            self._tracks["seen"] = False
            return self._snapshot()
        variance = kalman.innovation_variance(self._state)
        matches = self._match(look, variance)
        self._update(look, variance, matches)
        self._bury(matches)
        self._give_birth(look, matches)
        return self._snapshot()

    # --- input -------------------------------------------------------------------------------------------------------

    def _check_time(self, time: float) -> float:
        """Frames since the last step."""
        if not math.isfinite(time):
            raise ValueError(f"time: is {time}, expected seconds that never go back")
        if self._time is None:
            return 0.0
        if time < self._time:
            raise ValueError(f"time: is {time} s after {self._time} s; it may not go back")
        return 1.0 if self.config.exact else (time - self._time) * NOMINAL_FPS

    def _check(self, detections: Detections) -> _Look:
        xyxy = detections.xyxy.T.astype(np.float64, order="C")
        if not np.isfinite(xyxy).all():
            raise ValueError("xyxy: holds NaN or infinity, expected pixels")
        if not np.isfinite(detections.score).all():
            raise ValueError("score: holds NaN or infinity, expected 0 to 1")
        embedding = self._check_embedding(detections.embedding)
        size = xyxy[2:] - xyxy[:2]
        smallest = size.min(initial=1.0)
        if smallest < 0:
            raise ValueError("xyxy: right or bottom lies before left or top; expected left, top, right, bottom")
        if smallest == 0:
            return self._check(detections[size.min(axis=0) > 0])
        cxcyah = np.concatenate([xyxy[:2] + size / 2, size])
        cxcyah[2] /= cxcyah[3]
        return _Look(xyxy, cxcyah, detections.score, detections.class_id, embedding)

    def _check_embedding(self, embedding: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
        """Unit rows; a row of zeros stays one and resembles nobody."""
        if embedding is None or not len(embedding):
            return None
        if self._gallery is not None and embedding.shape[1] != self._gallery.width:
            raise ValueError(f"embedding: is {embedding.shape[1]} wide, earlier ones were {self._gallery.width}")
        norm2 = np.einsum("nd,nd->n", embedding, embedding)
        if not np.isfinite(norm2).all():
            raise ValueError("embedding: holds NaN or infinity")
        if np.abs(norm2 - 1).max() > UNIT_ERROR:
            embedding = embedding / np.sqrt(np.maximum(norm2, TINY))[:, None]
        return np.asarray(embedding, np.float32)

    # --- matching ----------------------------------------------------------------------------------------------------

    def _match(self, look: _Look, variance: Array) -> _Matches:
        matches = _Matches(len(self._tracks), len(look.score))
        if len(self._tracks) and len(look.score):
            if look.embedding is not None:
                self._match_appearance(look, look.embedding, variance, matches)
            self._match_iou(look, matches)
        return matches

    def _match_appearance(
        self, look: _Look, embedding: NDArray[np.float32], variance: Array, matches: _Matches
    ) -> None:
        """The matching cascade: among the pairs within the motion gate, the most recently seen tracks choose first.

        A pair without a rival needs no exact cost, only to be within the limit, and no place in the cascade.
        """
        assert self._gallery is not None
        limit, weight = self.config.max_cosine_distance, self.config.motion_weight
        tracks, detections, motion = self._gated(look, variance)
        slots = self._tracks["slot"][tracks]
        possible = self._gallery.possible(slots, embedding[detections], limit)
        tracks, detections, motion, slots = (a[possible] for a in (tracks, detections, motion, slots))

        alone = unrivalled(tracks, detections)
        pairs = alone.nonzero()[0]
        pairs = pairs[self._gallery.within(slots[pairs], embedding[detections[pairs]], limit)]
        matches.add(tracks[pairs], detections[pairs])

        rivals = (~alone).nonzero()[0]
        missed = self._tracks["missed"][tracks[rivals]]
        for age in sorted(set(missed.tolist())):
            pairs = rivals[missed == age]
            pairs = pairs[matches.detection_open[detections[pairs]]]
            distance = self._gallery.distance(slots[pairs], embedding[detections[pairs]])
            cost = weight * motion[pairs] + (1 - weight) * distance
            near = (distance <= limit).nonzero()[0]
            unmatched_cost = weight * kalman.CHI2_95 + (1 - weight) * limit + BEYOND_GATE
            chosen = pairs[near[assign(tracks[pairs[near]], detections[pairs[near]], cost[near], unmatched_cost)]]
            matches.add(tracks[chosen], detections[chosen])

    def _gated(self, look: _Look, variance: Array) -> tuple[Index, Index, Array]:
        """Pairs of a confirmed track and a detection within the motion gate, and their Mahalanobis distance."""
        position = self._state[0]
        reach = np.sqrt(kalman.CHI2_95 * variance[0])
        tracks, detections = inside(position[0] - reach, position[0] + reach, look.cxcyah[0])
        innovation = look.cxcyah.take(detections, axis=1) - position.take(tracks, axis=1)
        distance = kalman.mahalanobis(innovation, variance.take(tracks, axis=1))
        eligible = self._tracks["confirmed"] & (self._tracks["missed"] < self.config.max_age)
        near = eligible.take(tracks) & (distance <= kalman.CHI2_95)
        if self.config.class_aware:
            near &= self._tracks["class_id"].take(tracks) == look.class_id.take(detections)
        return tracks[near], detections[near], distance[near]

    def _match_iou(self, look: _Look, matches: _Matches) -> None:
        """By overlap: tentative tracks, and confirmed ones that were seen a frame ago."""
        eligible = matches.track_open & (~self._tracks["confirmed"] | (self._tracks["missed"] == 0))
        rows, columns = eligible.nonzero()[0], matches.detection_open.nonzero()[0]
        if not len(rows) or not len(columns):
            return
        here = kalman.xyxy(self._state[:, :, rows])
        there = look.xyxy[:, columns]
        i, j = overlapping(here[0], here[2], there[0], there[2])
        cost = 1 - boxes.iou_pairs(here[:, i].T, there[:, j].T)
        near = cost <= self.config.max_iou_distance
        if self.config.class_aware:
            near &= self._tracks["class_id"][rows[i]] == look.class_id[columns[j]]
        tracks, detections = rows[i[near]], columns[j[near]]
        chosen = assign(tracks, detections, cost[near], self.config.max_iou_distance + BEYOND_GATE)
        matches.add(tracks[chosen], detections[chosen])

    # --- life and death ----------------------------------------------------------------------------------------------

    def _update(self, look: _Look, variance: Array, matches: _Matches) -> None:
        tracks = self._tracks
        rows = (~matches.track_open).nonzero()[0]
        columns = matches.detection_of[rows]
        measured = self._state[0].copy()
        measured[:, rows] = look.cxcyah.take(columns, axis=1)
        variance[:, matches.track_open] = np.inf
        kalman.update(self._state, variance, measured)
        tracks["missed"] += 1
        tracks["missed"][rows] = 0
        tracks["hits"][rows] += 1
        tracks["seen"] = ~matches.track_open
        tracks["score"][rows] = look.score[columns]
        tracks["last_seen"][rows] = self._time
        tracks["confirmed"] |= tracks["hits"] >= self.config.n_init
        if look.embedding is not None and self._gallery is not None:
            self._gallery.push(tracks["slot"][rows], look.embedding[columns])

    def _bury(self, matches: _Matches) -> None:
        tracks = self._tracks
        if self.config.exact:
            old = tracks["missed"] > self.config.max_age
        else:
            old = self._time - tracks["last_seen"] > self.config.max_age_s
        dead = matches.track_open & (old | ~tracks["confirmed"])
        if dead.any():
            if self._gallery is not None:
                self._gallery.release(tracks["slot"][dead])
            self._tracks = tracks[~dead]
            self._state = self._state[:, :, ~dead]

    def _give_birth(self, look: _Look, matches: _Matches) -> None:
        columns = matches.detection_open.nonzero()[0]
        if not len(columns):
            return
        born = np.zeros(len(columns), TRACK)
        born["track_id"] = np.arange(self._next_id, self._next_id + len(columns))
        born["class_id"] = look.class_id[columns]
        born["score"] = look.score[columns]
        born["seen"] = True
        born["hits"] = 1
        born["last_seen"] = self._time
        if self._gallery is not None:
            born["slot"] = self._gallery.take(len(columns))
            if look.embedding is not None:
                self._gallery.push(born["slot"], look.embedding[columns])
        self._next_id += len(columns)
        self._tracks = np.concatenate([self._tracks, born])
        self._state = np.concatenate([self._state, kalman.initiate(look.cxcyah[:, columns])], axis=2)

    def _snapshot(self) -> Tracks:
        tracks = self._tracks
        return Tracks(
            track_id=tracks["track_id"].copy(),
            xyxy=kalman.xyxy(self._state).T,
            class_id=tracks["class_id"].copy(),
            score=tracks["score"].copy(),
            confirmed=tracks["confirmed"].copy(),
            missed=tracks["missed"].copy(),
            seen=tracks["seen"].copy(),
        )
