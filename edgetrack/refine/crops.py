"""Where a follower looks: squares round a box, and the box found in one of them back in the picture (Held et al. 2016).

The paper crops twice the box and bends it into a square. Here squares keep their shape, so that a thin target has room
at its sides, and the window that is searched is twice as wide as the template.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import Boxes
from edgetrack.image import Resizer, crop
from edgetrack.types import Image

TEMPLATE_PX, SEARCH_PX = 56, 112  # sides of the net's inputs
MARGIN = 1 / 4  # of the mean side, added to both sides of the box
FILL = 114  # beyond the picture's edge
LEAST_PX = 2.0  # sides of a box below which there is nothing to follow


def side(xyxy: Boxes) -> Boxes:
    """(N,) sides of the square template round boxes (N, 4): half as much again as a square box's own."""
    size = xyxy[:, 2:] - xyxy[:, :2]
    room = size.sum(axis=1, keepdims=True) * MARGIN
    return np.asarray(np.maximum(np.sqrt((size + room).prod(axis=1)), size.max(axis=1)))


def squares(xyxy: Boxes, zoom: float = 1.0) -> Boxes:
    """(N, 4) squares with the boxes' middles and `zoom` times the template's side, on whole pixels, at least two."""
    middle = (xyxy[:, :2] + xyxy[:, 2:]) / 2
    half = side(xyxy)[:, None] * zoom / 2
    low = np.floor(middle - half + 0.5)
    return np.concatenate([low, low + np.maximum(np.floor(2 * half + 0.5), 2)], axis=1)


def into(square: Boxes, xyxy: Boxes) -> Boxes:
    """Boxes in pixels of the picture -> fractions of their squares; both (N, 4)."""
    span = square[:, 2:] - square[:, :2]
    return (xyxy - np.tile(square[:, :2], 2)) / np.tile(span, 2)


def out_of(square: Boxes, fractions: Boxes) -> Boxes:
    """The inverse of `into`."""
    span = square[:, 2:] - square[:, :2]
    return fractions * np.tile(span, 2) + np.tile(square[:, :2], 2)


def cut(image: Image, square: Boxes, side_px: int, resizer: Resizer) -> NDArray[np.uint8]:
    """(3, side_px, side_px) BGR of a square (4,) of a picture, FILL beyond the picture's edge.

    Where the square is far larger than the picture, only the picture is resized: memory is bounded by it.
    """
    height, width = image.shape[:2]
    if square[2] - square[0] <= 2 * max(width, height):
        return np.stack(resizer.planes(crop(image, square, FILL), side_px, side_px))
    scale = side_px / (square[2] - square[0])
    left, top = (math.floor(-edge * scale + 0.5) for edge in square[:2])
    right, bottom = max(left + 1, round(left + width * scale)), max(top + 1, round(top + height * scale))
    canvas = np.full((3, side_px, side_px), FILL, np.uint8)
    small = np.stack(resizer.planes(image, right - left, bottom - top))
    x, y = max(left, 0), max(top, 0)
    part = small[:, y - top : side_px - top, x - left : side_px - left]
    canvas[:, y : y + part.shape[1], x : x + part.shape[2]] = part
    return canvas
