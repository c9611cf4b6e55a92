"""The descriptor without a model: unit rows that tell colours and their places apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from edgetrack.config import HistogramEmbed, RuntimeConfig
from edgetrack.detect import open_embedder
from edgetrack.detect.histogram import colours
from edgetrack.types import Detections

BOX = (20.0, 20.0, 60.0, 120.0)
RED, BLUE, GREEN, DARK, GREY = (40, 40, 180), (180, 60, 40), (50, 160, 50), (25, 25, 25), (150, 150, 150)
Colour = tuple[int, int, int]


def at(*boxes: tuple[float, float, float, float]) -> Detections:
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(xyxy, np.ones(len(xyxy), np.float32), np.zeros(len(xyxy), np.int32))


def person(shirt: Colour, trousers: Colour, light: float = 1.0, seed: int = 0) -> NDArray[np.uint8]:
    """A picture with a shirt over trousers in BOX, on a street of noise."""
    random = np.random.default_rng(seed)
    image = np.full((140, 80, 3), 110.0)
    image[20:70, 22:58] = shirt
    image[70:120, 25:55] = trousers
    return np.clip((image + random.normal(0, 8, image.shape)) * light, 0, 255).astype(np.uint8)


def row(image: NDArray[np.uint8], box: tuple[float, float, float, float] = BOX, **own: int) -> NDArray[np.float32]:
    embedding = open_embedder(HistogramEmbed(**own), RuntimeConfig()).embed(image, at(box)).embedding
    assert embedding is not None
    return embedding[0]


@pytest.mark.parametrize("stripes", [1, 6, 16])
@pytest.mark.parametrize("bins", [2, 8, 16])
@pytest.mark.parametrize("n", [0, 1, 7])
def test_every_box_gets_a_unit_row_of_the_size_set(stripes: int, bins: int, n: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    boxes = at(*((5.0 * i, 3.0 * i, 5.0 * i + 20, 3.0 * i + 40) for i in range(n)))
    embedded = open_embedder(HistogramEmbed(stripes=stripes, bins=bins), RuntimeConfig()).embed(image, boxes)
    assert embedded.embedding is not None
    assert embedded.embedding.dtype == np.float32
    assert embedded.embedding.shape == (n, stripes * 3 * bins)
    assert_allclose(np.linalg.norm(embedded.embedding, axis=1), 1, rtol=1e-5)


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.floats(-200, 300, width=32)] * 4), st.integers(1, 40), st.integers(1, 40))
def test_any_box_of_any_picture_gets_a_unit_row(
    box: tuple[float, float, float, float], width: int, height: int
) -> None:
    assert_allclose(np.linalg.norm(row(np.full((height, width, 3), 77, np.uint8), box)), 1, rtol=1e-5)


def test_rows_do_not_depend_on_the_other_boxes() -> None:
    image = person(RED, DARK)
    embedder = open_embedder(HistogramEmbed(), RuntimeConfig())
    several = embedder.embed(image, at((0, 0, 30, 30), BOX, (50, 50, 80, 90))).embedding
    assert several is not None
    assert_array_equal(several[1], row(image))


def test_only_what_is_wanted_is_embedded_and_the_rest_is_zeros() -> None:
    image, boxes = person(RED, DARK), at((0, 0, 30, 30), BOX, (50, 50, 80, 90))
    embedding = open_embedder(HistogramEmbed(), RuntimeConfig()).embed(image, boxes, np.arange(3) == 1).embedding
    assert embedding is not None
    assert_array_equal(embedding[1], row(image))
    assert not embedding[::2].any()


@pytest.mark.parametrize("light", [0.7, 0.85, 1.2])
def test_a_person_in_another_light_is_nearer_than_other_clothes(light: float) -> None:
    known = row(person(RED, DARK))
    again = row(person(RED, DARK, light, seed=1))
    for shirt, trousers in ((BLUE, DARK), (RED, GREY), (GREEN, BLUE), (DARK, RED)):
        assert known @ again > known @ row(person(shirt, trousers, seed=2)) + 0.05


def test_the_same_colours_in_other_places_are_another_person() -> None:
    assert row(person(RED, DARK)) @ row(person(DARK, RED)) < 0.8


def test_a_box_that_moved_by_a_tenth_is_still_the_same() -> None:
    image = person(RED, DARK)
    assert row(image) @ row(image, (24, 26, 64, 126)) > 0.85


def test_a_twice_larger_picture_of_the_same_is_the_same() -> None:
    image = person(RED, DARK)
    large = image.repeat(2, axis=0).repeat(2, axis=1)
    assert row(image) @ row(large, (40, 40, 120, 240)) > 0.97


def test_colours_are_brightness_and_the_shares_of_red_and_blue() -> None:
    grey, red, blue, black = colours(np.array([(150, 150, 150), (0, 0, 255), (255, 0, 0), (0, 0, 0)], np.uint8))
    assert_allclose(grey, [150 / 255, 0.375, 0.375], atol=1e-6)
    assert_allclose(red, [1 / 3, 1, 0], atol=1e-6)
    assert_allclose(blue, [1 / 3, 0, 1], atol=1e-6)
    assert_allclose(black, [0, 0, 0], atol=1e-6)
