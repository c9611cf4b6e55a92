"""Lines that are crossed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import numpy as np

from edgetrack.config import LineConfig
from edgetrack.errors import ConfigError
from edgetrack.scene.geometry import along, pixels, signed_distance
from edgetrack.scene.steps import SLACK, Happening, Steps
from edgetrack.types import Direction, LineCount


@dataclass(slots=True)
class Passage:
    """What one line knows of one track."""

    side: bool | None = None  # the side proved last; True: the positive one
    frame: int = 0  # of the newest change of side, proved or not
    time: float = 0.0
    on_segment: bool = False  # it went through the line, not round its end


class LineState(msgspec.Struct, array_like=True, frozen=True):
    """All that one line knows."""

    name: str
    since_utc: float | None
    restored: bool
    counts: dict[int, tuple[int, int]]
    passages: dict[int, Passage]


class Line:
    """Counts tracks whose foot point goes through a segment.

    A side is proved by a foot point at least the hysteresis away. A crossing is told when the side opposite to the one
    proved last is proved; it happened where the foot point changed sides last, and counts if that was between the
    line's ends. So who dithers near the line is not counted, and who comes back is counted back.
    """

    def __init__(self, config: LineConfig) -> None:
        if config.start == config.end:
            raise ConfigError(f"lines: {config.name}: start and end are both {config.start}; give the line a length")
        self.since_utc: float | None = None
        self._restored = False  # it began to count before this daemon did
        self._counts: dict[int, tuple[int, int]] = {}
        self._passages: dict[int, Passage] = {}
        self.set(config, frozenset())

    def set(self, config: LineConfig, classes: frozenset[int]) -> None:
        """New settings for the same geometry: counts go on. `classes`: ids that count; empty: all."""
        self.config = config
        self._classes = classes
        for class_id in classes:
            self._counts.setdefault(class_id, (0, 0))

    def restore(self, count: LineCount) -> None:
        """Go on from what an earlier daemon had counted."""
        self._counts = {**dict.fromkeys(self._classes, (0, 0)), **count.counts}
        self.since_utc, self._restored = count.since_utc, True

    def known(self) -> LineState:
        """A copy of all."""
        passages = {track_id: replace(passage) for track_id, passage in self._passages.items()}
        return LineState(self.config.name, self.since_utc, self._restored, dict(self._counts), passages)

    def resume(self, state: LineState) -> None:
        """Go on as the line that knew this."""
        self.since_utc, self._restored, self._counts = state.since_utc, state.restored, dict(state.counts)
        self._passages = {track_id: replace(passage) for track_id, passage in state.passages.items()}

    def reset(self, since_utc: float) -> None:
        """Count from zero; who is on the way across still counts, from now on."""
        self._counts = dict.fromkeys(self._classes, (0, 0))
        self.since_utc, self._restored = since_utc, False

    def put_right(self, by_s: float) -> None:
        """The clock by which this daemon began to count was wrong by so much."""
        if self.since_utc is not None and not self._restored:
            self.since_utc += by_s

    def fits(self, config: LineConfig) -> bool:
        """The same line, whatever else is set."""
        mine = self.config
        return (mine.name, mine.start, mine.end) == (config.name, config.start, config.end)

    def scale(self, size: tuple[int, int]) -> None:
        """Pictures are of this width and height from now on."""
        self._start, self._end = pixels([self.config.start, self.config.end], size)
        self._hysteresis_px = round(self.config.hysteresis * size[1], 6)

    def observe(self, steps: Steps) -> list[Happening]:
        """The crossings that these steps prove; `count` is told of each, one by one."""
        old = signed_distance(steps.before, self._start, self._end)
        new = signed_distance(steps.foot, self._start, self._end)
        changed = (old >= 0) != (new >= 0)
        # On a straight walk only its last position can prove a side that was not proved at its beginning.
        proved = (np.abs(new) >= self._hysteresis_px) & steps.sighted
        sides = (new >= 0).tolist()
        happenings = []
        for i in np.flatnonzero(changed | proved).tolist():
            passage = self._passages.get(steps.track_id[i])
            if passage is None:
                if self._classes and steps.class_id[i] not in self._classes:
                    continue
                passage = self._passages[steps.track_id[i]] = Passage()
            if changed[i]:
                cut = steps.before[i] + (steps.foot[i] - steps.before[i]) * (old[i] / (old[i] - new[i]))
                passage.frame, passage.time = steps.frame[i], steps.time[i]
                passage.on_segment = 0 <= along(cut, self._start, self._end) <= 1
            if passage.side is not sides[i] and proved[i] and self._held(passage, steps.time[i], steps.period[i]):
                if passage.side is not None and passage.on_segment:
                    way: Direction = "in" if sides[i] else "out"
                    happenings.append(Happening("line_crossed", steps.track_id[i], passage.frame, passage.time, way))
                passage.side = sides[i]
        return happenings

    def _held(self, passage: Passage, time: float, period: float) -> bool:
        return passage.side is None or time - passage.time >= self.config.min_s - SLACK * period

    def count(self, class_id: int, crossing: Happening) -> None:
        entered, left = self._counts.get(class_id, (0, 0))
        inwards = crossing.direction == "in"
        self._counts[class_id] = (entered + inwards, left + (not inwards))

    def forget(self, track_id: int) -> None:
        self._passages.pop(track_id, None)

    def state(self, utc: float, captured: float) -> LineCount:
        since = utc if self.since_utc is None else self.since_utc
        return LineCount(self.config.name, dict(self._counts), since, utc, captured)
