"""Following: what somebody named is kept in sight, through loss and return, under one id.

A target is followed by the net from picture to picture. Where it belongs to a track, the tracker's word counts while it
agrees with the net or the net is not sure. When neither knows where it is, it is searched for where it should be, and
among detections near there that look like it, the farther the longer it is away, as TLD does (Kalal et al. 2012); once
it counts as lost, also window by window all over the picture. `pursuit` does that.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from edgetrack.config import GoturnRefine
from edgetrack.errors import FollowError
from edgetrack.refine.goturn import Regressor
from edgetrack.refine.heads import Box
from edgetrack.refine.pursuit import Followed, Pursuit, Shot, track_at
from edgetrack.types import Detections, FollowEvent, FollowPhase, FollowReason, Frame, Tracks

log = logging.getLogger(__name__)

WHOLE = 0.7  # IoU from which a box that is asked for means the track in it
SLACK = 0.5  # of a picture's time, by which an update may come early


class Follower:
    """Follows what is named, by request or in the configuration; all targets in one call of the net.

    Attributes:
        every_s: between updates of one target; 0: every picture.

    Args:
        config: None: nothing can be followed, and who asks is told why.
        net: likewise.
        max_unlikeness: cosine distance up to which a detection looks like a target.
        every_s: see above.
    """

    def __init__(
        self,
        config: GoturnRefine | None = None,
        net: Regressor | None = None,
        max_unlikeness: float = 0.2,
        every_s: float = 0.0,
    ) -> None:
        self.every_s = every_s
        self._followed: dict[int, Followed] = {}
        self._ids = itertools.count(1)
        self._newest: Shot | None = None
        self._period = 0.0  # s between the last two pictures
        self._untold: list[FollowEvent] = []
        self._config, self._pursuit = config, None
        self._waiting = list(config.targets) if config and net else []
        if config and net:
            self._pursuit = Pursuit(net, config.min_confidence, config.lost_after_s, max_unlikeness)

    @property
    def ids(self) -> list[int]:
        """Of what is followed now."""
        return list(self._followed)

    # --- what is asked -----------------------------------------------------------------------------------------------

    def follow_track(self, track_id: int) -> int:
        """Follow a confirmed track of the newest picture; its follow id, the same where it is followed already.

        Raises:
            FollowError: there is no such track, or nothing more can be followed.
        """
        shot, _ = self._ready()
        already = [f.follow_id for f in self._followed.values() if f.track_id == track_id]
        if already:
            return already[0]
        tracks = shot.tracks[shot.tracks.confirmed]
        rows = np.flatnonzero(tracks.track_id == track_id)
        if not len(rows):
            there = ", ".join(map(str, tracks.track_id.tolist())) or "none"
            raise FollowError(f"track: {track_id} is not in the picture; the tracks there are: {there}")
        return self._begin(tracks.xyxy[rows[0]], track_id, int(tracks.class_id[rows[0]]))

    def follow_box(self, fractions: Sequence[float], name: str = "") -> int:
        """Follow what is in a box of the newest picture, whatever it is; its follow id.

        Args:
            fractions: left, top, right, bottom, of the picture's width and height.
            name: goes into its events.

        Raises:
            FollowError: the box has no pixels in the picture, or nothing more can be followed.
        """
        shot, _ = self._ready()
        xyxy = np.array(fractions, np.float64) * np.tile(shot.frame.size, 2)
        row = track_at(xyxy, shot.tracks, WHOLE)
        if row is None:
            return self._begin(xyxy, None, None, name)
        return self._begin(xyxy, int(shot.tracks.track_id[row]), int(shot.tracks.class_id[row]), name)

    def id_of(self, track_id: int) -> int:
        """The follow id of the target that a track is; raises FollowError where it is not followed."""
        there = {f.track_id: f.follow_id for f in self._followed.values() if f.track_id is not None}
        if track_id not in there:
            raise FollowError(
                f"track: {track_id} is not followed; those that are: {', '.join(map(str, there)) or 'none'}"
            )
        return there[track_id]

    def unfollow(self, follow_id: int) -> None:
        """Let a target go; raises FollowError where it is not followed."""
        if follow_id not in self._followed:
            there = ", ".join(map(str, self._followed)) or "none"
            raise FollowError(f"follow: {follow_id} is not followed; the ids there are: {there}")
        shot, _ = self._ready()
        self._untold.append(self._ended(self._followed[follow_id], shot.frame, "unfollowed"))

    def _ready(self) -> tuple[Shot, Pursuit]:
        if self._config is None or self._pursuit is None:
            raise FollowError(
                "refine: nothing can be followed here; set refine: {kind: goturn, mode: follow, "
                "model: models/edgetrack-goturn-int8.onnx} and restart"
            )
        if self._newest is None:
            raise FollowError("the camera has given no picture yet; ask again when health is ok")
        return self._newest, self._pursuit

    def _begin(self, xyxy: Box, track_id: int | None, class_id: int | None, name: str = "") -> int:
        shot, pursuit = self._ready()
        most = self._config.max_targets if self._config else 0
        if len(self._followed) >= most:
            raise FollowError(
                f"refine.max_targets: {most} are followed already; unfollow one of "
                f"{', '.join(map(str, self._followed))}, or raise it"
            )
        frame = shot.frame
        try:
            target = pursuit.net.start(frame.image, xyxy)
        except ValueError as error:
            raise FollowError(f"box: {str(error).removeprefix('xyxy: ')}") from None
        follow_id = next(self._ids)
        followed = Followed(
            follow_id,
            name,
            target,
            class_id,
            track_id,
            started=frame.time,
            anchor=target.xyxy,
            sighted=frame.time,
            proven=target.first,
            backed=frame.time,
            missing=frame.time,
            told=frame.time,
        )
        self._followed[follow_id] = followed
        self._untold.append(self._event("start", followed, frame))
        return follow_id

    # --- what becomes of it ------------------------------------------------------------------------------------------

    def step(self, frame: Frame, detections: Detections | None, tracks: Tracks) -> list[FollowEvent]:
        """Find all targets in the next picture.

        Args:
            frame: later than those before.
            detections: None: the detector did not look.
            tracks: as they are on this picture.

        Returns:
            What became of every target: changes at once, updates at the set pace.
        """
        if self._newest is not None:
            self._period = frame.time - self._newest.frame.time
        self._newest = Shot(frame, detections, tracks, self._period)
        states = {follow_id: f.state for follow_id, f in self._followed.items()}
        if self._followed and self._pursuit is not None:
            self._pursuit.find(self._newest, list(self._followed.values()))
        told, self._untold = self._untold, []
        for f in list(self._followed.values()):
            told += self._told(f, frame, changed=f.state != states[f.follow_id])
        self._begin_waiting()
        return told + self._untold_now()

    def end(self, reason: FollowReason, utc: float, captured: float) -> list[FollowEvent]:
        """Every target is let go, where the newest picture knew it."""
        told = self._untold_now()
        if self._newest is not None:
            frame = self._newest.frame
            told += [self._ended(f, frame, reason, utc, captured) for f in list(self._followed.values())]
        return told

    def _begin_waiting(self) -> None:
        """Those of the configuration, in the first picture."""
        waiting, self._waiting = self._waiting, []
        for target in waiting:
            try:
                self.follow_box(target.box, target.name)
            except FollowError as error:
                log.warning("refine.targets: %s: %s", target.name, error)

    def _untold_now(self) -> list[FollowEvent]:
        told, self._untold = self._untold, []
        return told

    def _told(self, f: Followed, frame: Frame, changed: bool) -> Iterator[FollowEvent]:
        end_after_s = self._config.end_after_s if self._config else 0
        if end_after_s and f.state != "following" and frame.time - f.missing >= end_after_s:
            yield self._ended(f, frame, "lost")
        elif changed:
            f.told = frame.time
            yield self._event("change", f, frame)
        elif f.state != "lost" and frame.time - f.told >= self.every_s - SLACK * self._period:
            f.told = frame.time
            yield self._event("update", f, frame)

    def _ended(
        self,
        f: Followed,
        frame: Frame,
        reason: FollowReason,
        utc: float | None = None,
        captured: float | None = None,
    ) -> FollowEvent:
        del self._followed[f.follow_id]
        return replace(self._event("end", f, frame, reason, utc, captured), state="ended")

    @staticmethod
    def _event(
        kind: FollowPhase,
        f: Followed,
        frame: Frame,
        reason: FollowReason | None = None,
        utc: float | None = None,
        captured: float | None = None,
    ) -> FollowEvent:
        left, top, right, bottom = f.box(frame.time).tolist()
        return FollowEvent(
            kind=kind,
            follow_id=f.follow_id,
            name=f.name,
            state=f.state,
            confidence=f.target.confidence,
            xyxy=(left, top, right, bottom),
            size=frame.size,
            track_id=f.track_id,
            class_id=f.class_id,
            seen=f.seen,
            frame=frame.index,
            time=frame.time,
            utc=frame.utc if utc is None else utc,
            captured=frame.captured if captured is None else captured,
            age_s=frame.time - f.started,
            reason=reason,
        )
