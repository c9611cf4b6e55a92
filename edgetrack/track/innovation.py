"""How far the detector's boxes are off, learned while tracking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

SURE = 0.1  # the variance of sure boxes of a sharp detector, and what is believed at first
COARSE = 2.0  # the most that is believed
RATE = 0.1  # per look; with KEPT chosen on the development sequences of docs/tracking.md
KEPT = 0.95  # of the sums per look: their memory is about 20 looks
FARTHEST = 0.3  # box heights; a leap, as of a mistaken match, counts no more than this
FULL = 1e9  # beyond what any number of tracks can sum up to


@dataclass(slots=True)
class BoxNoise:
    """The variance of boxes, in units of the filter's own, from the innovations: measured minus predicted boxes.

    Where the gain of a filter is right its innovations are white: the surprise of one look says nothing about the
    next. If surprises alternate, the filter runs after the errors of the boxes, and these are to count less; if they
    repeat, it lags behind what it follows, as where the camera turns, and boxes are to count more.

    Mehra 1970, On the identification of variances and adaptive Kalman filtering.
    """

    variance: Annotated[float, Meta(ge=SURE, le=COARSE)] = SURE
    together: Annotated[float, Meta(ge=-FULL, le=FULL)] = 0.0  # of products of innovations, look by look
    alone: Annotated[float, Meta(ge=0, le=FULL)] = 0.0  # of their squares

    def learn(self, before: Array, now: Array) -> None:
        """From the innovations (M, 3) of two looks in a row, each row a track's, in box heights."""
        before, now = before.clip(-FARTHEST, FARTHEST), now.clip(-FARTHEST, FARTHEST)
        self.together = KEPT * self.together + float((before * now).sum())
        self.alone = KEPT * self.alone + float((before * before + now * now).sum()) / 2
        if self.alone > 0:
            factor = float(np.exp(-RATE * self.together / self.alone))
            self.variance = min(max(self.variance * factor, SURE), COARSE)
