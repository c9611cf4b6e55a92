"""SORT as Bewley et al. 2016 describe it, for comparison: constant velocity in x, y, area and ratio; overlap alone."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from edgetrack.boxes import iou
from edgetrack.types import Detections, Tracks

MIN_IOU, MAX_AGE, MIN_HITS = 0.3, 1, 3  # the authors' values
MOVE, LOOK = np.eye(7) + np.eye(7, k=4), np.eye(4, 7)
PROCESS = np.diag([1, 1, 1, 1, 0.01, 0.01, 0.0001])
MEASUREMENT = np.diag([1.0, 1, 10, 10])
FIRST = np.diag([10.0, 10, 10, 10, 1e4, 1e4, 1e4])


class Target:
    def __init__(self, track_id: int, xyxy: np.ndarray) -> None:
        self.track_id = track_id
        self.mean, self.covariance = np.r_[measured(xyxy), np.zeros(3)], FIRST
        self.missed = self.streak = 0

    def predict(self) -> None:
        if self.mean[2] + self.mean[6] <= 0:
            self.mean[6] = 0
        self.mean = MOVE @ self.mean
        self.covariance = MOVE @ self.covariance @ MOVE.T + PROCESS
        self.streak = 0 if self.missed else self.streak
        self.missed += 1

    def update(self, xyxy: np.ndarray) -> None:
        gain = self.covariance @ LOOK.T @ np.linalg.inv(LOOK @ self.covariance @ LOOK.T + MEASUREMENT)
        self.mean = self.mean + gain @ (measured(xyxy) - LOOK @ self.mean)
        self.covariance = (np.eye(7) - gain @ LOOK) @ self.covariance
        self.missed = 0
        self.streak += 1

    def xyxy(self) -> np.ndarray:
        x, y, area, ratio = self.mean[:4]
        width = np.sqrt(max(area * ratio, 1e-9))
        height = area / width
        return np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])


def measured(xyxy: np.ndarray) -> np.ndarray:
    width, height = xyxy[2:] - xyxy[:2]
    return np.array([xyxy[0] + width / 2, xyxy[1] + height / 2, width * height, width / height])


class PlainSort:
    """Shows like ours: `step` gives tracks, all of them confirmed and seen."""

    def __init__(self) -> None:
        self.targets: list[Target] = []
        self.looks = self.born = 0

    def step(self, time: float, detections: Detections) -> Tracks:
        self.looks += 1
        for target in self.targets:
            target.predict()
        xyxy = detections.xyxy.astype(np.float64)
        free = set(range(len(xyxy)))
        if self.targets and len(xyxy):
            overlap = iou(np.array([t.xyxy() for t in self.targets]), xyxy)
            for i, j in zip(*linear_sum_assignment(-overlap), strict=True):
                if overlap[i, j] >= MIN_IOU:
                    self.targets[i].update(xyxy[j])
                    free.discard(int(j))
        for j in sorted(free):
            self.born += 1
            self.targets.append(Target(self.born, xyxy[j]))
        self.targets = [t for t in self.targets if t.missed <= MAX_AGE]
        shown = [t for t in self.targets if not t.missed and (t.streak >= MIN_HITS or self.looks <= MIN_HITS)]
        n = len(shown)
        return Tracks(
            np.array([t.track_id for t in shown], np.int64),
            np.array([t.xyxy() for t in shown]).reshape(-1, 4),
            np.zeros(n, np.int32),
            np.zeros(n, np.float32),
            np.ones(n, np.bool_),
            np.zeros(n, np.int64),
            np.ones(n, np.bool_),
        )
