"""DeepSORT as Wojke et al. 2017 write it: one object per track, 8x8 matrices, float64, no haste.

Where the paper leaves a choice, the reference implementation's is taken: noise in proportion to the box height,
a cascade over the first `max_age` frames, overlap only for tracks that are tentative or were seen a frame ago.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

GATE = 9.4877
MOVE = np.eye(8) + np.eye(8, k=4)
LOOK = np.eye(4, 8)


def axes(h: float, of_height: float, aspect: float) -> list[float]:
    return [of_height * h, of_height * h, aspect, of_height * h]


@dataclass
class SlowTrack:
    track_id: int
    mean: np.ndarray
    covariance: np.ndarray
    gallery: list[np.ndarray] = field(default_factory=list)
    hits: int = 1
    missed: int = 0
    confirmed: bool = False

    def predict(self) -> None:
        h = self.mean[3]
        noise = np.diag(np.square(axes(h, 1 / 20, 1e-2) + axes(h, 1 / 160, 1e-5)))
        self.mean = MOVE @ self.mean
        self.covariance = MOVE @ self.covariance @ MOVE.T + noise
        self.missed += 1

    def innovation(self) -> np.ndarray:
        """(4, 4): H P H' + R."""
        return LOOK @ self.covariance @ LOOK.T + np.diag(np.square(axes(self.mean[3], 1 / 20, 1e-1)))

    def motion_distance(self, cxcyah: np.ndarray) -> float:
        y = cxcyah - LOOK @ self.mean
        return float(y @ np.linalg.solve(self.innovation(), y))

    def appearance_distance(self, embedding: np.ndarray) -> float:
        return min(1 - float(old @ embedding) for old in self.gallery)

    def update(self, cxcyah: np.ndarray) -> None:
        s = self.innovation()
        gain = np.linalg.solve(s, LOOK @ self.covariance).T
        self.mean = self.mean + gain @ (cxcyah - LOOK @ self.mean)
        self.covariance = self.covariance - gain @ s @ gain.T
        self.hits += 1
        self.missed = 0

    def xyxy(self) -> np.ndarray:
        x, y, a, h = self.mean[:4]
        return np.array([x - a * h / 2, y - h / 2, x + a * h / 2, y + h / 2])


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = max(width, 0) * max(height, 0)
    return common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common)


def cheapest(cost: np.ndarray, limit: float) -> list[tuple[int, int]]:
    """Pairs of the cheapest assignment whose cost is within the limit."""
    capped = np.where(cost > limit, limit + 1e-5, cost)
    return [(i, j) for i, j in zip(*linear_sum_assignment(capped), strict=True) if cost[i, j] <= limit]


class SlowTracker:
    def __init__(self, max_cosine_distance=0.2, max_iou_distance=0.7, max_age=30, n_init=3, gallery=100, weight=0.0):
        self.max_cosine_distance, self.max_iou_distance = max_cosine_distance, max_iou_distance
        self.max_age, self.n_init, self.gallery, self.weight = max_age, n_init, gallery, weight
        self.tracks: list[SlowTrack] = []
        self.born = 0

    def step(self, xyxy: np.ndarray, embedding: np.ndarray) -> None:
        size = xyxy[:, 2:] - xyxy[:, :2]
        cxcyah = np.column_stack([xyxy[:, :2] + size / 2, size[:, 0] / size[:, 1], size[:, 1]])
        embedding = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
        for track in self.tracks:
            track.predict()
        found = self.match(xyxy, cxcyah, embedding)
        for i, j in found:
            track = self.tracks[i]
            track.update(cxcyah[j])
            track.gallery = [*track.gallery, embedding[j]][-self.gallery :]
            track.confirmed |= track.hits >= self.n_init
        self.tracks = [t for t in self.tracks if t.missed == 0 or (t.confirmed and t.missed <= self.max_age)]
        for j in sorted(set(range(len(xyxy))) - {j for _, j in found}):
            self.give_birth(cxcyah[j], embedding[j])

    def give_birth(self, cxcyah: np.ndarray, embedding: np.ndarray) -> None:
        self.born += 1
        h = cxcyah[3]
        covariance = np.diag(np.square(axes(h, 2 / 20, 1e-2) + axes(h, 10 / 160, 1e-5)))
        self.tracks.append(SlowTrack(self.born, np.r_[cxcyah, np.zeros(4)], covariance, [embedding]))

    def match(self, xyxy: np.ndarray, cxcyah: np.ndarray, embedding: np.ndarray) -> list[tuple[int, int]]:
        """Listing 1 of the paper, then overlap."""
        found: list[tuple[int, int]] = []
        detections = list(range(len(xyxy)))
        for age in range(1, self.max_age + 1):
            level = [i for i, t in enumerate(self.tracks) if t.confirmed and t.missed == age]
            cost = np.array([[self.cost(self.tracks[i], cxcyah[j], embedding[j]) for j in detections] for i in level])
            if cost.size:
                limit = self.weight * GATE + (1 - self.weight) * self.max_cosine_distance
                found += [(level[i], detections[j]) for i, j in cheapest(cost, limit)]
                detections = [j for j in detections if j not in {j for _, j in found}]
        matched = {i for i, _ in found}
        rest = [i for i, t in enumerate(self.tracks) if i not in matched and (not t.confirmed or t.missed == 1)]
        cost = np.array([[1 - overlap(self.tracks[i].xyxy(), xyxy[j]) for j in detections] for i in rest])
        if cost.size:
            found += [(rest[i], detections[j]) for i, j in cheapest(cost, self.max_iou_distance)]
        return found

    def cost(self, track: SlowTrack, cxcyah: np.ndarray, embedding: np.ndarray) -> float:
        """Eq. 5, infinite outside the gates of eq. 6."""
        motion, appearance = track.motion_distance(cxcyah), track.appearance_distance(embedding)
        if motion > GATE or appearance > self.max_cosine_distance:
            return 1e5
        return self.weight * motion + (1 - self.weight) * appearance
