"""How the scene moves in the picture when the camera sways on its mast, turns, or is held in a hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.image import Resizer
from edgetrack.types import Picture, size_of

Floats = NDArray[np.floating[Any]]
Shift = tuple[float, float]  # px of the picture, right and down

NO_SHIFT: Shift = (0.0, 0.0)
WIDTH, HEIGHT = 256, 144  # of the small grey picture
TILE_WIDTH, TILE_HEIGHT = 32, 36
WINDOW = np.outer(np.hanning(TILE_HEIGHT), np.hanning(TILE_WIDTH))
FLOOR = 0.05  # of the mean amplitude, below which a frequency says nothing
AGREE = 0.7  # px of the small picture within which two tiles tell the same
QUORUM = 0.3  # of all votes, for a shift to be that of the camera
REST = 0.15  # px of the small picture; less is noise, and a camera at rest is to stay there


class FixedCamera:
    """Does not look."""

    def shift(self, picture: Picture) -> Shift:
        return NO_SHIFT


class CameraMotion:
    """Tells by how much the scene moved since the last picture: a translation; rolling and zooming it does not see.

    Every tile of a small grey picture is compared with itself in the last one by phase correlation (Kuglin and Hines
    1975), and votes with the height of its peak. The shift that most votes agree on is the camera's: those who walk
    through the scene are a minority of its tiles. Without a quorum, as in a cut or in the dark, there is none.
    """

    def __init__(self) -> None:
        self._small = Resizer()
        self._size: tuple[int, int] | None = None
        self._before: NDArray[np.complexfloating[Any, Any]] | None = None

    def shift(self, picture: Picture) -> Shift:
        """Since the last call; none for the first picture, and for the first of another size."""
        grey = self._small.grey(picture, WIDTH, HEIGHT).astype(np.float32)
        tiles = grey.reshape(HEIGHT // TILE_HEIGHT, TILE_HEIGHT, WIDTH // TILE_WIDTH, TILE_WIDTH)
        tiles = tiles.transpose(0, 2, 1, 3).reshape(-1, TILE_HEIGHT, TILE_WIDTH)
        spectrum = np.fft.rfft2((tiles - tiles.mean(axis=(1, 2), keepdims=True)) * WINDOW)
        before, self._before = self._before, spectrum
        last_size, self._size = self._size, size_of(picture)
        if before is None or last_size != self._size:
            return NO_SHIFT
        dx, dy = agreed(*tile_shifts(spectrum * before.conj()))
        return dx * self._size[0] / WIDTH, dy * self._size[1] / HEIGHT


def tile_shifts(cross: NDArray[np.complexfloating[Any, Any]]) -> tuple[Floats, Floats]:
    """Shifts (N, 2) of tiles and the height of their peaks (N,), from the cross spectra (N, H, W / 2 + 1)."""
    amplitude = np.abs(cross)
    cross = cross / (amplitude + FLOOR * amplitude.mean(axis=(1, 2), keepdims=True) + 1e-6)
    surface = np.fft.irfft2(cross, s=(TILE_HEIGHT, TILE_WIDTH))
    n = np.arange(len(surface))
    y, x = np.divmod(surface.reshape(len(surface), -1).argmax(axis=1), TILE_WIDTH)
    peak = surface[n, y, x]
    right = _vertex(surface[n, y, x - 1], peak, surface[n, y, (x + 1) % TILE_WIDTH])
    down = _vertex(surface[n, y - 1, x], peak, surface[n, (y + 1) % TILE_HEIGHT, x])
    dx = (x + TILE_WIDTH // 2) % TILE_WIDTH - TILE_WIDTH // 2 + right
    dy = (y + TILE_HEIGHT // 2) % TILE_HEIGHT - TILE_HEIGHT // 2 + down
    return np.stack([dx, dy], axis=1), peak


def agreed(shifts: Floats, votes: Floats) -> Shift:
    """The mean of the largest group of shifts (N, 2) that agree, weighed by their votes (N,)."""
    near = np.abs(shifts[:, None] - shifts).max(axis=2) <= AGREE
    group = near[(near @ votes).argmax()] * votes
    if group.sum() <= QUORUM * votes.sum():
        return NO_SHIFT
    dx, dy = (group @ shifts / group.sum()).tolist()
    return (dx, dy) if max(abs(dx), abs(dy)) > REST else NO_SHIFT


def _vertex(before: Floats, peak: Floats, after: Floats) -> Floats:
    """Where a parabola through three neighbouring heights has its top, seen from the middle one; 0 where level."""
    bend = before - 2 * peak + after
    return np.asarray(np.divide(before - after, 2 * bend, out=np.zeros_like(bend), where=bend < 0))
