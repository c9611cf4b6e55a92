"""A zone knows who is in it, since when, and how long they stayed."""

import msgspec
import pytest

from edgetrack.config import LineConfig
from edgetrack.scene import Scene
from tests.scene.walks import (
    FPS,
    NAMES,
    PORCH,
    config,
    occupancies,
    of,
    picture,
    standing,
    stroll,
    tracks,
)

IN, OUT = (320.0, 240.0), (20.0, 240.0)
MIN_FRAMES = 5  # PORCH.min_s at 25 frames/s


def porch(**changes: object) -> Scene:
    return Scene(config(zones=[msgspec.structs.replace(PORCH, **changes)]), NAMES)


def frames(events: list, *kinds: str) -> list[tuple[str, int]]:
    return [(e.kind, e.frame) for e in of(events, *(kinds or ("zone_entered", "zone_left")))]


def test_a_visit_is_told_with_the_frames_at_which_it_began_and_ended() -> None:
    events = stroll(porch(), [OUT] * 10 + [IN] * 10 + [OUT] * 10)
    assert frames(events) == [("zone_entered", 11), ("zone_left", 21)]


def test_an_entry_is_told_once_it_has_lasted() -> None:
    entry = of(stroll(porch(), [OUT] * 10 + [IN] * 10), "zone_entered")[0]
    assert (entry.time, entry.captured) == (11 / FPS, (11 + MIN_FRAMES - 1) / FPS)


@pytest.mark.parametrize(("stay", "visits"), [(MIN_FRAMES - 1, 0), (MIN_FRAMES, 1)])
def test_a_presence_shorter_than_min_s_is_no_visit(stay: int, visits: int) -> None:
    events = stroll(porch(), [OUT] * 10 + [IN] * stay + [OUT] * 10)
    assert len(frames(events)) == 2 * visits


@pytest.mark.parametrize(("absence", "visits"), [(MIN_FRAMES - 1, 1), (MIN_FRAMES, 2)])
def test_an_absence_shorter_than_min_s_belongs_to_the_visit(absence: int, visits: int) -> None:
    events = stroll(porch(), [IN] * 10 + [OUT] * absence + [IN] * 10 + [OUT] * 10)
    assert len(of(events, "zone_entered")) == visits


def test_presences_that_are_joined_count_as_one_long_enough() -> None:
    events = stroll(porch(), [OUT] * 3 + [IN] * 2 + [OUT] * 2 + [IN] * 2 + [OUT] * 9)
    assert frames(events) == [("zone_entered", 4), ("zone_left", 10)]


def test_milliseconds_rounded_by_a_container_do_not_move_an_entry() -> None:
    """Matroska keeps whole milliseconds: five frames at 30 frames/s may last 166 ms, and min_s is 5 / 30."""
    scene = porch(min_s=5 / 30)
    events = []
    for index in range(6):
        frame = picture(index)
        rounded = type(frame)(frame.image, index, round(index / 30, 3), 0.0, 0.0)
        events += scene.observe(rounded, tracks({1: standing(*(IN if index < 5 else OUT))}))
    assert frames(events) == [("zone_entered", 0)]


def test_min_s_is_time_whatever_the_frame_rate() -> None:
    """At 5 frames/s one frame lasts as long as five at 25."""
    scene = porch()
    events = []
    for index, foot in enumerate([OUT, OUT, IN, OUT, OUT]):
        events += scene.observe(picture(index, fps=5.0), tracks({1: standing(*foot)}))
    assert frames(events) == [("zone_entered", 2), ("zone_left", 3)]


def test_a_track_that_ends_leaves_its_zone_at_the_frame_after_its_last_inside() -> None:
    scene = porch()
    stroll(scene, [IN] * 10 + [None] * 5)
    events = scene.observe(picture(16), tracks({}))
    left, end = of(events, "zone_left", "end")
    assert (left.kind, left.frame, left.duration_s, end.kind) == ("zone_left", 11, pytest.approx(10 / FPS), "end")


def test_a_hidden_track_stays_in_its_zone() -> None:
    scene = porch()
    events = stroll(scene, [IN] * 10 + [None] * 40)
    assert frames(events) == [("zone_entered", 1)]


def test_a_track_that_walked_out_while_hidden_left_when_the_straight_walk_did() -> None:
    """From x = 460 at frame 10 by 10 px a frame: beyond 480 at frame 12 or 13, told on return."""
    events = stroll(porch(), [(460.0, 240.0)] * 10 + [None] * 9 + [(560.0, 240.0)])
    assert frames(events) == [("zone_entered", 1), ("zone_left", 12)]


def test_dwell_is_told_once_for_every_threshold() -> None:
    events = stroll(porch(dwell_s=[2.0, 1.0]), [IN] * 100)
    assert [(e.duration_s, e.time) for e in of(events, "dwell")] == [
        (1.0, pytest.approx(1 / FPS + 1.0)),
        (2.0, pytest.approx(1 / FPS + 2.0)),
    ]


def test_dwell_begins_anew_with_every_visit() -> None:
    events = stroll(porch(dwell_s=[1.0]), ([IN] * 30 + [OUT] * 10) * 2)
    assert [e.kind for e in of(events, "zone_entered", "dwell", "zone_left")] == [
        *("zone_entered", "dwell", "zone_left"),
        *("zone_entered", "dwell", "zone_left"),
    ]


def test_occupancy_follows_every_entry_and_leaving() -> None:
    states = occupancies(stroll(porch(), [OUT] * 5 + [IN] * 10 + [OUT] * 10))
    assert [(s.now, s.peak) for s in states] == [({0: 1}, {0: 1}), ({0: 0}, {0: 1})]


def test_peak_is_the_most_at_once_by_class() -> None:
    scene = porch(min_s=0.0)
    scene.observe(picture(1), tracks({1: standing(*IN), 2: standing(*IN)}))
    scene.observe(picture(2), tracks({2: standing(*IN), 3: standing(*IN)}))
    scene.observe(picture(3), tracks({}))
    state = scene.snapshot(0, 0)[0]
    assert (state.now, state.peak) == ({0: 0}, {0: 2})


def test_a_class_stays_what_it_was_when_the_track_was_confirmed() -> None:
    """A track whose class flickers enters and leaves as one class, so that occupancy returns to zero."""
    scene = porch(min_s=0.0)
    for index in range(6):
        scene.observe(picture(index), tracks({1: standing(*IN)}, class_id=index % 3))
    scene.observe(picture(7), tracks({}))
    assert scene.snapshot(0, 0)[0].now == {0: 0}


def test_named_classes_alone_are_inside_and_start_at_zero() -> None:
    scene = porch(min_s=0.0, classes=["car"])
    scene.observe(picture(1), tracks({1: standing(*IN)}, class_id=0))
    state = scene.snapshot(0, 0)[0]
    assert (state.now, state.peak) == ({2: 0}, {2: 0})


def test_a_zone_may_have_a_notch() -> None:
    """Even-odd: the point lies within the hull of the polygon, but not within the polygon."""
    notched = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.5, 0.3), (0.1, 0.9)]
    scene = porch(polygon=notched, min_s=0.0)
    assert frames(stroll(scene, [(320.0, 300.0), (320.0, 100.0)])) == [("zone_entered", 2)]


def test_events_name_the_zones_that_the_track_is_in() -> None:
    yard = msgspec.structs.replace(PORCH, name="yard", polygon=[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    line = LineConfig(name="door", start=(0.5, 0.75), end=(0.5, 0.25))
    scene = Scene(config([line], [PORCH, yard]), NAMES)
    events = stroll(scene, [(200.0, 240.0)] * 10 + [(440.0, 240.0)])
    assert of(events, "line_crossed")[0].zones == ("porch", "yard")
