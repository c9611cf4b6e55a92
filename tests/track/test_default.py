"""What the default does beyond the reference, switch by switch."""

import numpy as np
import pytest

from edgetrack.config import TrackConfig
from edgetrack.track.tracker import Tracker
from edgetrack.types import Detections

FRAME_S = 1 / 30
RED, BLUE = np.eye(2, 8, dtype=np.float32)


def boxes_at(*lefts: float, score: float = 0.9, looks: list[np.ndarray] | None = None) -> Detections:
    """Boxes of 40x100 px that begin at these columns."""
    xyxy = np.array([[left, 100, left + 40, 200] for left in lefts], np.float32).reshape(-1, 4)
    embedding = None if looks is None else np.array(looks, np.float32)
    return Detections(xyxy, np.full(len(xyxy), score, np.float32), np.zeros(len(xyxy), np.int32), embedding)


def settled(config: TrackConfig, scale: float = 1.0, looks: list[np.ndarray] | None = None) -> Tracker:
    """A tracker that has seen one person stand at 100 for a second; the next look is at 1.0 s."""
    tracker = Tracker(config)
    for frame in range(30):
        tracker.step(frame * FRAME_S, boxes_at(100, score=0.9 * scale, looks=looks))
    return tracker


def test_a_track_unseen_for_a_while_is_matched_by_overlap_unless_exact():
    for exact, ids in ((False, [1]), (True, [1, 2])):
        tracker = settled(TrackConfig(exact=exact))
        for frame in range(30, 35):
            tracker.step(frame * FRAME_S, Detections.empty())
        assert tracker.step(35 * FRAME_S, boxes_at(102)).track_id.tolist() == ids


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_weak_detection_prolongs_a_track_and_starts_none(scale: float):
    """Weak is meant against this detector's own manner: the same holds at half of all scores."""
    tracks = settled(TrackConfig(), scale).step(1.0, boxes_at(102, 400, score=0.5 * scale))
    assert tracks.track_id.tolist() == [1]
    assert tracks.seen.tolist() == [True]


@pytest.mark.parametrize("exact", [False, True])
def test_who_walks_keeps_on_walking_in_pictures_of_another_size(exact: bool):
    """Half as wide and a third as high: all that follows is in proportion."""
    same, other = Tracker(TrackConfig(exact=exact)), Tracker(TrackConfig(exact=exact))
    factor = np.array([1 / 2, 1 / 3] * 2, np.float32)
    for frame in range(30):
        seen = boxes_at(100 + 3 * frame, 600)
        for tracker in (same, other):
            tracker.step(frame * FRAME_S, seen)
    other.rescale((1920, 1080), (960, 360))
    for frame in range(30, 40):
        seen = boxes_at(100 + 3 * frame, 600) if frame % 3 else None
        small = None if seen is None else Detections(seen.xyxy * factor, seen.score, seen.class_id)
        expected, found = same.step(frame * FRAME_S, seen), other.step(frame * FRAME_S, small)
        assert found.track_id.tolist() == [1, 2]
        np.testing.assert_allclose(found.xyxy, expected.xyxy * factor, atol=0.5)


def test_a_first_picture_and_one_of_the_same_size_change_nothing():
    tracker = settled(TrackConfig())
    before = tracker.state()
    tracker.rescale(None, (960, 360))
    tracker.rescale((960, 360), (960, 360))
    assert tracker.state() == before


def test_a_weak_detection_does_not_bring_a_lost_track_back():
    for second_pass, seen in ((True, [False]), (False, [True])):
        tracker = settled(TrackConfig(second_pass=second_pass))
        tracker.step(1.0, Detections.empty())
        assert tracker.step(1.0 + FRAME_S, boxes_at(102, score=0.5)).seen.tolist() == seen


def test_every_detection_may_start_a_track_when_asked():
    tracks = settled(TrackConfig(new_track_score=0)).step(1.0, boxes_at(102, 400, score=0.5))
    assert tracks.track_id.tolist() == [1, 2]


def test_a_box_of_doubtful_score_moves_a_track_less():
    left = {
        noise: settled(TrackConfig(score_noise=noise)).step(1.0, boxes_at(110, score=0.75)).xyxy[0, 0]
        for noise in (True, False)
    }
    sure = settled(TrackConfig()).step(1.0, boxes_at(110, score=0.9)).xyxy[0, 0]
    assert 100 < left[True] < sure


def test_overlap_with_somebody_who_looks_different_is_no_match():
    for veto, ids in ((True, [1, 2]), (False, [1])):
        tracker = settled(TrackConfig(appearance_veto=veto), looks=[RED])
        assert tracker.step(1.0, boxes_at(102, looks=[BLUE])).track_id.tolist() == ids


def test_a_lost_track_is_found_again_by_its_looks():
    """After a second behind a pillar he comes out 60 px further on, where no overlap finds him."""
    for recovery, ids in ((True, [1]), (False, [1, 2])):
        tracker = settled(TrackConfig(recovery=recovery), looks=[RED])
        tracker.step(1.5, Detections.empty())
        assert tracker.step(2.0, boxes_at(160, looks=[RED])).track_id.tolist() == ids


def test_somebody_else_is_not_taken_for_a_lost_track():
    tracker = settled(TrackConfig(), looks=[RED])
    tracker.step(1.5, Detections.empty())
    assert tracker.step(2.0, boxes_at(160, looks=[BLUE])).track_id.tolist() == [1, 2]


def test_an_embedding_of_zeros_says_nothing_for_or_against():
    tracker = settled(TrackConfig(), looks=[RED])
    assert tracker.step(1.0, boxes_at(102, looks=[0 * RED])).track_id.tolist() == [1]


@pytest.mark.parametrize(("spared", "counted"), [(0, 1), (1, 2), (2, 3), (15, 3)])
def test_an_embedding_counts_for_those_spared_before_it_too_but_for_three_at_most(spared: int, counted: int):
    tracker = Tracker(TrackConfig(appearance_veto=False))
    for frame, looks in enumerate([RED, *[0 * RED] * spared, BLUE]):
        tracker.step(frame * FRAME_S, boxes_at(100, looks=[looks]))
    average = np.frombuffer(tracker.state().average, np.float32)
    assert average[1] / average[0] == pytest.approx((1 - 0.9**counted) / 0.9**counted)


def test_an_embedding_counts_once_where_none_was_spared_however_seldom_somebody_looks():
    tracker = Tracker(TrackConfig(appearance_veto=False))
    for k, looks in enumerate([RED, BLUE]):
        tracker.step(k / 5, boxes_at(100, looks=[looks]))
    average = np.frombuffer(tracker.state().average, np.float32)
    assert average[1] / average[0] == pytest.approx(0.1 / 0.9)


def test_classes_have_typical_scores_of_their_own():
    """Cars at 0.9 do not make strangers of persons whom the detector never gives more than 0.5."""
    tracker = Tracker()
    two = boxes_at(100, 400)
    two.score[1], two.class_id[1] = 0.5, 2
    for frame in range(3):
        tracks = tracker.step(frame * FRAME_S, two)
    assert tracks.confirmed.tolist() == [True, True]


def test_scores_that_say_nothing_are_all_as_good():
    tracker = Tracker()
    for frame in range(3):
        tracks = tracker.step(frame * FRAME_S, boxes_at(100, 400, score=0.0))
    assert tracks.confirmed.tolist() == [True, True]


def test_a_shrinking_box_keeps_its_size_positive_while_nobody_looks():
    tracker = Tracker()
    for frame in range(20):
        box = np.array([[100, 100, 140, 400 - 14 * frame]], np.float32)
        tracker.step(frame * FRAME_S, Detections(box, np.ones(1, np.float32), np.zeros(1, np.int32)))
    left, top, right, bottom = tracker.step(5.0, None).xyxy[0]
    assert left < right
    assert top < bottom


def test_tracks_go_with_the_scene_when_the_camera_turns():
    for shift, ids in (((60.0, 0.0), [1]), ((0.0, 0.0), [1, 2])):
        assert settled(TrackConfig()).step(1.0, boxes_at(160), shift).track_id.tolist() == ids
