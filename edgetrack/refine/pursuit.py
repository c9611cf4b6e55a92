"""Where followed targets are in the next picture: by the net, by the tracker, and by looks when both have lost them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import Boxes, area, clip, iou
from edgetrack.refine.goturn import Regressor, Target
from edgetrack.refine.heads import Box, Template
from edgetrack.types import Detections, FollowState, Frame, Image, Tracks

AGREE = 0.3  # IoU from which tracker and net mean the same
SAME = 0.5  # IoU from which two boxes are of one thing
SURE = 0.75  # confidence from which the net alone finds a target again; also by its first picture alone
PROOF = 0.6  # the same by its first picture alone, from which it is still the target and not what it drifted to
PROVED_EVERY = 5  # pictures
GONE = 0.3  # share of it inside the picture, by its speed, below which it has left
DOUBTS = 3  # failed proofs in a row after which it is out of sight
KEPT = 0.9  # of a look's average at every detection, as in the tracker
CALM = 0.8  # of the speed, likewise
COASTS_S = 1.0  # how long a target out of sight is believed to keep its speed
RUNS = 2.0  # diagonals of its box that a target moves in a second out of sight, at most
GROWS = 2.5  # times that it grows or shrinks there, at most
CANDIDATES = 4  # detections that are looked at for one target in one picture
STRIDE = 1.5  # sides of the target between two windows of a sweep; a window is wider

Look = NDArray[np.float32]  # (D,) unit


class Shot(NamedTuple):
    """What is known of one picture; `detections` None: the detector did not look."""

    frame: Frame
    detections: Detections | None
    tracks: Tracks
    dt: float = 0.0  # s since the one before


@dataclass(slots=True)
class Followed:
    """One target; boxes are pixels of the newest picture.

    Attributes:
        name: as it was asked for; empty for a track.
        target: what the net knows of it: its place, and what it looked like at first and lately.
        started, told: s, source clock, when it was asked for and when an event told of it last.
        class_id: of its track; None: it is no thing that the detector knows.
        track_id: of the track that it belongs to.
        beside: the newest track that there was while a detection backed it; no track up to that one is it.
        look: the average embedding of its detections.
        spread, others: cosine distances to it, on average, of its own detections and of the most alike beside it.
        anchor: where it was last for certain: by the tracker, or proved by its first picture.
        sighted: s, source clock, when that was.
        proven: what it looked like then.
        backed: s, source clock, when a detection backed it last.
        pictures: since the last proof; `doubts`: proofs that failed since then.
        missing: s, source clock, since when it is out of sight.
        velocity: (2,) px/s.
        seen: a detection backs it on this picture.
        edge: where it was when it began to leave the picture, and when that was, and how fast.
        hint: where a sweep found something alike, to be looked at again.
        sweep: number of the next window of a sweep.
    """

    follow_id: int
    name: str
    target: Target
    class_id: int | None
    track_id: int | None
    started: float
    anchor: Box
    sighted: float
    proven: Template
    backed: float
    missing: float
    told: float
    pictures: int = 0
    doubts: int = 0
    beside: int = 0
    look: Look | None = None
    spread: float = 0.0
    others: float = math.inf
    velocity: Box = field(default_factory=lambda: np.zeros(2))
    state: FollowState = "following"
    seen: bool = False
    edge: tuple[Box, float, Box] | None = None
    hint: Box | None = None
    sweep: int = 0

    def expected(self, time: float) -> Box:
        """Where it should be by now, as far as its speed is believed."""
        coasted_s = min(time - self.sighted, COASTS_S)
        return self.anchor + np.tile(self.velocity, 2) * coasted_s

    def box(self, time: float) -> Box:
        """Where it is or, out of sight, should be; where it was last for certain, once it is lost."""
        if self.state == "following":
            return self.target.xyxy
        return self.expected(time) if self.state == "searching" else self.anchor


class Sight(NamedTuple):
    """What the net found at one place; `row` is the detection that was looked at, None for none."""

    xyxy: Box
    confidence: float
    row: int | None


class Pursuit:
    """Moves targets to where they are in the next picture, and says whether they are sighted.

    Args:
        net: shared by all targets, which are looked for in one call.
        min_confidence: of the net, below which a target is out of sight.
        lost_after_s: out of sight, until it is looked for all over the picture.
        max_unlikeness: cosine distance up to which a detection looks like a target.
    """

    def __init__(self, net: Regressor, min_confidence: float, lost_after_s: float, max_unlikeness: float) -> None:
        self.net, self._min_confidence, self._lost_after_s = net, min_confidence, lost_after_s
        self._max_unlikeness = max_unlikeness

    def find(self, shot: Shot, followed: Sequence[Followed]) -> None:
        """Move all targets to this picture and set their `state` and `seen`; their places go to the net in one call."""
        image, time = shot.frame.image, shot.frame.time
        self._rescale(image, followed)
        asked = [(f, place, row) for f in followed for place, row in self._places(f, shot, followed)]
        found = self.net.look(image, [f.target for f, _, _ in asked], np.stack([place for _, place, _ in asked]))
        sights: dict[int, list[Sight]] = {f.follow_id: [] for f in followed}
        for (f, _, row), xyxy, confidence in zip(asked, *found, strict=True):
            sights[f.follow_id].append(Sight(xyxy, confidence, row))
        for f in followed:
            f.seen = False
            if f.state == "following":
                self._keep(f, sights[f.follow_id][0], shot, followed)
            else:
                self._search(f, sights[f.follow_id], shot)
            if f.state == "following":
                self._learn(f, shot)
            else:
                f.state = "lost" if time - f.missing >= self._lost_after_s else "searching"

    # --- where to look -----------------------------------------------------------------------------------------------

    def _places(self, f: Followed, shot: Shot, followed: Sequence[Followed]) -> Iterator[tuple[Box, int | None]]:
        """Boxes where a target may be, the likeliest first, and the detections that they belong to."""
        yield f.target.xyxy, None
        if f.state == "following":
            return
        yield f.expected(shot.frame.time), None
        if f.state == "lost":
            yield (f.hint if f.hint is not None else self._swept(f)), None
        for row in self._candidates(f, shot, followed):
            yield shot.detections.xyxy[row].astype(np.float64), row  # type: ignore[union-attr]

    def _swept(self, f: Followed) -> Box:
        """The next window of a sweep over the picture, of the size that the target had."""
        size, (width, height) = f.anchor[2:] - f.anchor[:2], f.target.picture
        step = max(float(size.max()) * STRIDE, max(width, height) / 16)
        columns, rows = math.ceil(width / step), math.ceil(height / step)
        f.sweep = (f.sweep + 1) % (columns * rows)
        middle = (np.array([f.sweep % columns, f.sweep // columns]) + 0.5) * (width / columns, height / rows)
        return np.concatenate([middle - size / 2, middle + size / 2])

    def _candidates(self, f: Followed, shot: Shot, followed: Sequence[Followed]) -> list[int]:
        """Detections that the target can have got to, and that are nobody else's: the nearest, or most alike, first."""
        detections = shot.detections
        if detections is None or not len(detections):
            return []
        xyxy = detections.xyxy.astype(np.float64)
        size, own = xyxy[:, 2:] - xyxy[:, :2], f.anchor[2:] - f.anchor[:2]
        away = np.hypot(*((xyxy[:, :2] + xyxy[:, 2:]) / 2 - (f.anchor[:2] + f.anchor[2:]) / 2).T)
        reach = np.hypot(*own) * (1 + RUNS * (shot.frame.time - f.sighted))
        growth = np.sqrt(size.prod(axis=1) / own.prod())
        open_ = (away <= reach) & (growth <= GROWS) & (growth >= 1 / GROWS)
        if f.class_id is not None:
            open_ &= detections.class_id == f.class_id
        others = [o.target.xyxy for o in followed if o is not f and o.state == "following"]
        taken = np.concatenate([np.array(others).reshape(-1, 4), self._strangers(f, shot.tracks)])
        open_ &= iou(xyxy, taken).max(axis=1, initial=0) < SAME
        cost = away / max(reach, 1.0)
        unlike = self._unlikeness(f, detections)
        if unlike is not None:
            open_ &= unlike <= min(self._max_unlikeness, (f.spread + f.others) / 2)
            cost = unlike
        rows = np.flatnonzero(open_)
        return [int(row) for row in rows[np.argsort(cost[rows], kind="stable")][:CANDIDATES]]

    @staticmethod
    def _unlikeness(f: Followed, detections: Detections) -> NDArray[np.float32] | None:
        """(N,) cosine distances, None where there is nothing to compare."""
        if f.look is None or detections.embedding is None or f.class_id is None:
            return None
        return np.asarray(1 - detections.embedding @ f.look, np.float32)

    # --- what to believe ---------------------------------------------------------------------------------------------

    def _keep(self, f: Followed, sight: Sight, shot: Shot, followed: Sequence[Followed]) -> None:
        """The net and the tracker together, while it is in sight."""
        row = self._backed(f, shot.tracks)
        sure = sight.confidence >= self._min_confidence and not self._is_stranger(f, sight, shot.tracks)
        if row is not None:
            if not sure or _iou(sight.xyxy, shot.tracks.xyxy[row]) >= AGREE:
                self._backs(f, shot, row, sight.confidence)
                return
            f.track_id = None  # the tracker gave its number to something else
        if not sure or self._left(f, sight, shot) or not self._still(f, sight, shot):
            self._lose(f, sight, shot)
            return
        self._moved(f, shot, sight.xyxy, sight.confidence)
        if f.class_id is not None:
            self._link(f, shot.tracks, followed)

    def _still(self, f: Followed, sight: Sight, shot: Shot) -> bool:
        """Whether it is what it was at first, which is proved now and then; the net alone drifts without noticing.

        What the detector knew, and has looked for in vain for as long as makes a target lost, needs more.
        """
        f.pictures += 1
        if f.pictures < PROVED_EVERY and not f.doubts:
            return True
        vain = f.class_id is not None and shot.frame.time - f.backed >= self._lost_after_s
        if self._proof(f, shot, sight.xyxy) >= (SURE if vain else PROOF):
            self._certain(f, shot, sight.xyxy)
            return True
        f.doubts += 1
        return f.doubts < DOUBTS

    @staticmethod
    def _left(f: Followed, sight: Sight, shot: Shot) -> bool:
        """Whether it is out of the picture by its speed; the net goes on to see it at the edge."""
        limits = np.array([0, 0, *f.target.picture], np.float64)
        outward = np.concatenate([-f.velocity, f.velocity])
        beyond = np.concatenate([limits[:2] - sight.xyxy[:2], sight.xyxy[2:] - limits[2:]])
        if not ((beyond >= 0) & (outward > 0)).any() and (f.edge is None or (beyond < 0).all()):
            f.edge = None
            return False
        f.edge = f.edge or (sight.xyxy, shot.frame.time, f.velocity)
        xyxy, since, velocity = f.edge
        by_now = xyxy + np.tile(velocity, 2) * (shot.frame.time - since)
        inside = area(clip(by_now, limits[2], limits[3])[None])[0] / area(by_now[None])[0]
        return bool(inside < GONE)

    def _proof(self, f: Followed, shot: Shot, xyxy: Box) -> float:
        """The confidence at a place by the first picture alone: that one cannot have drifted."""
        at_first = replace(f.target, recent=f.target.first)
        _, (confidence,) = self.net.look(shot.frame.image, [at_first], xyxy[None])
        return confidence

    @staticmethod
    def _certain(f: Followed, shot: Shot, xyxy: Box) -> None:
        f.anchor, f.sighted, f.proven, f.pictures, f.doubts = xyxy, shot.frame.time, f.target.recent, 0, 0

    @staticmethod
    def _lose(f: Followed, sight: Sight, shot: Shot) -> None:
        """Out of sight: it looks as it did when it was certain, not as what it drifted to."""
        f.state, f.missing, f.target.recent = "searching", shot.frame.time, f.proven
        f.target.xyxy, f.target.confidence = sight.xyxy, sight.confidence

    def _search(self, f: Followed, sights: Sequence[Sight], shot: Shot) -> None:
        """Is it where its track is seen again, at a detection that looks like it, or where the net is sure?"""
        row = self._backed(f, shot.tracks)
        if row is not None:
            self._backs(f, shot, row, 0.0)
            return
        if shot.detections is not None and self._recognised(f, sights, shot, shot.detections):
            return
        near, coasted, *swept = (
            s._replace(confidence=0.0) if self._is_stranger(f, s, shot.tracks) else s for s in sights if s.row is None
        )
        best = max(near, coasted, key=lambda s: s.confidence)
        hint, f.hint = f.hint, None
        for sight in (best, *swept):
            if sight.confidence >= SURE and self._proof(f, shot, sight.xyxy) >= SURE:
                if sight is best or hint is not None:  # in a sweep for the second time
                    self._found(f, shot, sight.xyxy, sight.confidence)
                    return
                f.hint = sight.xyxy
        f.target.confidence = best.confidence
        f.target.xyxy = near.xyxy if f.state == "searching" else f.anchor

    def _backs(self, f: Followed, shot: Shot, row: int, confidence: float) -> None:
        """Its track knows where it is; whoever is there now beside it is somebody else."""
        xyxy, score = shot.tracks.xyxy[row], float(shot.tracks.score[row])
        if f.state == "following":
            self._moved(f, shot, xyxy, max(confidence, score))
            self._certain(f, shot, xyxy)
        else:
            self._found(f, shot, xyxy, score, anew=True)
        f.seen, f.backed, f.beside = True, shot.frame.time, int(shot.tracks.track_id.max())

    def _recognised(self, f: Followed, sights: Sequence[Sight], shot: Shot, detections: Detections) -> bool:
        """Whether one of the detections is it: its embedding says so or, without one, the net."""
        known = self._unlikeness(f, detections) is not None
        for sight in (s for s in sights if s.row is not None):
            enough = self._min_confidence if known else SURE
            if sight.confidence >= enough and (known or self._proof(f, shot, sight.xyxy) >= SURE):
                where = sight.xyxy if f.class_id is None else detections.xyxy[sight.row].astype(np.float64)
                self._found(f, shot, where, max(sight.confidence, float(detections.score[sight.row])), anew=known)
                f.seen, f.backed, f.track_id = f.class_id is not None, shot.frame.time, None
                return True
        return False

    def _moved(self, f: Followed, shot: Shot, xyxy: Box, confidence: float) -> None:
        """It goes on, in sight."""
        before = f.target.xyxy
        self.net.move(shot.frame.image, f.target, xyxy, confidence)
        if shot.dt > 0:
            way = (xyxy[:2] + xyxy[2:] - before[:2] - before[2:]) / 2
            f.velocity = CALM * f.velocity + (1 - CALM) * way / shot.dt

    def _found(self, f: Followed, shot: Shot, xyxy: Box, confidence: float, anew: bool = False) -> None:
        """It is back; `anew`: however little the net thinks so, that is what it looks like now."""
        trust = max(confidence, self.net.head.renew) if anew else confidence
        self.net.move(shot.frame.image, f.target, xyxy, trust)
        f.state, f.target.confidence, f.velocity, f.edge = "following", min(confidence, 1.0), np.zeros(2), None
        self._certain(f, shot, xyxy)

    # --- the tracker -------------------------------------------------------------------------------------------------

    @staticmethod
    def _backed(f: Followed, tracks: Tracks) -> int | None:
        """The row of its track, if a detection backs that now."""
        if f.track_id is None:
            return None
        rows = np.flatnonzero((tracks.track_id == f.track_id) & tracks.seen)
        return int(rows[0]) if len(rows) else None

    @staticmethod
    def _strangers(f: Followed, tracks: Tracks) -> Boxes:
        """(M, 4) of tracks that are there and are not the target: they were beside it."""
        if f.class_id is None:
            return np.empty((0, 4))
        beside = (tracks.track_id <= f.beside) & (tracks.track_id != f.track_id)
        return np.asarray(tracks.xyxy[beside & tracks.confirmed & tracks.seen & (tracks.class_id == f.class_id)])

    def _is_stranger(self, f: Followed, sight: Sight, tracks: Tracks) -> bool:
        """Whether the net has found somebody else, who hides the target or looks like it."""
        strangers = self._strangers(f, tracks)
        return bool(len(strangers)) and float(iou(sight.xyxy[None], strangers).max()) >= SAME

    @staticmethod
    def _link(f: Followed, tracks: Tracks, followed: Sequence[Followed]) -> None:
        """The track that it is, if its own is gone."""
        if f.track_id is not None and f.track_id in tracks.track_id:
            return
        others = [o.track_id for o in followed if o is not f and o.track_id is not None]
        open_ = tracks.confirmed & tracks.seen & (tracks.class_id == f.class_id) & (tracks.track_id > f.beside)
        open_ &= ~np.isin(tracks.track_id, others)
        rows = np.flatnonzero(open_)
        overlap = iou(f.target.xyxy[None], tracks.xyxy[rows])[0]
        f.track_id = int(tracks.track_id[rows[overlap.argmax()]]) if len(rows) and overlap.max() >= SAME else None

    def _learn(self, f: Followed, shot: Shot) -> None:
        """What it looks like to the embedder."""
        detections = shot.detections
        if not f.seen or detections is None or detections.embedding is None or f.class_id is None:
            return
        overlap = iou(f.target.xyxy[None], detections.xyxy.astype(np.float64))[0]
        if not len(overlap) or overlap.max() < SAME:
            return
        own = int(overlap.argmax())
        new = detections.embedding[own]
        if f.look is not None:
            unlike = 1 - detections.embedding @ f.look
            f.spread = KEPT * f.spread + (1 - KEPT) * float(unlike[own])
            beside = unlike[(overlap < AGREE) & (detections.class_id == f.class_id)]
            if len(beside):
                nearest = float(beside.min())
                f.others = nearest if f.others == math.inf else KEPT * f.others + (1 - KEPT) * nearest
        mixed = new if f.look is None else KEPT * f.look + (1 - KEPT) * new
        f.look = np.asarray(mixed / max(float(np.linalg.norm(mixed)), 1e-12), np.float32)

    def _rescale(self, image: Image, followed: Sequence[Followed]) -> None:
        """Where pictures have another size than before, all places are carried over in proportion."""
        for f in followed:
            before = f.target.picture
            self.net.rescale(image, [f.target])
            if f.target.picture != before:
                ratio = np.array(f.target.picture) / np.array(before)
                f.anchor, f.velocity, f.hint = f.anchor * np.tile(ratio, 2), f.velocity * ratio, None


def _iou(a: Box, b: Box) -> float:
    return float(iou(a[None], b[None])[0, 0])


def track_at(xyxy: Box, tracks: Tracks, least: float) -> int | None:
    """The row of the confirmed track that a box shows, if any."""
    overlap: Boxes = iou(xyxy[None], tracks.xyxy)[0] * tracks.confirmed
    return int(overlap.argmax()) if len(overlap) and overlap.max() >= least else None
