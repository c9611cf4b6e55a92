"""Every decoder against the slow one, and which form is read from which shapes."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from edgetrack.detect.forms import recognise
from edgetrack.detect.heads import Head
from tests.detect import slow_heads as slow

Array = NDArray[np.float32]
SIZES = [(64, 64), (160, 96), (96, 160), (416, 416)]
SIZE_IDS = [f"{w}x{h}" for w, h in SIZES]


def count(size: tuple[int, int], strides: Sequence[int] = (8, 16, 32)) -> int:
    return len(list(slow.cells(*size, strides)))


def uniform(seed: int, *shape: int) -> Array:
    """Scores in 0 to 1, skewed to the low ones as in life."""
    return np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32) ** 3


def normal(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def floors(classes: int) -> Array:
    """Different for each class, and some classes unwanted."""
    floor = np.linspace(0.3, 0.8, classes, dtype=np.float32)
    floor[1::3] = np.inf
    return floor


def head_for(size: tuple[int, int], outputs: Sequence[Array], name: str = "auto", classes: int | None = None) -> Head:
    head = recognise(size, [output.shape for output in outputs], name, classes)
    assert head is not None
    return head


def assert_same(head: Head, outputs: Sequence[Array], rows: Sequence[slow.Row], classes: int) -> None:
    for floor in (floors(classes), np.full(classes, 0.25, np.float32), np.full(classes, 2, np.float32)):
        wanted = slow.above(rows, floor.tolist())
        xyxy, score, class_id = head.decode(outputs, floor)
        assert len(xyxy) == len(score) == len(class_id) == len(wanted)
        found = sorted(zip(class_id.tolist(), score.tolist(), xyxy.tolist(), strict=True))
        expected = sorted((row[5], row[4], list(row[:4])) for row in wanted)
        assert [row[0] for row in found] == [row[0] for row in expected]
        assert_allclose([row[1] for row in found], [row[1] for row in expected], rtol=1e-5)
        assert_allclose([row[2] for row in found], [row[2] for row in expected], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("size", SIZES, ids=SIZE_IDS)
def test_yolox_is_decoded_as_the_loop_does(size: tuple[int, int]) -> None:
    n = count(size)
    output = np.concatenate([normal(0, 1, n, 4), uniform(1, 1, n, 8) ** 0.2], axis=2)
    head = head_for(size, [output])
    assert (head.name, head.classes) == ("yolox", 7)
    assert_same(head, [output], slow.yolox(output, *size), 7)


@pytest.mark.parametrize("size", SIZES, ids=SIZE_IDS)
def test_yolov5_is_decoded_as_the_loop_does(size: tuple[int, int]) -> None:
    n = 3 * count(size)
    output = np.concatenate([50 + 20 * normal(0, 1, n, 4), uniform(1, 1, n, 8) ** 0.2], axis=2)
    head = head_for(size, [output])
    assert (head.name, head.classes) == ("yolov5", 7)
    assert_same(head, [output], slow.yolov5(output), 7)


@pytest.mark.parametrize("size", SIZES, ids=SIZE_IDS)
def test_yolov8_is_decoded_as_the_loop_does(size: tuple[int, int]) -> None:
    n = count(size)
    output = np.concatenate([50 + 20 * normal(0, 1, 4, n), uniform(1, 1, 7, n)], axis=1)
    head = head_for(size, [output])
    assert (head.name, head.classes) == ("yolov8", 7)
    assert_same(head, [output], slow.yolov8(output), 7)


def test_end_to_end_is_decoded_as_the_loop_does() -> None:
    corner = np.abs(50 * normal(0, 1, 300, 2))
    box = np.concatenate([corner, corner + 30], axis=2)
    output = np.concatenate([box, uniform(1, 1, 300, 1), np.arange(300, dtype=np.float32)[None, :, None] % 7], axis=2)
    head = head_for((640, 640), [output])
    assert (head.name, head.classes, head.nms) == ("end2end", None, False)
    assert_same(head, [output], slow.end2end(output), 7)


def test_end_to_end_drops_classes_that_have_no_name() -> None:
    output = np.array([[[0, 0, 9, 9, 0.9, 3], [0, 0, 9, 9, 0.8, -1], [0, 0, 9, 9, 0.7, 1]]], np.float32)
    _, _, class_id = head_for((640, 640), [output]).decode([output], np.full(3, 0.5, np.float32))
    assert class_id.tolist() == [1]


@pytest.mark.parametrize("order", ["scores first", "by stride", "sides first"])
@pytest.mark.parametrize("strides", [(8, 16, 32), (8, 16, 32, 64)])
@pytest.mark.parametrize("size", SIZES, ids=SIZE_IDS)
def test_picodet_is_decoded_as_the_loop_does(size: tuple[int, int], strides: tuple[int, ...], order: str) -> None:
    scores = [uniform(stride, 1, count(size, [stride]), 7) for stride in strides]
    sides = [3 * normal(stride, 1, count(size, [stride]), 32) for stride in strides]
    outputs = {
        "scores first": scores + sides,
        "by stride": [output for pair in zip(scores, sides, strict=True) for output in pair],
        "sides first": sides + scores,
    }[order]
    head = head_for(size, outputs)
    assert (head.name, head.classes) == ("picodet", 7)
    rows = slow.distances(np.concatenate(scores, 1)[0], np.concatenate(sides, 1)[0], *size, strides, middle=0.5)
    assert_same(head, outputs, rows, 7)


@pytest.mark.parametrize(("strides", "middle"), [((8, 16, 32), 0.5), ((8, 16, 32, 64), 0.0)])
@pytest.mark.parametrize("size", SIZES, ids=SIZE_IDS)
def test_nanodet_is_decoded_as_the_loop_does(size: tuple[int, int], strides: tuple[int, ...], middle: float) -> None:
    n = count(size, strides)
    output = np.concatenate([uniform(0, 1, n, 80), 3 * normal(1, 1, n, 32)], axis=2)
    head = head_for(size, [output])
    assert (head.name, head.classes) == ("nanodet", 80)
    assert_same(head, [output], slow.distances(output[0, :, :80], output[0, :, 80:], *size, strides, middle), 80)


COUNT = count((416, 416))


@pytest.mark.parametrize(
    ("shapes", "classes", "expected"),
    [
        ([(1, COUNT, 85)], None, ("yolox", 80)),
        ([(1, COUNT, 6)], None, ("yolox", 1)),
        ([(1, 3 * COUNT, 85)], None, ("yolov5", 80)),
        ([(1, 3 * COUNT, 6)], None, ("yolov5", 1)),
        ([(1, 84, COUNT)], None, ("yolov8", 80)),
        ([(1, 5, COUNT)], None, ("yolov8", 1)),
        ([(1, 84, 500)], None, ("yolov8", 80)),  # cells of its own making
        ([(1, 300, 6)], None, ("end2end", None)),
        ([(1, COUNT, 112)], None, ("nanodet", 80)),
        ([(1, COUNT, 112)], 107, ("yolox", 107)),
        ([(1, COUNT, 40)], 8, ("nanodet", 8)),
        ([(1, COUNT, 40)], 35, ("yolox", 35)),
        ([(1, COUNT + 49, 112)], None, ("nanodet", 80)),
    ],
)
def test_the_form_is_read_from_the_shapes(
    shapes: list[tuple[int, ...]], classes: int | None, expected: tuple[str, int | None]
) -> None:
    head = recognise((416, 416), shapes, classes=classes)
    assert head is not None
    assert (head.name, head.classes) == expected


@pytest.mark.parametrize(
    "shapes",
    [
        [],
        [(1, 1000)],
        [(1, 3, 416, 416)],
        [(4, COUNT, 85)],
        [(1, COUNT + 1, 85)],
        [(1, 116, COUNT), (1, 32, 104, 104)],  # segmentation
        [(1, 13, 13, 255), (1, 26, 26, 255), (1, 52, 52, 255)],  # raw YOLOv3 maps
        [(1, 2704, 80), (1, 676, 80), (1, 169, 80), (1, 49, 80)],  # scores alone
    ],
    ids=str,
)
def test_other_shapes_are_not_recognised(shapes: list[tuple[int, ...]]) -> None:
    assert recognise((416, 416), shapes) is None


@pytest.mark.parametrize("name", ["yolox", "yolov5", "yolov8", "end2end", "picodet", "nanodet"])
def test_a_name_that_does_not_fit_is_not_forced(name: str) -> None:
    assert recognise((416, 416), [(1, 3, 416, 416)], name) is None


def test_a_decoded_yolox_can_be_named_yolov5() -> None:
    head = recognise((416, 416), [(1, COUNT, 85)], "yolov5")
    assert head is not None
    assert (head.name, head.classes) == ("yolov5", 80)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite_come_along(value: float) -> None:
    """The detector drops them and tells; a decoder that hid them would hide a broken model."""
    output = np.zeros((1, 6, COUNT), np.float32)
    output[0, 4, 7] = value
    xyxy, score, _ = head_for((416, 416), [output]).decode([output], np.array([0.5, np.inf], np.float32))
    assert len(xyxy) == 1
    assert not np.isfinite(score[0])
