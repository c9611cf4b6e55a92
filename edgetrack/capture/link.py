"""The state of the link to a live camera, and the three lines a log needs of it."""

from __future__ import annotations

import logging
from dataclasses import replace

from edgetrack.capture.pace import Pace
from edgetrack.types import CaptureState

log = logging.getLogger(__name__)


class Link:
    """Whether pictures come, since when not, and how often they stopped; says each change of it once."""

    def __init__(self, place: str, stall_s: float) -> None:
        self.place = place
        self.silence = f"no picture for {stall_s:g} s"
        self.frames = 0
        self.dropped = 0
        self._state = CaptureState(state="opening")
        self.seen = 0.0  # s, when the last picture came or, before the first, opening began
        self.lost = 0.0  # s, when the last outage was noticed
        self._pace = Pace()

    def state(self, now: float) -> CaptureState:
        blind_s = self._state.blind_s + (now - self.seen if self._state.state == "degraded" else 0.0)
        state = replace(self._state, frames=self.frames, dropped=self.dropped, blind_s=blind_s)
        if state.state == "ok" and self._pace.reason:
            return replace(state, state="degraded", reason=self._pace.reason)
        return state

    def opening(self, now: float) -> None:
        self._state = replace(self._state, state="opening", reason="")
        self.seen = now

    def up(self, now: float) -> None:
        if self._state.state == "opening":
            log.info("%s: opened", self.place)
            self._state = replace(self._state, state="ok")
        elif self._state.state == "degraded":
            log.info("%s: back after %.1f s", self.place, now - self.seen)
            self._state = replace(self._state, state="ok", reason="", blind_s=self._state.blind_s + now - self.seen)
        self.seen = now

    def beat(self, time: float, pictures: int) -> None:
        """So many pictures have come, the last one taken at `time`, s."""
        before = self._pace.reason
        self._pace.beat(time, pictures)
        if self._pace.reason and not before:
            log.warning("%s: %s", self.place, self._pace.reason)
        elif before and not self._pace.reason:
            log.info("%s: %.3g pictures/s again", self.place, self._pace.fps)

    def down(self, reason: str, now: float) -> None:
        self._pace.pause()
        if self._state.state == "degraded":
            if reason != self._state.reason:
                log.debug("%s: still no picture: %s", self.place, reason)
                self._state = replace(self._state, reason=reason)
            return
        log.warning("%s: %s; it is opened again until it answers", self.place, reason)
        self._state = replace(self._state, state="degraded", reason=reason, outages=self._state.outages + 1)
        self.lost = now
