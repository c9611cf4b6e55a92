"""Average precision, against values worked out by hand."""

from pathlib import Path

import numpy as np

from edgetrack.train.accuracy import Score, coco
from tests.capture.clips import write_picture

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


def test_a_picture_of_nobody_is_judged_and_one_without_labels_or_that_is_broken_is_not(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("10", "9", "unlabelled"):
        write_picture(tmp_path / "images" / f"{name}.png", np.full((40, 60, 3), 90, np.uint8))
    (tmp_path / "images" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "labels-person").mkdir()
    for name, text in {"10": "0 0.5 0.5 0.5 0.5\n", "9": "", "broken": "0 0.5 0.5 0.1 0.1\n"}.items():
        (tmp_path / "labels-person" / f"{name}.txt").write_text(text)
    assert [picture.xyxy.tolist() for picture in coco(tmp_path)] == [[], [[15, 10, 45, 30]]]
