"""Both ways to solve an assignment, and the pairs it is solved over."""

import numpy as np
import pytest

from edgetrack.track import assignment
from edgetrack.track.assignment import assign, inside, overlapping

LIMIT = 0.7


def rivals(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of 40 tracks and 30 detections of which each has a few."""
    rng = np.random.default_rng(seed)
    tracks, detections = np.nonzero(rng.random((40, 30)) < 0.1)
    return tracks, detections, rng.uniform(0, LIMIT, len(tracks))


@pytest.mark.parametrize("seed", range(5))
def test_a_crowd_is_assigned_over_its_pairs_as_over_a_table(seed: int, monkeypatch: pytest.MonkeyPatch):
    by_table = assign(*rivals(seed), LIMIT + 1e-5)
    monkeypatch.setattr(assignment, "LARGEST_TABLE", 0)
    assert sorted(assign(*rivals(seed), LIMIT + 1e-5)) == sorted(by_table)


def test_pairs_are_all_points_inside_an_interval():
    i, j = inside(np.array([0.0, 5, 20]), np.array([6.0, 9, 30]), np.array([7.0, 5, 25, 100]))
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == [(0, 1), (1, 1), (1, 0), (2, 2)]


def test_pairs_are_all_intervals_that_touch():
    i, j = overlapping(np.array([0.0, 10]), np.array([4.0, 12]), np.array([3.0, 12, 20]), np.array([11.0, 13, 30]))
    assert sorted(zip(i.tolist(), j.tolist(), strict=True)) == [(0, 0), (1, 0), (1, 1)]
