"""`Tracker.correct`: boxes that no detector gave."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from edgetrack import Detections, Tracker
from edgetrack.types import Tracks


def resting(*lefts: float) -> tuple[Tracker, Tracks]:
    """A tracker whose detector has just stopped looking at people who stand still."""
    tracker, n = Tracker(), len(lefts)
    xyxy = np.array([[left, 100, left + 40, 200] for left in lefts], np.float32)
    for k in range(5):
        tracker.step(k / 30, Detections(xyxy, np.full(n, 0.9, np.float32), np.zeros(n, np.int32)))
    return tracker, tracker.step(5 / 30, None)


def moved(tracks: Tracks, by: float, confidence: float) -> Tracks:
    xyxy = tracks.xyxy + np.array([by, 0, by, 0])
    return replace(tracks, xyxy=xyxy, score=np.full(len(tracks), confidence, np.float32))


def test_a_box_draws_its_track():
    tracker, tracks = resting(100)
    shift = tracker.correct(moved(tracks, 5, 1.0)).xyxy[0, 0] - tracks.xyxy[0, 0]
    assert 0 < shift < 5


def test_a_surer_box_draws_more():
    shifts = []
    for confidence in (0.5, 1.0):
        tracker, tracks = resting(100)
        shifts.append(tracker.correct(moved(tracks, 5, confidence)).xyxy[0, 0] - tracks.xyxy[0, 0])
    assert shifts[0] < shifts[1]


def test_missed_and_seen_and_score_stay():
    tracker, tracks = resting(100)
    tracks = tracker.step(6 / 30, Detections.empty())
    corrected = tracker.correct(moved(tracks, 5, 1.0))
    assert corrected.missed.tolist() == [1]
    assert corrected.seen.tolist() == [False]
    assert_array_equal(corrected.score, tracks.score)


def test_only_the_tracks_named_are_corrected():
    tracker, tracks = resting(100, 300)
    corrected = tracker.correct(moved(tracks[1:], 5, 1.0))
    assert_array_equal(corrected.xyxy[0], tracks.xyxy[0])
    assert (corrected.xyxy[1] != tracks.xyxy[1]).any()


@pytest.mark.parametrize("box", [[np.nan, 0, 10, 10], [0, 0, np.inf, 10], [10, 0, 10, 10], [20, 0, 10, 10]])
def test_a_box_that_is_none_is_left_out(box: list[float]):
    tracker, tracks = resting(100)
    assert_array_equal(tracker.correct(replace(tracks, xyxy=np.array([box]))).xyxy, tracks.xyxy)


def test_no_confidence_corrects_nothing():
    tracker, tracks = resting(100)
    assert_array_equal(tracker.correct(moved(tracks, 5, 0.0)).xyxy, tracks.xyxy)


def test_a_track_that_is_gone_is_left_out():
    tracker, tracks = resting(100)
    stranger = replace(moved(tracks, 5, 1.0), track_id=np.array([77]))
    assert_array_equal(tracker.correct(stranger).xyxy, tracks.xyxy)


def test_no_boxes_change_nothing():
    tracker, tracks = resting(100)
    assert_array_equal(tracker.correct(Tracks.empty()).xyxy, tracks.xyxy)
