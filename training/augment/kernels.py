"""Passes over the pixels of a whole view, compiled: one frame at a time, so that it stays in cache.

Every kernel releases the interpreter's lock and runs in the calling thread alone: batches are made
by several threads at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from carl_core.arrays import Float32, Float64, Int64, UInt8

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)

_Function = TypeVar("_Function", bound=Callable[..., object])


def _compiled(function: _Function) -> _Function:
    """Compile with numba, cached on disk; fast mathematics, so no NaN may come in."""
    decorate = njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
    return cast(_Function, decorate(function))


@_compiled
def mean_colour(pictures: UInt8) -> Float64:
    """Return the mean of a view's pixels (T, S, S, 3) by channel: float64 (3,)."""
    sums = np.zeros(3, dtype=np.int64)
    for frame in range(pictures.shape[0]):
        for y in range(pictures.shape[1]):
            red, green, blue = np.int32(0), np.int32(0), np.int32(0)
            for x in range(pictures.shape[2]):
                red += pictures[frame, y, x, 0]
                green += pictures[frame, y, x, 1]
                blue += pictures[frame, y, x, 2]
            sums[0] += red
            sums[1] += green
            sums[2] += blue
    means: Float64 = sums / (pictures.shape[0] * pictures.shape[1] * pictures.shape[2])
    return means


@_compiled
def colour_and_noise(
    pictures: UInt8,
    is_mirrored: bool,
    matrix: Float32,
    shift: Float32,
    taps: Float32,
    field: Float32,
    corners: Int64,
    amount: float,
    out: UInt8,
) -> None:
    """Mirror, recolour, blur, add noise and round, in one pass over each frame.

    Parameters
    ----------
    pictures : uint8 (T, S, S, 3)
    is_mirrored : whether left and right are exchanged
    matrix : float32 (3, 3), new = matrix @ old + shift, full scale = 255
    shift : float32 (3,)
    taps : float32 (2 R + 1,) of the blur, sum 1; one tap = no blur
    field : float32 (F, 3 F), noise of deviation 1, F >= S
    corners : int64 (T, 2), row and column of each frame's part of the field
    amount : deviation of the noise in grey levels
    out : uint8 (T, S, S, 3), written
    """
    size = pictures.shape[1]
    reach = len(taps) // 2
    scale = np.float32(amount)
    padded = np.empty(3 * (size + 2 * reach), dtype=np.float32)
    rows = np.empty((size, 3 * size), dtype=np.float32)
    line = np.empty(3 * size, dtype=np.float32)
    m00, m01, m02 = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    m10, m11, m12 = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    m20, m21, m22 = matrix[2, 0], matrix[2, 1], matrix[2, 2]
    top, zero, half = np.float32(255), np.float32(0), np.float32(0.5)
    for frame in range(pictures.shape[0]):
        for y in range(size):
            for x in range(size):
                red = np.float32(pictures[frame, y, x, 0])
                green = np.float32(pictures[frame, y, x, 1])
                blue = np.float32(pictures[frame, y, x, 2])
                place = 3 * (reach + (size - 1 - x if is_mirrored else x))
                new_red = m00 * red + m01 * green + m02 * blue + shift[0]
                new_green = m10 * red + m11 * green + m12 * blue + shift[1]
                new_blue = m20 * red + m21 * green + m22 * blue + shift[2]
                padded[place] = min(max(new_red, zero), top)
                padded[place + 1] = min(max(new_green, zero), top)
                padded[place + 2] = min(max(new_blue, zero), top)
            _extend_row(padded, size, reach)
            _blur_row(padded, taps, rows[y])
        row0, column0 = corners[frame, 0], 3 * corners[frame, 1]
        for y in range(size):
            _blur_column(rows, y, taps, line)
            noise = field[row0 + y, column0 : column0 + 3 * size]
            target = out[frame, y].reshape(3 * size)
            for x in range(3 * size):
                value = min(max(line[x] + scale * noise[x], zero), top) + half
                target[x] = np.uint8(value)


@_compiled
def published_colours(
    pictures: UInt8,
    order: Int64,
    factors: Float32,
    turn: int,
    taps: Float32,
    is_grey: bool,
) -> None:
    """Colour operations in a given order with 8 bit between them, in place, frame by frame.

    As Pillow does: blending truncates, luma is (19595 R + 38470 G + 7471 B) / 65536, hue turns in
    steps of 1/256 of the circle. The blur follows each operation.

    Parameters
    ----------
    pictures : uint8 (T, H, W, 3), changed
    order : int64 (K,), of ``BRIGHTNESS``, ``CONTRAST``, ``SATURATION``, ``HUE``
    factors : float32 (3,), of the first three
    turn : of the hue, 0..255
    taps : float32 (2 R + 1,) of the blur, sum 1; one tap = no blur
    is_grey : whether the colours go in the end
    """
    height, width = pictures.shape[1], pictures.shape[2]
    reach = len(taps) // 2
    padded = np.empty(3 * (width + 2 * reach), dtype=np.float32)
    rows = np.empty((height, 3 * width), dtype=np.float32)
    line = np.empty(3 * width, dtype=np.float32)
    for frame in range(pictures.shape[0]):
        picture = pictures[frame].reshape(height, 3 * width)
        for kind in order:
            if kind == BRIGHTNESS:
                _blend_with(picture, np.float32(0), factors[BRIGHTNESS])
            elif kind == CONTRAST:
                _blend_with(picture, np.float32(_mean_luma(picture)), factors[CONTRAST])
            elif kind == SATURATION:
                _blend_with_luma(picture, factors[SATURATION])
            else:
                _turn_hue(picture, turn)
            if reach:
                _blur(picture, taps, padded, rows, line)
        if is_grey:
            _blend_with_luma(picture, np.float32(0))


@_compiled
def _extend_row(padded: Float32, size: int, reach: int) -> None:
    """Repeat the first and the last pixel of a row of RGB beyond its ends."""
    for step in range(reach):
        for channel in range(3):
            padded[3 * step + channel] = padded[3 * reach + channel]
            padded[3 * (reach + size + step) + channel] = padded[3 * (reach + size - 1) + channel]


@_compiled
def _blur_row(padded: Float32, taps: Float32, row: Float32) -> None:
    """Convolve a padded row of RGB into ``row``; the taps are symmetric."""
    reach = len(taps) // 2
    count = len(row)
    middle = taps[reach]
    for x in range(count):
        row[x] = middle * padded[3 * reach + x]
    for step in range(1, reach + 1):
        weight = taps[reach + step]
        before, after = padded[3 * (reach - step) :], padded[3 * (reach + step) :]
        for x in range(count):
            row[x] += weight * (before[x] + after[x])


@_compiled
def _blur_column(rows: Float32, y: int, taps: Float32, line: Float32) -> None:
    """Convolve over rows into ``line``; beyond the picture the edge rows go on."""
    reach = len(taps) // 2
    last = rows.shape[0] - 1
    middle = taps[reach]
    here = rows[y]
    for x in range(len(line)):
        line[x] = middle * here[x]
    for step in range(1, reach + 1):
        weight = taps[reach + step]
        above, below = rows[max(0, y - step)], rows[min(last, y + step)]
        for x in range(len(line)):
            line[x] += weight * (above[x] + below[x])


@_compiled
def _blur(picture: UInt8, taps: Float32, padded: Float32, rows: Float32, line: Float32) -> None:
    reach = len(taps) // 2
    height, count = picture.shape
    for y in range(height):
        for x in range(count):
            padded[3 * reach + x] = np.float32(picture[y, x])
        _extend_row(padded, count // 3, reach)
        _blur_row(padded, taps, rows[y])
    for y in range(height):
        _blur_column(rows, y, taps, line)
        for x in range(count):
            picture[y, x] = np.uint8(line[x] + np.float32(0.5))


@_compiled
def _blend_with(picture: UInt8, level: np.float32, factor: np.float32) -> None:
    """Move every value away from one level, or towards it."""
    top, zero = np.float32(255), np.float32(0)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            value = level + factor * (np.float32(picture[y, x]) - level)
            picture[y, x] = np.uint8(min(max(value, zero), top))


@_compiled
def _blend_with_luma(picture: UInt8, factor: np.float32) -> None:
    """Move every colour away from its grey, or towards it."""
    top, zero = np.float32(255), np.float32(0)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1] // 3):
            red, green = np.int32(picture[y, 3 * x]), np.int32(picture[y, 3 * x + 1])
            blue = np.int32(picture[y, 3 * x + 2])
            level = np.float32((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16)
            new_red = level + factor * (np.float32(red) - level)
            new_green = level + factor * (np.float32(green) - level)
            new_blue = level + factor * (np.float32(blue) - level)
            picture[y, 3 * x] = np.uint8(min(max(new_red, zero), top))
            picture[y, 3 * x + 1] = np.uint8(min(max(new_green, zero), top))
            picture[y, 3 * x + 2] = np.uint8(min(max(new_blue, zero), top))


@_compiled
def _mean_luma(picture: UInt8) -> int:
    total = np.int64(0)
    for y in range(picture.shape[0]):
        in_row = np.int32(0)
        for x in range(picture.shape[1] // 3):
            red, green = np.int32(picture[y, 3 * x]), np.int32(picture[y, 3 * x + 1])
            blue = np.int32(picture[y, 3 * x + 2])
            in_row += (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16
        total += in_row
    return int(total / (picture.shape[0] * (picture.shape[1] // 3)) + 0.5)


@_compiled
def _turn_hue(picture: UInt8, turn: int) -> None:
    """Turn the hue by ``turn`` / 256 of the circle, through hue, saturation and value of 8 bit."""
    one, six, full = np.float32(1), np.float32(6), np.float32(255)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1] // 3):
            red, green = picture[y, 3 * x], picture[y, 3 * x + 1]
            blue = picture[y, 3 * x + 2]
            value = max(red, green, blue)
            spread = np.float32(value) - np.float32(min(red, green, blue))
            if spread == 0:
                continue
            saturation = np.float32(np.int32(full * (spread / np.float32(value))))
            if red == value:
                sector = (np.float32(green) - np.float32(blue)) / spread
            elif green == value:
                sector = np.float32(2) + (np.float32(blue) - np.float32(red)) / spread
            else:
                sector = np.float32(4) + (np.float32(red) - np.float32(green)) / spread
            share = sector / six
            if share < 0:
                share += one
            hue = (np.int32(share * full) + turn) & 255
            along = np.float32(hue) * six / full
            sextant = np.int32(along)
            rest = along - np.float32(sextant)
            level, part = np.float32(value), saturation / full
            low = np.uint8(level * (one - part) + np.float32(0.5))
            falling = np.uint8(level * (one - part * rest) + np.float32(0.5))
            rising = np.uint8(level * (one - part * (one - rest)) + np.float32(0.5))
            sextant %= 6
            if sextant == 0:
                red, green, blue = value, rising, low
            elif sextant == 1:
                red, green, blue = falling, value, low
            elif sextant == 2:
                red, green, blue = low, value, rising
            elif sextant == 3:
                red, green, blue = low, falling, value
            elif sextant == 4:
                red, green, blue = rising, low, value
            else:
                red, green, blue = value, low, falling
            picture[y, 3 * x] = red
            picture[y, 3 * x + 1] = green
            picture[y, 3 * x + 2] = blue
