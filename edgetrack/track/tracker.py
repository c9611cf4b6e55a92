"""The tracker: predict, match, update; births and deaths."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgetrack import boxes
from edgetrack.config import TrackConfig
from edgetrack.track import kalman
from edgetrack.track.confidence import Confidence
from edgetrack.track.gallery import Gallery
from edgetrack.track.matching import TRACK, Appearance, Live, Look, Matches, Overlap, Recovery
from edgetrack.types import Detections, Tracks

Array = NDArray[np.float64]
Index = NDArray[np.intp]

NOMINAL_FPS = 30.0  # the noise of the filter is per frame; sequences of MOT16, for which it was chosen, have 25 to 30
KEPT = 0.9  # of the average embedding at every match; Wang et al. 2020 (JDE), Du et al. 2023 (StrongSORT)
UNIT_ERROR = 1e-6  # rounding of a row made unit in float32
TINY = 1e-24
WEAK = 2.0  # standard deviation of a sure box that no detector gave, against that of a detection

# The default's filter trusts speed more and single boxes less than the reference, and lets the shape follow.
# Chosen on the development sequences of docs/tracking.md.
CALM = kalman.Noise(velocity=1 / 240, aspect=3e-2, measured=1 / 10)
SMALLEST = np.array([[1e-2], [1.0]])  # aspect ratio and height, px, to which a box may shrink while nobody looks
SECOND_PASS_DISTANCE = 0.6  # 1 - IoU; weak boxes fit worse than strong ones but must not be anybody's
SCORE_NOISE = 2.0  # of the measurement's variance, at score 0
LEAST_SCORE_NOISE = 0.1  # the same, at the typical score and above


class Tracker:
    """DeepSORT (Wojke et al. 2017) over arrays, exact where asked and better by default.

    `TrackConfig(exact=True)` answers like the reference implementation, box for box: one step is one frame, scores do
    not count, overlap serves only tentative tracks and those seen a frame ago. The default differs as the switches of
    `TrackConfig` say: true time differences, a second pass for weak detections, overlap for all live tracks.

    Ids are given at birth: 1, 2, 3 ... in order; those of tentative tracks that died unconfirmed leave gaps.
    """

    def __init__(self, config: TrackConfig = TrackConfig()) -> None:
        self.config = config
        self._noise = kalman.Noise() if config.exact else CALM
        self._appearance = Appearance(config.max_cosine_distance, config.motion_weight, config.class_aware)
        unlike = config.max_unlikeness if config.appearance_veto and not config.exact else math.inf
        self._overlap = Overlap(config.max_iou_distance, config.class_aware, unlike)
        self._recovery = Recovery(config.max_cosine_distance, config.class_aware)
        self._second_pass = Overlap(SECOND_PASS_DISTANCE, config.class_aware)
        self._live = Live(np.zeros(0, TRACK), np.zeros((5, 4, 0)))
        self._n_init = config.n_init or (3 if config.exact else 2)
        self._time: float | None = None
        self._confidence = Confidence()
        self._width: int | None = None  # of the embeddings
        self._next_id = 1

    def step(self, time: float, detections: Detections | None) -> Tracks:
        """Move all tracks to `time` and match them with what the detector saw.

        Args:
            time: s, never before the last one; the same again is allowed.
            detections: pixels of one picture. None: the detector did not look; tracks are predicted and grow no older.
                Boxes without area are left out. Embeddings are made unit rows.

        Returns:
            All live tracks, the eldest first.

        Raises:
            ValueError: time goes back; a number is NaN or infinite; a box ends before it begins; embeddings are of
                another width than earlier ones. The tracker is as it was before the call.
        """
        dt = self._check_time(time)
        look = None if detections is None else self._check(detections)
        self._time = time
        kalman.predict(self._noise, self._live.state, dt)
        if not self.config.exact:
            shape = self._live.state[0, 2:]
            np.maximum(shape, SMALLEST, out=shape)
        if look is None:
            self._live.rows["seen"] = False
        else:
            self._look(time, look)
        return self._snapshot()

    def correct(self, tracks: Tracks) -> Tracks:
        """Correct tracks by boxes that no detector gave; `missed` stays, for only a detection proves a life.

        Args:
            tracks: `track_id`, `xyxy` and `score`, the confidence 0..1 that makes the noise: WEAK / score times that of
                a detection. Tracks that are gone, and boxes without area or number, are left out.

        Returns:
            All live tracks, as `step` does.
        """
        if not len(tracks):
            return self._snapshot()
        live, size = self._live, tracks.xyxy[:, 2:] - tracks.xyxy[:, :2]
        with np.errstate(invalid="ignore"):
            good = np.isfinite(tracks.xyxy).all(axis=1) & (size > 0).all(axis=1) & (tracks.score > 0)
        known, rows, given = np.intersect1d(live.rows["track_id"], tracks.track_id[good], return_indices=True)
        if len(known):
            measured = live.state[0].copy()
            measured[:, rows] = boxes.xyxy_to_cxcyah(tracks.xyxy[good][given]).T
            variance = np.full_like(measured, np.inf)
            own = kalman.measurement_variance(self._noise, live.state)[:, rows]
            noise = (WEAK / tracks.score[good][given].astype(np.float64)) ** 2
            variance[:, rows] = live.state[2][:, rows] + own * noise
            kalman.update(live.state, variance, measured)
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

    def _check(self, detections: Detections) -> Look:
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
        return Look(xyxy, cxcyah, detections.score, detections.class_id, embedding)

    def _check_embedding(self, embedding: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
        """Unit rows; a row of zeros stays one and resembles nobody."""
        if embedding is None or not len(embedding):
            return None
        if self._width not in (None, embedding.shape[1]):
            raise ValueError(f"embedding: is {embedding.shape[1]} wide, earlier ones were {self._width}")
        norm2 = np.einsum("nd,nd->n", embedding, embedding)
        if not np.abs(norm2 - 1).max() <= UNIT_ERROR:  # also where it is NaN
            if not np.isfinite(norm2).all():
                raise ValueError("embedding: holds NaN or infinity")
            embedding = embedding / np.sqrt(np.maximum(norm2, TINY))[:, None]
        return np.asarray(embedding, np.float32)

    # --- a look ------------------------------------------------------------------------------------------------------

    def _look(self, time: float, look: Look) -> None:
        live = self._live
        if look.embedding is not None and self._width is None:
            self._width = look.embedding.shape[1]
            if self.config.exact:
                live.gallery = Gallery(self.config.gallery, self._width)
                live.rows["slot"] = live.gallery.take(len(live.rows))
            else:
                live.average = np.zeros((len(live.rows), self._width), np.float32)
        share = np.ones(len(look.score)) if self.config.exact else self._confidence.share(look.score, look.class_id)
        measured = kalman.measurement_variance(self._noise, live.state)
        matches = Matches(len(live.rows), len(look.score))
        if len(live.rows) and len(look.score):
            if self.config.exact:
                self._match_exactly(look, live.state[2] + measured, matches)
            else:
                self._match(time, look, share, matches)
        self._update(time, look, share, measured, matches)
        self._bury(time, matches)
        self._give_birth(time, look, share, matches)

    def _match_exactly(self, look: Look, variance: Array, matches: Matches) -> None:
        """As the reference implementation: the cascade, then overlap for tracks just born or just seen."""
        rows = self._live.rows
        recent = rows["confirmed"] & (rows["missed"] < self.config.max_age)
        self._appearance.match(self._live, look, variance, matches, recent)
        self._overlap.match(self._live, look, matches, ~rows["confirmed"] | (rows["missed"] == 0))

    def _match(self, time: float, look: Look, share: Array, matches: Matches) -> None:
        """Strong detections before weak ones, overlap before looks alone, confirmed tracks before tentative ones."""
        confirmed, just_seen = self._live.rows["confirmed"], self._live.rows["missed"] == 0
        strong = share >= self.config.strong_score if self.config.second_pass else None
        self._overlap.match(self._live, look, matches, confirmed, strong)
        if self.config.recovery:
            self._recovery.match(self._live, look, time, matches, confirmed, strong)
        if strong is not None:
            self._second_pass.match(self._live, look, matches, confirmed & just_seen, ~strong)
        self._overlap.match(self._live, look, matches, ~confirmed, strong)

    # --- life and death ----------------------------------------------------------------------------------------------

    def _update(self, time: float, look: Look, share: Array, measured: Array, matches: Matches) -> None:
        live, rows = self._live, self._live.rows
        found = (~matches.track_open).nonzero()[0]
        columns = matches.detection_of[found]
        cxcyah = live.state[0].copy()
        cxcyah[:, found] = look.cxcyah.take(columns, axis=1)
        if self.config.score_noise and not self.config.exact:
            doubt = 1 - (1 - LEAST_SCORE_NOISE / SCORE_NOISE) * share[columns]
            measured[:, found] *= np.maximum(SCORE_NOISE * doubt, LEAST_SCORE_NOISE)
        measured[:, matches.track_open] = np.inf
        kalman.update(live.state, live.state[2] + measured, cxcyah)
        rows["missed"] += 1
        rows["missed"][found] = 0
        rows["hits"][found] += 1
        rows["seen"] = ~matches.track_open
        rows["score"][found] = look.score[columns]
        rows["last_seen"][found] = time
        rows["confirmed"] |= rows["hits"] >= self._n_init
        if not self.config.exact:
            proven = columns[rows["confirmed"][found]]
            self._confidence.learn(look.score[proven], look.class_id[proven])
        if look.embedding is not None and live.gallery is not None:
            live.gallery.push(rows["slot"][found], look.embedding[columns])
        if look.embedding is not None and live.average is not None:
            new = look.described[columns]
            self._remember(live.average, found[new], look.embedding[columns[new]])

    def _remember(self, average: NDArray[np.float32], found: Index, embedding: NDArray[np.float32]) -> None:
        """Exponential mean, made unit again."""
        share = np.where(self._live.rows["described"][found], KEPT, 0.0).astype(np.float32)[:, None]
        mixed = share * average[found] + (1 - share) * embedding
        average[found] = mixed / np.sqrt(np.maximum(np.einsum("md,md->m", mixed, mixed), TINY))[:, None]
        self._live.rows["described"][found] = True

    def _bury(self, time: float, matches: Matches) -> None:
        live, rows = self._live, self._live.rows
        if self.config.exact:
            old = rows["missed"] > self.config.max_age
        else:
            old = time - rows["last_seen"] > self.config.max_age_s
        dead = matches.track_open & (old | ~rows["confirmed"])
        if dead.any():
            if live.gallery is not None:
                live.gallery.release(rows["slot"][dead])
            if live.average is not None:
                live.average = live.average[~dead]
            live.rows = rows[~dead]
            live.state = live.state[:, :, ~dead]

    def _give_birth(self, time: float, look: Look, share: Array, matches: Matches) -> None:
        live = self._live
        columns = (matches.detection_open & (share >= self.config.new_track_score)).nonzero()[0]
        if not len(columns):
            return
        born = np.zeros(len(columns), TRACK)
        born["track_id"] = np.arange(self._next_id, self._next_id + len(columns))
        born["class_id"] = look.class_id[columns]
        born["score"] = look.score[columns]
        born["seen"] = True
        born["hits"] = 1
        born["last_seen"] = time
        if live.gallery is not None:
            born["slot"] = live.gallery.take(len(columns))
            if look.embedding is not None:
                live.gallery.push(born["slot"], look.embedding[columns])
        if live.average is not None:
            mean = np.zeros((len(columns), live.average.shape[1]), np.float32)
            if look.embedding is not None:
                mean[:] = look.embedding[columns]
                born["described"] = look.described[columns]
            live.average = np.concatenate([live.average, mean])
        self._next_id += len(columns)
        live.rows = np.concatenate([live.rows, born])
        live.state = np.concatenate([live.state, kalman.initiate(self._noise, look.cxcyah[:, columns])], axis=2)

    def _snapshot(self) -> Tracks:
        rows = self._live.rows
        return Tracks(
            track_id=rows["track_id"].copy(),
            xyxy=kalman.xyxy(self._live.state).T,
            class_id=rows["class_id"].copy(),
            score=rows["score"].copy(),
            confirmed=rows["confirmed"].copy(),
            missed=rows["missed"].copy(),
            seen=rows["seen"].copy(),
        )
