"""Pictures upright, unmirrored and without what must not be seen: the last thing that happens to them in capture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgetrack.config import CaptureOptions
from edgetrack.types import Image

Mask = tuple[
    slice, slice, NDArray[np.bool_]
]  # rows and columns of a polygon's bounds, and the pixels to black out there


class Orient:
    """Turns, mirrors and masks pictures; a camera that needs none of it gets its own array back.

    Masks are fractions of the picture as it leaves here, so they move with `rotate` and `mirror`.
    """

    def __init__(self, options: CaptureOptions) -> None:
        self._rotate = options.rotate
        self._mirror = options.mirror
        self._polygons = options.masks
        self._masks: dict[tuple[int, int], list[Mask]] = {}

    def __call__(self, image: Image, clockwise: int = 0) -> Image:
        """The picture as everything else sees it.

        Args:
            image: (H, W, 3) uint8, handed over: it may be written to, and returned.
            clockwise: further degrees, a multiple of 90, that the medium itself asks for (a phone held upright).

        Returns:
            (H, W, 3) or, turned by 90 or 270 degrees, (W, H, 3) uint8, contiguous.
        """
        image = turned(image, (self._rotate + clockwise) % 360)
        if self._mirror:
            image = image[:, ::-1]
        image = np.ascontiguousarray(image)
        if self._polygons:
            image = image if image.flags.writeable else image.copy()
            for rows, columns, hidden in self._masks_of(image):
                image[rows, columns][hidden] = 0
        return image

    def _masks_of(self, image: Image) -> list[Mask]:
        height, width = image.shape[:2]
        if (width, height) not in self._masks:  # a stream has one size, a folder of pictures may have many
            self._masks = {(width, height): [_bounded(filled(p, width, height)) for p in self._polygons]}
        return self._masks[width, height]


def turned(image: Image, clockwise: int) -> Image:
    """A view of the picture turned by 0, 90, 180 or 270 degrees."""
    return np.rot90(image, k=-clockwise // 90) if clockwise else image


def filled(polygon: Sequence[tuple[float, float]], width: int, height: int) -> NDArray[np.bool_]:
    """(H, W) pixels whose centre lies inside the polygon by the even-odd rule; corners are fractions of the picture.

    Every edge flips the pixels to its right on its rows; those flipped an odd number of times are inside.
    """
    x = np.arange(width) + 0.5
    y = np.arange(height)[:, None] + 0.5
    inside = np.zeros((height, width), dtype=np.bool_)
    corners = np.asarray(polygon, dtype=np.float64) * (width, height)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 != y1:
            crossed = (y0 <= y) != (y1 <= y)
            inside ^= crossed & (x > x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


def _bounded(mask: NDArray[np.bool_]) -> Mask:
    """The mask cut to its bounds: blacking out a corner need not touch the whole picture."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return slice(0), slice(0), mask[:0, :0]
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return *box, mask[box].copy()
