"""Layouts of boxes, overlap and suppression, against loops written from the definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from edgetrack import boxes

FLOATS = st.floats(-1000, 1000, width=32)
SIDES = st.floats(0.5, 500, width=32)


def some_boxes(n: int, seed: int = 0, spread: float = 100) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    corner = random.uniform(0, spread, (n, 2))
    return np.concatenate([corner, corner + random.uniform(5, 50, (n, 2))], axis=1)


def slow_iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 0 else 0.0


def slow_nms(
    xyxy: NDArray[np.float64], score: NDArray[np.float64], max_iou: float, class_id: NDArray[np.int64]
) -> list[int]:
    left = sorted(range(len(xyxy)), key=lambda i: (-score[i], i))
    kept = []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [i for i in left if class_id[i] != class_id[best] or slow_iou(xyxy[i], xyxy[best]) <= max_iou]
    return kept


@given(FLOATS, FLOATS, SIDES, SIDES)
def test_every_layout_comes_back(x: float, y: float, width: float, height: float) -> None:
    tlwh = np.array([[x, y, width, height]])
    xyxy = boxes.tlwh_to_xyxy(tlwh)
    assert_allclose(boxes.xyxy_to_tlwh(xyxy), tlwh, atol=1e-9)
    assert_allclose(boxes.cxcyah_to_xyxy(boxes.xyxy_to_cxcyah(xyxy)), xyxy, rtol=1e-9, atol=1e-9)
    assert_allclose(boxes.cxcywh_to_xyxy(np.array([[x + width / 2, y + height / 2, width, height]])), xyxy, atol=1e-9)


def test_iou_is_that_of_the_definition() -> None:
    a, b = some_boxes(20), some_boxes(30, seed=1)
    assert_allclose(boxes.iou(a, b), [[slow_iou(p, q) for q in b] for p in a], atol=1e-12)


def test_iou_of_two_empty_boxes_is_zero() -> None:
    nothing = np.array([[5.0, 5.0, 5.0, 5.0]])
    assert boxes.iou(nothing, nothing) == [[0.0]]


def test_iou_in_pairs_is_the_diagonal_of_the_matrix() -> None:
    a, b = some_boxes(50), some_boxes(50, seed=1)
    assert_allclose(boxes.iou_pairs(a, b), np.diag(boxes.iou(a, b)))


def test_a_box_outside_the_picture_is_clipped_to_nothing() -> None:
    clipped = boxes.clip(np.array([[-50.0, -50.0, -10.0, -10.0], [90.0, 10.0, 150.0, 60.0]]), 100, 80)
    assert_array_equal(boxes.area(clipped), [0, 500])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("max_iou", [0.0, 0.3, 0.7, 1.0])
def test_nms_keeps_what_the_greedy_loop_keeps(seed: int, max_iou: float) -> None:
    random = np.random.default_rng(seed)
    xyxy, score, class_id = some_boxes(120, seed), random.uniform(size=120).round(2), random.integers(0, 3, 120)
    kept = boxes.nms(xyxy, score, max_iou, class_id)
    assert kept.tolist() == slow_nms(xyxy, score, max_iou, class_id)


def test_nms_without_classes_suppresses_across_all() -> None:
    xyxy = np.array([[0.0, 0, 10, 10], [0, 0, 10, 10]])
    assert boxes.nms(xyxy, np.array([0.5, 0.9]), 0.5).tolist() == [1]
    assert boxes.nms(xyxy, np.array([0.5, 0.9]), 0.5, np.array([0, 1])).tolist() == [1, 0]


def test_nms_of_nothing_is_nothing() -> None:
    assert boxes.nms(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.5, np.empty(0, np.int64)).shape == (0,)
