"""Ranges of values that are counted and forgotten."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgetrack.modelling.ranges import BINS, Range, Ranges


def of(*pictures: object) -> Range:
    found = Range()
    for values in pictures:
        found.add(np.asarray(values, np.float32))
    return found


def test_minmax_is_the_least_and_the_greatest_of_all_pictures() -> None:
    assert of([-1, 2], [0, 5]).limits("minmax") == (-1, 5)


def test_average_is_the_mean_of_each_pictures_extremes() -> None:
    assert of([-1, 2], [-3, 6]).limits("average") == (-2, 4)


def test_percentile_leaves_single_outliers_out() -> None:
    values = np.linspace(0, 1, 1_000_000)
    low, high = of(values, [1000.0]).limits("percentile")
    assert low == pytest.approx(0, abs=0.3)
    assert high == pytest.approx(1, abs=0.3)


@example([[1.401298464324817e-45]])
@given(st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20), min_size=1, max_size=5))
def test_no_value_is_lost_when_the_histogram_grows(pictures: list[list[float]]) -> None:
    found = of(*pictures)
    assert found.counts.sum() == sum(map(len, pictures))
    low, high = found.limits("percentile")
    assert found.lowest <= low <= high <= found.highest or low == high


def test_a_grown_histogram_is_that_of_all_values_at_once() -> None:
    random = np.random.default_rng(0)
    small, large = random.normal(0, 1, 5000), random.normal(0, 50, 5000)
    assert np.array_equal(of(small, large).counts, of(np.concatenate([large, small])).counts)


def test_memory_does_not_grow_with_pictures() -> None:
    found = Range()
    for _ in range(50):
        found.add(np.ones((10, 10), np.float32))
    assert found.counts.nbytes == BINS * 8


def test_what_is_not_finite_is_left_out() -> None:
    assert of([np.nan, 1, np.inf], [np.nan]).limits("minmax") == (1, 1)


def test_a_tensor_of_noughts_has_an_empty_range() -> None:
    found = Ranges(["a", "b"])
    found.add({"a": np.zeros(4, np.float32), "b": np.empty(0, np.float32)})
    for method in ("minmax", "average", "percentile"):
        assert found.limits(method) == {"a": (0, 0), "b": (0, 0)}
