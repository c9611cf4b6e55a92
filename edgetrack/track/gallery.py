"""What every track has looked like: its last embeddings, all tracks in one array."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]

ANGLE_ERROR = 2e-3  # rad; rounding of float32 near an angle of 0, where the cosine is flat


class Gallery:
    """Ring buffers of unit embeddings; a track holds one slot from its birth to its death.

    Slots are used again, the last one freed first, so that memory stays at what the most tracks at one moment needed.
    It is taken from the system when it is first written to: a track that dies young costs little.
    """

    def __init__(self, depth: int, width: int) -> None:
        self.depth = depth
        self.ring: Floats = np.zeros((0, depth, width), np.float32)  # (S, depth, D)
        self.written = np.zeros(0, np.intp)  # (S,) embeddings ever put into a slot; row (written - 1) % depth is newest
        self.first: Floats = np.zeros((0, width), np.float32)  # (S, D) the embedding that a slot began with
        self.radius: Floats = np.zeros(0, np.float32)  # (S,) rad, widest angle between the first and a later one
        self.free: list[int] = []

    @property
    def width(self) -> int:
        return int(self.ring.shape[2])

    def take(self, n: int) -> Index:
        """Empty slots for n new tracks."""
        if len(self.free) < n:
            self._grow(n)
        cut = len(self.free) - n
        slots = np.array(self.free[cut:], np.intp)
        del self.free[cut:]
        self.written[slots] = 0
        return slots

    def release(self, slots: Index) -> None:
        self.free.extend(slots.tolist())

    def push(self, slots: Index, embeddings: Floats) -> None:
        """Put one embedding into each slot, over its oldest one."""
        written = self.written[slots]
        if not written.all():
            new = slots[written == 0]
            self.first[new] = embeddings[written == 0]
            self.radius[new] = 0
        self.radius[slots] = np.maximum(self.radius[slots], self._angle_to_first(slots, embeddings))
        self.ring[slots, written % self.depth] = embeddings
        self.written[slots] = written + 1

    def distance(self, slots: Index, embeddings: Floats) -> Floats:
        """Smallest cosine distance (P,) of each embedding (P, D) to those in its slot; infinite for an empty one."""
        similarity = np.matmul(self.ring[slots], embeddings[:, :, None])[:, :, 0]
        similarity[np.arange(self.depth) >= self.written[slots, None]] = -np.inf
        return np.asarray(1 - similarity.max(axis=1, initial=-np.inf))

    def within(self, slots: Index, embeddings: Floats, limit: float) -> Mask:
        """Whether `distance` is at most `limit`, (P,): most often the newest embedding proves it already."""
        newest = self.ring[slots, (self.written[slots] - 1) % self.depth]
        near = np.asarray((self.written[slots] > 0) & (1 - np.einsum("pd,pd->p", newest, embeddings) <= limit))
        doubtful = (~near).nonzero()[0]
        if len(doubtful):
            near[doubtful] = self.distance(slots[doubtful], embeddings[doubtful]) <= limit
        return near

    def possible(self, slots: Index, embeddings: Floats, limit: float) -> Mask:
        """False where `distance` is certainly above `limit`, (P,), told without reading the ring.

        Angles between unit vectors obey the triangle inequality: an embedding that is further from the first one than
        the widest of the gallery, by more than the limit, is further than the limit from every one of the gallery.
        """
        widest = self.radius[slots] + (math.acos(1 - limit) + ANGLE_ERROR)
        return np.asarray(self._angle_to_first(slots, embeddings) <= widest)

    def _angle_to_first(self, slots: Index, embeddings: Floats) -> Floats:
        cosine = np.einsum("pd,pd->p", self.first[slots], embeddings)
        return np.asarray(np.arccos(cosine.clip(-1, 1)))

    def _grow(self, n: int) -> None:
        old = len(self.ring)
        new = max(2 * old, old + n, 16)
        ring = np.zeros((new, self.depth, self.width), np.float32)
        ring[:old] = self.ring
        self.ring = ring
        self.written = np.append(self.written, np.zeros(new - old, np.intp))
        self.first = np.concatenate([self.first, np.zeros((new - old, self.width), np.float32)])
        self.radius = np.append(self.radius, np.zeros(new - old, np.float32))
        self.free[:0] = range(new - 1, old - 1, -1)
