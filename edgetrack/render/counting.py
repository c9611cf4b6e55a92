"""What a perfect counter would count: crossings and visits from true boxes, by one fixed rule.

The foot point is the middle of a box's lower edge. A frame confirms a side of a line if the foot is at least
`hysteresis_px` away from it; a crossing happens when the side opposite to the last confirmed one is confirmed, and
counts if the newest change of sides lies between the line's ends. Visits are runs of frames inside a polygon; shorter
gaps than `min_frames` are bridged, shorter runs dropped. Written apart from `edgetrack.scene`, to check it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Foot = tuple[float, float]
Walk = Sequence[Foot]  # one foot point a frame, without gaps


@dataclass(frozen=True, slots=True)
class Crossing:
    line: str
    track_id: int
    class_id: int
    frame: int  # the first on the new side
    direction: str  # "in" from the left of start->end to its right as seen in the picture, else "out"


@dataclass(frozen=True, slots=True)
class Visit:
    zone: str
    track_id: int
    class_id: int
    enter: int
    leave: int


def crossings(walk: Walk, start: Foot, end: Foot, hysteresis_px: float) -> list[tuple[int, str]]:
    """(index of the walk, direction) of every crossing of the line from `start` to `end`, pixels."""
    vx, vy = end[0] - start[0], end[1] - start[1]
    length = (vx * vx + vy * vy) ** 0.5
    found: list[tuple[int, str]] = []
    confirmed = 0
    change: tuple[int, float] | None = None  # where sides changed last: index, share of the way along the line
    before: float | None = None
    for k, (x, y) in enumerate(walk):
        d = (vx * (y - start[1]) - vy * (x - start[0])) / length
        if before is not None and (before >= 0) != (d >= 0):
            t = before / (before - d)
            px, py = walk[k - 1]
            cx, cy = px + t * (x - px), py + t * (y - py)
            change = k, ((cx - start[0]) * vx + (cy - start[1]) * vy) / (length * length)
        if abs(d) >= hysteresis_px:
            side = 1 if d >= 0 else -1
            if confirmed == -side and change is not None and 0 <= change[1] <= 1:
                found.append((change[0], "in" if side == 1 else "out"))
            confirmed = side
        before = d
    return found


def inside(foot: Foot, polygon: Sequence[Foot]) -> bool:
    """Even-odd rule."""
    x, y = foot
    odd = False
    for i, (ax, ay) in enumerate(polygon):
        bx, by = polygon[(i + 1) % len(polygon)]
        if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
            odd = not odd
    return odd


def visits(walk: Walk, polygon: Sequence[Foot], min_frames: int) -> list[tuple[int, int]]:
    """(enter, leave) indices of the walk for every visit; leave is the first index outside."""
    runs: list[list[int]] = []
    for k, foot in enumerate(walk):
        if not inside(foot, polygon):
            continue
        if runs and k - runs[-1][1] < min_frames:
            runs[-1][1] = k + 1
        else:
            runs.append([k, k + 1])
    return [(a, b) for a, b in runs if b - a >= min_frames]


def totals(found: Sequence[Crossing]) -> Mapping[str, Mapping[int, tuple[int, int]]]:
    """line -> class_id -> (in, out)"""
    counts: dict[str, dict[int, tuple[int, int]]] = {}
    for crossing in found:
        line = counts.setdefault(crossing.line, {})
        came, went = line.get(crossing.class_id, (0, 0))
        line[crossing.class_id] = (came + (crossing.direction == "in"), went + (crossing.direction == "out"))
    return counts
