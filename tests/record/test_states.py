"""Tracker and scene may be stopped anywhere, kept as bytes, and go on elsewhere as if nothing had been."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings, strategies

from edgetrack.config import Config, EventsConfig, LineConfig, TrackConfig, ZoneConfig
from edgetrack.scene import Scene
from edgetrack.scene.state import SceneState
from edgetrack.track.matching import TRACK
from edgetrack.track.state import ROW, TrackerState
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections, Event, Frame, LineCount, Tracks
from tests.record import parts
from tests.record.parts import DOOR, FPS, NAMES, PORCH, UTC, street

GATE = LineConfig(name="gate", start=(0.3, 1.0), end=(0.3, 0.0), classes=["person"], min_s=0.2)
LAWN = ZoneConfig(name="lawn", polygon=[(0.0, 0.0), (0.5, 0.0), (0.5, 1.0)], min_s=0.3, classes=["person"])
PLACES: list[dict[str, Any]] = [
    {"lines": [DOOR], "zones": [PORCH]},
    {"lines": [GATE, DOOR], "zones": [LAWN, PORCH]},
    {"lines": [DOOR], "zones": [msgspec.structs.replace(PORCH, classes=["car"], dwell_s=[0.2, 1.0])]},
]
PICTURES = 120


class Pair:
    """A tracker and the scene behind it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.tracker, self.scene = Tracker(config.track), Scene(config, NAMES)

    def see(self, index: int, seen: Detections | None, size: tuple[int, int]) -> tuple[Tracks, list[Event]]:
        time = index / FPS
        image = np.broadcast_to(np.uint8(0), (size[1], size[0], 3))
        self.tracker.rescale(self.scene.size, size)
        tracks = self.tracker.step(time, seen, (0.5, 0.0) if index % 11 == 0 else (0.0, 0.0))
        if seen is None:
            tracks = self.tracker.correct(tracks[tracks.confirmed][:2])
        return tracks, self.scene.observe(Frame(image, index, time, UTC + time, time), tracks)

    def disturb(self, index: int, draw: np.random.Generator) -> list[Event]:
        """A reload, a reset or a clock that is put right, now and then."""
        kind = draw.integers(40)
        if kind == 0:
            self.config = parts.settings(**PLACES[draw.integers(len(PLACES))], track=self.config.track)
            self.scene.reconfigure(self.config)
        elif kind == 1:
            return self.scene.reset(["door"], ["porch", "lawn"], UTC + index, float(index))
        elif kind == 2:
            return self.scene.put_right(60.0, UTC + index, float(index))
        return []

    def moved(self) -> Pair:
        """Another one, from what was kept of this one."""
        other = Pair(self.config)
        other.tracker.resume(through(self.tracker.state()))
        other.scene.resume(through(self.scene.state()))
        return other


def through(state: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=type(state))


def bits(tracks: Tracks) -> list[bytes]:
    return [getattr(tracks, name).tobytes() for name in tracks.__slots__]


def film(draw: np.random.Generator, width: int, every: int) -> list[tuple[int, Detections | None, tuple[int, int]]]:
    """A street whose people vanish for a while, as when the camera is covered; and maybe a camera of another size."""
    late = draw.integers(PICTURES)
    pictures = []
    for index, seen in enumerate(street(PICTURES, int(draw.integers(1000)), width)):
        if draw.integers(30) == 0:
            seen = seen[:0]
        size = (320, 180) if index > late and draw.integers(2) else parts.SIZE
        pictures.append((index, None if index % every else seen, size))
    return pictures


@given(
    seed=strategies.integers(0, 2**20),
    stop=strategies.integers(0, PICTURES - 5),
    exact=strategies.booleans(),
    width=strategies.sampled_from([0, 0, 8, 33]),
    every=strategies.integers(1, 3),
)
@settings(max_examples=10, deadline=None)
def test_what_was_kept_goes_on_to_the_last_bit(seed: int, stop: int, exact: bool, width: int, every: int) -> None:
    """Whatever happens before and after: nobody in sight, reloads, resets, pictures of another size."""
    draw = np.random.default_rng(seed)
    track = TrackConfig(exact=exact, gallery=int(draw.integers(1, 30)), max_age=20, max_age_s=1.0)
    pair = Pair(parts.settings(**PLACES[0], track=track, events=EventsConfig(update_every_s=0.5)))
    pictures = film(draw, width, every)
    for picture in pictures[:stop]:
        pair.disturb(picture[0], draw)
        pair.see(*picture)
    other = pair.moved()
    assert through(other.tracker.state()) == pair.tracker.state()
    assert through(other.scene.state()) == pair.scene.state()
    for picture in pictures[stop:]:
        chance = int(draw.integers(2**30))
        ours, theirs = (p.disturb(picture[0], np.random.default_rng(chance)) for p in (pair, other))
        assert ours == theirs
        (tracks, events), (their_tracks, their_events) = pair.see(*picture), other.see(*picture)
        assert bits(tracks) == bits(their_tracks)
        assert repr(events) == repr(their_events)


def seen_for(pictures: int, width: int = 0, **track: Any) -> Pair:
    pair = Pair(parts.settings(**PLACES[0], track=TrackConfig(**track)))
    for index, seen in enumerate(street(pictures, width=width)):
        pair.see(index, seen, parts.SIZE)
    return pair


def test_a_state_is_a_copy() -> None:
    pair = seen_for(60, width=8)
    tracker, scene = pair.tracker.state(), pair.scene.state()
    kept = through(tracker), through(scene)
    for index, seen in enumerate(street(60, width=8), 60):
        pair.see(index, seen, parts.SIZE)
    assert (tracker, scene) == kept


def test_every_column_of_a_track_is_kept() -> None:
    """The slot in the gallery alone is given anew."""
    assert set(ROW.names or ()) == set(TRACK.names or ()) - {"slot"}


@pytest.mark.parametrize("exact", [True, False])
def test_the_weight_of_a_state_is_known_before_it_is_made(exact: bool) -> None:
    tracker = seen_for(60, width=64, exact=exact).tracker
    assert tracker.weight == pytest.approx(len(msgspec.msgpack.encode(tracker.state())), rel=0.1)


# --- damage ----------------------------------------------------------------------------------------------------------


def with_nan(content: bytes, kind: str = "<f8") -> bytes:
    array = np.frombuffer(content, kind).copy()
    array[0] = np.nan
    return array.tobytes()


def with_row(state: TrackerState, **values: float) -> bytes:
    rows = np.frombuffer(state.rows, ROW).copy()
    for name, value in values.items():
        rows[name][0] = value
    return rows.tobytes()


SPOILT_TRACKERS = {
    "a byte is missing": (lambda s: {"rows": s.rows[:-1]}, "rows: "),
    "a track is missing": (lambda s: {"rows": s.rows[ROW.itemsize :]}, "filter: .* bytes, expected"),
    "no numbers": (lambda s: {"filter": with_nan(s.filter)}, "filter: holds NaN"),
    "no embedding": (lambda s: {"average": b""}, "average: 0 bytes"),
    "an embedding of no numbers": (lambda s: {"average": with_nan(s.average, "<f4")}, "average: holds NaN"),
    "another width": (lambda s: {"width": 7}, "average: .* bytes, expected"),
    "the same id twice": (lambda s: {"rows": with_row(s, track_id=2)}, "track_id"),
    "an id that is still to come": (lambda s: {"next_id": 1}, "track_id"),
    "a look that was never": (lambda s: {"looks": 3}, "last_look"),
    "a match in the future": (lambda s: {"time": 0.5}, "last_seen"),
    "tracks before any time": (lambda s: {"time": None}, "last_seen"),
    "a score of no number": (lambda s: {"rows": with_row(s, score=np.nan)}, "score: holds NaN"),
    "more embeddings than are counted": (lambda s: {"rows": with_row(s, described=11)}, "described"),
}


@pytest.mark.parametrize("what", SPOILT_TRACKERS)
def test_a_spoilt_state_of_the_tracker_is_refused_and_changes_nothing(what: str) -> None:
    spoil, message = SPOILT_TRACKERS[what]
    tracker = seen_for(60, width=8).tracker
    state = tracker.state()
    with pytest.raises(ValueError, match=f"^state of the tracker: {message}"):
        tracker.resume(msgspec.structs.replace(state, **spoil(state)))
    assert tracker.state() == state


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: {"looked_like": s.looked_like[:-4]}, "looked_like: .* bytes, expected"),
        (lambda s: {"written": s.written[:-8]}, "written: .* bytes, expected"),
        (lambda s: {"written": np.full(len(s.written) // 8, -1, "<i8").tobytes()}, "written: less than nothing"),
        (lambda s: {"width": 2**16, "written": bytes(len(s.written)), "looked_like": b""}, "gallery: beyond"),
    ],
)
def test_a_spoilt_gallery_is_refused_and_asks_for_no_memory(spoil: Any, message: str) -> None:
    tracker = seen_for(60, width=8, exact=True, gallery=1000).tracker
    state = tracker.state()
    with pytest.raises(ValueError, match=f"^state of the tracker: {message}"):
        tracker.resume(msgspec.structs.replace(state, **spoil(state)))


@pytest.mark.parametrize(
    "field",
    ["time", "looks", "next_id", "box_noise"],
)
def test_numbers_beyond_all_measure_do_not_become_a_state(field: str) -> None:
    spoilt = msgspec.to_builtins(seen_for(30).tracker.state())
    spoilt[TrackerState.__struct_fields__.index(field)] = -1e30
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(spoilt), type=TrackerState)


SPOILT_SCENES = {
    "another line": (lambda s: {"lines": []}, "is of other lines or zones"),
    "another zone": (lambda s: {"zones": s.zones * 2}, "is of other lines or zones"),
    "no number": (lambda s: {"period": float("nan")}, "holds NaN"),
    "a frame beyond measure": (lambda s: {"newest": s.newest._replace(frame=2**60)}, "beyond all measure"),
    "no picture": (lambda s: {"newest": s.newest._replace(size=(0, 360))}, "a picture of 0 x 360"),
    "a count beyond measure": (
        lambda s: {"lines": [msgspec.structs.replace(s.lines[0], counts={0: (2**60, 0)})]},
        "beyond all measure",
    ),
}


@pytest.mark.parametrize("what", SPOILT_SCENES)
def test_a_spoilt_state_of_the_scene_is_refused_and_changes_nothing(what: str) -> None:
    spoil, message = SPOILT_SCENES[what]
    scene = seen_for(60).scene
    state = scene.state()
    with pytest.raises(ValueError, match=f"^state of the scene: .*{message}"):
        scene.resume(msgspec.structs.replace(state, **spoil(state)))
    assert scene.state() == state


def test_counts_alone_can_be_had_of_a_state() -> None:
    state: SceneState = seen_for(200).scene.state()
    assert [count.line for count in state.counts] == ["door"]
    assert isinstance(state.counts[0], LineCount)
    assert state.counts[0].counts == state.lines[0].counts != {}
