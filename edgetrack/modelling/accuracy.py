"""How good detections are, against the truth or against another model's; COCO's measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgetrack.boxes import area, iou
from edgetrack.modelling.pictures import FREE, Truth
from edgetrack.types import Detections

Flags = NDArray[np.bool_]
Reals = NDArray[np.float64]

IOUS = np.linspace(0.5, 0.95, 10)  # COCO's
RECALLS = np.linspace(0, 1, 101)  # COCO's
SAME = 0.5  # IoU from which two models mean the same object


@dataclass
class Tally:
    """Collects the detections of one class over many pictures, best first, and judges them at ten overlaps."""

    score: list[float] = field(default_factory=list)
    hit: list[Flags] = field(default_factory=list)  # (10,) at each overlap of IOUS
    counted: list[Flags] = field(default_factory=list)  # (10,) False: neither right nor wrong
    objects: int = 0

    def add(self, found: Detections, truth: NDArray[np.float32], free: NDArray[np.float32]) -> None:
        """One picture's detections of this class; what hits no object but lies on a box of `free` does not count."""
        self.objects += len(truth)
        taken = np.zeros((len(IOUS), len(truth)), bool)
        overlaps = iou(found.xyxy, truth)
        excused = _inside(found.xyxy, free)
        for row in np.argsort(-found.score, kind="stable"):
            hit = np.zeros(len(IOUS), bool)
            if len(truth):
                open_ = np.where(taken, -1.0, overlaps[row])
                best = open_.argmax(axis=1)
                hit = open_[np.arange(len(IOUS)), best] >= IOUS
                taken[np.flatnonzero(hit), best[hit]] = True
            self.score.append(float(found.score[row]))
            self.hit.append(hit)
            self.counted.append(hit | ~excused[row])

    def average_precision(self) -> Reals:
        """(10,) one for each overlap; NaN where there was nothing to find."""
        if not self.objects:
            return np.full(len(IOUS), np.nan)
        if not self.score:
            return np.zeros(len(IOUS))
        order = np.argsort(-np.array(self.score), kind="stable")
        hit, counted = np.array(self.hit)[order], np.array(self.counted)[order]
        return np.array([_average(hit[counted[:, k], k], self.objects) for k in range(len(IOUS))])


def _average(hit: Flags, objects: int) -> float:
    """Mean over 101 recalls of the best precision at that recall or a higher one."""
    right = np.cumsum(hit)
    precision = right / np.arange(1, len(hit) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(right / objects, RECALLS)
    return float(np.append(best, 0)[np.minimum(at, len(best))].mean())


def _inside(boxes: NDArray[np.float32], free: NDArray[np.float32]) -> Flags:
    """(N,) whether more than half of a box lies in one of `free`."""
    if not len(boxes) or not len(free):
        return np.zeros(len(boxes), bool)
    low, high = np.maximum(boxes[:, None, :2], free[:, :2]), np.minimum(boxes[:, None, 2:], free[:, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    return np.asarray((shared > 0.5 * np.maximum(area(boxes), 1e-6)[:, None]).any(axis=1))


@dataclass(frozen=True, slots=True)
class Precision:
    """Means over the classes that the labels hold."""

    ap50: float
    ap50_95: float
    classes: tuple[int, ...]  # label ids
    objects: int


def precision(answers: Sequence[Detections], truths: Sequence[Truth]) -> Precision:
    """COCO's mAP; detections of classes that no label has do not count."""
    classes = sorted({int(k) for truth in truths for k in truth.class_id} - {FREE})
    tallies = {k: Tally() for k in classes}
    for found, truth in zip(answers, truths, strict=True):
        free = truth.xyxy[truth.class_id == FREE]
        for k, tally in tallies.items():
            tally.add(found[found.class_id == k], truth.xyxy[truth.class_id == k], free)
    each = np.array([tally.average_precision() for tally in tallies.values()]).reshape(-1, len(IOUS))
    means = each.mean(axis=0) if len(each) else np.full(len(IOUS), np.nan)
    objects = sum(tally.objects for tally in tallies.values())
    return Precision(float(means[0]), float(means.mean()), tuple(classes), objects)


def pairs(a: Detections, b: Detections) -> list[tuple[int, int, float]]:
    """Rows of a and b that show the same object, a's best first, and how much they overlap."""
    overlaps = np.where(a.class_id[:, None] == b.class_id, iou(a.xyxy, b.xyxy), 0)
    found = []
    for row in np.argsort(-a.score, kind="stable"):
        if overlaps.shape[1] and overlaps[row].max() >= SAME:
            column = int(overlaps[row].argmax())
            found.append((int(row), column, float(overlaps[row, column])))
            overlaps[:, column] = 0
    return found


def agreement(a: Sequence[Detections], b: Sequence[Detections], min_score: float) -> float:
    """F1 of the objects that both report at `min_score`; 1: the same objects, 0: no object in common."""
    shared = total = 0
    for one, other in zip(a, b, strict=True):
        one, other = one[one.score >= min_score], other[other.score >= min_score]
        shared += len(pairs(one, other))
        total += len(one) + len(other)
    return 2 * shared / total if total else 1.0


def likeness(a: Sequence[Detections], b: Sequence[Detections]) -> float:
    """How alike all detections are, 0 to 1: shared score times overlap, over all score.

    Smooth where `agreement` jumps at a threshold, so it orders small damages.
    """
    shared = total = 0.0
    for one, other in zip(a, b, strict=True):
        shared += sum(2 * overlap * min(one.score[i], other.score[k]) for i, k, overlap in pairs(one, other))
        total += float(one.score.sum() + other.score.sum())
    return float(shared / total) if total else 1.0


def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Mean cosine between the rows of two (N, D) arrays of unit rows; 0 where their lengths differ."""
    return float((a * b).sum(axis=1).mean()) if a.shape == b.shape and len(a) else 0.0


def identities_apart(rows: NDArray[np.float32], identity: NDArray[np.int64], sequence: NDArray[np.int64]) -> float:
    """Mean cosine of different looks at one object, less that of different objects of the same sequence."""
    cosine = rows @ rows.T
    upper = np.triu(np.ones(cosine.shape, bool), 1) & (sequence[:, None] == sequence)
    same = identity[:, None] == identity
    if not (upper & same).any() or not (upper & ~same).any():
        return float("nan")
    return float(cosine[upper & same].mean() - cosine[upper & ~same].mean())
