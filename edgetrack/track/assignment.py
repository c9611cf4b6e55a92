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

LARGEST_TABLE = 1_000_000  # cells, 8 MB; a crowd that competes for more is solved over its pairs


def inside(low: Array, high: Array, point: Array) -> tuple[Index, Index]:
    """All pairs (i, j) of an interval i and a point j with low <= point <= high, ordered by i.

    With the points in order, those inside an interval are a run of neighbours.
    """
    order = point.argsort()
    ordered = point.take(order)
    first = ordered.searchsorted(low)
    run = np.maximum(ordered.searchsorted(high, side="right") - first, 0)  # one may end before it begins
    i = np.arange(len(run)).repeat(run)
    passed = first + run - run.cumsum()  # how far a run lies behind its place in the list of pairs
    return i, order.take(np.arange(len(i)) + passed.take(i))


def overlapping(low: Array, high: Array, other_low: Array, other_high: Array) -> tuple[Index, Index]:
    """All pairs (i, j) of intervals [low, high] and [other_low, other_high] that touch, ordered by i."""
    i, j = inside(low - (other_high - other_low).max(initial=0.0), high, other_low)
    touching = (other_high.take(j) >= low.take(i)).nonzero()[0]
    return i.take(touching), j.take(touching)


def unrivalled(tracks: Index, detections: Index) -> Mask:
    """(P,) true for the pairs whose track and whose detection occur in no other pair."""
    if not len(tracks):
        return np.zeros(0, np.bool_)
    pairs = np.bincount(tracks).take(tracks) * np.bincount(detections).take(detections)
    return np.asarray(pairs == 1)


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
    solve = _by_table if len(row_of) * len(column_of) <= LARGEST_TABLE else _by_pairs
    return np.concatenate([chosen, rivals[solve(rows, columns, cost[rivals], unmatched_cost)]])


def _by_table(rows: Index, columns: Index, cost: Array, unmatched_cost: float) -> Index:
    table = np.full((rows.max() + 1, columns.max() + 1), unmatched_cost)
    table[rows, columns] = cost
    pair = np.full(table.shape, -1)
    pair[rows, columns] = np.arange(len(rows))
    best = pair[linear_sum_assignment(table)]
    return np.asarray(best[best >= 0])


def _by_pairs(rows: Index, columns: Index, cost: Array, unmatched_cost: float) -> Index:
    """The same in memory that goes with the pairs. Every row has a column of its own that stands for no match."""
    from scipy.sparse import csr_array  # 45 MB of modules that most devices never need
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    n, m, p = rows.max() + 1, columns.max() + 1, len(rows)
    row, column = np.append(rows, np.arange(n)), np.append(columns, m + np.arange(n))
    weight = 1 + np.append(cost, np.full(n, unmatched_cost))  # 0 would mean that there is no such pair
    best = np.full(n, -1)
    taken, by = min_weight_full_bipartite_matching(csr_array((weight, (row, column)), shape=(n, m + n)))
    best[taken] = by
    return np.asarray((columns == best[rows]).nonzero()[0][:p])
