"""The scene against a slow version of the counting rule, and against what must hold of every walk."""

import math
from collections.abc import Sequence

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgetrack.config import LineConfig
from edgetrack.scene import Scene
from edgetrack.types import Event
from tests.scene.walks import DOOR, NAMES, PORCH, config, directions, of, picture, standing, stroll, tracks

Foot = tuple[float, float]
MIN_FRAMES = 5

coordinate = st.integers(100, 540).map(float)
foot = st.tuples(coordinate, st.integers(60, 420).map(float))
# Sightings with gaps: how many frames after the one before, and where.
sightings = st.lists(st.tuples(st.integers(1, 12), foot), min_size=1, max_size=25)
# Walks through the door's part of the picture, where no way leads round its ends.
between = st.lists(st.tuples(coordinate, st.integers(130, 350).map(float)), min_size=1, max_size=25)
slow = settings(max_examples=100, deadline=None, derandomize=True)


def dense(seen: Sequence[tuple[int, Foot]]) -> list[Foot]:
    """One foot point a frame, straight between sightings."""
    walk = [seen[0][1]]
    for gap, (x, y) in seen[1:]:
        x0, y0 = walk[-1]
        walk += [(x0 + (x - x0) * i / gap, y0 + (y - y0) * i / gap) for i in range(1, gap)] + [(x, y)]
    return walk


def sparse(seen: Sequence[tuple[int, Foot]]) -> list[Foot | None]:
    """The same with hidden frames."""
    return [f for gap, place in seen for f in [None] * (gap - 1) + [place]][seen[0][0] - 1 :]


def distance(point: Foot, a: Foot, b: Foot) -> float:
    vx, vy = b[0] - a[0], b[1] - a[1]
    return (vx * (point[1] - a[1]) - vy * (point[0] - a[0])) / math.hypot(vx, vy)


def true_crossings(walk: Sequence[Foot], a: Foot, b: Foot, hysteresis_px: float) -> list[tuple[int, str]]:
    """Frame (from 1) and direction of every crossing, by looking back from every frame that proves a side."""
    d = [distance(p, a, b) for p in walk]
    crossings, proved = [], None
    for now in range(len(walk)):
        if abs(d[now]) < hysteresis_px:
            continue
        side = d[now] >= 0
        if proved is not None and side is not proved:
            k = max(k for k in range(now) if (d[k] >= 0) != (d[k + 1] >= 0))
            t = d[k] / (d[k] - d[k + 1])
            cut = [p + t * (q - p) for p, q in zip(walk[k], walk[k + 1], strict=True)]
            v = b[0] - a[0], b[1] - a[1]
            share = ((cut[0] - a[0]) * v[0] + (cut[1] - a[1]) * v[1]) / (v[0] ** 2 + v[1] ** 2)
            if 0 <= share <= 1:
                crossings.append((k + 2, "in" if side else "out"))
        proved = side
    return crossings


def true_visits(walk: Sequence[Foot], min_frames: int) -> list[tuple[int, int]]:
    """(enter, leave) of PORCH, an upright rectangle."""
    there = [160 <= x < 480 and 120 <= y < 360 for x, y in walk]
    joined = there[:]
    for k in range(len(walk)):
        if not there[k]:
            before, after = any(there[:k]), any(there[k:])
            a = next((i for i in range(k, -1, -1) if there[i]), 0)
            b = next((i for i in range(k, len(walk)) if there[i]), 0)
            joined[k] = before and after and b - a - 1 < min_frames
    edges = [k for k in range(len(walk) + 1) if (k > 0 and joined[k - 1]) != (k < len(walk) and joined[k])]
    runs = list(zip(edges[::2], edges[1::2], strict=True))
    return [(a + 1, b + 1) for a, b in runs if b - a >= min_frames]


def door_events(walk: Sequence[Foot | None], line: LineConfig = DOOR) -> list[Event]:
    return stroll(Scene(config([line]), NAMES), walk)


@slow
@given(sightings)
def test_crossings_are_those_of_the_rule(seen: list[tuple[int, Foot]]) -> None:
    found = [(e.frame, e.direction) for e in of(door_events(sparse(seen)), "line_crossed")]
    walk = dense(seen)
    # A walk that touches the line to a rounding error may change sides a frame earlier or later.
    assume(all(f == 0 or abs(f) > 1e-9 for f in (distance(p, (320, 360), (320, 120)) for p in walk)))
    assert found == true_crossings(walk, (320.0, 360.0), (320.0, 120.0), 4.8)


@slow
@given(sightings)
def test_visits_are_those_of_the_rule(seen: list[tuple[int, Foot]]) -> None:
    scene = Scene(config(zones=[PORCH]), NAMES)
    events = stroll(scene, sparse(seen)) + scene.end("shutdown", 0.0, 0.0)
    walk = dense(seen)
    edges = [abs(x - c) for x, _ in walk for c in (160, 480)] + [abs(y - c) for _, y in walk for c in (120, 360)]
    assume(all(e == 0 or e > 1e-9 for e in edges))
    frames = [e.frame for e in of(events, "zone_entered", "zone_left")]
    assert list(zip(frames[::2], frames[1::2], strict=True)) == true_visits(walk, MIN_FRAMES)


@slow
@given(between)
def test_in_less_out_is_the_net_change_of_side(walk: list[Foot]) -> None:
    """Every start and end well away from the line, and no way round its ends."""
    walk = [(150.0, 240.0), *walk, (walk[-1][0], 240.0)]
    assume(abs(walk[-1][0] - 320) >= 4.8)
    found = directions(door_events(walk))
    assert found.count("in") - found.count("out") == (walk[-1][0] > 320)


@slow
@given(between, st.integers(2, 6))
def test_counts_do_not_depend_on_the_frame_rate(walk: list[Foot], times: int) -> None:
    """The same straight ways with more pictures of them, and with nothing but the corners of them."""
    fine = dense([(times, place) for place in walk])
    assert directions(door_events(fine)) == directions(door_events(walk))


@slow
@given(sightings)
def test_hidden_and_dropped_frames_are_alike(seen: list[tuple[int, Foot]]) -> None:
    """A picture that the camera dropped and one on which nothing backs the track: the same crossings and visits."""
    hidden, dropped = (Scene(config([DOOR], [PORCH]), NAMES) for _ in range(2))
    index, events = 0, []
    for gap, place in seen:
        index += gap
        events += dropped.observe(picture(index), tracks({1: standing(*place)}))
    found = stroll(hidden, sparse(seen), first=seen[0][0])
    kinds = ("line_crossed", "zone_entered", "zone_left")
    assert [(e.kind, e.frame) for e in of(found, *kinds)] == [(e.kind, e.frame) for e in of(events, *kinds)]


@slow
@given(sightings)
def test_a_mirrored_line_swaps_in_and_out(seen: list[tuple[int, Foot]]) -> None:
    walk = sparse(seen)
    assume(all(place[0] != 320 for _, place in seen))
    mirrored = msgspec.structs.replace(DOOR, start=DOOR.end, end=DOOR.start)
    swap = {"in": "out", "out": "in"}
    assert [swap[way] for way in directions(door_events(walk))] == directions(door_events(walk, mirrored))


@slow
@given(sightings)
def test_a_mirrored_picture_swaps_in_and_out(seen: list[tuple[int, Foot]]) -> None:
    assume(all(place[0] != 320 for _, place in seen))
    mirrored = [(gap, (640 - x, y)) for gap, (x, y) in seen]
    swap = {"in": "out", "out": "in"}
    assert [swap[way] for way in directions(door_events(sparse(seen)))] == directions(door_events(sparse(mirrored)))
