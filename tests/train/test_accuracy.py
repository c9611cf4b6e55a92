"""Average precision, against values worked out by hand."""

import numpy as np

from edgetrack.train.accuracy import Score

BOX = np.array([[0, 0, 10, 10]], np.float32)
ELSEWHERE = np.array([[50, 50, 60, 60]], np.float32)
NOTHING = np.empty((0, 4), np.float32)


def test_one_object_found_is_perfect() -> None:
    score = Score()
    score.add(BOX, np.array([0.9], np.float32), BOX, NOTHING)
    assert score.average_precision() == 1


def test_a_better_scored_mistake_halves_the_precision() -> None:
    score = Score()
    score.add(np.concatenate([ELSEWHERE, BOX]), np.array([0.9, 0.5], np.float32), BOX, NOTHING)
    assert abs(score.average_precision() - 0.5) < 1e-9


def test_an_object_found_twice_is_right_once() -> None:
    score = Score()
    score.add(np.concatenate([BOX, BOX]), np.array([0.9, 0.8], np.float32), BOX, NOTHING)
    assert [right for _, right in score.rows] == [True, False]


def test_what_covers_an_ignored_box_does_not_count() -> None:
    score = Score()
    score.add(BOX, np.array([0.9], np.float32), NOTHING, BOX)
    assert score.rows == []


def test_half_of_the_objects_found_is_half_the_recall() -> None:
    score = Score()
    score.add(BOX, np.array([0.9], np.float32), np.concatenate([BOX, ELSEWHERE]), NOTHING)
    assert abs(score.average_precision() - 51 / 101) < 1e-9
