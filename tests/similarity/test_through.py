"""The cost of passing through a cell, against the slow definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from carl_core.similarity.through import excess_cost


def slow(similarity: np.ndarray) -> np.ndarray:
    """All paths, one by one."""
    n, m = similarity.shape
    cost = 1 - similarity
    through = np.full((n, m), np.inf)

    def walk(cells: list[tuple[int, int]], total: float) -> None:
        i, j = cells[-1]
        if (i, j) == (n - 1, m - 1):
            for cell in cells:
                through[cell] = min(through[cell], total)
            return
        for di, dj in ((0, 1), (1, 0), (1, 1)):
            if i + di < n and j + dj < m:
                step = (di + dj) * (cost[i, j] + cost[i + di, j + dj]) / 2
                walk([*cells, (i + di, j + dj)], total + step)

    walk([(0, 0)], 0.0)
    return through - through[0, 0]


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 5), st.integers(1, 5)),
        elements=st.floats(-1, 1, width=32),
    )
)
def test_it_is_the_least_over_all_paths(similarity: np.ndarray) -> None:
    np.testing.assert_allclose(excess_cost(similarity), slow(similarity), atol=1e-5)


def test_the_best_path_costs_nothing_more() -> None:
    similarity = np.full((40, 60), -0.5)
    path = np.stack([np.linspace(0, 39, 80).round(), np.linspace(0, 59, 80).round()]).astype(int)
    similarity[path[0], path[1]] = 1.0
    excess = excess_cost(similarity)
    assert excess[path[0], path[1]].max() < 2.0
    assert excess[0, 59] > 30


@pytest.mark.parametrize("bad", [np.zeros((0, 3)), np.full((2, 2), np.nan), np.zeros(3)])
def test_what_is_no_map_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="similarity"):
        excess_cost(bad)
