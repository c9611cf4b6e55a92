"""Points, lines and polygons on the picture: x right, y down, pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating[Any]]  # (N, 2)


def foot_points(xyxy: NDArray[np.floating[Any]]) -> Points:
    """(N, 2) middle of the lower edge of every box: where a standing object touches the ground."""
    return np.stack([(xyxy[:, 0] + xyxy[:, 2]) / 2, xyxy[:, 3]], axis=1)


def pixels(fractions: Sequence[Sequence[float]], size: tuple[int, int]) -> Points:
    """Fractions of the picture as pixels, to a millionth, so that 200 / 640 gives 200 again."""
    return np.round(np.asarray(fractions, np.float64) * size, 6)


def signed_distance(points: Points, start: Points, end: Points) -> NDArray[np.floating[Any]]:
    """(N,) pixels from the infinite line; positive to the right of who stands at start and looks at end."""
    v = end - start
    cross = v[0] * (points[:, 1] - start[1]) - v[1] * (points[:, 0] - start[0])
    return np.asarray(cross / np.hypot(v[0], v[1]))


def along(point: Points, start: Points, end: Points) -> float:
    """Where a point (2,) projects onto a segment: 0 at start, 1 at end, outside of that beyond its ends."""
    v = end - start
    return float(((point - start) @ v) / (v @ v))


def inside(points: Points, polygon: Points) -> NDArray[np.bool_]:
    """(N,) even-odd rule: a ray to the right crosses the outline (E, 2) an odd number of times."""
    x, y = points[:, :1], points[:, 1:]
    a, b = polygon, np.concatenate([polygon[1:], polygon[:1]])
    spans = (a[:, 1] > y) != (b[:, 1] > y)
    rise = np.where(a[:, 1] == b[:, 1], 1.0, b[:, 1] - a[:, 1])  # level edges span nothing
    cut = a[:, 0] + (y - a[:, 1]) * (b[:, 0] - a[:, 0]) / rise
    return np.asarray((spans & (x < cut)).sum(axis=1) % 2 == 1)
