"""Which pixels of a picture a box covers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import clip


def pixels_of(xyxy: NDArray[Any], width: int, height: int) -> NDArray[np.int64]:
    """(N, 4) boxes rounded outwards to whole pixels of a picture, cut at its edges, at least one pixel each."""
    sides = np.concatenate([np.floor(xyxy[:, :2]), np.ceil(xyxy[:, 2:])], axis=1)
    whole = clip(np.nan_to_num(sides.astype(np.float64)), width, height).astype(np.int64)
    whole[:, :2] = np.minimum(whole[:, :2], [width - 1, height - 1])
    whole[:, 2:] = np.maximum(whole[:, 2:], whole[:, :2] + 1)
    return whole
