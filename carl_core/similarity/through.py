"""The cost of passing through each cell: accumulated from both ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from carl_core.arrays import Float32


def excess_cost(similarity: npt.NDArray[np.floating]) -> Float32:
    """How much dearer than the best path the cheapest path through each cell is.

    The accumulated cost of dynamic time warping (Sakoe and Chiba 1978, IEEE TASSP 26, with their
    symmetric weights: a diagonal step counts twice) from the first corner to the cell, plus that
    from the cell to the last corner, minus the cost of the best path. A step costs the mean of
    1 - similarity at its two ends, so that both directions count it alike. 0 marks the best path;
    a valley of small values marks paths that are nearly as good.

    Parameters
    ----------
    similarity : (N, M), finite, -1 to 1

    Returns
    -------
    float32 (N, M), >= 0

    Raises
    ------
    ValueError
        When a side is empty or a value is not finite.
    """
    cost = 1.0 - np.asarray(similarity, dtype=np.float64)
    if cost.ndim != 2 or 0 in cost.shape:
        raise ValueError(f"similarity must have rows and columns, got {cost.shape}")
    if not np.isfinite(cost).all():
        raise ValueError("similarity must be finite")
    total = _accumulated(cost) + _accumulated(cost[::-1, ::-1])[::-1, ::-1]
    excess: Float32 = np.maximum(total - total[0, 0], 0.0).astype(np.float32)
    return excess


def _accumulated(cost: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cheapest sum of steps from [0, 0] to each cell, one anti-diagonal at a time."""
    n, m = cost.shape
    # Cell (i, j) lies at [i + j, i + 1]: its neighbours are in the two rows before.
    sums = np.full((n + m - 1, n + 1), np.inf)
    costs = np.full((n + m - 1, n + 1), np.inf)
    rows, columns = np.indices((n, m))
    costs[rows + columns, rows + 1] = cost
    sums[0, 1] = 0.0
    for d in range(1, n + m - 1):
        first, last = max(0, d - m + 1) + 1, min(d, n - 1) + 2
        here, before = slice(first, last), slice(first - 1, last - 1)
        own = costs[d, here]
        step_right = sums[d - 1, here] + (own + costs[d - 1, here]) / 2
        step_up = sums[d - 1, before] + (own + costs[d - 1, before]) / 2
        best = np.minimum(step_right, step_up)
        if d > 1:
            best = np.minimum(best, sums[d - 2, before] + own + costs[d - 2, before])
        sums[d, here] = best
    return np.asarray(sums[rows + columns, rows + 1])
