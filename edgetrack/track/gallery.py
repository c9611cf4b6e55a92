"""What every track has looked like: its last embeddings, all tracks in one array."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Index = NDArray[np.intp]


class Gallery:
    """Ring buffers of unit embeddings; a track holds one slot from its birth to its death.

    Slots are used again, the last one freed first, so that memory stays at what the most tracks at one moment needed.
    It is taken from the system when it is first written to: a track that dies young costs little.
    """

    def __init__(self, depth: int, width: int) -> None:
        self.depth = depth
        self.ring: Floats = np.zeros((0, depth, width), np.float32)  # (S, depth, D)
        self.written = np.zeros(
            0, np.intp
        )  # (S,) embeddings ever put into a slot; the newest is at (written - 1) % depth
        self.free: list[int] = []

    @property
    def width(self) -> int:
        return int(self.ring.shape[2])

    def take(self, n: int) -> Index:
        """Empty slots for n new tracks."""
        while len(self.free) < n:
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
        self.ring[slots, self.written[slots] % self.depth] = embeddings
        self.written[slots] += 1

    def distance(self, slots: Index, embeddings: Floats) -> Floats:
        """Smallest cosine distance (P,) of each embedding (P, D) to those in its slot; infinite for an empty one."""
        similarity = np.matmul(self.ring[slots], embeddings[:, :, None])[:, :, 0]
        similarity[np.arange(self.depth) >= self.written[slots, None]] = -np.inf
        return np.asarray(1 - similarity.max(axis=1, initial=-np.inf))

    def within(self, slots: Index, embeddings: Floats, limit: float) -> NDArray[np.bool_]:
        """Whether `distance` is at most `limit`, (P,): most often the newest embedding proves it already."""
        near = np.asarray(self.newest_distance(slots, embeddings) <= limit)
        doubtful = np.flatnonzero(~near)
        if len(doubtful):
            near[doubtful] = self.distance(slots[doubtful], embeddings[doubtful]) <= limit
        return near

    def newest_distance(self, slots: Index, embeddings: Floats) -> Floats:
        newest = self.ring[slots, (self.written[slots] - 1) % self.depth]
        similarity = np.einsum("pd,pd->p", newest, embeddings)
        return np.where(self.written[slots] > 0, 1 - similarity, np.inf)

    def _grow(self, n: int) -> None:
        old = len(self.ring)
        new = max(2 * old, n, 16)
        ring = np.zeros((new, self.depth, self.width), np.float32)
        ring[:old] = self.ring
        self.ring = ring
        self.written = np.append(self.written, np.zeros(new - old, np.intp))
        self.free[:0] = range(new - 1, old - 1, -1)
