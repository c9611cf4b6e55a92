"""Noise and paint over whole fields of points, in arithmetic that is the same on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.render.paint import Colour

Field = NDArray[Any]


def lattice(ix: Field, iz: Field, salt: int) -> Field:
    """Noise on whole numbers, 0..1, by integer arithmetic."""
    h = ix.astype(np.int64).astype(np.uint32) * np.uint32(374761393)
    h = h + iz.astype(np.int64).astype(np.uint32) * np.uint32(668265263) + np.uint32(salt * 2246822519 & 0xFFFFFFFF)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(1274126177)
    return np.asarray(((h ^ (h >> np.uint32(16))) & np.uint32(1023)).astype(np.float32) * np.float32(1 / 1023))


def noise(x: Field, z: Field, size: float, salt: int) -> Field:
    """Smooth noise 0..1 with bumps of `size` metres."""
    u, v = x / size, z / size
    iu, iv = np.floor(u), np.floor(v)
    fu, fv = (u - iu).astype(np.float32), (v - iv).astype(np.float32)
    fu, fv = fu * fu * (3 - 2 * fu), fv * fv * (3 - 2 * fv)
    a, b = lattice(iu, iv, salt), lattice(iu + 1, iv, salt)
    c, d = lattice(iu, iv + 1, salt), lattice(iu + 1, iv + 1, salt)
    low = a + (b - a) * fu
    return np.asarray(low + (c + (d - c) * fu - low) * fv)


def lay(picture: Field, where: Field, colour: Colour, gain: Field | float = 1.0) -> None:
    """Put a colour, brightened by `gain`, on the points (H, W) of a picture (H, W, 3) float32."""
    shaded = np.asarray(gain, np.float32)[..., None] * np.array(colour, np.float32)
    np.copyto(picture, shaded, where=where[..., None])


def coarse(fine: Field, by: int) -> Field:
    """Means of `by` x `by` samples, added in a fixed order, so that they are the same everywhere."""
    total = np.zeros((fine.shape[0] // by, fine.shape[1] // by, *fine.shape[2:]), np.float32)
    for row in range(by):
        for column in range(by):
            total += fine[row::by, column::by]
    return np.asarray(total / np.float32(by * by))
