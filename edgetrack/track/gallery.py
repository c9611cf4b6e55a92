"""What every track has looked like: its last embeddings, all tracks in one array."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]

ROUNDING = 1e-3  # of the root of a distance; float32 is off by 1e-7 near a distance of 0
AT_ONCE = 256  # galleries that are read in one go: 13 MB at 100 embeddings of 128 numbers


class Gallery:
    """Ring buffers of unit embeddings; a track holds one slot from its birth to its death.

    Beside the ring every slot has an `anchor`, the embedding in the ring's first place, and knows how far the others
    lie from it: one look at the anchor tells most often whether a detection is near the gallery or far from it.

    Slots are used again, the last one freed first, so that memory stays at what the most tracks at one moment needed.
    It is taken from the system when it is first written to: a track that dies young costs little.
    """

    def __init__(self, depth: int, width: int) -> None:
        self.depth = depth
        self.ring: Floats = np.zeros((0, depth, width), np.float32)  # (S, depth, D)
        self.written = np.zeros(0, np.intp)  # (S,) embeddings ever put into a slot; row (written - 1) % depth is newest
        self.anchor: Floats = np.zeros((0, width), np.float32)  # (S, D) ring[:, 0]; NaN, near nothing, in an empty slot
        self.farthest: Floats = np.zeros(0, np.float32)  # (S,) largest cosine distance of an embedding to the anchor
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
        self.anchor[slots] = np.nan
        return slots

    def release(self, slots: Index) -> None:
        self.free.extend(slots.tolist())

    def push(self, slots: Index, embeddings: Floats) -> None:
        """Put one embedding into each slot, over its oldest one."""
        written = self.written.take(slots)
        row = written % self.depth
        self.ring[slots, row] = embeddings
        self.written[slots] = written + 1
        self.farthest[slots] = np.maximum(self.farthest.take(slots), self.distance_to_anchor(slots, embeddings))
        if not row.all():
            self._anchor(slots[row == 0], embeddings[row == 0])

    def _anchor(self, slots: Index, embeddings: Floats) -> None:
        """The first place of these rings has been written to."""
        self.anchor[slots] = embeddings
        self.farthest[slots] = 0
        again = self.written[slots] > 1
        if again.any():
            self.farthest[slots[again]] = (1 - self._similarity(slots[again], embeddings[again]).min(axis=1)).clip(0)

    def filled(self, slots: Index) -> list[Floats]:
        """Of every slot the places (up to depth, D) that were written to; not copied."""
        return [self.ring[slot, :n] for slot, n in zip(slots.tolist(), self.written[slots].tolist(), strict=True)]

    def fill(self, slots: Index, written: Index, farthest: Floats, embeddings: Floats) -> None:
        """Write to empty slots what `filled` gave of others, one after the other."""
        self.written[slots], self.farthest[slots] = written, farthest
        ends = np.minimum(written, self.depth).cumsum()
        for slot, places in zip(slots.tolist(), np.split(embeddings, ends[:-1]) if len(ends) else [], strict=True):
            self.ring[slot, : len(places)] = places
            if len(places):
                self.anchor[slot] = places[0]

    def distance(self, slots: Index, embeddings: Floats) -> Floats:
        """Smallest cosine distance (P,) of each embedding (P, D) to those in its slot; infinite for an empty one."""
        similarity = self._similarity(slots, embeddings)
        similarity[np.arange(self.depth) >= self.written[slots, None]] = -np.inf
        return np.asarray(1 - similarity.max(axis=1, initial=-np.inf))

    def _similarity(self, slots: Index, embeddings: Floats) -> Floats:
        """(P, depth): cosine of each embedding (P, D) and every place of its slot's ring."""
        similarity = np.empty((len(slots), self.depth, 1), np.float32)
        for start in range(0, len(slots), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            np.matmul(self.ring[slots[part]], embeddings[part, :, None], out=similarity[part])
        return similarity[:, :, 0]

    def distance_to_anchor(self, slots: Index, embeddings: Floats) -> Floats:
        """(P,); where it is within a limit, so is `distance`. NaN for an empty slot."""
        return np.asarray(1 - np.einsum("pd,pd->p", self.anchor.take(slots, axis=0), embeddings))

    def reach(self, slots: Index, limit: float) -> Floats:
        """(P,): an embedding further than this from the anchor is further than the limit from the whole gallery.

        Between unit vectors the root of the cosine distance obeys the triangle inequality: it is their Euclidean
        distance over the root of 2.
        """
        return np.asarray(np.square(np.sqrt(self.farthest.take(slots)) + (math.sqrt(limit) + ROUNDING)))

    def _grow(self, n: int) -> None:
        old = len(self.ring)
        new = max(2 * old, old + n, 16)
        ring = np.zeros((new, self.depth, self.width), np.float32)
        ring[:old] = self.ring
        self.ring = ring
        self.written = np.append(self.written, np.zeros(new - old, np.intp))
        self.anchor = np.concatenate([self.anchor, np.zeros((new - old, self.width), np.float32)])
        self.farthest = np.append(self.farthest, np.zeros(new - old, np.float32))
        self.free[:0] = range(new - 1, old - 1, -1)
