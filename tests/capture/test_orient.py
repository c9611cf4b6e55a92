"""Rotation, mirroring and privacy masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgetrack.capture.orient import Orient, filled, turned
from edgetrack.config import FileCapture
from edgetrack.types import Image

WHITE: Image = np.full((20, 40, 3), 255, np.uint8)
LEFT_HALF = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]
STAR = [(0.5, 0.0), (0.8, 1.0), (0.0, 0.4), (1.0, 0.4), (0.2, 1.0)]


def corners(image: Image) -> list[int]:
    """Values at top left, top right, bottom right, bottom left."""
    return [int(image[y, x, 0]) for y, x in ((0, 0), (0, -1), (-1, -1), (-1, 0))]


def numbered() -> Image:
    """A wide picture whose corners are 1, 2, 3, 4, clockwise from the top left."""
    image = np.zeros((4, 6, 3), np.uint8)
    for value, (y, x) in enumerate(((0, 0), (0, -1), (-1, -1), (-1, 0)), start=1):
        image[y, x] = value
    return image


def oriented(image: Image, **options: object) -> Image:
    return Orient(FileCapture(path="x", **options))(image)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rotate", "expected"), [(0, [1, 2, 3, 4]), (90, [4, 1, 2, 3]), (180, [3, 4, 1, 2]), (270, [2, 3, 4, 1])]
)
def test_rotation_is_clockwise(rotate: int, expected: list[int]) -> None:
    assert corners(oriented(numbered(), rotate=rotate)) == expected


def test_a_quarter_turn_swaps_width_and_height() -> None:
    assert oriented(numbered(), rotate=90).shape == (6, 4, 3)


def test_mirroring_comes_after_rotation() -> None:
    assert corners(oriented(numbered(), rotate=90, mirror=True)) == [1, 4, 3, 2]


def test_what_the_medium_asks_for_adds_to_what_the_operator_asks_for() -> None:
    assert corners(Orient(FileCapture(path="x", rotate=270))(numbered(), clockwise=90)) == [1, 2, 3, 4]


def test_the_three_bytes_of_a_pixel_stay_together() -> None:
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    assert np.array_equal(turned(image, 90), np.rot90(image, k=-1))


@pytest.mark.parametrize("options", [{}, {"rotate": 90}, {"mirror": True}, {"masks": [LEFT_HALF]}])
def test_the_picture_is_contiguous_bytes(options: dict[str, object]) -> None:
    image = oriented(WHITE[:, ::2].copy()[:, ::2], **options)
    assert image.flags.c_contiguous
    assert image.dtype == np.uint8


def test_a_camera_that_stands_upright_costs_no_copy() -> None:
    image = WHITE.copy()
    assert oriented(image) is image


def test_a_mask_blacks_out_its_polygon_and_nothing_else() -> None:
    image = oriented(WHITE.copy(), masks=[LEFT_HALF])
    assert not image[:, :20].any()
    assert (image[:, 20:] == 255).all()


def test_a_mask_over_the_whole_picture_leaves_no_pixel() -> None:
    assert not oriented(WHITE.copy(), masks=[[(0, 0), (1, 0), (1, 1), (0, 1)]]).any()


def test_masks_are_places_in_the_picture_that_others_see() -> None:
    """Turned by 90 degrees the left half of the result is masked, wherever that was before."""
    image = oriented(WHITE.copy(), rotate=90, masks=[LEFT_HALF])
    assert image.shape == (40, 20, 3)
    assert not image[:, :10].any()
    assert image[:, 10:].all()


def test_masks_follow_a_change_of_size() -> None:
    orient = Orient(FileCapture(path="x", masks=[LEFT_HALF]))
    orient(WHITE.copy())
    image = orient(np.full((100, 10, 3), 255, np.uint8))
    assert not image[:, :5].any()
    assert image[:, 5:].all()


def test_a_picture_that_may_not_be_written_to_is_masked_in_a_copy() -> None:
    image = WHITE.copy()
    image.flags.writeable = False
    assert not oriented(image, masks=[LEFT_HALF])[:, :20].any()
    assert image.all()


def test_masks_may_overlap() -> None:
    """The even-odd rule is for one polygon; two masks never reveal what either hides."""
    assert not oriented(WHITE.copy(), masks=[LEFT_HALF, LEFT_HALF])[:, :20].any()


def crossings(polygon: list[tuple[float, float]], px: float, py: float) -> int:
    """How many edges a ray from the point to the left cuts: the even-odd rule as the textbook has it."""
    count = 0
    for (x0, y0), (x1, y1) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        count += (y0 <= py) != (y1 <= py) and px > x0 + (py - y0) / (y1 - y0) * (x1 - x0)
    return count


def slow(polygon: list[tuple[float, float]], width: int, height: int) -> NDArray[np.bool_]:
    scaled = [(x * width, y * height) for x, y in polygon]
    rows = [[crossings(scaled, x + 0.5, y + 0.5) % 2 == 1 for x in range(width)] for y in range(height)]
    return np.array(rows, dtype=np.bool_)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=8))
def test_polygons_fill_as_a_ray_cast_from_each_pixel_says(polygon: list[tuple[float, float]]) -> None:
    assert np.array_equal(filled(polygon, 17, 11), slow(polygon, 17, 11))


def test_a_polygon_that_cuts_itself_is_hollow_by_the_even_odd_rule() -> None:
    star = filled(STAR, 100, 100)
    assert not star[50, 50]
    assert star[45, 20]
