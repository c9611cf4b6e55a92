"""A line counts who goes through it, once for every time."""

import msgspec
import numpy as np
import pytest

from edgetrack.config import LineConfig
from edgetrack.errors import ConfigError
from edgetrack.scene import Scene
from tests.scene.walks import (
    DOOR,
    FPS,
    NAMES,
    config,
    directions,
    line_counts,
    of,
    picture,
    standing,
    stroll,
    tracks,
)

LEVEL = 240.0  # y of a walk that goes through the door
ABOVE = 60.0  # y of a walk that passes above its upper end


def across(x0: float, x1: float, steps: int, y: float = LEVEL) -> list[tuple[float, float]]:
    return [(float(x), y) for x in np.linspace(x0, x1, steps)]


def door(**changes: object) -> Scene:
    return Scene(config([msgspec.structs.replace(DOOR, **changes)]), NAMES)


def test_a_walk_to_the_right_through_an_upright_line_is_in() -> None:
    assert directions(stroll(door(), across(200, 440, 20))) == ["in"]


def test_a_walk_downwards_through_a_line_from_left_to_right_is_in() -> None:
    scene = door(start=(0.25, 0.5), end=(0.75, 0.5))
    assert directions(stroll(scene, [(320, 200), (320, 280)])) == ["in"]


def test_who_comes_back_is_counted_back() -> None:
    scene = door()
    stroll(scene, across(200, 440, 20) + across(440, 200, 20))
    assert scene.snapshot(0, 0)[0].counts == {0: (1, 1)}


def test_one_object_counts_once_however_often_it_is_seen() -> None:
    """Other counters add two per object, or one a frame beyond the line."""
    scene = door()
    stroll(scene, across(200, 440, 500))
    assert scene.snapshot(0, 0)[0].counts == {0: (1, 0)}


def test_flicker_on_the_line_counts_once() -> None:
    """The walker stands on the line for ten seconds and its box trembles by a pixel or two."""
    flicker = [(320.0 + d, LEVEL) for d in (-2, 2, -1, 1, -3, 3) * 40]
    events = stroll(door(), across(200, 316, 10) + flicker + across(324, 440, 10))
    assert directions(events) == ["in"]


def test_who_turns_back_within_the_hysteresis_is_not_counted() -> None:
    assert directions(stroll(door(), across(200, 323, 20) + across(323, 200, 20))) == []


def test_without_hysteresis_every_change_of_side_counts() -> None:
    events = stroll(door(hysteresis=0.0), [(318, LEVEL), (322, LEVEL)] * 3)
    assert directions(events) == ["in", "out", "in", "out", "in"]


def test_a_side_that_does_not_hold_for_min_s_is_not_counted() -> None:
    """Half a second far beyond the line and back, where one second is asked."""
    there_and_back = across(200, 310, 10) + [(360, LEVEL)] * 12 + across(310, 200, 10)
    assert directions(stroll(door(min_s=1.0), there_and_back)) == []


def test_a_side_that_holds_for_min_s_is_counted_where_it_was_crossed() -> None:
    events = stroll(door(min_s=1.0), [(300, LEVEL)] * 3 + [(340, LEVEL)] * 40)
    assert [(e.frame, e.captured * FPS) for e in of(events, "line_crossed")] == [(4, pytest.approx(29))]


def test_the_line_ends_where_it_ends() -> None:
    """Beyond its ends nothing is counted: a segment, not an infinite line."""
    assert directions(stroll(door(), across(200, 440, 20, y=ABOVE))) == []


def test_who_goes_round_the_end_and_back_through_the_line_is_counted_out() -> None:
    events = stroll(door(), across(200, 440, 20, y=ABOVE) + across(440, 200, 20))
    assert directions(events) == ["out"]


def test_appearing_beyond_the_line_is_no_crossing() -> None:
    assert directions(stroll(door(), across(400, 600, 20))) == []


def test_two_who_cross_in_opposite_directions_count_one_each_way() -> None:
    """Without a common identity: one id for all who are new would see one walker jump to and fro."""
    scene = door()
    for index, (a, b) in enumerate(zip(across(200, 440, 20), across(440, 200, 20), strict=True)):
        scene.observe(picture(index), tracks({1: standing(*a), 2: standing(*b)}))
    assert scene.snapshot(0, 0)[0].counts == {0: (1, 1)}


def test_tracks_that_are_not_confirmed_do_not_count() -> None:
    scene = door()
    events = []
    for index, foot in enumerate(across(200, 440, 20)):
        events += scene.observe(picture(index), tracks({-1: standing(*foot)}, confirmed=False))
    assert events == []


def test_a_line_crossed_before_confirmation_is_counted_on_confirmation() -> None:
    """Three detections until a track is confirmed; at a few frames a second a walker has gone far by then."""
    scene = door()
    events = []
    for index, x in enumerate((300.0, 330.0, 360.0, 390.0), 1):
        events += scene.observe(picture(index), tracks({1: standing(x, LEVEL)}, confirmed=index >= 3))
    assert [(e.kind, e.frame) for e in of(events, "start", "line_crossed")] == [("start", 3), ("line_crossed", 2)]


def test_what_a_track_did_that_is_never_confirmed_does_not_count() -> None:
    scene = door()
    for index, foot in enumerate(across(200, 440, 20)):
        scene.observe(picture(index), tracks({1: standing(*foot)}, confirmed=False))
    events = scene.observe(picture(20), tracks({})) + scene.observe(picture(21), tracks({2: standing(440, LEVEL)}))
    assert directions(events) == []


def test_a_line_crossed_out_of_sight_is_found_on_return() -> None:
    """Hidden from frame 2 to 10 on a straight walk of 10 px a frame from x = 270: at 320, frame 6, it is beyond."""
    events = stroll(door(), [(270, LEVEL)] + [None] * 9 + [(370, LEVEL)] * 2)
    crossing = of(events, "line_crossed")[0]
    assert (crossing.frame, crossing.time, crossing.captured) == (6, pytest.approx(6 / FPS), 11 / FPS)


def test_predicted_positions_prove_nothing() -> None:
    """A track that nothing backs any more drifts over the line and dies there."""
    scene = door()
    stroll(scene, across(200, 310, 12))
    drifting = tracks({1: standing(400, LEVEL)})
    drifting.seen[:] = False
    assert directions(scene.observe(picture(13), drifting)) == []


def test_frames_dropped_on_the_way_do_not_hide_a_crossing() -> None:
    scene = door()
    events = scene.observe(picture(1), tracks({1: standing(220, LEVEL)}))
    events += scene.observe(picture(21), tracks({1: standing(420, LEVEL)}))
    assert [(e.frame, e.direction) for e in of(events, "line_crossed")] == [(11, "in")]


def test_time_of_a_crossing_is_given_on_the_wall_clock_too() -> None:
    crossing = of(stroll(door(), [(270, LEVEL)] + [None] * 9 + [(370, LEVEL)] * 2), "line_crossed")[0]
    assert crossing.utc == pytest.approx(1e9 + 6 / FPS)


def test_a_count_follows_every_crossing() -> None:
    events = stroll(door(), across(200, 440, 20) + across(440, 200, 20))
    kinds = [type(e).__name__ for e in events if e not in of(events, "start", "update")]
    assert (kinds, [c.counts for c in line_counts(events)]) == (
        ["TrackEvent", "LineCount"] * 2,
        [{0: (1, 0)}, {0: (1, 1)}],
    )


def test_only_named_classes_count() -> None:
    scene = door(classes=["car"])
    for track_id, class_id in ((1, 0), (2, 2)):
        for index, foot in enumerate(across(200, 440, 20)):
            scene.observe(picture(20 * track_id + index), tracks({track_id: standing(*foot)}, class_id))
    assert scene.snapshot(0, 0)[0].counts == {2: (1, 0)}


def test_named_classes_start_at_zero() -> None:
    assert door(classes=["person", "car"]).snapshot(5.0, 0)[0].counts == {0: (0, 0), 2: (0, 0)}


def test_a_class_that_the_model_lacks_is_an_error_that_names_it() -> None:
    with pytest.raises(ConfigError, match=r"door: classes are persn, the model knows person, bicycle, car"):
        door(classes=["persn"])


def test_a_line_without_length_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"door: start and end are both \(0\.5, 0\.75\)"):
        door(end=DOOR.start)


def test_the_picture_may_change_its_size_on_the_way() -> None:
    """Half as wide and high from frame 11 on; the walker goes on at the same place of the scene."""
    scene = door()
    walk = across(200, 440, 20)
    events = []
    for index, (x, y) in enumerate(walk):
        scale = 1.0 if index <= 10 else 0.5
        frame = picture(index, (int(640 * scale), int(480 * scale)))
        events += scene.observe(frame, tracks({1: standing(x * scale, y * scale)}))
    assert directions(events) == ["in"]


def test_a_picture_that_changes_size_makes_no_crossing() -> None:
    scene = door()
    events = scene.observe(picture(1), tracks({1: standing(400, LEVEL)}))
    events += scene.observe(picture(2, (320, 240)), tracks({1: standing(200, LEVEL / 2)}))
    assert directions(events) == []


def test_mirrored_geometry_swaps_in_and_out() -> None:
    mirrored = LineConfig(name="door", start=DOOR.end, end=DOOR.start)
    scene = Scene(config([mirrored]), NAMES)
    assert directions(stroll(scene, across(200, 440, 20))) == ["out"]
