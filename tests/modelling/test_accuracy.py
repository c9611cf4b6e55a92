"""COCO's measures on cases small enough to do by hand."""

import numpy as np
import pytest

from edgetrack.modelling.accuracy import agreement, identities_apart, likeness, precision
from edgetrack.modelling.pictures import FREE, Truth
from edgetrack.types import Detections

LEFT, RIGHT = [0, 0, 10, 10], [50, 0, 60, 10]


def found(*rows: tuple[list[float], float] | tuple[list[float], float, int]) -> Detections:
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    classes = np.array([row[2] if len(row) > 2 else 0 for row in rows], np.int32)
    return Detections(boxes, np.array([row[1] for row in rows], np.float32), classes)


def truth(*boxes: list[float], classes: list[int] | None = None) -> Truth:
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    return Truth(xyxy, np.array(classes or [0] * len(boxes), np.int32))


def test_finding_everything_and_nothing_else_is_1() -> None:
    result = precision([found((LEFT, 0.9), (RIGHT, 0.8))], [truth(LEFT, RIGHT)])
    assert (result.ap50, result.ap50_95, result.objects) == (1, 1, 2)


def test_half_of_the_objects_give_half_of_the_recalls() -> None:
    assert precision([found((LEFT, 0.9))], [truth(LEFT, RIGHT)]).ap50 == pytest.approx(51 / 101)


def test_a_false_one_before_a_right_one_halves_the_precision() -> None:
    assert precision([found((RIGHT, 0.9), (LEFT, 0.8))], [truth(LEFT)]).ap50 == pytest.approx(0.5)


def test_a_second_box_on_an_object_is_false() -> None:
    twice = found((LEFT, 0.9), (LEFT, 0.85), (RIGHT, 0.8))
    assert precision([twice], [truth(LEFT, RIGHT)]).ap50 == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_loose_box_counts_at_loose_overlaps_only() -> None:
    """IoU 0.8: right at 0.5 to 0.8 (7 of 10), as 0.8 is reached."""
    result = precision([found(([0, 0, 10, 8], 0.9))], [truth(LEFT)])
    assert (result.ap50, result.ap50_95) == (1, pytest.approx(0.7))


def test_free_objects_may_be_found_or_not() -> None:
    both = found((RIGHT, 0.9), (LEFT, 0.8))
    assert precision([both], [truth(LEFT, RIGHT, classes=[0, FREE])]).ap50 == 1
    assert precision([both[1:]], [truth(LEFT, RIGHT, classes=[0, FREE])]).ap50 == 1


def test_classes_that_no_label_has_do_not_count() -> None:
    assert precision([found((RIGHT, 0.9, 7), (LEFT, 0.8))], [truth(LEFT)]).classes == (0,)
    assert precision([found((RIGHT, 0.9, 7), (LEFT, 0.8))], [truth(LEFT)]).ap50 == 1


def test_scores_order_detections_over_all_pictures() -> None:
    """The false one of the second picture comes before the right one of the first."""
    answers = [found((LEFT, 0.5)), found((RIGHT, 0.9))]
    assert precision(answers, [truth(LEFT), truth()]).ap50 == pytest.approx(0.5)


def test_without_objects_there_is_no_precision() -> None:
    assert np.isnan(precision([found((LEFT, 0.9))], [truth()]).ap50)


def test_agreement_counts_the_objects_that_both_report() -> None:
    a, b = [found((LEFT, 0.9), (RIGHT, 0.9))], [found((LEFT, 0.5), (RIGHT, 0.3))]
    assert agreement(a, b, 0.4) == pytest.approx(2 / 3)
    assert agreement(a, a, 0.4) == agreement([found()], [found()], 0.4) == 1


def test_agreement_needs_the_same_class() -> None:
    assert agreement([found((LEFT, 0.9, 1))], [found((LEFT, 0.9, 2))], 0.4) == 0


def test_likeness_falls_with_score_and_overlap() -> None:
    a = [found((LEFT, 0.8))]
    assert likeness(a, a) == pytest.approx(1)
    assert likeness(a, [found((LEFT, 0.4))]) == pytest.approx(0.8 / 1.2)
    assert likeness(a, [found(([0, 0, 10, 8], 0.8))]) == pytest.approx(0.8)
    assert likeness(a, [found()]) == 0


def test_identities_are_told_apart_within_a_sequence_only() -> None:
    rows = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32)
    who, where = np.array([1, 1, 2, 3]), np.array([0, 0, 0, 1])
    assert identities_apart(rows, who, where) == pytest.approx(1.0)
    assert np.isnan(identities_apart(rows, np.arange(4), where))
