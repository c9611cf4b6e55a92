"""Resizing against filters computed from their definition, letterboxes and their inverse, crops, inputs of models."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from edgetrack.image import Blob, Fit, Fitting, PixelFormat, Resizer, crop, resize

Floats = NDArray[np.float64]
SIDE = st.integers(1, 4000)
RAW = PixelFormat("bgr", 1, (0, 0, 0), (1, 1, 1))


def noise(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """Blurred in both directions, so that it has edges and slopes as pictures do."""
    values = np.random.default_rng(seed).uniform(0, 255, (height + 2, width + 2, 3))
    values = (values[:-2] + values[1:-1] + values[2:]) / 3
    values = (values[:, :-2] + values[:, 1:-1] + values[:, 2:]) / 3
    return np.rint(np.clip((values - 128) * 2.5 + 128, 0, 255)).astype(np.uint8)


def mean_of_the_covered(n: int, m: int) -> Floats:
    """(m, n) weights: output pixel i covers the inputs from i * n / m to (i + 1) * n / m."""
    weights = np.zeros((m, n))
    for i in range(m):
        for j in range(n):
            weights[i, j] = max(0.0, min((i + 1) * n / m, j + 1) - max(i * n / m, j))
    return weights / weights.sum(axis=1, keepdims=True)


def triangle(n: int, m: int) -> Floats:
    """(m, n) weights: linear between pixel centres, wider where it shrinks, edges repeated."""
    weights, step = np.zeros((m, n)), n / m
    reach = max(1.0, step)
    for i in range(m):
        centre = (i + 0.5) * step - 0.5
        for j in range(int(centre - reach) - 2, int(centre + reach) + 3):
            weights[i, min(max(j, 0), n - 1)] += max(0.0, 1 - abs(j - centre) / reach)
    return weights / weights.sum(axis=1, keepdims=True)


def filtered(image: NDArray[np.uint8], down: Floats, across: Floats) -> Floats:
    return np.einsum("ij,jkc,lk->ilc", down, image.astype(np.float64), across, optimize=True)


@pytest.mark.parametrize(
    ("source", "target"),
    [((640, 360), (416, 234)), ((333, 251), (97, 64)), ((65, 33), (64, 32)), ((64, 64), (16, 16)), ((641, 7), (5, 3))],
)
def test_shrinking_takes_the_mean_of_the_pixels_covered_to_two_levels(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    image = noise(*source)
    exact = filtered(image, mean_of_the_covered(source[1], target[1]), mean_of_the_covered(source[0], target[0]))
    assert np.abs(resize(image, *target) - exact).max() <= 2


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((20, 40), (128, 256)),
        ((7, 1), (64, 64)),
        ((100, 300), (128, 256)),
        ((300, 30), (128, 64)),
        ((9, 9), (416, 416)),
    ],
)
def test_enlarging_is_linear_between_pixel_centres_to_two_levels(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    image = noise(*source)
    exact = filtered(image, triangle(source[1], target[1]), triangle(source[0], target[0]))
    assert np.abs(resize(image, *target) - exact).max() <= 2


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (1, 2, 3), (255, 255, 255)])
def test_a_plain_colour_stays_what_it_is(colour: tuple[int, int, int]) -> None:
    image = np.full((90, 161, 3), colour, np.uint8)
    for size in ((64, 48), (416, 416), (1, 1), (3, 200)):
        assert_array_equal(resize(image, *size), np.broadcast_to(np.array(colour, np.uint8), (*size[::-1], 3)))


def test_one_pixel_fills_any_size() -> None:
    assert_array_equal(resize(np.full((1, 1, 3), 77, np.uint8), 33, 17), np.full((17, 33, 3), 77, np.uint8))


def test_the_same_size_is_the_same_picture() -> None:
    image = noise(31, 17)
    assert resize(image, 31, 17) is image


def test_an_edge_between_halves_stays_in_the_middle() -> None:
    """A shift by half a pixel, the usual mistake, would mix the halves."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 200
    for size in (32, 16, 8):
        assert_array_equal(resize(image, size, size)[..., 0], np.repeat([[0, 200]], size // 2, axis=1).repeat(size, 0))


@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[10:70, 20:83],
        lambda image: image[::-1],
        lambda image: image[:, ::-1],
        lambda image: image.transpose(1, 0, 2),
        lambda image: image[::2, ::3],
        lambda image: image[..., ::-1],
    ],
    ids=["crop", "upside down", "mirrored", "turned", "every other", "rgb"],
)
def test_a_view_is_resized_like_its_copy(view: object) -> None:
    image = noise(160, 96)
    image.setflags(write=False)
    part = view(image)  # type: ignore[operator]
    assert_array_equal(resize(part, 32, 24), resize(part.copy(), 32, 24))


def test_a_resizer_serves_sizes_that_change() -> None:
    resizer, pictures = Resizer(), [noise(w, h) for w, h in ((64, 48), (33, 80), (64, 48), (500, 3))]
    for image in pictures:
        assert_array_equal(resizer(image, 40, 20), resize(image, 40, 20))


GUARDED = """
import ctypes, mmap, sys
import numpy as np
from edgetrack.image import resize
for height, width in ((1, 1), (2, 5), (9, 8), (3, 33), (64, 64), (64, 65), (31, 127), (9, 48), (100, 96), (240, 321)):
    length = height * width * 3
    pages = -(-length // mmap.PAGESIZE) + 1
    memory = mmap.mmap(-1, pages * mmap.PAGESIZE)
    array = np.frombuffer(memory, np.uint8)
    end = (pages - 1) * mmap.PAGESIZE
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(array.ctypes.data + end), mmap.PAGESIZE, 0) == 0
    picture = array[end - length : end].reshape(height, width, 3)
    for size in ((128, 256), (8, 8), (33, 17), (416, 416)):
        assert not resize(picture, *size).any()
print("whole")
"""


def test_resizing_never_reads_beyond_the_picture() -> None:
    """swscale does, up to 49 bytes: a picture at the end of mapped memory would be a crash."""
    ran = subprocess.run([sys.executable, "-c", GUARDED], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (0, "whole\n"), ran.stderr


FITTINGS = st.sampled_from(["centre", "top_left", "stretch"])


@settings(deadline=None)
@given(SIDE, SIDE, SIDE, SIDE, FITTINGS, st.data())
def test_boxes_come_back_from_the_input_of_a_model(
    width: int, height: int, target_width: int, target_height: int, fitting: Fitting, data: st.DataObject
) -> None:
    fit = Fit.of((width, height), (target_width, target_height), fitting)
    x, y = (st.floats(-0.5, 1.5).map(lambda f, side=side: f * side) for side in (width, height))  # type: ignore[misc]
    xyxy = np.array([[data.draw(x), data.draw(y), data.draw(x), data.draw(y)]])
    assert_allclose(fit.to_picture(fit.to_input(xyxy)), xyxy, rtol=1e-9, atol=1e-6)


@settings(deadline=None)
@given(SIDE, SIDE, SIDE, SIDE, FITTINGS)
def test_the_whole_picture_lies_inside_the_input(
    width: int, height: int, target_width: int, target_height: int, fitting: Fitting
) -> None:
    fit = Fit.of((width, height), (target_width, target_height), fitting)
    left, top, right, bottom = fit.to_input(np.array([[0.0, 0.0, width, height]]))[0]
    assert_allclose([left, top, right - left, bottom - top], [fit.left, fit.top, *fit.inner], rtol=1e-9, atol=1e-6)
    assert left >= 0
    assert top >= 0
    assert right <= target_width + 1e-6
    assert bottom <= target_height + 1e-6


@pytest.mark.parametrize(
    ("source", "target", "fitting", "expected"),
    [
        ((1920, 1080), (416, 416), "top_left", (416, 234, 0, 0)),
        ((1920, 1080), (640, 640), "centre", (640, 360, 0, 140)),
        ((810, 1080), (640, 640), "centre", (480, 640, 80, 0)),
        ((1000, 7), (320, 320), "centre", (320, 2, 0, 159)),
        ((5000, 1), (320, 320), "centre", (320, 1, 0, 159)),
        ((10, 20), (640, 320), "centre", (160, 320, 240, 0)),
        ((1920, 1080), (416, 416), "stretch", (416, 416, 0, 0)),
    ],
)
def test_a_letterbox_is_where_it_should_be(
    source: tuple[int, int], target: tuple[int, int], fitting: Fitting, expected: tuple[int, int, int, int]
) -> None:
    fit = Fit.of(source, target, fitting)
    assert (*fit.inner, fit.left, fit.top) == expected


def test_a_drawn_box_lands_where_the_fit_says() -> None:
    """Through the real resize: the square's edges in the input, mapped back, are the square."""
    image = np.zeros((300, 500, 3), np.uint8)
    image[80:200, 100:260] = 255
    fit = Fit.of((500, 300), (416, 416), "centre")
    blob = Blob(1, (416, 416), RAW, fill=0)
    blob.put(0, image, fit)
    rows, columns = (np.flatnonzero(blob.array[0, 0].max(axis=axis) > 127) for axis in (1, 0))
    found = np.array([[columns[0], rows[0], columns[-1] + 1.0, rows[-1] + 1.0]])
    assert_allclose(fit.to_picture(found), [[100, 80, 260, 200]], atol=0.5 * 500 / 416)


def test_a_crop_inside_is_a_view() -> None:
    image = noise(20, 10)
    part = crop(image, (2.4, 1.6, 7.5, 9))
    assert_array_equal(part, image[2:9, 2:8])
    assert part.base is image


@pytest.mark.parametrize("box", [(-5, -3, 4, 4), (15, 5, 30, 12), (-3, -3, 25, 15), (50, 50, 60, 60), (-9, 2, -1, 4)])
def test_a_crop_beyond_the_edges_is_filled(box: tuple[int, int, int, int]) -> None:
    image = noise(20, 10) | 1  # no zeros
    padded = np.zeros((100, 100, 3), np.uint8)
    padded[20:30, 20:40] = image
    left, top, right, bottom = (side + 20 for side in box)
    assert_array_equal(crop(image, box), padded[top:bottom, left:right])


def test_a_crop_has_at_least_one_pixel() -> None:
    assert crop(noise(20, 10), (5.2, 5.2, 5.3, 5.3)).shape == (1, 1, 3)


IMAGENET = PixelFormat("rgb", 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("pixels", [RAW, IMAGENET, PixelFormat("rgb", 1 / 255, (0, 0, 0), (1, 1, 1))])
def test_a_blob_is_what_the_formula_gives(pixels: PixelFormat, dtype: type[np.floating], channels_last: bool) -> None:
    image = noise(32, 24)
    blob = Blob(2, (32, 32), pixels, dtype, channels_last, fill=114)
    blob.put(1, image, Fit.of((32, 24), (32, 32), "centre"))
    whole = np.full((32, 32, 3), 114.0)
    whole[4:28] = image if pixels.colour == "bgr" else image[..., ::-1]
    wanted = (whole * pixels.scale - pixels.mean) / pixels.std
    got = blob.array[1] if channels_last else blob.array[1].transpose(1, 2, 0)
    assert got.dtype == dtype
    assert_allclose(got, wanted, rtol=1e-3 if dtype == np.float16 else 1e-5, atol=2e-3 if dtype == np.float16 else 2e-6)


def test_a_blob_of_bytes_holds_the_bytes() -> None:
    image = noise(16, 16)
    blob = Blob(1, (16, 16), RAW, np.uint8, channels_last=True)
    blob.put(0, image, Fit.of((16, 16), (16, 16), "stretch"))
    assert_array_equal(blob.array[0], image)


def test_a_picture_of_another_shape_leaves_nothing_of_the_last_one() -> None:
    blob = Blob(1, (32, 32), RAW, fill=114)
    for width, height in ((32, 16), (16, 32), (32, 16)):
        blob.put(0, np.full((height, width, 3), 255, np.uint8), Fit.of((width, height), (32, 32), "centre"))
        assert np.count_nonzero(blob.array[0, 0] == 255) == 512
        assert np.count_nonzero(blob.array[0, 0] == 114) == 512
