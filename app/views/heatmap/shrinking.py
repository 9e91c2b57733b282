"""Pictures of the map with no more cells than there are pixels to draw them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from carl_core.arrays import UInt8


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
