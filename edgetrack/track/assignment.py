"""Which track gets which detection, over the pairs (track, detection) that may be matched at all.

In a scene seen from a camera most tracks have one detection near them and most detections one track. Pairs are
therefore lists of indices rather than a matrix, and only those that compete are handed to the Hungarian method.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetrack.track.lsap import linear_sum_assignment

Array = NDArray[np.floating[Any]]
Index = NDArray[np.intp]
Mask = NDArray[np.bool_]


def inside(low: Array, high: Array, point: Array) -> tuple[Index, Index]:
    """All pairs (i, j) of an interval i and a point j with low <= point <= high, ordered by i.

    With the points in order, those inside an interval are a run of neighbours.
    """
    order = point.argsort()
    first = point.searchsorted(low, sorter=order)
    run = np.maximum(point.searchsorted(high, side="right", sorter=order) - first, 0)  # one may end before it begins
    before = run.cumsum() - run  # pairs of the intervals before this one
    i = np.arange(len(low)).repeat(run)
    return i, order[np.arange(len(i)) + (first - before).repeat(run)]


def overlapping(low: Array, high: Array, other_low: Array, other_high: Array) -> tuple[Index, Index]:
    """All pairs (i, j) of intervals [low, high] and [other_low, other_high] that touch, ordered by i."""
    i, j = inside(low - (other_high - other_low).max(initial=0.0), high, other_low)
    touching = other_high[j] >= low[i]
    return i[touching], j[touching]


def unrivalled(tracks: Index, detections: Index) -> Mask:
    """(P,) true for the pairs whose track and whose detection occur in no other pair."""
    if not len(tracks):
        return np.zeros(0, np.bool_)
    alone: Mask = (np.bincount(tracks)[tracks] == 1) & (np.bincount(detections)[detections] == 1)
    return alone


def assign(tracks: Index, detections: Index, cost: Array, unmatched_cost: float) -> Index:
    """Indices of the pairs that make the cheapest matching.

    Args:
        tracks, detections: (P,) the pairs; each at most once.
        cost: (P,) below `unmatched_cost`.
        unmatched_cost: what a track costs that gets none.
    """
    alone = unrivalled(tracks, detections)
    chosen = alone.nonzero()[0]
    if len(chosen) == len(tracks):
        return chosen
    rivals = (~alone).nonzero()[0]
    row_of, rows = np.unique(tracks[rivals], return_inverse=True)
    column_of, columns = np.unique(detections[rivals], return_inverse=True)
    table = np.full((len(row_of), len(column_of)), unmatched_cost)
    table[rows, columns] = cost[rivals]
    pair = np.full(table.shape, -1)
    pair[rows, columns] = rivals
    best = pair[linear_sum_assignment(table)]
    return np.concatenate([chosen, best[best >= 0]])
