"""What the tracker promises beside the paper: its contract, and its answer to bad input."""

import gc
import tracemalloc

import numpy as np
import pytest

from edgetrack.config import TrackConfig
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections

FRAME_S = 1 / 30


def people(*lefts: float, class_id: int = 0, embedding: np.ndarray | None = None) -> Detections:
    """Boxes of 40x100 px that begin at these columns."""
    xyxy = np.array([[left, 100, left + 40, 200] for left in lefts], np.float32).reshape(-1, 4)
    n = len(xyxy)
    return Detections(xyxy, np.full(n, 0.9, np.float32), np.full(n, class_id, np.int32), embedding)


def settled(*lefts: float, config: TrackConfig = TrackConfig()) -> Tracker:
    """A tracker that has seen people stand there for a second."""
    tracker = Tracker(config)
    for frame in range(30):
        tracker.step(frame * FRAME_S, people(*lefts))
    return tracker


def test_a_resting_detector_ages_nobody():
    """None means "did not look": a confirmed track keeps missed == 0."""
    tracks = settled(100).step(1.0, None)
    assert tracks.missed.tolist() == [0]
    assert tracks.confirmed.tolist() == [True]
    assert tracks.seen.tolist() == [False]


def test_a_look_that_sees_nothing_ages_everybody():
    tracks = settled(100, 300).step(1.0, Detections.empty())
    assert tracks.missed.tolist() == [1, 1]


def test_a_track_is_predicted_by_the_true_time_difference():
    """A walker of 60 px/s, then a pause of half a second: it is expected 30 px further on."""
    tracker = Tracker()
    for frame in range(60):
        tracks = tracker.step(frame / 30, people(2 * frame))
    later = tracker.step(59 / 30 + 0.5, None)
    assert later.xyxy[0, 0] - tracks.xyxy[0, 0] == pytest.approx(30, abs=1)


def test_a_track_is_confirmed_by_its_third_match():
    tracker = Tracker(TrackConfig(n_init=3))
    confirmed = [tracker.step(frame * FRAME_S, people(100)).confirmed.tolist() for frame in range(3)]
    assert confirmed == [[False], [False], [True]]


def test_a_track_may_be_confirmed_at_birth():
    assert Tracker(TrackConfig(n_init=1)).step(0.0, people(100)).confirmed.tolist() == [True]


def test_no_birth_confirms_in_exact_mode():
    """The reference confirms when it updates, so that its n_init of 1 means 2."""
    tracker = Tracker(TrackConfig(n_init=1, exact=True))
    assert [tracker.step(frame, people(100)).confirmed.tolist() for frame in (0, 1)] == [[False], [True]]


def test_a_tentative_track_dies_of_one_miss():
    tracker = Tracker()
    tracker.step(0.0, people(100))
    assert len(tracker.step(FRAME_S, Detections.empty())) == 0


def test_a_confirmed_track_dies_after_max_age_s():
    tracker = settled(100, config=TrackConfig(max_age_s=1.0))
    assert len(tracker.step(29 * FRAME_S + 0.99, Detections.empty())) == 1
    assert len(tracker.step(29 * FRAME_S + 1.01, Detections.empty())) == 0


def test_an_id_is_never_used_twice():
    tracker = Tracker(TrackConfig(max_age_s=0.1))
    ids = []
    for visit in range(10):
        ids += tracker.step(visit, people(100 * visit)).track_id.tolist()
    assert ids == list(range(1, 11))


def test_a_track_takes_no_detection_of_another_class():
    tracks = settled(100).step(1.0, people(100, class_id=2))
    assert tracks.class_id.tolist() == [0, 2]
    assert tracks.seen.tolist() == [False, True]


def test_a_track_may_take_another_class_when_classes_do_not_count():
    tracks = settled(100, config=TrackConfig(class_aware=False)).step(1.0, people(100, class_id=2))
    assert tracks.seen.tolist() == [True]


def test_a_snapshot_is_not_changed_by_the_next_step():
    tracker = settled(100)
    tracks = tracker.step(1.0, people(102))
    before = tracks.xyxy.copy()
    tracker.step(1.1, people(120))
    np.testing.assert_array_equal(tracks.xyxy, before)


def bad(field: str, value: float, row: int = 0) -> Detections:
    detections = people(100, 300, embedding=np.eye(2, 4, dtype=np.float32))
    getattr(detections, field)[row] = value
    return detections


@pytest.mark.parametrize(
    ("detections", "message"),
    [
        (bad("xyxy", np.nan), "xyxy: holds NaN"),
        (bad("xyxy", np.inf), "xyxy: holds NaN or infinity"),
        (bad("xyxy", 1e20), "xyxy: .* lies beyond 1e\\+09"),
        (bad("embedding", np.nan), "embedding: holds NaN"),
        (bad("score", np.nan), "score: holds NaN"),
        (Detections(people(100).xyxy[:, [2, 1, 0, 3]], *[np.zeros(1, t) for t in ("f4", "i4")]), "right or bottom"),
    ],
)
def test_senseless_detections_are_refused_and_change_nothing(detections: Detections, message: str):
    tracker, untouched = settled(100, 300), settled(100, 300)
    with pytest.raises(ValueError, match=message):
        tracker.step(1.0, detections)
    np.testing.assert_array_equal(tracker.step(1.0, people(101, 301)).xyxy, untouched.step(1.0, people(101, 301)).xyxy)


def test_embeddings_of_another_width_are_refused_and_change_nothing():
    tracker = Tracker()
    tracker.step(0.0, people(100, embedding=np.ones((1, 8), np.float32)))
    with pytest.raises(ValueError, match="embedding: is 4 wide, earlier ones were 8"):
        tracker.step(FRAME_S, people(100, embedding=np.ones((1, 4), np.float32)))
    assert tracker.step(FRAME_S, people(101, embedding=np.ones((1, 8), np.float32))).track_id.tolist() == [1]


@pytest.mark.parametrize("time", [0.5, float("nan"), float("inf")])
def test_time_that_goes_back_or_is_none_is_refused_and_changes_nothing(time: float):
    tracker = settled(100)
    with pytest.raises(ValueError, match="time: is"):
        tracker.step(time, people(100))
    assert tracker.step(1.0, people(100)).track_id.tolist() == [1]


def test_a_shift_that_is_none_is_refused_and_changes_nothing():
    tracker = settled(100)
    with pytest.raises(ValueError, match="shift: is"):
        tracker.step(1.0, people(100), (float("nan"), 0.0))
    assert tracker.step(1.0, people(100)).seen.tolist() == [True]


def test_two_looks_at_one_moment_are_both_taken():
    tracker = settled(100)
    tracker.step(1.0, people(100))
    assert tracker.step(1.0, people(101)).seen.tolist() == [True]


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"score: shape is \(1,\)"):
        Detections(np.zeros((2, 4), np.float32), np.zeros(1, np.float32), np.zeros(2, np.int32))


def test_boxes_without_area_are_left_out():
    """A decoder that cuts boxes at the edge of the picture leaves such ones behind."""
    flat = people(100, 300)
    flat.xyxy[0, 2] = flat.xyxy[0, 0]
    tracks = Tracker().step(0.0, flat)
    assert tracks.xyxy[:, 0].tolist() == [300]


def test_an_empty_first_frame_is_as_good_as_any():
    tracker = Tracker()
    assert len(tracker.step(0.0, Detections.empty())) == 0
    assert len(tracker.step(FRAME_S, None)) == 0
    assert len(tracker.step(2 * FRAME_S, people(100))) == 1


def test_embeddings_may_come_late_and_stop():
    tracker = settled(100, 300)
    look = np.eye(2, 8, dtype=np.float32)
    for frame in range(30, 60):
        tracks = tracker.step(frame * FRAME_S, people(100, 300, embedding=look if 35 <= frame < 50 else None))
    assert tracks.track_id.tolist() == [1, 2]
    assert tracks.missed.tolist() == [0, 0]


def test_five_thousand_detections_in_one_frame_are_tracked():
    rng = np.random.default_rng(0)
    top_left = rng.uniform(0, (1920, 1080), (5000, 2)).astype(np.float32)
    crowd = Detections(
        np.hstack([top_left, top_left + np.array([20, 40], np.float32)]),
        np.full(5000, 0.9, np.float32),
        np.zeros(5000, "i4"),
    )
    tracker = Tracker()
    for frame in range(3):
        tracks = tracker.step(frame * FRAME_S, crowd)
    assert len(tracks) == 5000
    assert tracks.confirmed.all()


@pytest.mark.parametrize("exact", [False, True])
def test_memory_does_not_grow_with_visitors(exact: bool):
    """Ten people at a time pass through; after 500 ids the tracker holds what it held after 100."""
    rng = np.random.default_rng(0)
    tracker = Tracker(TrackConfig(exact=exact, max_age=5, max_age_s=5 * FRAME_S, gallery=20))

    def pass_through(visits: range) -> int:
        for visit in visits:
            lefts, looks = np.arange(10) * 100.0, rng.normal(size=(10, 64)).astype(np.float32)
            for frame in range(12):
                seen = people(*lefts + frame, embedding=looks) if frame < 6 else Detections.empty()
                tracks = tracker.step((12 * visit + frame) * FRAME_S, seen)
        gc.collect()
        assert tracks.track_id.size == 0
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        after_100, after_500 = pass_through(range(10)), pass_through(range(10, 50))
    finally:
        tracemalloc.stop()
    assert after_500 - after_100 < 20_000


def test_slots_of_galleries_are_used_again():
    """A thousand short visits, three at a time, need no more room than the first few."""
    rng = np.random.default_rng(0)
    tracker = Tracker(TrackConfig(exact=True, max_age=3, gallery=10))
    for frame in range(0, 10000, 10):
        look = rng.normal(size=(3, 16)).astype(np.float32)
        tracker.step(frame * FRAME_S, people(*rng.uniform(0, 1000, 3), embedding=look))
    assert tracker._live.gallery is not None
    assert len(tracker._live.gallery.ring) == 16
