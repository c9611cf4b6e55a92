"""What the detector saw on one frame, checked, as the tracker wants it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.types import Detections

Array = NDArray[np.float64]
Embeddings = NDArray[np.float32]
Mask = NDArray[np.bool_]

FARTHEST = 1e9  # px; beyond it squares of squares lose what the filter needs
UNIT_ERROR = 1e-6  # rounding of a row made unit in float32
TINY = 1e-24


@dataclass(frozen=True, slots=True)
class Look:
    """The detections of one frame as the tracker wants them."""

    xyxy: Array  # (4, N)
    cxcyah: Array  # (4, N)
    score: NDArray[np.float32]
    class_id: NDArray[np.int32]
    embedding: Embeddings | None  # (N, D) unit rows; rows of zeros: unknown

    @property
    def described(self) -> Mask:
        """(N,) whether there is an embedding that says anything: not all zeros."""
        if self.embedding is None:
            return np.zeros(len(self.score), np.bool_)
        return np.asarray(self.embedding.any(axis=1), np.bool_)


def checked(detections: Detections, width: int | None) -> Look:
    """Leaves out boxes without area and makes embeddings unit rows.

    Args:
        width: of the embeddings so far; None: there were none.

    Raises:
        ValueError: a number is NaN or infinite; a box ends before it begins; embeddings are of another width.
    """
    xyxy = detections.xyxy.T.astype(np.float64, order="C")
    if not np.abs(xyxy).max(initial=0.0) <= FARTHEST:  # also where it is NaN
        raise ValueError(f"xyxy: holds NaN or infinity, or lies beyond {FARTHEST:g}; expected pixels")
    if not np.isfinite(detections.score).all():
        raise ValueError("score: holds NaN or infinity, expected 0 to 1")
    embedding = _unit(detections.embedding, width)
    size = xyxy[2:] - xyxy[:2]
    smallest = size.min(initial=1.0)
    if smallest < 0:
        raise ValueError("xyxy: right or bottom lies before left or top; expected left, top, right, bottom")
    if smallest == 0:
        return checked(detections[size.min(axis=0) > 0], width)
    cxcyah = np.concatenate((xyxy[:2] + size / 2, size))
    cxcyah[2] /= size[1]
    return Look(xyxy, cxcyah, detections.score, detections.class_id, embedding)


def _unit(embedding: NDArray[np.floating[Any]] | None, width: int | None) -> Embeddings | None:
    """Unit rows; a row of zeros stays one and resembles nobody."""
    if embedding is None or not len(embedding):
        return None
    if width not in (None, embedding.shape[1]):
        raise ValueError(f"embedding: is {embedding.shape[1]} wide, earlier ones were {width}")
    norm2 = np.einsum("nd,nd->n", embedding, embedding)
    if not np.abs(norm2 - 1).max() <= UNIT_ERROR:  # also where it is NaN
        if not np.isfinite(norm2).all():
            raise ValueError("embedding: holds NaN or infinity")
        embedding = embedding / np.sqrt(np.maximum(norm2, TINY))[:, None]
    return np.asarray(embedding, np.float32)
