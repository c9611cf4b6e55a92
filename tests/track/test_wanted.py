"""Whose embedding the tracker asks for: those that could change what it answers, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from edgetrack.config import TrackConfig
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections

BOX = (100.0, 100.0, 150.0, 220.0)
FAR = (400.0, 100.0, 450.0, 220.0)


def seen(*boxes: tuple[float, float, float, float], score: float = 0.8, described: bool = True) -> Detections:
    """Objects at the boxes, each of looks of its own."""
    n = len(boxes)
    embedding = np.eye(8, dtype=np.float32)[:n] * described
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.full(n, score, np.float32), np.zeros(n, np.int32), embedding
    )


def settled(**settings: object) -> Tracker:
    """A tracker with one object at BOX, confirmed and described until 0.2 s; young, it is due 0.3 s later."""
    tracker = Tracker(TrackConfig(**{"embed_every_s": 0.9, **settings}))  # type: ignore[arg-type]
    for k in range(3):
        tracker.step(k / 10, seen(BOX))
    return tracker


def moved(box: tuple[float, float, float, float], px: float) -> tuple[float, float, float, float]:
    return (box[0] + px, box[1], box[2] + px, box[3])


def test_who_is_not_known_is_wanted() -> None:
    assert Tracker().wanted(0.0, seen(BOX, FAR)).tolist() == [True, True]
    assert settled().wanted(0.3, seen(BOX, FAR)).tolist() == [False, True]


def test_who_was_just_described_is_not_wanted_until_it_is_time_again() -> None:
    tracker = settled()
    assert [tracker.wanted(time, seen(BOX)).tolist() for time in (0.3, 0.4, 0.5)] == [[False], [False], [True]]


@pytest.mark.parametrize(("described", "expected"), [(9, [True, True]), (10, [False, True])])
def test_who_has_been_described_ten_times_is_wanted_a_third_as_often(described: int, expected: list[bool]) -> None:
    tracker = Tracker(TrackConfig(embed_every_s=0.9))
    for k in range(described):
        tracker.step(k / 10, seen(BOX))
    last = (described - 1) / 10
    assert [tracker.wanted(last + after, seen(BOX)).item() for after in (0.3, 0.9)] == expected


@pytest.mark.parametrize(("cosine", "expected"), [(0.9, False), (0.7, True)])
def test_who_looks_unlike_the_average_is_wanted_as_often_as_the_young(cosine: float, expected: bool) -> None:
    """Somebody else may have taken the track over."""
    tracker, other = Tracker(TrackConfig(embed_every_s=0.9)), seen(BOX)
    for k in range(11):
        tracker.step(k / 10, seen(BOX))
    assert other.embedding is not None
    other.embedding[0, :2] = cosine, (1 - cosine**2) ** 0.5
    tracker.step(1.1, other)
    assert tracker.wanted(1.4, seen(BOX)).item() == expected


def test_a_track_that_is_followed_without_a_description_grows_due() -> None:
    tracker = settled()
    for time in (0.3, 0.4):
        tracker.step(time, seen(BOX, described=False))
    assert tracker.wanted(0.5, seen(BOX)).tolist() == [True]


def test_a_box_off_the_place_where_the_track_is_expected_is_wanted() -> None:
    assert settled().wanted(0.3, seen(moved(BOX, 2), moved(BOX, 15))).tolist() == [False, True]


def test_the_place_is_where_the_track_will_be_at_that_time() -> None:
    tracker = Tracker(TrackConfig(embed_every_s=1.0))
    for k in range(10):
        tracker.step(k / 10, seen(moved(BOX, 25 * k)))
    assert tracker.wanted(1.0, seen(moved(BOX, 250), moved(BOX, 225))).tolist() == [False, True]


@pytest.mark.parametrize(("apart_px", "expected"), [(10, [True, True]), (45, [False, False])])
def test_who_is_close_to_another_is_wanted(apart_px: float, expected: list[bool]) -> None:
    tracker, both = Tracker(TrackConfig(embed_every_s=1.0)), seen(BOX, moved(BOX, apart_px))
    for k in range(3):
        tracker.step(k / 10, both)
    assert tracker.wanted(0.3, both).tolist() == expected


def with_a_lost_one(apart_px: float, **settings: object) -> Tracker:
    """Two at BOX and beside it, described until 0.2 s; then the second one is seen no more, until 0.3 s."""
    tracker = Tracker(TrackConfig(**{"embed_every_s": 1.0, **settings}))  # type: ignore[arg-type]
    for k in range(3):
        tracker.step(k / 10, seen(BOX, moved(BOX, apart_px)))
    tracker.step(0.3, seen(BOX))
    return tracker


@pytest.mark.parametrize(("max_unlikeness", "expected"), [(0.35, [False]), (0.6, [True])])
def test_a_lost_track_is_no_rival_where_looks_could_not_outweigh_the_overlap(
    max_unlikeness: float, expected: list[bool]
) -> None:
    """20 px beside a box of 50 px the overlap is 0.43, at the box itself 1."""
    tracker = with_a_lost_one(20, max_unlikeness=max_unlikeness)
    assert tracker.wanted(0.4, seen(BOX)).tolist() == expected


def test_a_lost_track_beyond_the_gate_is_no_rival_whatever_looks_may_outweigh() -> None:
    tracker = with_a_lost_one(20, max_unlikeness=2.0, max_iou_distance=0.5)
    assert tracker.wanted(0.4, seen(BOX)).tolist() == [False]


def test_who_turns_up_at_the_place_of_another_is_wanted_and_so_is_the_other() -> None:
    """One track, two that could be it: somebody comes out from behind."""
    assert settled().wanted(0.3, seen(BOX, moved(BOX, 8))).tolist() == [True, True]


def test_a_weak_detection_makes_nobody_ambiguous() -> None:
    both = seen(BOX, moved(BOX, 8))
    both.score[1] = 0.5
    assert settled().wanted(0.3, both).tolist() == [False, False]


def test_a_track_that_is_not_confirmed_is_wanted() -> None:
    tracker = Tracker(TrackConfig(n_init=3))
    tracker.step(0.0, seen(BOX))
    assert tracker.wanted(0.03, seen(BOX)).tolist() == [True]


@pytest.mark.parametrize(("second_pass", "expected"), [(True, [False]), (False, [True])])
def test_a_weak_detection_is_wanted_only_where_it_counts_as_any_other(second_pass: bool, expected: list[bool]) -> None:
    assert settled(second_pass=second_pass).wanted(0.3, seen(FAR, score=0.5)).tolist() == expected


@pytest.mark.parametrize("settings", [{"exact": True}, {"embed_every_s": 0.0}])
def test_all_are_wanted_where_nothing_is_to_be_spared(settings: dict[str, object]) -> None:
    assert settled(embed_at_most=1, **settings).wanted(0.3, seen(BOX, FAR)).tolist() == [True, True]


def crowd(n: int) -> Detections:
    return seen(*(moved(BOX, 100 * k) for k in range(n)))


def test_of_a_crowd_no_more_are_wanted_than_are_allowed() -> None:
    allowed = {most: Tracker(TrackConfig(embed_at_most=most)).wanted(0.0, crowd(8)).sum() for most in (1, 5, None)}
    assert allowed == {1: 1, 5: 5, None: 8}


def test_everybody_in_a_crowd_has_a_turn() -> None:
    tracker, people = Tracker(TrackConfig(embed_at_most=2, embed_every_s=60.0)), crowd(8)
    assert people.embedding is not None
    turns = np.zeros(8, np.int64)
    for k in range(8):
        wanted = tracker.wanted(k / 10, people)
        turns += wanted
        shown = np.where(wanted[:, None], people.embedding, np.float32(0))
        tracker.step(k / 10, Detections(people.xyxy, people.score, people.class_id, shown))
    assert turns.min() >= 1


def test_nobody_is_wanted_of_nothing() -> None:
    assert settled().wanted(0.3, Detections.empty()).tolist() == []


@pytest.mark.parametrize("tracker", [Tracker(), settled()], ids=["new", "settled"])
def test_asking_changes_nothing(tracker: Tracker) -> None:
    before = tracker.state()
    tracker.wanted(0.3, seen(moved(BOX, 4), FAR))
    assert tracker.state() == before


def test_time_may_not_go_back() -> None:
    with pytest.raises(ValueError, match="may not go back"):
        settled().wanted(0.1, seen(BOX))
