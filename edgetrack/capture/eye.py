"""Whether a camera that delivers pictures also sees: a picture that stands still, a lens that is covered."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgetrack.types import Picture

Fault = Literal["", "frozen", "blank"]

ROWS, COLUMNS, BLOCK = 36, 64, 4  # points that are looked at; blocks of 4 x 4 of them are averaged against noise
STILL_S = 1.0  # without a change in a single point: suspicious. Sensors are never still, decoders are for moments
FLAT = 8.0  # of 255: no two blocks differ by more; nothing is to be seen
RICH = 40.0  # of 255: blocks differ by so much; much is to be seen
SUDDEN_S = 2.0  # from rich to flat. Dusk takes minutes, a hand or a torn cable does not
BACK_S = 2.0  # without suspicion, until all is well again
WORDS: dict[Fault, str] = {
    "": "",
    "frozen": "tamper: the picture has stood still, to the last bit, for over {:g} s; is the camera stuck?",
    "blank": "tamper: nothing to be seen, all at once, for over {:g} s; is the lens covered, or the light off?",
}


class Eye:
    """Judges pictures by a few thousand points of each; knows no clock but their times.

    A night does not count: it falls slowly, and its noise never stands still.

    Args:
        tamper_s: how long a suspicion must last; 0: nothing is looked at.
    """

    def __init__(self, tamper_s: float) -> None:
        self.fault: Fault = ""
        self._tamper_s = tamper_s
        self._points: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._looked: float | None = None  # s, when the last picture was taken
        self._changed = self._rich = self._suspect = -np.inf
        self._flat: float | None = None  # s, since when there has been nothing to be seen
        self._blank = False  # and that all at once
        self._onset = 0.0
        self._blind_s = 0.0  # of faults that are over

    @property
    def reason(self) -> str:
        return WORDS[self.fault].format(self._tamper_s)

    @property
    def blind_s(self) -> float:
        """How long it has seen nothing new or nothing at all; only grows."""
        return self._blind_s + (self._looked - self._onset if self.fault and self._looked is not None else 0.0)

    def look(self, picture: Picture, time: float) -> None:
        """Take in a picture that was taken at `time`, s."""
        if not self._tamper_s:
            return
        points = sampled(picture)
        if self._looked is None:
            self._changed = time
        elif time - self._looked > STILL_S:  # there were no pictures: that is another trouble
            self._changed += time - self._looked
        self._looked = time
        if not np.array_equal(points, self._points):
            self._points, self._changed = points, time
            self._judge_contrast(points, time)
        self._judge(time)

    def _judge_contrast(self, points: NDArray[np.uint8], time: float) -> None:
        contrast = contrast_of(points)
        if contrast >= RICH:
            self._rich = time
        if contrast > FLAT:
            self._flat = None
        elif self._flat is None:
            self._flat, self._blank = time, time - self._rich <= SUDDEN_S

    def _judge(self, time: float) -> None:
        still_s = time - self._changed
        blank_s = time - self._flat if self._flat is not None and self._blank else 0.0
        if still_s >= STILL_S or blank_s:
            self._suspect = time
        if self.fault:
            if time - self._suspect >= BACK_S:
                self._blind_s, self.fault = self.blind_s, ""
        elif max(still_s, blank_s) >= self._tamper_s:
            self.fault, self._onset = ("blank", time - blank_s) if blank_s else ("frozen", time - still_s)


def sampled(picture: Picture) -> NDArray[np.uint8]:
    """(ROWS, COLUMNS) brightness, or (ROWS, COLUMNS, 3) BGR, of points all over the picture; of a tiny one, fewer."""
    whole = picture if isinstance(picture, np.ndarray) else picture.luma
    down, across = max(1, whole.shape[0] // ROWS), max(1, whole.shape[1] // COLUMNS)
    return np.ascontiguousarray(whole[down // 2 :: down, across // 2 :: across][:ROWS, :COLUMNS])


def contrast_of(points: NDArray[np.uint8]) -> float:
    """The widest difference between two blocks of points, 0 to 255, in the channel where it is widest."""
    rows, columns = points.shape[0] // BLOCK or 1, points.shape[1] // BLOCK or 1
    whole = points[: rows * BLOCK, : columns * BLOCK].astype(np.float32)
    blocks = whole.reshape(rows, -1, columns, whole.shape[1] // columns, *whole.shape[2:]).mean(axis=(1, 3))
    return float(np.ptp(blocks, axis=(0, 1)).max())
