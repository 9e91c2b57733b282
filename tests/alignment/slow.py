"""Slow truths to compare with: the definition of the recursion, written down once more."""

from __future__ import annotations

import math

import numpy as np

WEIGHTS = {"2-1-1": (2.0, 1.0, 1.0), "1-1-1": (1.0, 1.0, 1.0)}


def best_total(
    costs: np.ndarray,
    pattern: str,
    prices: tuple[float, float, float, float] = (math.inf,) * 4,
    straight: float = 0.0,
) -> float:
    """Least total over all paths; prices as in ``Ends``: two begins, two ends."""
    d, r, o = WEIGHTS[pattern]
    n, m = costs.shape

    def price(each: float, count: int) -> float:
        return 0.0 if count == 0 else each * count

    total = np.full((n, m), math.inf)
    best = math.inf
    for i in range(n):
        for j in range(m):
            c = float(costs[i, j])
            options = [price(prices[0], i) + price(prices[1], j) + d * c]
            if i and j:
                options.append(total[i - 1, j - 1] + d * c)
            if i:
                options.append(total[i - 1, j] + r * c + straight)
            if j:
                options.append(total[i, j - 1] + o * c + straight)
            total[i, j] = min(options)
            end = total[i, j] + price(prices[2], n - 1 - i) + price(prices[3], m - 1 - j)
            best = min(best, end)
    return best


def best_total_with_gaps(
    costs: np.ndarray,
    pattern: str,
    each: float,
    opening: float,
    prices: tuple[float, float, float, float] = (math.inf,) * 4,
    straight: float = 0.0,
) -> float:
    """Least total where any two pairs may follow each other, at the price of a gap: O(N^2 M^2)."""
    d, r, o = WEIGHTS[pattern]
    scale = d / 2.0
    n, m = costs.shape

    def price(each: float, count: int) -> float:
        return 0.0 if count == 0 else scale * each * count

    total = np.full((n, m), math.inf)
    best = math.inf
    for i in range(n):
        for j in range(m):
            c = float(costs[i, j])
            found = price(prices[0], i) + price(prices[1], j) + d * c
            if i:
                found = min(found, total[i - 1, j] + r * c + straight)
            if j:
                found = min(found, total[i, j - 1] + o * c + straight)
            for a in range(i):
                for b in range(j):
                    dropped = (i - a - 1) + (j - b - 1)
                    gap = scale * (opening + each * dropped) if dropped else 0.0
                    found = min(found, total[a, b] + gap + d * c)
            total[i, j] = found
            best = min(best, found + price(prices[2], n - 1 - i) + price(prices[3], m - 1 - j))
    return best
