"""How well counted crossings and visits agree with the truth.

Errors of two lines, or of two directions, do not cancel. Sums are kept, not ratios, so that sequences can be added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edgetrack.errors import ConfigError
from edgetrack.evaluate.published import Crossing, Visit
from edgetrack.evaluate.sequences import read_text

Side = Annotated[int, Meta(ge=1)]


class TrueCrossing(msgspec.Struct, frozen=True):
    frame: int  # from 1, the first on the new side
    direction: Literal["in", "out"]


class TrueLine(msgspec.Struct, frozen=True):
    """Points are pixels; they are needed only to count anew."""

    name: str
    crossings: list[TrueCrossing]
    p0: tuple[float, float] = (0.0, 0.0)
    p1: tuple[float, float] = (0.0, 0.0)
    hysteresis_px: float = 0.0


class TrueVisit(msgspec.Struct, frozen=True):
    enter: int  # first frame inside
    leave: int  # first frame after it


class TrueZone(msgspec.Struct, frozen=True):
    name: str
    visits: list[TrueVisit]
    polygon: list[tuple[float, float]] = []
    min_frames: int = 0


class Truth(msgspec.Struct, frozen=True):
    """Who crossed which line and visited which zone in one sequence."""

    fps: Annotated[float, Meta(gt=0)]
    lines: list[TrueLine]
    zones: list[TrueZone]
    size: tuple[Side, Side] = (1, 1)  # of the picture, pixels


@dataclass(frozen=True, slots=True)
class CountScores:
    """Sums over one or more sequences."""

    crossings: int  # true ones
    counted: int
    miscounted: int  # sum over lines and directions of |counted - true|
    matched: int  # the right line and direction, at most a second away, one to one
    visits: int  # true ones
    visited: int
    misvisited: int  # sum over zones of |visits - true visits|
    dwell_s: float  # true
    dwelt_s: float

    def __add__(self, other: CountScores) -> CountScores:
        return CountScores(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def count_error(self) -> float:
        return self.miscounted / max(1, self.crossings)

    @property
    def recall(self) -> float:
        return self.matched / max(1, self.crossings)

    @property
    def precision(self) -> float:
        return self.matched / max(1, self.counted)

    @property
    def f1(self) -> float:
        return 2 * self.matched / max(1, self.crossings + self.counted)

    @property
    def visit_error(self) -> float:
        return self.misvisited / max(1, self.visits)

    @property
    def dwell_ratio(self) -> float:
        """Counted time inside over the true one; 0 where there is none."""
        return self.dwelt_s / self.dwell_s if self.dwell_s else 0.0


def read_truth(path: Path | str) -> Truth:
    path = Path(path)
    try:
        return msgspec.json.decode(read_text(path), type=Truth)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: {error}; expected the JSON of counting truth: fps, lines, zones") from error


def evaluate(truth: Truth, crossings: Sequence[Crossing], visits: Sequence[Visit] = ()) -> CountScores:
    """Scores of one sequence; lines and zones that the truth does not know are passed over."""
    miscounted = matched = counted = visited = misvisited = dwelt = 0
    for line in truth.lines:
        for direction in ("in", "out"):
            true = [c.frame for c in line.crossings if c.direction == direction]
            found = [c.frame for c in crossings if (c.line, c.direction) == (line.name, direction)]
            counted += len(found)
            miscounted += abs(len(found) - len(true))
            matched += _matched(true, found, truth.fps)
    for zone in truth.zones:
        there = [v for v in visits if v.zone == zone.name]
        visited += len(there)
        misvisited += abs(len(there) - len(zone.visits))
        dwelt += sum(v.leave - v.enter for v in there if v.leave is not None)
    return CountScores(
        crossings=sum(len(line.crossings) for line in truth.lines),
        counted=counted,
        miscounted=miscounted,
        matched=matched,
        visits=sum(len(zone.visits) for zone in truth.zones),
        visited=visited,
        misvisited=misvisited,
        dwell_s=sum(v.leave - v.enter for zone in truth.zones for v in zone.visits) / truth.fps,
        dwelt_s=dwelt / truth.fps,
    )


def _matched(true: Sequence[int], found: Sequence[int], within: float) -> int:
    """Pairs at most `within` frames apart, one to one, nearest first."""
    near = sorted((abs(a - b), i, j) for i, a in enumerate(true) for j, b in enumerate(found) if abs(a - b) <= within)
    taken_true: set[int] = set()
    taken_found: set[int] = set()
    for _, i, j in near:
        if i not in taken_true and j not in taken_found:
            taken_true.add(i)
            taken_found.add(j)
    return len(taken_true)


def record(scores: CountScores) -> dict[str, float]:
    """Ratios in percent, the rest as counted."""
    s = scores
    ratios = {"CountErr": s.count_error, "Rcll": s.recall, "Prcn": s.precision, "F1": s.f1}
    zones = {"VisitErr": s.visit_error, "Dwell": s.dwell_ratio}
    sums = {"True": s.crossings, "Counted": s.counted, "Matched": s.matched, "Visits": s.visits, "Visited": s.visited}
    return {name: 100 * value for name, value in (ratios | zones).items()} | sums
