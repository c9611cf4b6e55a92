"""The ranges of a network's inner values over a set of pictures, one picture in memory at a time.

ONNX Runtime's own histogram calibrators keep every value of every picture: 100 pictures of 416 px through YOLOX-nano
took 13 GB. Here a value is counted and forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Method = Literal["minmax", "average", "percentile"]
METHODS: tuple[Method, ...] = ("minmax", "average", "percentile")

BINS = 8192  # half of them for each sign
LEAST_SPAN = 2.0**-100  # so that bins per unit stay finite in float32
TAIL = 1e-5  # share of the values on each side that `percentile` lets saturate


@dataclass
class Range:
    """What is known of one tensor; the histogram covers -span to span, and span doubles when a value lies outside."""

    lowest: float = np.inf
    highest: float = -np.inf
    sum_low: float = 0.0  # of the least value of each picture
    sum_high: float = 0.0
    pictures: int = 0
    span: float = 0.0  # a power of two, or 0 before the first value other than 0
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, values: NDArray[Any]) -> None:
        """The values of one picture; those that are not finite are left out."""
        flat = values.ravel().astype(np.float32, copy=False)
        low, high = float(flat.min()), float(flat.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            flat = flat[np.isfinite(flat)]
            if not len(flat):
                return
            low, high = float(flat.min()), float(flat.max())
        self.lowest, self.highest = min(self.lowest, low), max(self.highest, high)
        self.sum_low, self.sum_high, self.pictures = self.sum_low + low, self.sum_high + high, self.pictures + 1
        self._cover(max(-low, high))
        if self.span:
            places = np.floor(flat * np.float32(BINS / (2 * self.span))).astype(np.int32) + BINS // 2
            np.minimum(places, BINS - 1, out=places)  # the greatest value itself
            self.counts += np.bincount(places, minlength=BINS)
        else:
            self.counts[BINS // 2] += len(flat)

    def _cover(self, largest: float) -> None:
        if largest <= self.span:
            return
        wanted = max(float(2.0 ** np.ceil(np.log2(largest))), LEAST_SPAN)
        while self.span and self.span < wanted:
            merged = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.zeros(BINS, np.int64)
            self.counts[BINS // 4 : BINS - BINS // 4] = merged
            self.span *= 2
        self.span = wanted

    def limits(self, method: Method) -> tuple[float, float]:
        """The least and greatest value that int8 is to tell apart."""
        if not self.pictures:
            return 0.0, 0.0
        if method == "minmax":
            return self.lowest, self.highest
        if method == "average":
            return self.sum_low / self.pictures, self.sum_high / self.pictures
        share = np.cumsum(self.counts) / self.counts.sum()
        edges = np.linspace(-self.span, self.span, BINS + 1)
        low = edges[int(np.searchsorted(share, TAIL, side="right"))]
        high = edges[min(int(np.searchsorted(share, 1 - TAIL, side="left")) + 1, BINS)]
        return max(float(low), self.lowest), min(float(high), self.highest)


class Ranges:
    """The ranges of many tensors by name."""

    def __init__(self, names: Iterable[str]) -> None:
        self._ranges = {name: Range() for name in names}

    def add(self, values: Mapping[str, NDArray[Any]]) -> None:
        """One picture's worth."""
        for name, found in values.items():
            if found.size:
                self._ranges[name].add(found)

    def limits(self, method: Method) -> dict[str, tuple[float, float]]:
        return {name: found.limits(method) for name, found in self._ranges.items()}
