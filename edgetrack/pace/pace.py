"""The one object that knows whose turn it is to look at a picture, if anybody's.

Who takes a picture ahead of the loop asks it there, `begin`, and the loop is told the same, `turn`; else the loop asks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Generic, Protocol, TypeVar

from edgetrack.config import Config, LiveOptions
from edgetrack.pace.gate import MotionGate
from edgetrack.pace.policy import Policy, Rung, Strain, ladder
from edgetrack.pace.sensors import Sensors
from edgetrack.types import Frame, PaceChange, PaceState, Picture, Tracks

log = logging.getLogger(__name__)


class Looking(Protocol):
    """What a detector is here."""

    def begin(self, picture: Picture, done: Callable[[], None]) -> object:
        """Look at a picture beside the caller; `done` is called when that is over, by any thread."""


Eye = TypeVar("Eye", bound=Looking)

WINDOW_S = 2.0  # of measuring, for one decision
LEAST = 4  # pictures in it
OTHER = 0.1  # by which a camera's rate must differ until it is another one, and the ladder with it
GAP_S = 5.0  # between pictures: what is longer is an outage, no rest of the loop


@dataclass(slots=True)
class Taken:
    """The turn at a picture that was taken ahead of the loop, and what its look takes of the model's time."""

    eye: int  # that looks; -1: none
    began_s: float
    over_s: float = 0.0
    look_s: float = 0.0


class Window:
    """What the loop did since the last decision."""

    def __init__(self, eyes: int, frame: Frame | None = None) -> None:
        self.last = frame
        self.elapsed_s = self.busy_s = 0.0  # of the source's clock; of ours
        self.taken = 0  # pictures by the camera
        self.latency_ms: list[float] = []
        self.spent_s: list[list[float]] = [[] for _ in range(eyes + 1)]  # on a picture by eye; the last: on one without

    def add(self, frame: Frame, eye: int, spent_s: float, latency_ms: float) -> None:
        """A picture that was looked at by `eye`, or by nobody: -1."""
        if self.last is not None and 0 < frame.time - self.last.time <= GAP_S:
            self.elapsed_s += frame.time - self.last.time
            self.taken += frame.index - self.last.index
            self.busy_s += spent_s
        self.last = frame
        self.latency_ms.append(latency_ms)
        self.spent_s[eye].append(spent_s)

    @property
    def full(self) -> bool:
        return len(self.latency_ms) >= LEAST and max(self.elapsed_s, self.busy_s) >= WINDOW_S


class Pace(Generic[Eye]):
    """Who looks at a picture, and why no more often.

    With `detect.every: auto` it goes down and up a ladder as the device can (`policy`), unless the source is a
    recording that is read as fast as it goes: there is no hurry, and every run must be the same.

    Args:
        config: of the whole daemon.
        eyes: the detector, and the lighter one if there is one.
        slow: asks the camera for fewer pictures/s, None: its own rate; without it the ladder has no such rung.
        clock: of `Frame.captured`.

    Attributes:
        slow: may be set until the first picture.
    """

    def __init__(
        self,
        config: Config,
        eyes: Sequence[Eye],
        slow: Callable[[float | None], None] | None = None,
        sensors: Sensors | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        options, every = config.pace, config.detect.every
        self._options, self._eyes, self.slow, self._clock = options, eyes, slow, clock
        self._names = [config.detect.model.rsplit("/", 1)[-1], options.lighter.rsplit("/", 1)[-1]]
        self._sensors = sensors or Sensors(options.max_temperature_c)
        paced = isinstance(config.capture, LiveOptions) or getattr(config.capture, "pace", "") == "realtime"
        self._policy = Policy(options) if every == "auto" and paced else None
        self._gate = MotionGate(options.gate_look_s) if options.motion_gate else None
        self._rungs: tuple[Rung, ...] = (Rung(1 if every == "auto" else every),)
        self._rung = self._rungs[0]
        self._looked: int | None = None  # number of the picture that was looked at last
        self._ahead: dict[int, Taken] = {}  # by the number of the picture, until the loop comes for it
        self._taken: Taken | None = None  # the loop's picture, if it was
        self._over_s = 0.0  # when the last look ahead of the loop was
        self._eye = -1  # that looks at the loop's picture; -1: none
        self._began_s = 0.0
        self._look_s = [0.0] * len(eyes)  # what a look costs, as last measured
        self._window = Window(len(eyes))
        self._fps = 0.0  # of the camera; 0: not known yet
        self._looks = self._spared = 0

    @property
    def state(self) -> PaceState:
        policy = self._policy
        return PaceState(
            rung=policy.rung if policy else 0,
            last=len(self._rungs) - 1,
            every=self._rung.every,
            model=self._names[self._rung.eye],
            max_fps=self._rung.max_fps,
            reason=policy.reason if policy else "",
            over=policy.over if policy else False,
            looks=self._looks,
            spared=self._spared,
        )

    def due(self, index: int) -> bool:
        """Whether the picture of this number will be looked at, unless a gate is shut, if it is the next one taken."""
        return self._looked is None or index - self._looked >= self._rung.every

    def begin(self, picture: Picture, index: int, done: Callable[[], None]) -> object:
        """Take the turn for the next picture before the loop comes for it, and begin the look; None: nobody looks.

        Not where there is a gate, which wants to know the tracks. For one thread, in order; `done` is called when the
        look is over, by any.
        """
        taken = self._ahead[index] = Taken(self._take(index), self._clock())
        if taken.eye < 0:
            return None

        def over() -> None:
            taken.over_s = self._clock()
            since_s = max(taken.began_s, self._over_s)  # until then the model had another to look at
            taken.look_s = taken.over_s - since_s
            self._over_s = taken.over_s
            done()

        return self._eyes[taken.eye].begin(picture, over)

    def turn(self, frame: Frame, tracks: Tracks) -> Eye | None:
        """The detector that is to look at this picture; None: it rests. Tracks are those of the picture before."""
        self._began_s = self._clock()
        self._taken = self._ahead.pop(frame.index, None)
        if self._taken is not None:
            self._eye = self._taken.eye
        elif self._gate is not None and self.due(frame.index) and not self._gate.opens(frame, tracks):
            self._spared += 1
            self._eye = -1
        else:
            self._eye = self._take(frame.index)
        return None if self._eye < 0 else self._eyes[self._eye]

    def _take(self, index: int) -> int:
        """The eye that looks at the next picture; -1: none."""
        if not self.due(index):
            return -1
        self._looked = index
        self._looks += 1
        return self._rung.eye

    def done(self, frame: Frame) -> list[PaceChange]:
        """The picture is through the loop; a change if that leads to one."""
        if self._policy is None:
            return []
        now = self._clock()
        self._window.add(frame, self._eye, self._spent_s(now), (now - frame.captured) * 1e3)
        if not self._window.full:
            return []
        strain = self._strain(self._window)
        self._window = Window(len(self._eyes), frame)
        if abs(strain.fps - self._fps) > OTHER * self._fps:
            self._fps = strain.fps
            self._rungs = ladder(self._fps, self._options.min_looks_s, len(self._eyes) > 1, self.slow is not None)
        self._policy.decide(now, strain, self._rungs)
        rung = self._rungs[self._policy.rung]
        return [] if rung == self._rung else [self._go(frame, rung)]

    def _spent_s(self, now: float) -> float:
        """What the picture took of the loop's time or, beside it, of the model's: of the one that has less to spare."""
        spent_s, taken = now - self._began_s, self._taken
        if taken is None:
            return spent_s
        return max(spent_s - max(0.0, taken.over_s - self._began_s), taken.look_s)

    def _strain(self, window: Window) -> Strain:
        *looks, rests = window.spent_s
        rest_s = sum(rests) / len(rests) if rests else 0.0
        for eye, spent in enumerate(looks):
            if spent:
                self._look_s[eye] = max(0.0, sum(spent) / len(spent) - rest_s)
        return Strain(
            fps=window.taken / window.elapsed_s,
            frame_s=rest_s,
            look_s=tuple(self._look_s),
            load=window.busy_s / window.elapsed_s,
            latency_ms=median(window.latency_ms),
            condition=self._sensors.read(),
        )

    def _go(self, frame: Frame, rung: Rung) -> PaceChange:
        down = rung.depth > self._rung.depth
        if self.slow is not None and rung.max_fps != self._rung.max_fps:
            self.slow(rung.max_fps)
        self._rung = rung
        state = self.state
        log.log(
            logging.WARNING if down else logging.INFO,
            "pace: %s to rung %d of %d, %s%s",
            "down" if down else "up",
            state.rung,
            state.last,
            words(state),
            f": {state.reason}" if down else "",
        )
        return PaceChange("down" if down else "up", replace(state), frame.utc, frame.captured)


def words(state: PaceState) -> str:
    """What the detector does there."""
    every = "every picture" if state.every == 1 else f"every {state.every} pictures"
    return f"{state.model} looks at {every}" + (f" of {state.max_fps:g}/s" if state.max_fps else "")
