"""Where a follower looks: squares round a box, and the box found in one of them back in the picture (Held et al. 2016).

The paper crops twice the box and bends it into a square. Here squares keep their shape, so that a thin target has room
at its sides, and the window that is searched is twice as wide as the template.
"""

from __future__ import annotations

import numpy as np

from edgetrack.boxes import Boxes

TEMPLATE_PX, SEARCH_PX = 56, 112  # sides of the net's inputs
MARGIN = 1 / 4  # of the mean side, added to both sides of the box
FILL = 114  # beyond the picture's edge
LEAST_PX = 2.0  # sides of a box below which there is nothing to follow


def side(xyxy: Boxes) -> Boxes:
    """(N,) sides of the square template round boxes (N, 4): half as much again as a square box's own."""
    size = xyxy[:, 2:] - xyxy[:, :2]
    room = size.sum(axis=1, keepdims=True) * MARGIN
    return np.maximum(np.sqrt((size + room).prod(axis=1)), size.max(axis=1))


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
