"""Compiled inner loops of the alignment.

Back-pointers: 0 = diagonal, 1 = step in the reference, 2 = step in the other, 3 = path starts here.
"""

from __future__ import annotations

import numpy as np
from numba import types

from carl_core.compiled import kernel

DIAGONAL, REFERENCE_STEP, OTHER_STEP, START = 0, 1, 2, 3

_TILE = 512  # columns that ``advance`` takes at a time
_MATRIX = types.Array(types.float32, 2, "C")
_VECTORS = types.Array(types.float32, 2, "C", readonly=True)
_INDICES = types.Array(types.int64, 1, "A", readonly=True)


@kernel(
    "Tuple((float64, int64, int64))(float32[:, ::1], float64[::1], uint8[:, ::1], boolean,"
    " float64[::1], float64[::1], float64[::1], float64[::1], float64[::1])",
)
def advance(  # type: ignore[no-untyped-def]
    similar, above, back, keeps, weights, row_start, column_start, row_end, column_end
):
    """Advance the recursion over the rows of one block; return the best end in it and its cell.

    The cost of a pair is 1 - ``similar`` (R, C), at least 0. ``above`` (C,) holds D of the row
    before, infinity where there is none, and is overwritten with D of the last row; ``back`` (R, C)
    takes the pointers where ``keeps``. weights = (diagonal, reference step, other step, fixed price
    of a straight step). A path may start at (r, c) for row_start[r] + column_start[c] and end there
    for row_end[r] + column_end[c]; infinity = it may not.

    What comes from the row above does not wait for anything in its own row, so it is found first,
    for several columns at once; then the steps along the row, one after the other. Columns are
    taken in tiles, whose rows stay in the nearest cache.
    """
    w_diagonal, w_reference, w_other, straight = weights[0], weights[1], weights[2], weights[3]
    rows, columns = similar.shape
    best, best_r, best_c = np.inf, -1, -1
    from_above, along = np.empty(_TILE), np.empty(_TILE)
    pointers = np.empty(_TILE, np.uint8)
    edges = np.full(rows + 1, np.inf)  # D before the tile: of the row above, then of each row
    for first in range(0, columns, _TILE):
        width = min(_TILE, columns - first)
        top, opening = above[first : first + width], column_start[first : first + width]
        corner, edges[0] = edges[0], top[width - 1]
        for r in range(rows):
            like = similar[r, first : first + width]
            start, end, left = row_start[r], row_end[r], edges[r + 1]
            for j in range(width):
                c = max(1.0 - np.float64(like[j]), 0.0)
                diagonal = (top[j - 1] if j > 0 else corner) + w_diagonal * c
                up = top[j] + w_reference * c + straight
                pointers[j] = np.uint8(1) if up < diagonal else np.uint8(0)
                from_above[j] = min(diagonal, up)
                along[j] = w_other * c + straight
            corner = left
            if start < np.inf:
                for j in range(width):
                    c = max(1.0 - np.float64(like[j]), 0.0)
                    started = start + opening[j] + w_diagonal * c
                    pointers[j] = np.uint8(3) if started < from_above[j] else pointers[j]
                    from_above[j] = min(started, from_above[j])
                for j in range(width):
                    candidate = left + along[j]
                    # As cheap a way on as a start: the path is the longer one.
                    is_along = candidate < from_above[j] or (
                        candidate == from_above[j] and pointers[j] == 3
                    )
                    left = candidate if is_along else from_above[j]
                    pointers[j] = np.uint8(2) if is_along else pointers[j]
                    top[j] = left
            else:
                for j in range(width):
                    candidate = left + along[j]
                    is_along = candidate < from_above[j]
                    left = candidate if is_along else from_above[j]
                    pointers[j] = np.uint8(2) if is_along else pointers[j]
                    top[j] = left
            edges[r + 1] = left
            if keeps:
                back[r, first : first + width] = pointers[:width]
            if end < np.inf:
                for j in range(width):
                    ended = top[j] + end + column_end[first + j]
                    if ended < best or (ended == best and r < best_r):
                        best, best_r, best_c = ended, r, first + j
    return best, best_r, best_c


@kernel(
    "Tuple((int64[:, ::1], int64, int64))(uint8[::1], int64[::1], int64[::1], int64[::1], int64,"
    " int64, int64)",
)
def trace(back, offsets, lefts, widths, height, i, j):  # type: ignore[no-untyped-def]
    """Follow the pointers from (i, j) to the path's start, or over row 0.

    The pointers of block k, rows k * height and on, begin at ``offsets[k]``: rows of ``widths[k]``,
    from column ``lefts[k]``. Returns the cells visited, int64 (P, 2), in order of time, and where
    the path goes on: (-1, column), or (-2, -1) where it begins.
    """
    path = np.empty((i + j + 2, 2), np.int64)
    count = 0
    while i >= 0:
        path[count, 0], path[count, 1] = i, j
        count += 1
        k = i // height
        pointer = back[offsets[k] + (i - k * height) * widths[k] + j - lefts[k]]
        if pointer == 3:
            i, j = -2, -1
        elif pointer == 0:
            i, j = i - 1, j - 1
        elif pointer == 1:
            i -= 1
        else:
            j -= 1
    return path[:count][::-1].copy(), i, j


@kernel(
    types.void(_VECTORS, _VECTORS, _INDICES, _INDICES, types.Array(types.float64, 1, "C")),
    fastmath=True,  # lets the sum of products run in lanes
)
def costs_at(rows, columns, i, j, out):  # type: ignore[no-untyped-def]
    """Write 1 - the products of rows (N, D) and columns (M, D) at the pairs (i, j), at least 0."""
    for k in range(len(i)):
        product = np.float32(0.0)
        for d in range(rows.shape[1]):
            product += rows[i[k], d] * columns[j[k], d]
        out[k] = max(1.0 - np.float64(product), 0.0)


@kernel(
    types.void(_VECTORS, types.boolean, _MATRIX),
    fastmath={"reassoc", "contract"},  # lets the sum of squares run in lanes
)
def halve(vectors, to_units, out):  # type: ignore[no-untyped-def]
    """Average neighbouring rows (N, D) into out (N / 2 rounded up, D), ``to_units`` to unit norm.

    Unit rows that cancel each other (down to rounding) become zero.
    """
    half = np.float32(0.5)
    for i in range(out.shape[0]):
        last = min(2 * i + 1, len(vectors) - 1)
        square = np.float32(0.0)
        for j in range(out.shape[1]):
            mean = half * (vectors[2 * i, j] + vectors[last, j])
            out[i, j] = mean
            square += mean * mean
        if to_units:
            is_nothing = square <= np.float32(1e-10)
            scale = np.float32(0.0) if is_nothing else np.float32(1.0) / np.sqrt(square)
            for j in range(out.shape[1]):
                out[i, j] *= scale


@kernel(
    "void(int64[::1], int64[::1], int64, int64, int64, int64[::1], int64[::1])",
)
def widen(first, last, n, m, radius, low, high):  # type: ignore[no-untyped-def]
    """Widen row intervals [first, last) by ``radius`` cells in both directions into low, high.

    Intervals do not descend; one whose end is not above its begin is none. Rows further than
    ``radius`` from any interval become empty.
    """
    above, below = 0, -1  # the first and the last row with an interval within the radius
    ahead = 0
    for i in range(n):
        while above < n and (above < i - radius or last[above] <= first[above]):
            above += 1
        while ahead < min(n, i + radius + 1):
            below = ahead if last[ahead] > first[ahead] else below
            ahead += 1
        if above <= below:
            low[i] = max(0, first[above] - radius)
            high[i] = min(m, last[below] + radius)
        else:
            low[i] = 0
            high[i] = 0


@kernel(
    "float64[::1](float64[::1], float64[::1], float64[::1], float64[::1], float64)",
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


@kernel("float64[::1](float64[::1])")
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


@kernel("float64[::1](float64[::1], float64[::1], float64)")
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


@kernel(
    "Tuple((float64, int64, int64))(float32[:, ::1], int64, int64, int64, float64[::1],"
    " float64[::1], uint8[:, ::1], float64[::1], float64[::1], float64, float64)",
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


@kernel("int64[:, ::1](uint8[:, ::1], int64, int64)")
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
