"""How sure a detection is, measured against this detector's own manner."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

RATE = 0.05  # per look; the running mean follows a change of light within a second or two


class Confidence:
    """Scores as shares of the typical score of objects that are being followed.

    One detector is 0.95 sure of an ordinary person and another, of the same person, 0.5: fixed limits for "strong" and
    "weak" suit one of them. Shares suit both. Until anything is followed, the first detections set the scale.
    """

    def __init__(self) -> None:
        self.typical: float | None = None

    def share(self, score: Floats) -> NDArray[np.float64]:
        """(N,) of (N,); all 1 where no score is positive, as from files without scores."""
        if self.typical is None:
            self.typical = _mean(score)
        if not self.typical:
            return np.ones(len(score), np.float64)
        return np.asarray(score / self.typical, np.float64)

    def learn(self, score: Floats) -> None:
        """From the detections (M,) that were matched to confirmed tracks on one look."""
        mean = _mean(score)
        if mean and self.typical:
            self.typical += RATE * (mean - self.typical)


def _mean(score: Floats) -> float | None:
    """Weighted by the score itself: the many weak ones are what is in question."""
    positive = score.clip(0, None)
    total = float(positive.sum())
    return float((positive * positive).sum()) / total if total else None
