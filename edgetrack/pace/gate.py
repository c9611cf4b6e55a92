"""The motion gate: whether a picture holds news since the last one that the detector looked at.

A detector gives one picture one answer; while nothing changes, another look tells nothing. What is compared is a grid
of about 160 x 90 means of four pixels' brightness, against the grid of the last look, so that slow movement adds up
until it is seen. Exposure and light that change everywhere are taken out as one gain, noise is measured from picture
to picture, and a single cell is never news.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgetrack.types import Frame, Picture, Tracks, size_of

Grid = NDArray[np.float32]  # (rows, columns), brightness 0..255

COLUMNS = 160  # of the grid, about
FAINTEST = 8.0  # grey levels that a cell must change, however little noise there is
FAINT = 0.5  # grey levels of noise that are taken for possible where there was none
SIGMAS = 6.0  # of the noise, that it must change
SIGMA = 1.4826  # of a normal distribution, over the median of its absolute values
LEARNED = 0.2  # of the noise, from every new picture
GAIN = 1.5  # largest change of light everywhere that is taken out
STILL_S = 1.0  # between looks at tracks that stand still


class MotionGate:
    """Decides picture by picture; nothing but the pictures and their times counts.

    Args:
        look_s: seconds without a look after which one is let through anyway.
    """

    def __init__(self, look_s: float) -> None:
        self._look_s = look_s
        self._seen: Grid | None = None  # at the last look
        self._before: Grid | None = None
        self._noise: float | None = None  # standard deviation of a cell from picture to picture, grey levels
        self._looked_s = 0.0

    def opens(self, frame: Frame, tracks: Tracks) -> bool:
        """Whether the detector should look; it is taken at its word.

        Args:
            frame: later than those before.
            tracks: as of the picture before. Those that are new, or that the last look missed, are looked at in any
                case; those that stand still, every STILL_S.
        """
        grid = brightness(frame.picture)
        changed = self._changed(grid)
        self._before = grid
        doubtful = bool((~tracks.confirmed | (tracks.missed > 0)).any())
        rested_s = frame.time - self._looked_s
        if changed or doubtful or rested_s >= (min(STILL_S, self._look_s) if len(tracks) else self._look_s):
            self._seen, self._looked_s = grid, frame.time
            return True
        return False

    def _changed(self, grid: Grid) -> bool:
        if self._seen is None or self._before is None or self._seen.shape != grid.shape:
            self._noise = None
            return True
        step = SIGMA * float(np.median(np.abs(difference(grid, self._before)[::2, ::2])))
        noise = step if self._noise is None else self._noise
        self._noise = noise + LEARNED * (min(step, 2 * noise + FAINT) - noise)  # half a picture that moves is no noise
        cells = np.abs(difference(grid, self._seen)) > max(FAINTEST, SIGMAS * noise)
        return bool((cells[1:] & cells[:-1]).any() or (cells[:, 1:] & cells[:, :-1]).any())


def brightness(picture: Picture) -> Grid:
    """Means of 2 x 2 of every k-th pixel, k such that about COLUMNS columns remain; green where there is no luma."""
    step = max(1, round(size_of(picture)[0] / (2 * COLUMNS)))
    pixels = (picture[..., 1] if isinstance(picture, np.ndarray) else picture.luma)[::step, ::step]
    rows, columns = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
    wide = pixels[:rows, :columns].astype(np.uint16)
    sums = wide[::2, ::2] + wide[1::2, ::2] + wide[::2, 1::2] + wide[1::2, 1::2]
    return np.asarray(sums / 4, np.float32)


def difference(grid: Grid, other: Grid) -> Grid:
    """How `grid` differs from `other`, its light made the same: a cloud or the camera's exposure moves nothing."""
    middle, wanted = float(np.median(grid[::2, ::2])), float(np.median(other[::2, ::2]))
    gain = min(max(wanted / middle, 1 / GAIN), GAIN) if middle > 0 and wanted > 0 else 1.0
    return np.asarray(grid * np.float32(gain) - other, np.float32)
