"""Tracks start, go on and end; what is kept of them ends with them."""

import ast
from pathlib import Path

import msgspec
import pytest

import edgetrack.scene
from edgetrack.errors import ConfigError
from edgetrack.scene import Scene
from edgetrack.types import LineCount, Tracks
from tests.scene.walks import DOOR, FPS, NAMES, PORCH, config, directions, of, picture, standing, stroll, tracks

IN, OUT = (320.0, 240.0), (20.0, 240.0)
WALK = [(float(x), 240.0) for x in range(200, 440, 10)]


def test_a_track_starts_once_and_ends_once() -> None:
    scene = Scene(config(), NAMES)
    events = stroll(scene, WALK) + scene.observe(picture(50), tracks({}))
    assert [(e.kind, e.frame) for e in of(events, "start", "end")] == [("start", 1), ("end", 50)]


def test_a_lost_track_ends_with_its_last_known_box() -> None:
    scene = Scene(config(), NAMES)
    stroll(scene, WALK)
    end = scene.observe(picture(50), tracks({}))[0]
    assert (end.reason, end.xyxy, end.seen) == ("lost", standing(*WALK[-1]), False)


def test_a_track_starts_when_it_is_confirmed() -> None:
    scene = Scene(config(), NAMES)
    tentative = scene.observe(picture(1), tracks({1: standing(*IN)}, confirmed=False))
    confirmed = scene.observe(picture(2), tracks({1: standing(*IN)}))
    assert (tentative, [e.kind for e in confirmed]) == ([], ["start"])


def test_updates_keep_their_pace() -> None:
    """Ten seconds of 25 frames/s at one update a second."""
    scene = Scene(config(update_every_s=1.0), NAMES)
    assert [e.frame for e in of(stroll(scene, [IN] * 250), "update")] == [26, 51, 76, 101, 126, 151, 176, 201, 226]


def test_updates_come_with_every_frame_if_asked() -> None:
    scene = Scene(config(update_every_s=0.0), NAMES)
    assert len(of(stroll(scene, [IN] * 10), "update")) == 9


def test_an_update_comes_at_once_when_the_zones_of_a_track_change() -> None:
    scene = Scene(config(zones=[PORCH]), NAMES)
    updates = of(stroll(scene, [OUT] * 5 + [IN] * 10 + [OUT] * 10), "update")
    assert [(e.frame, e.zones) for e in updates] == [(10, ("porch",)), (20, ())]


def test_age_counts_from_confirmation() -> None:
    scene = Scene(config(update_every_s=0.0), NAMES)
    assert stroll(scene, [IN] * 11, first=100)[-1].age_s == pytest.approx(10 / FPS)


def test_shutdown_ends_every_track_and_empties_the_zones() -> None:
    scene = Scene(config(zones=[PORCH]), NAMES)
    stroll(scene, [IN] * 10)
    kinds = [(e.kind, e.reason) for e in of(scene.end("shutdown", 2e9, 9.0), "zone_left", "end")]
    assert (kinds, scene.snapshot(0, 0)[0].now) == ([("zone_left", None), ("end", "shutdown")], {0: 0})


def test_shutdown_before_the_first_frame_says_nothing() -> None:
    assert Scene(config(), NAMES).end("shutdown", 0.0, 0.0) == []


def test_a_snapshot_holds_every_line_and_zone_before_anything_happened() -> None:
    states = Scene(config([DOOR], [PORCH]), NAMES).snapshot(utc=7.0, captured=3.0)
    assert [(type(s).__name__, s.since_utc, s.utc, s.captured) for s in states] == [
        ("LineCount", 7.0, 7.0, 3.0),
        ("ZoneOccupancy", 7.0, 7.0, 3.0),
    ]


def test_counts_say_since_when() -> None:
    scene = Scene(config([DOOR]), NAMES)
    scene.snapshot(utc=7.0, captured=0.0)
    stroll(scene, WALK)
    assert scene.snapshot(utc=9.0, captured=0.0)[0].since_utc == 7.0


def test_reconfiguring_keeps_what_has_not_moved() -> None:
    """The walker is before the line and in the zone when the settings change, and crosses it afterwards."""
    scene = Scene(config([DOOR], [PORCH]), NAMES)
    stroll(scene, WALK[:10])
    other = msgspec.structs.replace(DOOR, name="gate", start=(0.6, 0.75), end=(0.6, 0.25))
    scene.reconfigure(config([DOOR, other], [PORCH], update_every_s=5.0))
    stroll(scene, WALK[10:], first=11)
    door, gate, porch = scene.snapshot(0, 0)
    assert (door.counts, gate.counts, porch.now) == ({0: (1, 0)}, {0: (1, 0)}, {0: 1})


def test_a_line_that_has_moved_starts_at_zero() -> None:
    scene = Scene(config([DOOR]), NAMES)
    stroll(scene, WALK)
    scene.reconfigure(config([msgspec.structs.replace(DOOR, end=(0.5, 0.2))]))
    assert scene.snapshot(0, 0)[0].counts == {}


def test_a_bad_reconfiguration_changes_nothing() -> None:
    scene = Scene(config([DOOR]), NAMES)
    stroll(scene, WALK)
    bad = msgspec.structs.replace(DOOR, name="gate", classes=["persn"])
    with pytest.raises(ConfigError):
        scene.reconfigure(config([bad], [PORCH]))
    assert [s.counts for s in scene.snapshot(0, 0)] == [{0: (1, 0)}]


def test_a_zone_that_is_gone_is_no_longer_told_of() -> None:
    scene = Scene(config(zones=[PORCH]), NAMES)
    stroll(scene, [IN] * 10)
    scene.reconfigure(config())
    assert scene.end("shutdown", 0, 0)[0].zones == ()


def test_an_empty_first_frame_and_tracks_never_seen_are_fine() -> None:
    scene = Scene(config([DOOR], [PORCH]), NAMES)
    assert [scene.observe(picture(1), Tracks.empty()), len(scene.observe(picture(2), tracks({1: None})))] == [[], 1]


def test_nothing_is_kept_of_a_hundred_thousand_identities_that_are_gone() -> None:
    """A hundred at a time go through the line in the zone; afterwards the tables are as empty as at the start."""
    scene = Scene(config([DOOR], [PORCH]), NAMES)
    for group in range(1000):
        ids = range(1 + 100 * group, 101 + 100 * group)
        for step, x in enumerate((300.0, 340.0)):
            walkers = tracks(dict.fromkeys(ids, standing(x, 240.0)), confirmed=step == 1)
            scene.observe(picture(2 * group + step), walkers)
    scene.observe(picture(2001), tracks({}))
    kept = [len(scene._lives), len(scene._preludes), len(scene._lines[0]._passages), len(scene._zones[0]._visits)]
    assert (kept, scene.snapshot(0, 0)[0].counts) == ([0, 0, 0, 0], {0: (100_000, 0)})


def test_no_clock_is_read() -> None:
    """Time is data here: nothing in the room imports time, or asks a datetime for now."""
    for source in Path(edgetrack.scene.__file__).parent.glob("*.py"):
        nodes = list(ast.walk(ast.parse(source.read_text())))
        assert not {n.attr for n in nodes if isinstance(n, ast.Attribute)} & {"now", "utcnow", "today"}, source
        imports = [n for n in nodes if isinstance(n, ast.Import | ast.ImportFrom)]
        names = {a.name for n in imports for a in n.names} | {
            n.module for n in imports if isinstance(n, ast.ImportFrom)
        }
        assert "time" not in names, source


def test_the_same_frames_give_the_same_events() -> None:
    runs = [stroll(Scene(config([DOOR], [PORCH], 0.2), NAMES), WALK) for _ in range(2)]
    assert runs[0] == runs[1]


def test_a_gap_longer_than_can_be_walked_frame_by_frame_is_walked_in_longer_steps() -> None:
    scene = Scene(config([DOOR]), NAMES)
    scene.observe(picture(1), tracks({1: standing(220, 240)}))
    events = scene.observe(picture(1_000_001), tracks({1: standing(420, 240)}))
    assert directions(events) == ["in"]


def test_a_line_counts_on_from_what_an_earlier_daemon_had_counted() -> None:
    scene = Scene(config([DOOR]), NAMES)
    scene.restore([LineCount(DOOR.name, {0: (7, 2)}, since_utc=5.0, utc=9.0, captured=0.0)])
    counts = [e for e in stroll(scene, WALK) if isinstance(e, LineCount)]
    assert [(count.counts[0], count.since_utc) for count in counts] == [((8, 2), 5.0)]


def test_a_clock_that_is_put_right_puts_right_since_when_this_daemon_counts() -> None:
    """What an earlier daemon began to count is left alone: it had the date."""
    gate = msgspec.structs.replace(DOOR, name="gate")
    scene = Scene(config([DOOR, gate], [PORCH]), NAMES)
    scene.restore([LineCount("gate", {0: (7, 2)}, since_utc=5.0, utc=9.0, captured=0.0)])
    scene.snapshot(utc=1000.0, captured=0.0)
    states = scene.put_right(3600.0, 4601.0, 1.0)
    assert [state.since_utc for state in states] == [4600.0, 5.0, 4600.0]
    scene.reset(["gate"], [], 4700.0, 2.0)
    assert scene.put_right(-60.0, 4700.0, 2.0)[1].since_utc == 4640.0


def test_counts_of_a_line_that_is_gone_are_left_alone() -> None:
    scene = Scene(config([DOOR]), NAMES)
    scene.restore([LineCount("gone", {0: (7, 2)}, since_utc=5.0, utc=9.0, captured=0.0)])
    assert [e.line for e in scene.snapshot(1.0, 1.0) if isinstance(e, LineCount)] == [DOOR.name]
