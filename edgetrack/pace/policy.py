"""The ladder of a device at its limit, and when to go down and up: data in, data out, no clock is read here.

Down soon, as far as the measured cost of a look says that it must; up one rung at a time, after a calm while that
doubles whenever going up was a mistake.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edgetrack.config import PaceConfig
from edgetrack.pace.sensors import Condition

EVERY = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 40, 60)
ROOM = 0.8  # of the limit that a finer rung may take up before it is tried
COOLER_C = 6.0  # below the limit before a finer rung is tried
SETTLE_S = 15.0  # a chip takes so long to show what a change was worth
PATIENCE_S = 20.0  # of calm before a step up
PATIENCE_MAX_S = 640.0
MISTAKE_S = 60.0  # a step down so soon after a step up takes it back
NEARLY = 0.9  # of the least looks/s do as well: no camera keeps its rate to the picture
STEADY_S = 600.0  # without a change, after which earlier mistakes are forgotten


class Rung(NamedTuple):
    """How often the detector looks, and which: the step below costs less."""

    every: int = 1  # pictures
    eye: int = 0  # 0: the detector of `detect`, 1: the lighter one of `pace.lighter`
    max_fps: float | None = None  # of the camera; None: its own

    @property
    def depth(self) -> tuple[bool, int, int]:
        """What is compared to know which of two rungs is the lower one, of whatever ladders."""
        return self.max_fps is not None, self.eye, self.every


class Strain(NamedTuple):
    """What was measured since the last decision."""

    fps: float  # pictures/s that the camera takes
    frame_s: float  # the loop's time for a picture that is not looked at
    look_s: tuple[float, ...]  # what a look adds to that, by eye; 0: not known yet
    load: float  # share of the time for which the loop was busy; over 1: a recording falls behind
    latency_ms: float  # median, capture to hand-over
    condition: Condition = Condition()

    def load_on(self, rung: Rung) -> float:
        """What the load would be on another rung."""
        fps = min(self.fps, rung.max_fps or self.fps)
        return fps * (self.frame_s + self.look_s[rung.eye] / rung.every)


def ladder(fps: float, min_looks_s: float, lighter: bool, slows: bool) -> tuple[Rung, ...]:
    """From full rate down to `min_looks_s` looks/s, then the lighter detector, then a slower camera.

    Args:
        fps: of the camera.
        lighter: there is a second detector.
        slows: the camera can be asked for fewer pictures.
    """
    rungs = [Rung(every) for every in EVERY if every == 1 or fps / every >= min_looks_s * NEARLY]
    if lighter:
        rungs.append(rungs[-1]._replace(eye=1))
    if slows and rungs[-1].every > 1:
        rungs.append(rungs[-1]._replace(every=1, max_fps=min_looks_s))
    return tuple(rungs)


class Policy:
    """Where on the ladder the device stands.

    Attributes:
        rung: place on the ladder; 0 is the top.
        reason: why it went there, for people; empty at the top.
        over: the ladder ends here, and it is still too much.
    """

    def __init__(self, limits: PaceConfig) -> None:
        self.rung = 0
        self.reason = ""
        self.over = False
        self._limits = limits
        self._rungs: Sequence[Rung] = ()
        self._was_heavy = False
        self._changed_s = self._raised_s = float("-inf")
        self._calm_s: float | None = None  # since when a finer rung would do
        self._patience_s = PATIENCE_S

    def decide(self, now_s: float, strain: Strain, rungs: Sequence[Rung]) -> bool:
        """Go where the strain says; true if that is another rung of this ladder.

        Args:
            now_s: of any clock that does not go back.
            rungs: the ladder as it is now; on another one than before it stands no lower than it stood.
        """
        if self._rungs and rungs != self._rungs:
            stood = self._rungs[self.rung].depth
            self.rung = max(k for k, rung in enumerate(rungs) if rung.depth <= stood or k == 0)
        before, self._rungs = self.rung, rungs
        if now_s - self._changed_s > STEADY_S:
            self._patience_s = PATIENCE_S
        heavy, hot = self._heavy(strain), self._hot(strain.condition)
        below = range(self.rung + 1, len(rungs))
        self.over = bool(heavy or hot) and not below
        was_heavy, self._was_heavy = self._was_heavy, bool(heavy)
        if heavy and below:
            if not was_heavy and strain.load < 1:  # a hiccup, perhaps
                return False
            fits = (k for k in below if strain.load_on(rungs[k]) <= self._limits.max_load)
            self._down(next(fits, below[-1]), heavy, now_s)
        elif hot and below and now_s - self._changed_s >= SETTLE_S:
            self._down(below[0], hot, now_s)
        elif self.over:
            self.reason = heavy or hot
        elif heavy or hot or not self.rung or not self._calm(strain, rungs[self.rung - 1]):
            self._calm_s = None
        elif self._calm_s is None:
            self._calm_s = now_s
        elif now_s - self._calm_s >= self._patience_s:
            self._up(now_s)
        return self.rung != before

    def _down(self, rung: int, reason: str, now_s: float) -> None:
        if now_s - self._raised_s < MISTAKE_S:
            self._patience_s = min(self._patience_s * 2, PATIENCE_MAX_S)
            self._raised_s = float("-inf")
        self.rung, self.reason, self._changed_s, self._calm_s = rung, reason, now_s, None

    def _up(self, now_s: float) -> None:
        self.rung -= 1
        self.reason = self.reason if self.rung else ""
        self._changed_s = self._raised_s = now_s
        self._calm_s = None

    def _heavy(self, strain: Strain) -> str:
        """Why it is too much for the loop; a latency that the loop does not make is the camera's, and no reason."""
        limits = self._limits
        if strain.load > limits.max_load:
            return f"the loop needs {strain.load:.0%} of the time, pace.max_load is {limits.max_load:.0%}"
        own_ms = (strain.frame_s + max(strain.look_s)) * 1e3
        if strain.latency_ms > limits.max_latency_ms and own_ms > strain.latency_ms / 2:
            return f"latency is {strain.latency_ms:.0f} ms, pace.max_latency_ms is {limits.max_latency_ms:.0f}"
        return ""

    @staticmethod
    def _hot(condition: Condition) -> str:
        if condition.throttled:
            return f"the device is slowed down: {', '.join(condition.throttled)}"
        if condition.temperature_c is not None and condition.temperature_c >= condition.limit_c:
            return f"{condition.temperature_c:.0f} °C, the limit is {condition.limit_c:.0f} °C"
        return ""

    def _calm(self, strain: Strain, finer: Rung) -> bool:
        """Whether a finer rung would be carried, with room to spare."""
        temperature_c, limit_c, _ = strain.condition
        cool = temperature_c is None or temperature_c <= limit_c - COOLER_C
        quick = strain.latency_ms <= self._limits.max_latency_ms * ROOM
        return cool and quick and strain.load_on(finer) <= self._limits.max_load * ROOM
