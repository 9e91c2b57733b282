"""Pictures of the map with no more cells than there are pixels to draw them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from carl_core.arrays import UInt8


_STEP = 0.9


def fitting(count: int, pixels: float) -> int:
    """Return how many of ``count`` cells to draw on so many pixels: at most as many.

    In steps of a tenth, so that zooming does not make the picture anew for every pixel.
    """
    if pixels >= count:
        return count
    steps = math.ceil(math.log(max(pixels, 1.0) / count) / math.log(_STEP))
    return max(1, int(count * _STEP**steps))


def shrunk(picture: UInt8, rows: int, columns: int) -> UInt8:
    """Return the brightest of each cell's finer ones: uint8, at most ``rows`` x ``columns``.

    Drawn with more cells than pixels, a picture loses every second cell or so, and a diagonal one
    cell wide with them. Cells differ by one in how many finer ones they cover.
    """
    for axis, most in enumerate((rows, columns)):
        count = picture.shape[axis]
        if 0 < most < count:
            starts = np.linspace(0, count, most, endpoint=False).astype(np.intp)
            picture = np.maximum.reduceat(picture, starts, axis=axis)
    return np.ascontiguousarray(picture)
