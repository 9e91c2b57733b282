"""Several pictures in one: blended, subtracted, wiped, beside one another.

The window and the exported video use these same functions: what was seen is what is written.
All pictures are uint8 (H, W, 3) RGB; results are new arrays.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.arrays import UInt8

MAX_GAIN = 16.0


def placed(picture: UInt8, width: int, height: int) -> UInt8:
    """Return ``picture`` in the middle of a black one of that size, cut where it is larger."""
    rows, columns, _ = picture.shape
    if (rows, columns) == (height, width):
        return picture
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    top, left = (height - rows) // 2, (width - columns) // 2
    from_y, from_x = max(0, -top), max(0, -left)
    part = picture[from_y : from_y + height, from_x : from_x + width]
    y, x = max(0, top), max(0, left)
    canvas[y : y + part.shape[0], x : x + part.shape[1]] = part
    return canvas


def blend(first: UInt8, second: UInt8, opacity: float) -> UInt8:
    """Lay ``second`` over ``first``: first · (1 - opacity) + second · opacity, rounded.

    Parameters
    ----------
    opacity : 0..1, taken in steps of 1/256

    Raises
    ------
    ValueError
        When the pictures differ in size or ``opacity`` is no share.
    """
    _check_same(first, second)
    _check_share("opacity", opacity)
    weight = np.uint16(round(opacity * 256))
    mixed = np.multiply(first, np.uint16(256) - weight, dtype=np.uint16)
    mixed += np.multiply(second, weight, dtype=np.uint16)
    mixed += np.uint16(127)  # 255 · 256 + 127 still fits
    mixed >>= np.uint16(8)
    return mixed.astype(np.uint8)


def difference(first: UInt8, second: UInt8, gain: float) -> UInt8:
    """Subtract: |first - second| · gain, at most 255. Equal pictures are black.

    Parameters
    ----------
    gain : 1..16, taken in steps of 1/16

    Raises
    ------
    ValueError
        When the pictures differ in size or ``gain`` is out of range.
    """
    _check_same(first, second)
    if not (math.isfinite(gain) and 1.0 <= gain <= MAX_GAIN):
        raise ValueError(f"The gain must lie between 1 and {MAX_GAIN:g}, not {gain}.")
    apart = np.maximum(first, second) - np.minimum(first, second)
    louder = np.multiply(apart, np.uint16(round(gain * 16)), dtype=np.uint16)
    louder >>= np.uint16(4)
    np.minimum(louder, np.uint16(255), out=louder)
    result: UInt8 = louder.astype(np.uint8)
    return result


def wipe(first: UInt8, second: UInt8, position: float) -> UInt8:
    """Show ``first`` left of ``position`` and ``second`` right of it.

    Parameters
    ----------
    position : 0..1 of the width

    Raises
    ------
    ValueError
        When the pictures differ in size or ``position`` is no share.
    """
    _check_same(first, second)
    _check_share("position", position)
    cut = round(position * first.shape[1])
    mixed = first.copy()
    mixed[:, cut:] = second[:, cut:]
    return mixed


def grid(pictures: Sequence[UInt8], columns: int) -> UInt8:
    """Set pictures of one size beside and below one another; empty places are black.

    Raises
    ------
    ValueError
        When there is no picture, sizes differ or ``columns`` is not positive.
    """
    if not pictures or columns < 1:
        raise ValueError("A grid needs at least one picture and one column.")
    for picture in pictures[1:]:
        _check_same(pictures[0], picture)
    height, width, _ = pictures[0].shape
    rows = -(-len(pictures) // columns)
    canvas = np.zeros((rows * height, min(columns, len(pictures)) * width, 3), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        canvas[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    return canvas


def _check_same(first: UInt8, second: UInt8) -> None:
    if first.shape != second.shape:
        raise ValueError(f"Pictures of {first.shape} and {second.shape} cannot be combined.")


def _check_share(name: str, value: float) -> None:
    if not (math.isfinite(value) and 0.0 <= value <= 1.0):
        raise ValueError(f"The {name} must lie between 0 and 1, not {value}.")
