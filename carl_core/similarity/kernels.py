"""Compiled inner loops of the heatmap. They release the interpreter lock and are cached on disk."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit("void(float32[:, ::1], int64, int64, int64, uint8[:, ::1])", cache=True, nogil=True)
def block_peaks(values, row0, column0, side, out):  # type: ignore[no-untyped-def]
    """Raise ``out`` to the greatest of each ``side`` x ``side`` block of similarities.

    ``values`` begin at cell (row0, column0) of the finer level that ``out`` (rows, columns) covers;
    0..255 stands for -1..1, rounded.
    """
    for i in range(values.shape[0]):
        at = (row0 + i) // side
        for j in range(values.shape[1]):
            value = values[i, j]
            scaled = 0.0 if value <= -1.0 else (value + 1.0) * 127.5 + 0.5
            stored = 255 if scaled >= 255.0 else int(scaled)
            column = (column0 + j) // side
            if stored > out[at, column]:
                out[at, column] = stored


@njit("void(float32[:, ::1], uint8[:, ::1])", cache=True, nogil=True)
def to_bytes(values, out):  # type: ignore[no-untyped-def]
    """Write similarities -1..1 as 0..255, rounded."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            scaled = values[i, j] * np.float32(127.5) + np.float32(128.0)
            out[i, j] = np.uint8(min(max(scaled, np.float32(0.0)), np.float32(255.0)))
