"""Compiled inner loops. All release the interpreter lock and are cached on disk.

Cells of a band are stored row after row: cell (i, j) lies at ``offsets[i] + j - low[i]``.
Back-pointers: 0 = diagonal, 1 = step in the reference, 2 = step in the other, 3 = path starts here.
"""

from __future__ import annotations

import numpy as np
from numba import njit

DIAGONAL, REFERENCE_STEP, OTHER_STEP, START = 0, 1, 2, 3

_OPTIONS = {"cache": True, "nogil": True}


@njit(
    "Tuple((float64, int64, int64))(float32[:, ::1], int64, int64, int64, int64, int64[::1],"
    " int64[::1], int64[::1], float64[::1], float64[::1], uint8[::1], float64[::1], float64[::1])",
    **_OPTIONS,
)
def advance(costs, i0, c0, n, m, low, high, offsets, above, current, back, weights, prices):  # type: ignore[no-untyped-def]
    """Advance the recursion over the rows of one block; return the best end found in it.

    costs (R, C) belong to rows i0.. and columns c0..; ``above`` (M,) holds D of row i0 - 1 and is
    overwritten with D of the block's last row (``current`` (M,) is scratch). weights = (diagonal,
    reference step, other step, fixed price of a straight step), prices = per skipped sample
    (reference begin, other begin, reference end, other end), infinity = must not be skipped.
    """
    infinity = np.inf
    w_diagonal, w_reference, w_other, straight = weights[0], weights[1], weights[2], weights[3]
    best, best_i, best_j = infinity, -1, -1
    for r in range(costs.shape[0]):
        i = i0 + r
        a, b = low[i], high[i]
        above_a = low[i - 1] if i > 0 else 0
        above_b = high[i - 1] if i > 0 else 0
        skipped_rows = 0.0 if i == 0 else prices[0] * i
        rows_left = n - 1 - i
        unended_rows = 0.0 if rows_left == 0 else prices[2] * rows_left
        left = infinity
        base = offsets[i] - a
        for j in range(a, b):
            c = np.float64(costs[r, j - c0])
            skipped = skipped_rows if j == 0 else skipped_rows + prices[1] * j
            value, pointer = skipped + w_diagonal * c, 3
            if above_a <= j - 1 < above_b:
                candidate = above[j - 1] + w_diagonal * c
                if candidate <= value:
                    value, pointer = candidate, 0
            if above_a <= j < above_b:
                candidate = above[j] + w_reference * c + straight
                if candidate < value:
                    value, pointer = candidate, 1
            candidate = left + w_other * c + straight
            if candidate < value:
                value, pointer = candidate, 2
            left = value
            current[j] = value
            back[base + j] = pointer
            columns_left = m - 1 - j
            end = value + unended_rows
            if columns_left > 0:
                end += prices[3] * columns_left
            if end < best:
                best, best_i, best_j = end, i, j
        for j in range(a, b):
            above[j] = current[j]
    return best, best_i, best_j


@njit(
    "void(float32[:, ::1], boolean, float64[::1], uint8[:, ::1], boolean, float64[::1])",
    **_OPTIONS,
)
def advance_closed(costs, is_first, above, back, keeps, weights):  # type: ignore[no-untyped-def]
    """Advance the recursion of ``advance`` over whole rows, both ends closed.

    costs (R, M): the next rows; ``above`` (M,) holds D of the row before and is overwritten with
    that of the last one; ``back`` (R, M) takes the pointers where ``keeps``; ``is_first``: row 0
    of costs is the first of all. The same values and pointers as ``advance``, with less to ask.
    """
    infinity = np.inf
    w_diagonal, w_reference, w_other, straight = weights[0], weights[1], weights[2], weights[3]
    for r in range(costs.shape[0]):
        starts = is_first and r == 0
        left, diagonal = infinity, infinity
        for j in range(costs.shape[1]):
            c = np.float64(costs[r, j])
            up = infinity if starts else above[j]
            value, pointer = diagonal + w_diagonal * c, 0
            if starts and j == 0:
                value, pointer = w_diagonal * c, 3
            candidate = up + w_reference * c + straight
            if candidate < value:
                value, pointer = candidate, 1
            candidate = left + w_other * c + straight
            if candidate < value:
                value, pointer = candidate, 2
            diagonal, left = up, value
            above[j] = value
            if keeps:
                back[r, j] = pointer


@njit("Tuple((int64[:, ::1], int64, int64))(uint8[:, ::1], int64, int64)", **_OPTIONS)
def trace_strip(back, i, j):  # type: ignore[no-untyped-def]
    """Follow the pointers of a strip from (i, j) until they leave it over its first row.

    The cells visited, int64 (P, 2), in order of time, and where to go on: (-1, column) in the row
    before the strip, or (-2, -1) where the path begins.
    """
    path = np.empty((i + j + 2, 2), np.int64)
    count = 0
    while True:
        path[count, 0], path[count, 1] = i, j
        count += 1
        pointer = back[i, j]
        if pointer == 3:
            i, j = -2, -1
            break
        if pointer == 0:
            i, j = i - 1, j - 1
        elif pointer == 1:
            i -= 1
        else:
            j -= 1
        if i < 0:
            break
    return path[:count][::-1].copy(), i, j


@njit(
    "int64[:, ::1](uint8[::1], int64[::1], int64[::1], int64, int64)",
    **_OPTIONS,
)
def trace(back, low, offsets, i, j):  # type: ignore[no-untyped-def]
    """Follow the back-pointers from (i, j) to the start: int64 (P, 2), in order of time."""
    path = np.empty((i + j + 1, 2), np.int64)
    count = 0
    while True:
        path[count, 0] = i
        path[count, 1] = j
        count += 1
        pointer = back[offsets[i] + j - low[i]]
        if pointer == 3:
            break
        if pointer == 0:
            i -= 1
            j -= 1
        elif pointer == 1:
            i -= 1
        else:
            j -= 1
    return path[:count][::-1].copy()


@njit(
    "void(int64[::1], int64[::1], int64, int64, int64, int64[::1], int64[::1])",
    **_OPTIONS,
)
def widen(first, last, n, m, radius, low, high):  # type: ignore[no-untyped-def]
    """Widen row intervals [first, last) by ``radius`` cells in both directions into low, high.

    Rows further than ``radius`` from any interval become empty.
    """
    for i in range(n):
        a, b = m, 0
        for k in range(max(0, i - radius), min(n, i + radius + 1)):
            if last[k] > first[k]:
                a = min(a, first[k])
                b = max(b, last[k])
        if b > a:
            low[i] = max(0, a - radius)
            high[i] = min(m, b + radius)
        else:
            low[i] = 0
            high[i] = 0


@njit(
    "float64[::1](float64[::1], float64[::1], float64[::1], float64[::1], float64)",
    **_OPTIONS,
)
def local_line(at, x, y, weights, sigma):  # type: ignore[no-untyped-def]
    """Gaussian-weighted local linear regression of the points (x, y) at ``at``; both ascending.

    A line stays a line, also at the ends. Where the points near ``at`` do not spread in x, their
    mean counts; where there are none, the nearest point.
    """
    found = np.empty(len(at))
    start = 0
    for k in range(len(at)):
        t = at[k]
        while start < len(x) - 1 and x[start] < t - 4.0 * sigma:
            start += 1
        s0 = s1 = s2 = v0 = v1 = 0.0
        p = start
        while p < len(x) and x[p] <= t + 4.0 * sigma:
            d = x[p] - t
            w = weights[p] * np.exp(-0.5 * (d / sigma) ** 2)
            s0 += w
            s1 += w * d
            s2 += w * d * d
            v0 += w * y[p]
            v1 += w * d * y[p]
            p += 1
        determinant = s0 * s2 - s1 * s1
        if s0 <= 0.0:
            nearest = start
            if start > 0 and t - x[start - 1] < abs(x[start] - t):
                nearest = start - 1
            found[k] = y[nearest]
        elif determinant <= 1e-9 * s0 * s0 * sigma * sigma:
            found[k] = v0 / s0
        else:
            found[k] = (s2 * v0 - s1 * v1) / determinant
    return found


@njit("float64[::1](float64[::1])", **_OPTIONS)
def isotonic(values):  # type: ignore[no-untyped-def]
    """Nearest non-decreasing sequence in least squares (pool adjacent violators)."""
    n = len(values)
    level = np.empty(n)
    weight = np.empty(n, np.int64)
    blocks = 0
    for k in range(n):
        level[blocks] = values[k]
        weight[blocks] = 1
        blocks += 1
        while blocks > 1 and level[blocks - 2] > level[blocks - 1]:
            total = weight[blocks - 2] + weight[blocks - 1]
            level[blocks - 2] = (
                level[blocks - 2] * weight[blocks - 2] + level[blocks - 1] * weight[blocks - 1]
            ) / total
            weight[blocks - 2] = total
            blocks -= 1
    found = np.empty(n)
    k = 0
    for block in range(blocks):
        for _ in range(weight[block]):
            found[k] = level[block]
            k += 1
    return found


@njit("float64[::1](float64[::1], float64[::1], float64)", **_OPTIONS)
def limit_slope(x, y, slope):  # type: ignore[no-untyped-def]
    """Bring a non-decreasing sequence y(x) to slopes of at most ``slope``.

    Mean of the greatest such sequence below y and the least such above y.
    """
    n = len(y)
    below = y.copy()
    above = y.copy()
    for k in range(1, n):
        below[k] = min(below[k], below[k - 1] + slope * (x[k] - x[k - 1]))
    for k in range(n - 2, -1, -1):
        above[k] = max(above[k], above[k + 1] - slope * (x[k + 1] - x[k]))
    return 0.5 * (below + above)


@njit(
    "Tuple((float64, int64, int64))(float32[:, ::1], int64, int64, int64, float64[::1],"
    " float64[::1], uint8[:, ::1], float64[::1], float64[::1], float64, float64)",
    **_OPTIONS,
)
def advance_gaps(costs, i0, n, m, matched, dropped, back, weights, prices, each, opening):  # type: ignore[no-untyped-def]
    """Advance the recursion with gaps over the rows of one block; return the best end in it.

    costs (R, M) belong to rows i0..; ``matched`` and ``dropped`` (M,) hold the two states of row
    i0 - 1 and are overwritten with those of the block's last row. back (N, M): bits 0 and 1 say how
    the matched state came about (as in ``advance``), bit 2 that its diagonal came out of a gap,
    bits 3 and 4 how the gap came about (0 = opened here, 1 = drops row i, 2 = drops column j).
    weights and prices as in ``advance``; ``each`` per dropped sample, ``opening`` per gap.
    """
    infinity = np.inf
    w_diagonal, w_reference, w_other, straight = weights[0], weights[1], weights[2], weights[3]
    best, best_i, best_j = infinity, -1, -1
    for r in range(costs.shape[0]):
        i = i0 + r
        skipped_rows = 0.0 if i == 0 else prices[0] * i
        rows_left = n - 1 - i
        unended_rows = 0.0 if rows_left == 0 else prices[2] * rows_left
        corner_matched = corner_dropped = infinity  # of the row above, one column before
        left_matched = left_dropped = infinity
        for j in range(m):
            above_matched, above_dropped = matched[j], dropped[j]
            c = np.float64(costs[r, j])
            skipped = skipped_rows if j == 0 else skipped_rows + prices[1] * j
            value, pointer = skipped + w_diagonal * c, 3
            candidate = corner_matched + w_diagonal * c
            if candidate <= value:
                value, pointer = candidate, 0
            candidate = above_matched + w_reference * c + straight
            if candidate < value:
                value, pointer = candidate, 1
            candidate = left_matched + w_other * c + straight
            if candidate < value:
                value, pointer = candidate, 2
            candidate = corner_dropped + w_diagonal * c
            if candidate < value:
                value, pointer = candidate, 4
            gap, gap_pointer = value + opening, 0
            if above_dropped + each < gap:
                gap, gap_pointer = above_dropped + each, 8
            if left_dropped + each < gap:
                gap, gap_pointer = left_dropped + each, 16
            back[i, j] = pointer + gap_pointer
            corner_matched, corner_dropped = above_matched, above_dropped
            left_matched, left_dropped = value, gap
            matched[j], dropped[j] = value, gap
            columns_left = m - 1 - j
            end = value + unended_rows
            if columns_left > 0:
                end += prices[3] * columns_left
            if end < best:
                best, best_i, best_j = end, i, j
    return best, best_i, best_j


@njit("int64[:, ::1](uint8[:, ::1], int64, int64)", **_OPTIONS)
def trace_gaps(back, i, j):  # type: ignore[no-untyped-def]
    """Follow the back-pointers from the matched pair (i, j): int64 (P, 2), in order of time."""
    path = np.empty((i + j + 1, 2), np.int64)
    count = 0
    while True:
        path[count, 0] = i
        path[count, 1] = j
        count += 1
        pointer = back[i, j] & 7
        if pointer == 3:
            break
        if pointer == 0 or pointer == 4:
            i -= 1
            j -= 1
        elif pointer == 1:
            i -= 1
        else:
            j -= 1
        if pointer == 4:
            while back[i, j] >= 8:
                if back[i, j] >= 16:
                    j -= 1
                else:
                    i -= 1
    return path[:count][::-1].copy()
