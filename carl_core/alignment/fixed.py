"""Maps that no path is searched for: straight lines, constant offsets, through anchors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.candidates import Candidate, Problem, every_end_open
from carl_core.alignment.confidence import Solved
from carl_core.alignment.copies import Line, find_copy, line_map
from carl_core.alignment.costs import Costs
from carl_core.alignment.dtw import solve
from carl_core.alignment.warping_path import Path
from carl_core.errors import AlignmentError
from carl_core.progress import row_blocks
from carl_core.similarity.matrix import unit_rows

if TYPE_CHECKING:
    from carl_core.alignment.looks import Pair
    from carl_core.arrays import Float32, Float64
    from carl_core.progress import Monitor

_MIN_OVERLAP = 0.3  # of the shorter recording, for a constant offset
_DIAGONAL_CELLS = 8_000_000  # pairs between two looks at whether to stop


def copied(problem: Problem) -> Candidate | None:
    """Return the line of constant rate where both show the same pictures, None when they do not."""
    if problem.anchors or problem.forbidden:
        return None
    guess = solve(
        problem.costs,
        pattern="2-1-1",
        ends=every_end_open(problem),
        straight=problem.loose_straight,
        monitor=problem.monitor,
    )
    line = find_copy(
        problem.reference_s,
        _unit(problem.vectors, problem.monitor),
        problem.other_s,
        _unit(problem.other_vectors, problem.monitor),
        guess,
        problem.monitor,
    )
    if line is None:
        return None
    if line == Line(1.0, 0.0):
        reason = "both show the same pictures at the same times"
    else:
        reason = (
            f"both show the same pictures; the other runs at {line.rate:.3g} times the "
            f"reference's pace and shows the reference's start at {line.start_s:.3f} s"
        )
    return _fixed(problem, "identity", line_map(line, problem.reference_s, problem.other_s), reason)


def linear(problem: Problem) -> Candidate:
    """Start to start and end to end."""
    start_s, end_s = problem.reference_s[0], problem.reference_s[-1]
    share = (problem.reference_s - start_s) / (end_s - start_s)
    first_s, last_s = problem.other_s[0], problem.other_s[-1]
    rate = (last_s - first_s) / (end_s - start_s)
    reason = f"start on start and end on end, at {rate:.3g} times the reference's pace"
    return _fixed(problem, "linear", first_s + share * (last_s - first_s), reason)


def offset(problem: Problem) -> Candidate:
    """Return the constant offset along which the recordings are most alike on average.

    The similarity along every diagonal of a common time grid is averaged over the overlap, and the
    best is refined between grid points by a parabola.
    """
    step_s = max(
        float(np.median(np.diff(problem.reference_s))), float(np.median(np.diff(problem.other_s)))
    )
    ours = _on_grid(problem.reference_s, problem.costs.rows, step_s)
    theirs = _on_grid(problem.other_s, problem.costs.columns, step_s)
    sums, counts = _diagonals(ours, theirs, problem.monitor)
    allowed = counts >= max(2.0, _MIN_OVERLAP * min(len(ours), len(theirs)))
    mean = np.where(allowed, sums / np.maximum(counts, 1), -np.inf)
    best = int(np.argmax(mean))
    shift = 0.0
    if 0 < best < len(mean) - 1 and np.isfinite(mean[best - 1]) and np.isfinite(mean[best + 1]):
        bend = mean[best - 1] - 2 * mean[best] + mean[best + 1]
        shift = 0.5 * (mean[best - 1] - mean[best + 1]) / bend if bend < -1e-12 else 0.0
    lag_s = (best - (len(ours) - 1) + float(np.clip(shift, -0.5, 0.5))) * step_s
    reason = (
        f"at the same pace, the other is {abs(lag_s):.3f} s {'ahead' if lag_s > 0 else 'behind'}"
    )
    return _fixed(
        problem, "offset", line_map(Line(1.0, lag_s), problem.reference_s, problem.other_s), reason
    )


def pinned(problem: Problem) -> Candidate:
    """Piecewise linear through the anchors; beyond the outer ones at their mean pace.

    Raises
    ------
    AlignmentError
        Without anchors.
    """
    anchors = problem.anchors
    if not anchors:
        raise AlignmentError(
            "The method 'anchors' needs at least one anchor. Pin a moment that both recordings "
            "show, or choose another method."
        )
    first, last = anchors[0], anchors[-1]
    run = last.reference_s - first.reference_s
    rate = (last.other_s - first.other_s) / run if run > 0 else 1.0
    t = problem.reference_s
    values = np.interp(t, [a.reference_s for a in anchors], [a.other_s for a in anchors])
    values = np.where(t < first.reference_s, first.other_s + rate * (t - first.reference_s), values)
    values = np.where(t > last.reference_s, last.other_s + rate * (t - last.reference_s), values)
    slack_s = 0.5 * float(np.median(np.diff(problem.other_s)))
    inside = (values >= problem.other_s[0] - slack_s) & (values <= problem.other_s[-1] + slack_s)
    values = np.where(inside, np.clip(values, problem.other_s[0], problem.other_s[-1]), np.nan)
    count = len(anchors)
    reason = f"straight between {count} anchor{'s' if count > 1 else ''}"
    return _fixed(problem, "anchors", values, reason)


def _fixed(problem: Problem, method: str, other_s: Float64, reason: str) -> Candidate:
    """Candidate from a map that no search made: its path holds the nearest samples."""
    positions = np.interp(other_s, problem.other_s, np.arange(len(problem.other_s)))
    positions = np.where(np.isfinite(other_s), positions, np.nan)
    if not np.isfinite(positions).any():
        raise AlignmentError(
            f"The method {method!r} leaves nothing of the two recordings together. "
            "Choose another method."
        )
    shape = problem.costs.shape

    def solver(pair: Pair) -> Solved:
        return Solved(_follow(pair.costs, positions, shape))

    return Candidate(method, other_s, solver(problem.pair).path, solver, 0.0, reason)


def _follow(costs: Costs, positions: Float64, shape: tuple[int, int]) -> Path:
    """Path of a fixed map on ``costs``, which may be a coarser version of a matrix of ``shape``."""
    n, m = costs.shape
    at = (np.arange(n) + 0.5) * shape[0] / n - 0.5
    known = np.flatnonzero(np.isfinite(positions))
    inside = (at >= known[0] - 0.5) & (at <= known[-1] + 0.5)
    inside[int(np.abs(at - known[0]).argmin())] = True
    rows = np.flatnonzero(inside)
    here = np.interp(at[rows], known, positions[known])
    columns = np.clip(np.rint((here + 0.5) * m / shape[1] - 0.5), 0, m - 1).astype(np.int64)
    found = costs.at(rows, columns)
    weights = np.full(len(rows), 2.0)
    return Path(rows, columns, found, weights, float(np.dot(weights, found)))


def _unit(vectors: Float32, monitor: Monitor | None) -> Float32:
    return unit_rows(vectors, centre=False, monitor=monitor)


def _on_grid(times_s: Float64, rows: Float32, step_s: float) -> Float32:
    """Rows at the samples nearest to a regular grid from the first sample's time."""
    grid = np.arange(times_s[0], times_s[-1] + 0.5 * step_s, step_s)
    after = np.clip(np.searchsorted(times_s, grid), 1, len(times_s) - 1)
    nearer = (grid - times_s[after - 1]) <= (times_s[after] - grid)
    return rows[np.where(nearer, after - 1, after)]


def _diagonals(ours: Float32, theirs: Float32, monitor: Monitor | None) -> tuple[Float64, Float64]:
    """Sum and number of similarities along every diagonal, offset -(N-1) .. M-1 (theirs - ours).

    O(N M D) in blocks of rows; never the whole matrix.
    """
    n, m = len(ours), len(theirs)
    sums = np.zeros(n + m - 1)
    for rows in row_blocks(n, monitor, size=int(np.clip(_DIAGONAL_CELLS // m, 16, 256))):
        part = 1.0 - Costs(ours, theirs).block(rows.start, rows.stop, 0, m)
        for r, row in enumerate(part, start=rows.start):
            sums[n - 1 - r : n - 1 - r + m] += row
    lags = np.arange(-(n - 1), m)
    counts = np.minimum(n, m - lags) - np.maximum(0, -lags)
    return sums, counts.astype(np.float64)
