"""Long alignments ask often whether to stop, counted in rows: seconds depend on the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.alignment.aligners import AlignOptions, align_arrays
from carl_core.alignment.copies import find_copy
from carl_core.alignment.costs import Costs
from carl_core.alignment.dtw import solve, solve_checkpointed
from carl_core.alignment.looks import Look, Pair, fused_costs
from carl_core.errors import Cancelled
from carl_core.progress import BLOCK_ROWS, Monitor
from carl_core.similarity.matrix import unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 3 * BLOCK_ROWS + 5
DIM = 4


class Counting(Monitor):
    """Counts the questions; says "stop" at the one given."""

    def __init__(self, stop_at: int = -1) -> None:
        super().__init__()
        self.asked = 0
        self._stop_at = stop_at

    def check(self) -> None:
        self.asked += 1
        if self.asked == self._stop_at:
            self.cancel()
        super().check()


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    steps = np.random.default_rng(1).normal(size=(ROWS, DIM))
    return np.cumsum(steps, axis=0).astype(np.float32)


def times(count: int) -> np.ndarray:
    return np.arange(count) / 10


def copy_of(vectors: np.ndarray, monitor: Monitor) -> None:
    rows = unit_rows(vectors, centre=False)
    path = solve(Costs(rows[:600], rows[:600]))
    find_copy(times(ROWS), rows, times(ROWS), rows, path, monitor)


def fused(vectors: np.ndarray, monitor: Monitor) -> None:
    look = Look(vectors, True)
    _ = look.rows, look.distances(np.arange(1))
    some = np.arange(0, ROWS, 100)
    fused_costs(Pair(look, look), some, some, monitor)


STAGES: dict[str, Callable[[np.ndarray, Monitor], object]] = {
    "unit rows": lambda v, monitor: unit_rows(v, centre=True, monitor=monitor),
    "distances": lambda v, monitor: Look(v, True, monitor).distances(np.arange(8)),
    "pooled": lambda v, monitor: Look(v, True, monitor).pooled(64),
    "pooled a little": lambda v, monitor: Look(v, True, monitor).pooled(ROWS - 1),
    "halved": lambda v, monitor: Costs(v, v).halved(monitor=monitor),
    "copies": copy_of,
    "fused costs": fused,
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_asks_at_each_block_of_rows(stage: str, vectors: np.ndarray) -> None:
    monitor = Counting()
    STAGES[stage](vectors, monitor)
    assert monitor.asked >= ROWS // BLOCK_ROWS
    with pytest.raises(Cancelled):
        STAGES[stage](vectors, Counting(stop_at=2))


def test_both_solvers_ask_at_each_block(vectors: np.ndarray) -> None:
    rows = unit_rows(vectors[:3000], centre=True)
    for solver in (
        lambda m: solve(Costs(rows, rows), exact_cells=0, monitor=m),
        lambda m: solve_checkpointed(Costs(rows, rows), monitor=m),
    ):
        monitor = Counting()
        solver(monitor)
        assert monitor.asked >= len(rows) // 256
        with pytest.raises(Cancelled):
            solver(Counting(stop_at=monitor.asked // 2))


def test_an_alignment_stops_wherever_it_is_told_to(vectors: np.ndarray) -> None:
    count = 2500
    pair = (times(count), vectors[:count], times(count), vectors[200 : 200 + count])
    options = AlignOptions(null_maps=6)
    monitor = Counting()
    align_arrays(*pair, options=options, monitor=monitor)
    for stop_at in np.linspace(1, monitor.asked, 7).astype(int):
        with pytest.raises(Cancelled):
            align_arrays(*pair, options=options, monitor=Counting(int(stop_at)))
