"""Compiled inner loops of the library. They release the interpreter lock and are cached on disk."""

from __future__ import annotations

import numpy as np
from numba import njit, types

_OPTIONS = {"cache": True, "nogil": True}
_VECTORS = types.Array(types.float32, 2, "C", readonly=True)
_CODES = types.Array(types.int8, 2, "C", readonly=True)
_NUMBERS = types.Array(types.float32, 1, "C", readonly=True)
_STARTS = types.Array(types.int64, 1, "C", readonly=True)

# What rounding of float32 sums may add to the distance between a vector and its code.
_ROUNDING = 1e-5


@njit(
    "void(float32[:, ::1], int8[:, ::1], float32[::1], float32[::1])",
    **_OPTIONS,
)
def encode(vectors, codes, scales, errors):  # type: ignore[no-untyped-def]
    """Round rows (N, D) to 8 bits: code times scale, which lies within ``errors`` of the row."""
    for i in range(vectors.shape[0]):
        most = np.float32(0.0)
        for d in range(vectors.shape[1]):
            most = max(most, abs(vectors[i, d]))
        scale = max(most / np.float32(127.0), np.float32(1e-30))
        scales[i] = scale
        square = 0.0
        for d in range(vectors.shape[1]):
            code = np.rint(vectors[i, d] / scale)
            codes[i, d] = np.int8(code)
            off = np.float64(vectors[i, d]) - np.float64(code) * np.float64(scale)
            square += off * off
        errors[i] = np.sqrt(square) + _ROUNDING


@njit(
    types.void(_CODES, _NUMBERS, _NUMBERS, types.Array(types.float32, 1, "C")),
    fastmath=True,  # lets the sum of products run in lanes
    **_OPTIONS,
)
def scan(codes, scales, query, scores):  # type: ignore[no-untyped-def]
    """Write the product of every code (N, D) with the query (D,).

    Four places are read at once: one stream of rows leaves the memory waiting. Measured over a
    million rows of 128, CPU ms: one stream 19, two 13, four 11, eight 11, merely reading them 9.
    """
    quarter = codes.shape[0] // 4
    for i in range(quarter):
        j, k, m = i + quarter, i + 2 * quarter, i + 3 * quarter
        total_i = total_j = total_k = total_m = np.float32(0.0)
        for d in range(codes.shape[1]):
            part = query[d]
            total_i += np.float32(codes[i, d]) * part
            total_j += np.float32(codes[j, d]) * part
            total_k += np.float32(codes[k, d]) * part
            total_m += np.float32(codes[m, d]) * part
        scores[i] = total_i * scales[i]
        scores[j] = total_j * scales[j]
        scores[k] = total_k * scales[k]
        scores[m] = total_m * scales[m]
    for i in range(4 * quarter, codes.shape[0]):
        total = np.float32(0.0)
        for d in range(codes.shape[1]):
            total += np.float32(codes[i, d]) * query[d]
        scores[i] = total * scales[i]


@njit(
    types.void(
        _NUMBERS,
        _NUMBERS,
        _STARTS,
        types.Array(types.float32, 1, "C"),
        types.Array(types.float32, 1, "C"),
    ),
    fastmath={"nnan", "nsz", "reassoc"},  # lets the maxima run in lanes; infinity stays
    **_OPTIONS,
)
def bounds(scores, errors, starts, lows, highs):  # type: ignore[no-untyped-def]
    """Write between what the best true score of each stretch lies.

    Stretch k is rows starts[k] to starts[k + 1]; an empty one has minus infinity twice.
    """
    for k in range(len(starts) - 1):
        low = high = np.float32(-np.inf)
        for i in range(starts[k], starts[k + 1]):
            low = max(low, scores[i] - errors[i])
            high = max(high, scores[i] + errors[i])
        lows[k], highs[k] = low, high


@njit(
    types.void(_VECTORS, _STARTS, _NUMBERS, types.Array(types.float32, 1, "C")),
    fastmath=True,
    **_OPTIONS,
)
def products(vectors, rows, query, scores):  # type: ignore[no-untyped-def]
    """Write the product of the chosen rows of vectors (N, D) with the query (D,)."""
    for k in range(len(rows)):
        total = np.float32(0.0)
        for d in range(vectors.shape[1]):
            total += vectors[rows[k], d] * query[d]
        scores[k] = total


@njit(
    types.void(
        types.Array(types.float32, 2, "C"),
        _STARTS,
        types.Array(types.int8, 2, "C"),
        types.Array(types.float32, 1, "C"),
        types.Array(types.float32, 1, "C"),
        types.Array(types.int8, 2, "C"),
        types.Array(types.float32, 1, "C"),
        types.Array(types.float32, 1, "C"),
    ),
    **_OPTIONS,
)
def encode_stretches(  # type: ignore[no-untyped-def]
    vectors, starts, codes, scales, radii, fine, fine_scales, fine_radii
):
    """Round the mean of each stretch of rows (N, D) to 8 bits, and what that leaves to 8 more.

    Stretch k is rows starts[k] to starts[k + 1], at least one. They lie within radii[k] of the code
    and within fine_radii[k] of the sum of both.
    """
    dim = vectors.shape[1]
    means = np.zeros((len(starts) - 1, dim), dtype=np.float32)
    for k in range(len(starts) - 1):
        for i in range(starts[k], starts[k + 1]):
            for d in range(dim):
                means[k, d] += vectors[i, d]
        for d in range(dim):
            means[k, d] /= np.float32(starts[k + 1] - starts[k])
    encode(means, codes, scales, radii)
    for k in range(len(starts) - 1):
        for d in range(dim):
            means[k, d] -= np.float32(codes[k, d]) * scales[k]
    encode(means, fine, fine_scales, fine_radii)
    for k in range(len(starts) - 1):
        most = fine_most = 0.0
        for i in range(starts[k], starts[k + 1]):
            square = fine_square = 0.0
            for d in range(dim):
                off = np.float64(vectors[i, d]) - np.float64(codes[k, d]) * np.float64(scales[k])
                square += off * off
                off -= np.float64(fine[k, d]) * np.float64(fine_scales[k])
                fine_square += off * off
            most, fine_most = max(most, square), max(fine_most, fine_square)
        radii[k] = np.sqrt(most) + _ROUNDING
        fine_radii[k] = np.sqrt(fine_most) + _ROUNDING


@njit(
    types.void(
        _CODES, _NUMBERS, _NUMBERS, _STARTS, _STARTS, _STARTS, types.Array(types.float32, 1, "C")
    ),
    fastmath=True,
    **_OPTIONS,
)
def scan_stretches(codes, scales, query, starts, chosen, places, scores):  # type: ignore[no-untyped-def]
    """Write the products of the chosen stretches' codes with the query, from ``places`` on."""
    for k in range(len(chosen)):
        first = starts[chosen[k]]
        for i in range(first, starts[chosen[k] + 1]):
            total = np.float32(0.0)
            for d in range(codes.shape[1]):
                total += np.float32(codes[i, d]) * query[d]
            scores[places[k] + i - first] = total * scales[i]


@njit(
    types.void(_CODES, _NUMBERS, _NUMBERS, _STARTS, types.Array(types.float32, 1, "C")),
    fastmath=True,
    **_OPTIONS,
)
def scan_some(codes, scales, query, rows, scores):  # type: ignore[no-untyped-def]
    """Write the products of the codes of the chosen rows with the query."""
    for k in range(len(rows)):
        total = np.float32(0.0)
        for d in range(codes.shape[1]):
            total += np.float32(codes[rows[k], d]) * query[d]
        scores[k] = total * scales[rows[k]]
