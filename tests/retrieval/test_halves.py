from __future__ import annotations

import numpy as np
import pytest

from carl_core.retrieval.halves import cosines, less_mean, sum_of
from carl_core.retrieval.stills import centred, mean_of
from carl_core.retrieval.stills import cosines as cosines_of


def every_half() -> np.ndarray:
    """All finite numbers of half precision, the smallest and both zeros included: (1, C)."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    return halves[np.isfinite(halves)][None]


def test_every_half_is_widened_exactly() -> None:
    halves = every_half()
    none = np.zeros(halves.shape[1], dtype=np.float32)
    # Divided by a power of two, nothing is rounded.
    found = less_mean(halves, none, 2.0**32) * np.float32(2.0**32)
    np.testing.assert_array_equal(found, halves.astype(np.float32))
    np.testing.assert_array_equal(sum_of(halves), halves[0].astype(np.float64))


@pytest.mark.parametrize("count", [0, 1, 7, 300])
@pytest.mark.parametrize("width", [1, 5, 64, 1600])
def test_halves_give_what_numpy_gives(count: int, width: int) -> None:
    rng = np.random.default_rng(count + width)
    rows = (3.0 + rng.normal(size=(count, width))).astype(np.float16)
    mean = (3.0 + 0.1 * rng.normal(size=width)).astype(np.float32)
    query = rng.normal(size=width).astype(np.float32)
    query /= np.linalg.norm(query)
    wide = centred(rows.astype(np.float32), mean)
    np.testing.assert_allclose(centred(rows, mean), wide, atol=1e-6)
    np.testing.assert_allclose(
        cosines_of(rows, mean, query[None]), wide @ query[:, None], atol=1e-5
    )
    two = np.stack([query, -query])
    np.testing.assert_allclose(cosines_of(rows, mean, two), wide @ two.T, atol=1e-5)
    if count:
        np.testing.assert_allclose(mean_of(rows), rows.astype(np.float64).mean(axis=0), rtol=1e-12)


def test_rows_that_are_no_block_of_memory_are_read_right() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 32)).astype(np.float16)
    mean, query = np.zeros(16, dtype=np.float32), np.ones(16, dtype=np.float32)
    for part in (rows[::3, ::2], rows.T[:16].T, rows[:, 16:]):
        expected = less_mean(np.ascontiguousarray(part), mean, 0.1)
        np.testing.assert_array_equal(less_mean(part, mean, 0.1), expected)
        np.testing.assert_allclose(cosines(part, mean, query, 0.1), expected @ query, atol=1e-5)


def test_a_row_at_the_mean_shows_nothing() -> None:
    mean = np.full(64, 2.0, dtype=np.float32)
    rows = np.full((3, 64), 2.0, dtype=np.float16)
    assert not less_mean(rows, mean, 0.5).any()
    assert not cosines(rows, mean, mean, 0.5).any()
