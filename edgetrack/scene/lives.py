"""Confirmed tracks while they live, and what is told of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from edgetrack.scene.steps import Happening, Sighting
from edgetrack.types import Direction, EndReason, EventKind, Frame, TrackEvent, TrackPhase

Box = tuple[float, float, float, float]  # xyxy, pixels


class Moment(NamedTuple):
    """A frame without its picture."""

    frame: int
    time: float
    utc: float
    captured: float
    size: tuple[int, int]

    @classmethod
    def of(cls, frame: Frame) -> Moment:
        return cls(frame.index, frame.time, frame.utc, frame.captured, frame.size)


@dataclass(slots=True)
class Life:
    """One confirmed track.

    Its class is the one it was confirmed with, so that what is told of it, and counted, adds up.
    """

    track_id: int
    class_id: int
    started: float  # s, source clock
    updated: float
    score: float = 0.0
    xyxy: Box = (0.0, 0.0, 0.0, 0.0)
    seen: bool = False
    sighting: Sighting | None = None  # the newest
    zones: tuple[str, ...] = ()
    moved: bool = False  # into or out of a zone since the last update

    def told(self, kind: TrackPhase, now: Moment, reason: EndReason | None = None) -> TrackEvent:
        return self._event(kind, now, now.frame, now.time, reason=reason)

    def happened(self, what: Happening, name: str, now: Moment) -> TrackEvent:
        """`now` proved it; `what` says when it was."""
        return self._event(what.kind, now, what.frame, what.time, name, what.direction, what.duration_s)

    def _event(
        self,
        kind: TrackPhase | EventKind,
        now: Moment,
        frame: int,
        time: float,
        name: str = "",
        direction: Direction | None = None,
        duration_s: float | None = None,
        reason: EndReason | None = None,
    ) -> TrackEvent:
        return TrackEvent(
            kind=kind,
            track_id=self.track_id,
            class_id=self.class_id,
            score=self.score,
            xyxy=self.xyxy,
            size=now.size,
            frame=frame,
            time=time,
            utc=now.utc + (time - now.time),
            captured=now.captured,
            age_s=now.time - self.started,
            seen=self.seen,
            zones=self.zones,
            name=name,
            direction=direction,
            duration_s=duration_s,
            reason=reason,
        )
