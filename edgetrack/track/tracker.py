"""The tracker: predict, match, update; births and deaths."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgetrack import boxes
from edgetrack.config import TrackConfig
from edgetrack.track import kalman
from edgetrack.track.confidence import Confidence
from edgetrack.track.gallery import Gallery
from edgetrack.track.innovation import SURE, BoxNoise
from edgetrack.track.look import Look, checked
from edgetrack.track.matching import SETTLED, TRACK, Appearance, Live, Matches, Overlap, Recovery, vetoed
from edgetrack.track.state import TrackerState, columns, weight
from edgetrack.track.wanted import wanted
from edgetrack.types import Detections, Tracks

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]

NOMINAL_FPS = 30.0  # the noise of the filter is per frame; sequences of MOT16, for which it was chosen, have 25 to 30
KEPT = 0.9  # of the average embedding at every match; Wang et al. 2020 (JDE), Du et al. 2023 (StrongSORT)
STANDS_FOR = 3.0  # matches at most: an embedding after some that were spared, at NOMINAL_FPS; docs/tracking.md
TINY = 1e-24
WEAK = 2.0  # standard deviation of a sure box that no detector gave, against that of a detection

# The default's filter trusts speed more and single boxes less than the reference, and lets the shape follow.
# Chosen on the development sequences of docs/tracking.md.
CALM = kalman.Noise(velocity=1 / 240, aspect=3e-2, measured=1 / 10)
SMALLEST = np.array([[1e-2], [1.0]])  # aspect ratio and height, px, to which a box may shrink while nobody looks
SECOND_PASS_DISTANCE = 0.6  # 1 - IoU; weak boxes fit worse than strong ones but must not be anybody's
SCORE_NOISE = 2.0  # of the measurement's variance, at score 0; at the typical score and above: BoxNoise
AXES = [0, 1, 3]  # of cxcyah, those that are lengths


class Tracker:
    """DeepSORT (Wojke et al. 2017) over arrays, exact where asked and better by default.

    `TrackConfig(exact=True)` answers like the reference implementation, box for box: one step is one frame, scores do
    not count, overlap serves only tentative tracks and those seen a frame ago. The default differs as the switches of
    `TrackConfig` say: true time differences, a second pass for weak detections, overlap for all live tracks.

    Ids are given at birth: 1, 2, 3 ... in order; those of tentative tracks that died unconfirmed leave gaps.
    """

    def __init__(self, config: TrackConfig = TrackConfig()) -> None:
        self.config = config
        self._filter = kalman.Filter(kalman.Noise() if config.exact else CALM)
        self._appearance = Appearance(config.max_cosine_distance, config.motion_weight, config.class_aware)
        self._overlap = Overlap(config.max_iou_distance, config.class_aware)
        self._recovery = Recovery(config.max_cosine_distance, config.class_aware)
        self._live = Live(np.zeros(0, TRACK), np.zeros((kalman.ROWS, 0)))
        self._n_init = max(2, config.n_init or 3) if config.exact else config.n_init or 2  # exact: no birth confirms
        self._looks = 0  # at which the detector looked
        self._looked = False  # on the last step
        self._time: float | None = None
        self._confidence = Confidence()
        self._box_noise = BoxNoise()
        self._width: int | None = None  # of the embeddings
        self._next_id = 1

    def step(self, time: float, detections: Detections | None, shift: tuple[float, float] = (0.0, 0.0)) -> Tracks:
        """Move all tracks to `time` and match them with what the detector saw.

        Args:
            time: s, never before the last one; the same again is allowed.
            detections: pixels of one picture. None: the detector did not look; tracks are predicted and grow no older.
                Boxes without area are left out. Embeddings are made unit rows.
            shift: px, right and down, by which the camera has moved the scene in the picture since the last step.

        Returns:
            All live tracks, the eldest first.

        Raises:
            ValueError: time goes back; a number is NaN or infinite; a box ends before it begins; embeddings are of
                another width than earlier ones. The tracker is as it was before the call.
        """
        dt = self._frames_until(time)
        if not all(map(math.isfinite, shift)):
            raise ValueError(f"shift: is {shift}, expected pixels right and down")
        look = None if detections is None else checked(detections, self._width)
        self._time = time
        self._looked = look is not None
        self._filter.predict(self._live.state, dt)
        if any(shift):
            self._live.state[:2] += np.array(shift)[:, None]
        if not self.config.exact:
            shape = self._live.state[2:4]
            np.maximum(shape, SMALLEST, out=shape)
        if look is not None:
            self._look(time, look)
        return self._snapshot()

    def wanted(self, time: float, detections: Detections) -> Mask:
        """Which detections `step` needs the embedding of, (N,); rows of zeros do for the others. Changes nothing.

        All of them if exact. Else not the weak ones, which only prolong tracks by overlap, nor those that their place
        alone gives to a track, whatever they look like, that was described less than `embed_every_s` ago. Of more than
        `embed_at_most` those who have gone longest without.

        Args:
            time, detections: as they will be given to `step`; embeddings do not count.
        """
        if self.config.exact or not len(detections):
            return np.ones(len(detections), np.bool_)
        expected = self._live.state.copy()
        self._filter.predict(expected, self._frames_until(time))
        needed = np.ones(len(detections), np.bool_)
        if self.config.second_pass:
            needed = self._confidence.share(detections.score, detections.class_id) >= self.config.strong_score
        at, strong = kalman.xyxy(expected).T, detections.xyxy[needed]
        needed[needed] = wanted(self._live, self._confirmed(), at, time, strong, self.config)
        return needed

    def rescale(self, before: tuple[int, int] | None, now: tuple[int, int]) -> None:
        """Carry all tracks over in proportion where pictures have another size than before.

        Args:
            before, now: width and height of the last picture, None if there was none, and of the next one, px.
        """
        if before not in (None, now):
            kalman.scale(self._live.state, now[0] / before[0], now[1] / before[1])

    def correct(self, tracks: Tracks) -> Tracks:
        """Correct tracks by boxes that no detector gave; `missed` stays, for only a detection proves a life.

        Args:
            tracks: `track_id`, `xyxy` and `score`, the confidence 0..1 that makes the noise: WEAK / score times that of
                a detection. Tracks that are gone, and boxes without area or number, are left out.

        Returns:
            All live tracks, as `step` does.
        """
        live = self._live
        with np.errstate(invalid="ignore", over="ignore"):
            size = tracks.xyxy[:, 2:] - tracks.xyxy[:, :2]
            good = np.isfinite(tracks.xyxy).all(axis=1) & (size > 0).all(axis=1) & (tracks.score > 0)
        known, rows, given = np.intersect1d(live.rows["track_id"], tracks.track_id[good], return_indices=True)
        if len(known):
            noise = (WEAK / tracks.score[good][given].astype(np.float64)) ** 2
            measured = self._filter.measurement_variance(live.state)[:, rows] * noise
            kalman.update(live.state, rows, measured, boxes.xyxy_to_cxcyah(tracks.xyxy[good][given]).T)
        return self._snapshot()

    @property
    def weight(self) -> int:
        """Bytes that `state` takes, about."""
        return weight(self._live)

    def state(self) -> TrackerState:
        """All that later steps depend on, copied."""
        return TrackerState(
            time=self._time,
            looks=self._looks,
            looked=self._looked,
            next_id=self._next_id,
            typical=dict(self._confidence.typical),
            box_noise=replace(self._box_noise),
            width=self._width,
            **columns(self._live),
        )

    def resume(self, state: TrackerState) -> None:
        """Go on, to the last bit, as the tracker of the same configuration that gave this state.

        Raises:
            ValueError: it is the state of no such tracker; this one is as it was.
        """
        self._live = state.live(self.config)
        self._time, self._looks, self._looked = state.time, state.looks, state.looked
        self._next_id, self._width = state.next_id, state.width
        self._confidence.typical = dict(state.typical)
        self._box_noise = replace(state.box_noise)

    def _frames_until(self, time: float) -> float:
        """Since the last step."""
        if not math.isfinite(time):
            raise ValueError(f"time: is {time}, expected seconds that never go back")
        if self._time is None:
            return 0.0
        if time < self._time:
            raise ValueError(f"time: is {time} s after {self._time} s; it may not go back")
        return 1.0 if self.config.exact else (time - self._time) * NOMINAL_FPS

    # --- a look ------------------------------------------------------------------------------------------------------

    def _look(self, time: float, look: Look) -> None:
        live = self._live
        self._looks += 1
        if look.embedding is not None and self._width is None:
            self._width = look.embedding.shape[1]
            if self.config.exact:
                live.gallery = Gallery(self.config.gallery, self._width)
                live.rows["slot"] = live.gallery.take(len(live.rows))
            else:
                live.average = np.zeros((len(live.rows), self._width), np.float32)
        share = np.ones(len(look.score))
        if not self.config.exact:
            self._confidence.begin(look.score, look.class_id)
            share = self._confidence.share(look.score, look.class_id)
        measured = self._filter.measurement_variance(live.state)
        matches = Matches(len(live.rows), len(look.score))
        if len(live.rows) and len(look.score):
            if self.config.exact:
                self._match_exactly(look, live.state[8:12] + measured, matches)
            else:
                self._match(time, look, share, matches)
            self._update(time, look, share, measured, matches)
        self._bury(time)
        new = matches.detection_open & (share >= self.config.new_track_score)
        if new.any():
            self._give_birth(time, look, new.nonzero()[0])

    def _match_exactly(self, look: Look, variance: Array, matches: Matches) -> None:
        """As the reference implementation: the cascade, then overlap for tracks just born or just seen."""
        confirmed, missed = self._confirmed(), self._missed()
        self._appearance.match(self._live, look, variance, missed, matches, confirmed & (missed <= self.config.max_age))
        tracks = (~confirmed | (missed == 1)) & matches.track_open
        if matches.detection_open.any() and tracks.any():
            self._overlap.pairs(self._live, look).match(matches, tracks)

    def _match(self, time: float, look: Look, share: Array, matches: Matches) -> None:
        """Strong detections before weak ones, overlap before looks alone, confirmed tracks before tentative ones."""
        live, config, confirmed = self._live, self.config, self._confirmed()
        strong = share >= (config.strong_score if config.second_pass else -math.inf)
        pairs = alike = self._overlap.pairs(live, look)
        appearance = live.average is not None and look.embedding is not None
        if appearance and config.appearance_veto:
            alike = vetoed(pairs, live, look, config.max_unlikeness)
        alike.match(matches, confirmed, strong)
        if appearance and config.recovery:
            lost, unclaimed = confirmed & matches.track_open, strong & matches.detection_open
            if lost.any() and unclaimed.any():
                self._recovery.pairs(live, look, time, lost, unclaimed).match(matches)
        if not strong.all():
            pairs.within(SECOND_PASS_DISTANCE).match(matches, confirmed & (self._missed() == 1), ~strong)
        if not confirmed.all():
            alike.match(matches, ~confirmed, strong)

    # --- life and death ----------------------------------------------------------------------------------------------

    def _confirmed(self) -> Mask:
        return np.asarray(self._live.rows["hits"] >= self._n_init)

    def _missed(self) -> NDArray[np.int64]:
        """Looks since the last match, this one included."""
        return np.asarray(self._looks - self._live.rows["last_look"])

    def _update(self, time: float, look: Look, share: Array, measured: Array, matches: Matches) -> None:
        live, rows = self._live, self._live.rows
        found = (~matches.track_open).nonzero()[0]
        columns = matches.detection_of.take(found)
        cxcyah, measured = look.cxcyah.take(columns, axis=1), measured.take(found, axis=1)
        if not self.config.exact:
            self._doubt(found, cxcyah, share.take(columns), measured)
        kalman.update(live.state, found, measured, cxcyah)
        if look.embedding is not None and live.gallery is not None:
            live.gallery.push(rows["slot"].take(found), look.embedding.take(columns, axis=0))
        if look.embedding is not None and live.average is not None:
            new = look.described.take(columns)
            self._remember(live.average, found[new], look.embedding[columns[new]], time)
        rows["hits"][found] += 1
        rows["last_look"][found] = self._looks
        rows["last_seen"][found] = time
        rows["score"][found] = look.score.take(columns)
        if not self.config.exact:
            proven = columns[self._confirmed().take(found)]
            self._confidence.learn(look.score.take(proven), look.class_id.take(proven))

    def _doubt(self, found: Index, cxcyah: Array, share: Array, measured: Array) -> None:
        """Scale the variances `measured` (4, M) by what is known of the detector and of each of its boxes."""
        rows, expected = self._live.rows, self._live.state[:4].take(found, axis=1)
        if self.config.adaptive_noise:
            innovation = ((cxcyah - expected) / expected[3])[AXES].T
            again = (rows["last_look"].take(found) == self._looks - 1) & (rows["hits"].take(found) > 1)
            self._box_noise.learn(rows["innovation"][found[again]], innovation[again])
            rows["innovation"][found] = innovation
        if self.config.score_noise:
            measured *= np.maximum(SCORE_NOISE * (1 - (1 - SURE / SCORE_NOISE) * share), self._box_noise.variance)
        elif self.config.adaptive_noise:
            measured *= self._box_noise.variance

    def _remember(
        self, average: NDArray[np.float32], found: Index, embedding: NDArray[np.float32], time: float
    ) -> None:
        """Exponential mean, made unit again; an embedding stands for those that were spared since the last one too."""
        rows = self._live.rows
        since = rows["described_at"][found]
        frames = np.where(since < rows["last_seen"][found], (time - since) * NOMINAL_FPS, 1).clip(1, STANDS_FOR)
        share = np.where(rows["described"][found] > 0, KEPT**frames, 0.0).astype(np.float32)[:, None]
        alike = np.einsum("md,md->m", average[found], embedding) >= 1 - self.config.max_cosine_distance
        mixed = share * average[found] + (1 - share) * embedding
        average[found] = mixed / np.sqrt(np.maximum(np.einsum("md,md->m", mixed, mixed), TINY))[:, None]
        rows["described"][found] = np.where(alike, np.minimum(rows["described"][found] + 1, SETTLED), 1)
        rows["described_at"][found] = time

    def _bury(self, time: float) -> None:
        """The tentative ones of one miss, the others of age."""
        live, missed, confirmed = self._live, self._missed(), self._confirmed()
        if self.config.exact:
            old = missed > self.config.max_age
        else:
            old = time - live.rows["last_seen"] > self.config.max_age_s
        dead = (missed > 0) & (old | ~confirmed)
        if dead.any():
            if live.gallery is not None:
                live.gallery.release(live.rows["slot"][dead])
            if live.average is not None:
                live.average = live.average[~dead]
            live.rows = live.rows[~dead]
            live.state = live.state.compress(~dead, axis=1)

    def _give_birth(self, time: float, look: Look, columns: Index) -> None:
        live, n = self._live, len(columns)
        born = np.zeros(n, TRACK)
        born["track_id"] = np.arange(self._next_id, self._next_id + n)
        born["class_id"] = look.class_id[columns]
        born["score"] = look.score[columns]
        born["hits"] = 1
        born["last_look"] = self._looks
        born["last_seen"] = time
        if live.gallery is not None:
            born["slot"] = live.gallery.take(n)
            if look.embedding is not None:
                live.gallery.push(born["slot"], look.embedding[columns])
        if live.average is not None:
            mean = np.zeros((n, live.average.shape[1]), np.float32)
            if look.embedding is not None:
                mean[:] = look.embedding[columns]
                born["described"] = look.described[columns]
                born["described_at"] = time
            live.average = np.concatenate([live.average, mean])
        self._next_id += n
        live.rows = np.concatenate([live.rows, born])
        live.state = np.concatenate([live.state, self._filter.initiate(look.cxcyah[:, columns])], axis=1)

    def _snapshot(self) -> Tracks:
        rows, missed = self._live.rows, self._missed()
        return Tracks(
            track_id=rows["track_id"].copy(),
            xyxy=kalman.xyxy(self._live.state).T,
            class_id=rows["class_id"].copy(),
            score=rows["score"].copy(),
            confirmed=self._confirmed(),
            missed=missed,
            seen=(missed == 0) & self._looked,
        )
