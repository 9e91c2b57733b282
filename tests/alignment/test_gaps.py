from __future__ import annotations

import math

import numpy as np
import pytest

from carl_core.alignment.aligners import AlignOptions, align_arrays
from carl_core.alignment.costs import Costs
from carl_core.alignment.dtw import solve_exact
from carl_core.alignment.gaps import GapPrices, runs_of, solve_with_gaps
from carl_core.alignment.warping_path import Ends
from carl_core.errors import AlignmentError
from tests.alignment.signals import grid, scene, shown
from tests.alignment.slow import best_total_with_gaps


def costs_of(n: int, m: int, seed: int) -> Costs:
    values = np.random.default_rng(seed).uniform(0, 1, (n, m)).astype(np.float32)
    return Costs(np.float32(1.0) - values, np.eye(m, dtype=np.float32))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("pattern", ["2-1-1", "1-1-1"])
def test_the_total_is_the_least_of_all_paths_with_gaps(seed: int, pattern: str) -> None:
    rng = np.random.default_rng(seed)
    costs = costs_of(int(rng.integers(1, 9)), int(rng.integers(1, 9)), seed)
    prices = tuple(float(rng.uniform(0, 0.6)) if rng.random() < 0.5 else math.inf for _ in range(4))
    gap = GapPrices(float(rng.uniform(0, 0.5)), float(rng.uniform(0, 0.5)))
    straight = float(rng.uniform(0, 0.3))
    path = solve_with_gaps(
        costs,
        gap,
        pattern=pattern,  # type: ignore[arg-type]
        ends=Ends(*prices),
        straight=straight,
    )
    matrix = costs.block(0, costs.shape[0], 0, costs.shape[1])
    slow = best_total_with_gaps(matrix, pattern, gap.each, gap.opening, prices, straight)  # type: ignore[arg-type]
    assert path.total == pytest.approx(slow, rel=1e-6)
    # The path is one of that total: its own pairs, steps, gaps and ends say so.
    di, dj = np.diff(path.reference), np.diff(path.other)
    assert ((di >= 0) & (dj >= 0) & (di + dj > 0)).all()
    scale = 1.0 if pattern == "2-1-1" else 0.5
    jump = (di > 1) | (dj > 1)
    total = np.dot(path.weights, path.costs) + straight * np.sum((di + dj) == 1)
    total += scale * np.sum(gap.opening + gap.each * (di + dj - 2)[jump])
    n, m = costs.shape
    left = (path.reference[0], path.other[0], n - 1 - path.reference[-1], m - 1 - path.other[-1])
    total += sum(scale * p * k for p, k in zip(prices, left, strict=True) if k)
    assert path.total == pytest.approx(float(total), rel=1e-6)


def test_gaps_that_cost_too_much_leave_plain_warping() -> None:
    costs = costs_of(40, 30, 3)
    plain = solve_exact(costs)
    path = solve_with_gaps(costs, GapPrices(5.0, 5.0))
    np.testing.assert_array_equal(path.reference, plain.reference)
    np.testing.assert_array_equal(path.other, plain.other)


def test_masks_that_close_every_way_are_told() -> None:
    rows = np.eye(6, dtype=np.float32)
    with pytest.raises(AlignmentError, match="masks close every way"):
        solve_with_gaps(Costs(rows, rows, ((0, 6, 0, 6),)), GapPrices(1.0, 1.0))
    # A gap leads around a mask that plain warping cannot pass.
    path = solve_with_gaps(Costs(rows, rows, ((2, 4, 0, 6),)), GapPrices(1.0, 1.0))
    assert not np.isin(path.reference, [2, 3]).any()


def inserted() -> tuple[np.ndarray, ...]:
    """Samples of a scene, and of the same with something else in the middle of the reference."""
    common, strange = scene(1, 30), scene(2, 12)
    times = grid(20)
    other = shown(common, times, noise=0.2)
    again = shown(common, times + 0.2 * np.sin(times), noise=0.2, seed=1)
    reference = np.concatenate([again[:100], shown(strange, grid(6)), again[100:]])
    return grid(26), reference, times, other


@pytest.mark.parametrize("turned", [False, True])
def test_what_one_recording_has_more_in_the_middle_has_no_counterpart(turned: bool) -> None:
    long_s, long, short_s, short = inserted()
    options = AlignOptions(null_maps=10)
    if turned:
        found = align_arrays(short_s, short, long_s, long, method="gaps", options=options)
        after = found.other_s[short_s > 11]
        np.testing.assert_allclose(after, short_s[short_s > 11] + 6.0, atol=0.6)
        assert np.isfinite(found.other_s).all()
    else:
        found = align_arrays(long_s, long, short_s, short, method="gaps", options=options)
        assert np.isnan(found.other_s[(long_s > 11) & (long_s < 15)]).all()
        assert (found.confidence[(long_s > 11) & (long_s < 15)] == 0).all()
        (gap,) = found.gaps
        assert gap == (pytest.approx(10.0, abs=0.5), pytest.approx(16.0, abs=0.5))
        late = long_s > 17
        np.testing.assert_allclose(found.other_s[late], long_s[late] - 6.0, atol=0.6)
    assert "gap" in found.reason
    plain = align_arrays(short_s, short, long_s, long, method="dtw", options=options)
    assert len(runs_of(plain.raw_reference, plain.raw_other)) == 1


def test_gaps_of_long_recordings_are_found_coarsely_and_solved_finely() -> None:
    _, long, _, short = inserted()
    rows, columns = long - long.mean(0), short - short.mean(0)
    costs = Costs(
        np.ascontiguousarray(rows / np.linalg.norm(rows, axis=1, keepdims=True)),
        np.ascontiguousarray(columns / np.linalg.norm(columns, axis=1, keepdims=True)),
    )
    exact = solve_with_gaps(costs, GapPrices(0.9, 5.0))
    near = solve_with_gaps(costs, GapPrices(0.9, 5.0), exact_cells=15_000)
    assert len(runs_of(exact.reference, exact.other)) == 2
    at = np.interp(np.arange(160, 250), near.reference, near.other)
    np.testing.assert_allclose(
        at, np.interp(np.arange(160, 250), exact.reference, exact.other), atol=2.5
    )
    assert not np.isin(near.reference, np.arange(110, 150)).any()
