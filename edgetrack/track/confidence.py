"""How sure a detection is, measured against this detector's own manner."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Shares = NDArray[np.float64]
Classes = NDArray[np.int32]

RATE = 0.05  # per look; the running mean follows a change of light within a second or two


class Confidence:
    """Scores as shares of the typical score of objects of their class that are being followed.

    One detector is 0.95 sure of an ordinary person and another, of the same person, 0.5: fixed limits for "strong" and
    "weak" suit one of them. Shares suit both. Until anything is followed, the first detections set the scale.
    """

    def __init__(self) -> None:
        self.typical: dict[int, float] = {}  # by class

    def share(self, score: Floats, class_id: Classes) -> Shares:
        """(N,) of (N,), scores above 1 taken as 1; 1 where no score is positive, as from files without scores."""
        shares = np.ones(len(score))
        for kind, own in _by_class(class_id):
            typical = self.typical.get(kind) or _mean(score[own])
            if typical:
                shares[own] = score[own].clip(None, 1) / typical
        return shares

    def begin(self, score: Floats, class_id: Classes) -> None:
        """The first detections (N,) of a class set its scale."""
        for kind, own in _by_class(class_id):
            if kind not in self.typical and (mean := _mean(score[own])):
                self.typical[kind] = mean

    def learn(self, score: Floats, class_id: Classes) -> None:
        """From the detections (M,) that were matched to confirmed tracks on one look."""
        for kind, own in _by_class(class_id):
            mean = _mean(score[own])
            if mean and kind in self.typical:
                self.typical[kind] += RATE * (mean - self.typical[kind])


def _by_class(class_id: Classes) -> list[tuple[int, slice | NDArray[np.bool_]]]:
    """Every class and its rows; most often there is one, and no need to search."""
    kinds = set(class_id.tolist())
    return [(kind, slice(None) if len(kinds) == 1 else class_id == kind) for kind in kinds]


def _mean(score: Floats) -> float:
    """Weighted by the score itself: the many weak ones are what is in question. 0 where none is positive."""
    positive = score.clip(0, 1)
    total = float(positive.sum())
    return float((positive * positive).sum()) / total if total else 0.0
