"""Chance that is the same on every machine and with every version of numpy.

numpy promises the raw stream of a bit generator for ever, but not what `Generator` makes of it: so only that is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Dice:
    """One stream of chance; the same numbers open the same stream."""

    def __init__(self, *seed: int) -> None:
        self._bits = np.random.PCG64(list(seed))

    def unit(self) -> float:
        """[0, 1)"""
        return (int(self._bits.random_raw()) >> 11) * 2.0**-53

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.unit()

    def whole(self, low: int, high: int) -> int:
        """Both ends included."""
        return low + int(self.unit() * (high - low + 1))

    def chance(self, p: float) -> bool:
        return self.unit() < p

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.unit() * len(choices))]

    def bytes(self, n: int) -> NDArray[np.uint8]:
        """(n,) uniform 0..255"""
        raw = np.asarray(self._bits.random_raw((n + 7) // 8), dtype="<u8")
        return raw.view(np.uint8)[:n]
