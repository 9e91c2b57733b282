from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carl_core.alignment.anchored import solve_between
from carl_core.alignment.costs import Costs
from carl_core.alignment.dtw import solve, solve_checkpointed, solve_exact, warm_up
from carl_core.alignment.warping_path import Ends, Path
from carl_core.errors import AlignmentError, Cancelled
from carl_core.progress import Monitor
from carl_core.similarity.matrix import unit_rows
from tests.alignment.signals import grid, scene, shown
from tests.alignment.slow import best_total

if TYPE_CHECKING:
    from carl_core.alignment.options import StepPattern

PATTERNS = ("2-1-1", "1-1-1")


def costs_of(matrix: list[list[float]]) -> Costs:
    """Costs with exactly these entries: columns are unit vectors, rows carry 1 - cost."""
    values = np.asarray(matrix, dtype=np.float32)
    return Costs(np.float32(1.0) - values, np.eye(values.shape[1], dtype=np.float32))


def random_costs(n: int, m: int, seed: int) -> Costs:
    rng = np.random.default_rng(seed)
    return Costs(
        unit_rows(rng.normal(size=(n, 6)), centre=False),
        unit_rows(rng.normal(size=(m, 6)), centre=False),
    )


def matrix_of(costs: Costs) -> np.ndarray:
    return costs.block(0, costs.shape[0], 0, costs.shape[1])


def check_law(path: Path, costs: Costs, prices: tuple[float, ...], straight: float) -> None:
    """Monotone, complete, and as dear as it says."""
    steps = np.stack([np.diff(path.reference), np.diff(path.other)], axis=1)
    assert {tuple(step) for step in steps.tolist()} <= {(1, 1), (1, 0), (0, 1)}
    n, m = costs.shape
    left_out = (
        int(path.reference[0]),
        int(path.other[0]),
        n - 1 - int(path.reference[-1]),
        m - 1 - int(path.other[-1]),
    )
    total = float(np.dot(path.weights, path.costs))
    total += straight * int((steps.sum(axis=1) == 1).sum())
    for count, price in zip(left_out, prices, strict=True):
        if count:
            assert math.isfinite(price)
            total += count * price
    assert path.total == pytest.approx(total, abs=1e-4)


def test_worked_example_by_hand() -> None:
    # Reference 0 1 2 against other 0 1 1 2: the reference waits once at 1, all pairs are free.
    costs = costs_of(
        [
            [0.0, 1.0, 1.0, 1.0],
            [1.0, 0.0, 0.0, 1.0],
            [1.0, 1.0, 1.0, 0.0],
        ]
    )
    path = solve_exact(costs)
    assert list(zip(path.reference.tolist(), path.other.tolist(), strict=True)) == [
        (0, 0),
        (1, 1),
        (1, 2),
        (2, 3),
    ]
    assert path.total == pytest.approx(0.0)
    assert path.weights.tolist() == [2, 2, 1, 2]


def test_the_patterns_differ_as_stated() -> None:
    # 1-1-1 charges 0.5 once on the diagonal. 2-1-1 would charge it twice there, so it steps aside
    # over 0.3 and then pays 0.5 once.
    costs = costs_of([[0.0, 0.3, 1.0], [0.3, 0.5, 0.3], [1.0, 0.3, 0.0]])
    assert solve_exact(costs, pattern="1-1-1").total == pytest.approx(0.5)
    assert len(solve_exact(costs, pattern="1-1-1").reference) == 3
    around = solve_exact(costs, pattern="2-1-1")
    assert around.total == pytest.approx(0.3 + 0.5, abs=1e-6)
    assert around.weights.sum() == 6  # N + M whatever the way


def test_an_open_end_is_taken_when_it_costs_less() -> None:
    costs = costs_of([[0.9, 0.0, 0.9, 0.9], [0.9, 0.9, 0.0, 0.9]])
    closed = solve_exact(costs)
    assert (closed.other[0], closed.other[-1]) == (0, 3)
    inside = solve_exact(costs, ends=Ends(other_begin=0.4, other_end=0.4))
    assert (inside.other[0], inside.other[-1]) == (1, 2)
    assert inside.total == pytest.approx(0.8)
    dear = solve_exact(costs, ends=Ends(other_begin=2.0, other_end=2.0))
    assert dear.total == pytest.approx(closed.total)


@given(
    n=st.integers(1, 12),
    m=st.integers(1, 12),
    seed=st.integers(0, 10_000),
    pattern=st.sampled_from(PATTERNS),
    ends=st.tuples(*[st.sampled_from([math.inf, 0.3, 0.8])] * 4),
    straight=st.sampled_from([0.0, 0.2]),
)
@settings(max_examples=150, deadline=None)
def test_kernel_equals_the_definition(
    n: int, m: int, seed: int, pattern: str, ends: tuple[float, ...], straight: float
) -> None:
    costs = random_costs(n, m, seed)
    path = solve_exact(costs, pattern=pattern, ends=Ends(*ends), straight=straight)
    prices = tuple(Ends(*ends).scaled(pattern).as_array().tolist())
    expected = best_total(matrix_of(costs), pattern, prices, straight)
    assert path.total == pytest.approx(expected, abs=1e-4)
    check_law(path, costs, prices, straight)


@given(n=st.integers(1, 40), m=st.integers(1, 40), seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_exchanging_the_recordings_exchanges_the_path(n: int, m: int, seed: int) -> None:
    costs = random_costs(n, m, seed)
    other_way = Costs(costs.columns, costs.rows)
    for ends, turned in ((Ends(), Ends()), (Ends(0.2, 0.3, 0.4, 0.5), Ends(0.3, 0.2, 0.5, 0.4))):
        there = solve_exact(costs, ends=ends, straight=0.1)
        back = solve_exact(other_way, ends=turned, straight=0.1)
        assert there.total == pytest.approx(back.total, abs=1e-4)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("price", [math.inf, 0.5])
def test_coarse_to_fine_finds_the_exact_path(pattern: str, price: float) -> None:
    knots = scene(3, 300)
    times = np.cumsum(0.1 * np.exp(0.5 * np.sin(np.arange(2600) / 90)))
    costs = Costs(
        unit_rows(shown(knots, grid(240), noise=0.3), centre=True),
        unit_rows(shown(knots, times[times < 290], noise=0.3, seed=1), centre=True),
    )
    ends = Ends(price, price, price, price)
    exact = solve_exact(costs, pattern=pattern, ends=ends)
    fast = solve(costs, pattern=pattern, ends=ends, exact_cells=0)
    assert fast.total <= exact.total * (1 + 1e-3)
    assert fast.total >= exact.total - 1e-6 * abs(exact.total)
    check_law(fast, costs, tuple(ends.scaled(pattern).as_array().tolist()), 0.0)


@pytest.mark.parametrize(("n", "m"), [(3000, 20), (20, 3000), (1, 2000), (1500, 1)])
def test_coarse_to_fine_survives_wildly_different_lengths(n: int, m: int) -> None:
    costs = random_costs(n, m, 0)
    for ends in (Ends(), Ends(0.4, 0.4, 0.4, 0.4)):
        path = solve(costs, ends=ends, exact_cells=0)
        check_law(path, costs, tuple(ends.as_array().tolist()), 0.0)
        assert path.total >= solve_exact(costs, ends=ends).total - 1e-3


def test_a_mask_is_never_entered() -> None:
    knots = scene(1)
    rows = unit_rows(shown(knots, grid(20)), centre=True)
    for exact_cells in (10**9, 0):
        costs = Costs(rows, rows, ((80, 120, 80, 120),))
        path = solve(costs, exact_cells=exact_cells)
        inside = (path.reference >= 80) & (path.reference < 120)
        inside &= (path.other >= 80) & (path.other < 120)
        assert not inside.any()
        assert np.isfinite(path.total)


def test_masks_that_close_every_way_are_refused() -> None:
    rows = unit_rows(shown(scene(1), grid(8)), centre=True)
    for exact_cells in (10**9, 0):
        with pytest.raises(AlignmentError, match="masks close every way"):
            solve(Costs(rows, rows, ((40, 41, 0, 80),)), exact_cells=exact_cells)


@given(
    n=st.integers(2, 25),
    m=st.integers(2, 25),
    seed=st.integers(0, 1000),
    share=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_a_pinned_path_goes_through_every_pin(
    n: int, m: int, seed: int, share: list[tuple[float, float]]
) -> None:
    costs = random_costs(n, m, seed)
    rows = sorted(round(a * (n - 1)) for a, _ in share)
    columns = sorted(round(b * (m - 1)) for _, b in share)
    pins = sorted(set(zip(rows, columns, strict=True)))
    path = solve_between(costs, pins, pattern="2-1-1", ends=Ends(0.3, 0.3, 0.3, 0.3))
    cells = set(zip(path.reference.tolist(), path.other.tolist(), strict=True))
    assert set(pins) <= cells
    check_law(path, costs, (0.3, 0.3, 0.3, 0.3), 0.0)
    assert path.total >= solve_exact(costs, ends=Ends(0.3, 0.3, 0.3, 0.3)).total - 1e-4


def test_moving_a_pin_changes_nothing_beyond_its_neighbours() -> None:
    rows = unit_rows(shown(scene(2), grid(20), noise=0.5), centre=True)
    costs = Costs(rows, rows)
    first = solve_between(costs, [(50, 50), (100, 100), (150, 150)], pattern="2-1-1", ends=Ends())
    moved = solve_between(costs, [(50, 50), (100, 110), (150, 150)], pattern="2-1-1", ends=Ends())
    for path_part in (lambda p: p.reference <= 50, lambda p: p.reference >= 150):
        np.testing.assert_array_equal(first.other[path_part(first)], moved.other[path_part(moved)])


def test_inputs_are_not_modified() -> None:
    rows = unit_rows(shown(scene(1), grid(10)), centre=True)
    before = rows.copy()
    solve(Costs(rows, rows, ((3, 4, 5, 6),)), exact_cells=0)
    np.testing.assert_array_equal(rows, before)


def test_cancelling_stops_the_solver() -> None:
    monitor = Monitor()
    monitor.cancel()
    with pytest.raises(Cancelled):
        solve(random_costs(50, 50, 0), monitor=monitor)


def test_warm_up_runs() -> None:
    warm_up()


def test_librosa_agrees_on_small_problems() -> None:
    librosa = pytest.importorskip("librosa", reason="only in the bench group")
    for seed in range(3):
        costs = random_costs(30, 41, seed)
        for pattern, weights in (("2-1-1", [2, 1, 1]), ("1-1-1", [1, 1, 1])):
            accumulated = librosa.sequence.dtw(
                C=matrix_of(costs).astype(np.float64),
                step_sizes_sigma=np.array([[1, 1], [1, 0], [0, 1]]),
                weights_mul=np.array(weights, dtype=np.float64),
                backtrack=False,
            )
            # librosa charges the first pair once whatever the weights.
            first = (weights[0] - 1) * float(matrix_of(costs)[0, 0])
            total = solve_exact(costs, pattern=pattern).total
            assert total == pytest.approx(float(accumulated[-1, -1]) + first, abs=1e-4)


@pytest.mark.parametrize("pattern", ["2-1-1", "1-1-1"])
@pytest.mark.parametrize(("n", "m", "seed"), [(700, 430, 1), (300, 1100, 2), (1, 5, 3), (6, 1, 4)])
def test_the_checkpointed_solver_finds_the_exact_path(
    pattern: StepPattern, n: int, m: int, seed: int
) -> None:
    costs = random_costs(n, m, seed)
    exact = solve_exact(costs, pattern=pattern, straight=0.1)
    found = solve_checkpointed(costs, pattern=pattern, straight=0.1)
    assert found.total == pytest.approx(exact.total, rel=1e-12)
    np.testing.assert_array_equal(found.reference, exact.reference)
    np.testing.assert_array_equal(found.other, exact.other)


def test_the_checkpointed_solver_reports_and_stops() -> None:
    rows = unit_rows(
        np.random.default_rng(0).normal(size=(900, 4)).astype(np.float32), centre=False
    )
    seen: list[float] = []
    monitor = Monitor(lambda p: seen.append(p.done), interval_s=0.0)
    solve_checkpointed(Costs(rows, rows), monitor=monitor)
    assert seen[-1] == pytest.approx(900)
    stopped = Monitor()
    stopped.cancel()
    with pytest.raises(Cancelled):
        solve_checkpointed(Costs(rows, rows), monitor=stopped)


def weak(seed: int, count: int = 5000, repeated: int = 0) -> Costs:
    """A walk, twice, at a changing pace and under noise twice as strong as the walk itself.

    ``repeated``: so many scenes come again and again, only nearly the same.
    """
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(count // 20 + 4, 128))
    if repeated:
        base = base[np.arange(len(base)) % repeated] + 0.3 * rng.normal(size=base.shape)
    pace = np.exp(np.interp(np.arange(count), np.linspace(0, count, 40), 0.8 * rng.normal(size=40)))
    share = np.cumsum(pace)
    share = (share - share[0]) / (share[-1] - share[0])
    made = []
    for at in (np.linspace(0, 1, count), share):
        place = at * (len(base) - 1.001)
        low = place.astype(int)
        part = (place - low)[:, None]
        rows = base[low] * (1 - part) + base[low + 1] * part
        rows = rows + 2.0 * rng.normal(size=rows.shape)
        made.append(unit_rows(rows.astype(np.float32), centre=False))
    return Costs(*made)


@pytest.mark.parametrize("repeated", [0, 4, 12])
def test_what_a_narrow_corridor_misses_is_not_called_stable(repeated: int) -> None:
    missed = 0
    corridors = ((8, 4), (32, 64))
    for seed in range(3):
        costs = weak(seed, repeated=repeated)
        exact = solve_checkpointed(costs, pattern="1-1-1")
        narrow = solve(costs, pattern="1-1-1", exact_cells=0, corridors=corridors)
        excess = narrow.total / exact.total - 1
        missed += excess > 1e-3
        assert excess <= 1e-3 or not narrow.is_stable
        # Where that is affordable, every pair is searched then.
        affordable = solve(costs, pattern="1-1-1", exact_cells=4_000_000, corridors=corridors)
        assert affordable.total == pytest.approx(exact.total, rel=1e-9)
        assert affordable.is_stable
    assert missed


def test_a_wider_corridor_settles_it() -> None:
    costs = weak(0)
    exact = solve_checkpointed(costs, pattern="1-1-1")
    found = solve(costs, pattern="1-1-1", exact_cells=0)
    assert found.total == pytest.approx(exact.total, rel=1e-3)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("n", [4, 5, 130, 259])
def test_blocks_of_rows_give_the_path_of_the_definition(pattern: StepPattern, n: int) -> None:
    for ends in (Ends(), Ends(other_begin=0.1, other_end=0.2)):
        costs = random_costs(n, 30, n)
        path = solve_exact(costs, pattern=pattern, ends=ends, straight=0.05)
        prices = tuple(ends.scaled(pattern).as_array().tolist())
        expected = best_total(matrix_of(costs), pattern, prices, 0.05)
        assert path.total == pytest.approx(expected, abs=1e-4)
        check_law(path, costs, prices, 0.05)


def test_a_path_far_back_within_a_strip_is_found() -> None:
    # The other waits for 500 samples in one row, so the strip's first columns are not enough.
    still = np.tile(np.eye(4, dtype=np.float32)[0], (3, 1))
    rows = np.concatenate([np.eye(4, dtype=np.float32)[1:2], still])
    columns = np.concatenate([np.eye(4, dtype=np.float32)[1:2], np.tile(still[:1], (500, 1))])
    costs = Costs(rows, columns)
    found, exact = solve_checkpointed(costs), solve_exact(costs)
    assert found.total == pytest.approx(exact.total)
    np.testing.assert_array_equal(found.other, exact.other)


class Watching(Monitor):
    """Knows how long the work was ever busy between two moments at which it could be stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.longest_s, self._last_s = 0.0, time.thread_time()

    def check(self) -> None:
        now_s = time.thread_time()
        self.longest_s = max(self.longest_s, now_s - self._last_s)
        super().check()
        self._last_s = time.thread_time()


@pytest.mark.parametrize(("n", "m", "exactly"), [(50_000, 50_000, False), (600, 100_000, True)])
def test_work_can_be_stopped_at_any_moment(n: int, m: int, exactly: bool) -> None:
    rng = np.random.default_rng(0)
    walk = unit_rows(np.cumsum(rng.normal(size=(m, 16)), axis=0).astype(np.float32), centre=False)
    costs = Costs(walk[:n], walk)
    monitor = Watching()
    if exactly:
        solve_checkpointed(costs, monitor=monitor)
    else:
        solve(costs, exact_cells=0, monitor=monitor)
    assert monitor.longest_s < 0.5  # a watchdog: some 0.03 where nothing else runs
