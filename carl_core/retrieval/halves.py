"""Rows of half-precision numbers, read fast.

NumPy widens float16 one number at a time. The bits of one are those of a float32 moved by 13 places
and 112 powers of two too small (IEEE 754-2019, 3.4), so shifts and one product widen many at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    from carl_core.arrays import Float32, Float64

_WIDEN = np.float32(2.0**112)


def less_mean(halves: npt.NDArray[Any], mean: Float32, least: float) -> Float32:
    """Return float16 rows (N, C) less ``mean`` (C,), each divided by its length, as float32.

    Parameters
    ----------
    least : no row is divided by less
    """
    found = np.empty(halves.shape, dtype=np.float32)
    _less_mean(
        _bits(halves), np.ascontiguousarray(mean), np.float32(least), found.view(np.uint32), found
    )
    return found


def cosines(halves: npt.NDArray[Any], mean: Float32, query: Float32, least: float) -> Float32:
    """Return the products of the rows ``less_mean`` returns with ``query`` (C,): float32 (N,)."""
    found = np.empty(len(halves), dtype=np.float32)
    row = np.empty(halves.shape[1], dtype=np.float32)
    mean, query = np.ascontiguousarray(mean), np.ascontiguousarray(query)
    _cosines(_bits(halves), mean, query, np.float32(least), row.view(np.uint32), row, found)
    return found


def sum_of(halves: npt.NDArray[Any]) -> Float64:
    """Return the sum (C,) of float16 rows (N, C)."""
    total = np.zeros(halves.shape[1])
    row = np.empty(halves.shape[1], dtype=np.float32)
    _add(_bits(halves), row.view(np.uint32), row, total)
    return total


def _bits(halves: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    return np.ascontiguousarray(halves).view(np.uint16)


@kernel(
    "void(Array(uint16, 2, 'C', readonly=True), Array(float32, 1, 'C', readonly=True), float32,"
    " uint32[:, ::1], float32[:, ::1])",
    fastmath={"reassoc", "contract"},  # lets the sum of squares run in lanes
)
def _less_mean(halves, mean, least, bits, rows):  # type: ignore[no-untyped-def]
    """``bits`` and ``rows`` are the same memory."""
    for i in range(halves.shape[0]):
        for c in range(halves.shape[1]):
            half = np.uint32(halves[i, c])
            sign = (half & np.uint32(0x8000)) << np.uint32(16)
            bits[i, c] = sign | ((half & np.uint32(0x7FFF)) << np.uint32(13))
        square = np.float32(0.0)
        for c in range(halves.shape[1]):
            number = rows[i, c] * _WIDEN - mean[c]
            rows[i, c] = number
            square += number * number
        scale = np.float32(1.0) / max(np.sqrt(square), least)
        for c in range(halves.shape[1]):
            rows[i, c] *= scale


@kernel(
    "void(Array(uint16, 2, 'C', readonly=True), Array(float32, 1, 'C', readonly=True),"
    " Array(float32, 1, 'C', readonly=True), float32, uint32[::1], float32[::1], float32[::1])",
    fastmath={"reassoc", "contract"},
)
def _cosines(halves, mean, query, least, bits, row, found):  # type: ignore[no-untyped-def]
    """``bits`` and ``row`` (C,) are the same memory."""
    for i in range(halves.shape[0]):
        for c in range(halves.shape[1]):
            half = np.uint32(halves[i, c])
            sign = (half & np.uint32(0x8000)) << np.uint32(16)
            bits[c] = sign | ((half & np.uint32(0x7FFF)) << np.uint32(13))
        square = product = np.float32(0.0)
        for c in range(halves.shape[1]):
            number = row[c] * _WIDEN - mean[c]
            square += number * number
            product += number * query[c]
        found[i] = product / max(np.sqrt(square), least)


@kernel(
    "void(Array(uint16, 2, 'C', readonly=True), uint32[::1], float32[::1], float64[::1])",
)
def _add(halves, bits, row, total):  # type: ignore[no-untyped-def]
    """Add rows to ``total`` (C,); ``bits`` and ``row`` (C,) are the same memory."""
    for i in range(halves.shape[0]):
        for c in range(halves.shape[1]):
            half = np.uint32(halves[i, c])
            sign = (half & np.uint32(0x8000)) << np.uint32(16)
            bits[c] = sign | ((half & np.uint32(0x7FFF)) << np.uint32(13))
        for c in range(halves.shape[1]):
            total[c] += np.float64(row[c] * _WIDEN)
