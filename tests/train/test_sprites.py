"""Things to follow that never existed."""

import numpy as np
import pytest

from edgetrack.train.sprites import DIRECTIONS, SIDE, back, blob, noise, sprite, texture

PICTURES = [np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)]


@pytest.mark.parametrize("seed", range(8))
def test_an_outline_reaches_as_far_as_what_is_solid(seed: int) -> None:
    pixels, outline = sprite(np.random.default_rng(seed), PICTURES)
    ys, xs = np.nonzero(pixels[3] > 128)
    edges = (np.array([xs.min(), ys.min(), xs.max(), ys.max()]) + 0.5) / SIDE * 2 - 1
    assert outline.shape == (DIRECTIONS, 2)
    assert np.allclose([*outline.min(0), *outline.max(0)], edges, atol=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_no_shape_is_too_small_to_follow(seed: int) -> None:
    assert blob(np.random.default_rng(seed), SIDE).mean() > 0.02


@pytest.mark.parametrize("slope", [0.3, 1.0, 2.2])
def test_noise_and_textures_are_colours(slope: float) -> None:
    chance = np.random.default_rng(1)
    for made in (noise(chance, 32, slope), texture(chance, 32, PICTURES), back(chance, PICTURES)):
        assert made.shape[2] == 3
        assert 0 <= made.min() <= made.max() <= 1


def test_the_same_seed_draws_the_same() -> None:
    first, again = (sprite(np.random.default_rng(7), PICTURES)[0] for _ in range(2))
    assert np.array_equal(first, again)
