"""Pictures upright, unmirrored and without what must not be seen: the last thing that happens to them in capture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgetrack.config import CaptureOptions
from edgetrack.types import Image, Picture, image_of

PIXEL = np.dtype("V3")  # moved as one thing, a picture turns three times as fast as byte by byte


class Orient:
    """Turns, mirrors and masks pictures; a camera that needs none of it gets its own picture back, planes or BGR.

    Masks are fractions of the picture as it leaves here: they stay where they are when `rotate` or `mirror` changes.
    """

    def __init__(self, options: CaptureOptions) -> None:
        self._rotate = options.rotate
        self._mirror = options.mirror
        self._masks = options.masks
        self._kept: Image = np.empty((0, 0, 3), np.uint8)

    def __call__(self, picture: Picture, clockwise: int = 0) -> Picture:
        """The picture as everything else sees it.

        Args:
            picture: handed over: BGR may be written to, and returned.
            clockwise: further degrees, a multiple of 90, that the medium itself asks for (a phone held upright).

        Returns:
            Planes where nothing was to be done to planes, else (H, W, 3) or, turned by 90 or 270 degrees, (W, H, 3)
            uint8 BGR, contiguous.
        """
        turn = (self._rotate + clockwise) % 360
        if not (isinstance(picture, np.ndarray) or turn or self._mirror or self._masks):
            return picture
        image = turned(np.ascontiguousarray(image_of(picture)), turn, self._mirror)
        if self._masks:
            image = np.bitwise_and(image, self._keep(image), out=image if image.flags.writeable else None)
        return image

    def _keep(self, image: Image) -> Image:
        """(H, W, 3): 0 where a mask lies, 255 elsewhere; made once for a size."""
        if self._kept.shape != image.shape:
            height, width = image.shape[:2]
            hidden = np.any([filled(mask, width, height) for mask in self._masks], axis=0)
            self._kept = np.repeat(np.where(hidden, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
        return self._kept


def turned(image: Image, clockwise: int, mirror: bool = False) -> Image:
    """A contiguous picture turned by 0, 90, 180 or 270 degrees, then mirrored; itself where there is nothing to do."""
    if not clockwise and not mirror:
        return image
    pixels = np.rot90(image.view(PIXEL)[..., 0], k=-clockwise // 90)
    pixels = np.ascontiguousarray(pixels[:, ::-1] if mirror else pixels)
    return pixels.view(np.uint8).reshape(*pixels.shape, 3)


def filled(polygon: Sequence[tuple[float, float]], width: int, height: int) -> NDArray[np.bool_]:
    """(H, W) pixels whose centre lies inside the polygon by the even-odd rule; corners are fractions of the picture.

    Every edge flips the pixels to its right on the rows it crosses; those flipped an odd number of times are inside.
    """
    x = np.arange(width) + 0.5
    y = np.arange(height) + 0.5
    inside = np.zeros((height, width), dtype=np.bool_)
    corners = np.asarray(polygon, dtype=np.float64) * (width, height)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        rows = np.flatnonzero((y0 <= y) != (y1 <= y))
        at = x0 + (y[rows] - y0) / (y1 - y0) * (x1 - x0)
        inside[rows] ^= x > at[:, None]
    return inside
