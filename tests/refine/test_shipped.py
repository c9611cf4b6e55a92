"""The follower that travels with edgetrack."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgetrack.boxes import iou_pairs
from edgetrack.config import RuntimeConfig
from edgetrack.refine import Goturn
from edgetrack.types import Image

MODELS = Path(__file__).parents[2] / "models"
NAMES = ["edgetrack-goturn.onnx", "edgetrack-goturn-int8.onnx"]
SIDE = 48


def film(frames: int = 40) -> list[tuple[Image, NDArray[np.float64]]]:
    """A coarse random pattern that walks over another one, and beside it something of its mean colour."""
    chance = np.random.default_rng(3)

    def pattern(width: int, height: int, cell: int) -> Image:
        small = chance.integers(0, 256, (height // cell + 1, width // cell + 1, 3), dtype=np.uint8)
        return small.repeat(cell, 0).repeat(cell, 1)[:height, :width]

    street, target = pattern(320, 240, 16) // 2 + 64, pattern(SIDE, SIDE, 8)
    pictures = []
    for k in range(frames):
        x, y, picture = 40 + 5 * k, 90 + round(30 * np.sin(k / 6)), street.copy()
        picture[20 : 20 + SIDE, 150 : 150 + SIDE] = target.mean((0, 1))
        picture[y : y + SIDE, x : x + SIDE] = target
        pictures.append((picture, np.array([x, y, x + SIDE, y + SIDE], np.float64)))
    return pictures


@pytest.mark.parametrize("name", NAMES)
def test_a_walking_pattern_is_followed_and_the_net_is_sure_of_it(name: str):
    (first, start), *rest = film()
    goturn = Goturn(str(MODELS / name), RuntimeConfig(threads=1))
    goturn.start(first, start)
    found = [goturn.follow(image) for image, _ in rest]
    overlap = iou_pairs(np.stack([xyxy for xyxy, _ in found]), np.stack([truth for _, truth in rest]))
    assert overlap.min() > 0.5
    assert np.mean([confidence for _, confidence in found]) > 0.6


@pytest.mark.parametrize("name", NAMES)
def test_confidence_falls_when_the_target_is_gone(name: str):
    (first, start), *_ = film()
    goturn = Goturn(str(MODELS / name), RuntimeConfig(threads=1))
    goturn.start(first, start)
    for _ in range(3):
        _, confidence = goturn.follow(np.full_like(first, 120))
    assert confidence < 0.3


def test_the_card_is_there():
    assert (MODELS / "edgetrack-goturn.md").is_file()
