"""Show wide brightness and wide colour on an ordinary screen.

The stored signal is turned into light, brought to BT.709 colours, its highlights are rolled off,
and it is coded again for a screen of gamma 2.2. One table look-up per value each way.

Signal to light: SMPTE ST 2084 (PQ) and ITU-R BT.2100 (HLG, with its system gamma for a screen of
1000 cd/m²). Light is relative to diffuse white, 203 cd/m² (ITU-R BT.2408).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast

import numba
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from carl_core.arrays import Float32, Float64, UInt8

Transfer = Literal["sdr", "pq", "hlg"]

_DIFFUSE_WHITE = 203.0
_PEAK = 1000.0
# Below this light the picture is left alone; above it highlights are squeezed into what is left.
_KNEE = 0.6
_SCREEN_GAMMA = 2.2
_SDR_GAMMA = 2.4
_STEPS = 65536
# ITU-R BT.2087: BT.2020 to BT.709 primaries, linear light.
_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    dtype=np.float32,
)
_BT2020_LUMA = (0.2627, 0.6780, 0.0593)


def to_sdr(pixels: npt.NDArray[np.uint16], transfer: Transfer) -> UInt8:
    """Turn BT.2020 pixels uint16 (H, W, 3) of full range into BT.709 uint8 (H, W, 3).

    Safe from any thread; 16 to 70 ms of CPU for 1920x1080 (measured on one EPYC core).
    """
    light, code = _tables(transfer)
    out = np.empty(pixels.shape, dtype=np.uint8)
    peak = np.float32(_PEAK / _DIFFUSE_WHITE if transfer != "sdr" else 0.0)
    gains = _hlg_gains() if transfer == "hlg" else np.zeros(0, dtype=np.float32)
    _map(np.ascontiguousarray(pixels), light, gains, _TO_BT709, code, peak, out)
    return out


def roll_off(light: Float64, peak: float = _PEAK / _DIFFUSE_WHITE) -> Float64:
    """Squeeze light 0..peak into 0..1: straight up to the knee, then flatter and flatter.

    Extended Reinhard (2002) applied to what lies above the knee; its slope at the knee is 1.
    """
    room = 1 - _KNEE
    over = np.maximum(light - _KNEE, 0) / room
    top = (peak - _KNEE) / room
    squeezed = _KNEE + room * over * (1 + over / top**2) / (1 + over)
    return np.minimum(np.where(light <= _KNEE, light, squeezed), 1.0)


@cache
def _tables(transfer: Transfer) -> tuple[Float32, UInt8]:
    """Signal to light, float32 (65536,), and light to code, uint8 (65536,)."""
    signal = np.arange(_STEPS) / (_STEPS - 1)
    if transfer == "pq":
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        power = signal ** (1 / m2)
        light = (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
        light *= 10000 / _DIFFUSE_WHITE
    elif transfer == "hlg":
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    else:
        light = signal**_SDR_GAMMA
    gamma = _SDR_GAMMA if transfer == "sdr" else _SCREEN_GAMMA
    code = np.rint(255 * signal ** (1 / gamma))
    return light.astype(np.float32), code.astype(np.uint8)


@cache
def _hlg_gains() -> Float32:
    """Light of the screen over light of the scene by the scene's luminance, float32 (65536,)."""
    luminance = np.arange(_STEPS) / (_STEPS - 1)
    return (_PEAK / _DIFFUSE_WHITE * luminance**0.2).astype(np.float32)


def _map_pixels(
    pixels: Any, light: Any, gains: Any, matrix: Any, code: Any, peak: Any, out: Any
) -> None:
    one, zero = np.float32(1.0), np.float32(0.0)
    knee, room = np.float32(_KNEE), np.float32(1 - _KNEE)
    top = (peak - knee) / room
    is_hlg = len(gains) > 0
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            r = light[pixels[y, x, 0]]
            g = light[pixels[y, x, 1]]
            b = light[pixels[y, x, 2]]
            if is_hlg:
                luma = (
                    np.float32(_BT2020_LUMA[0]) * r
                    + np.float32(_BT2020_LUMA[1]) * g
                    + np.float32(_BT2020_LUMA[2]) * b
                )
                gain = gains[int(min(luma, one) * np.float32(65535.0) + np.float32(0.5))]
                r, g, b = r * gain, g * gain, b * gain
            red = max(matrix[0, 0] * r + matrix[0, 1] * g + matrix[0, 2] * b, zero)
            green = max(matrix[1, 0] * r + matrix[1, 1] * g + matrix[1, 2] * b, zero)
            blue = max(matrix[2, 0] * r + matrix[2, 1] * g + matrix[2, 2] * b, zero)
            highest = max(red, green, blue)
            if peak > zero and highest > knee:
                over = (highest - knee) / room
                shown = knee + room * over * (one + over / (top * top)) / (one + over)
                gain = min(shown, one) / highest
                red, green, blue = red * gain, green * gain, blue * gain
            out[y, x, 0] = code[int(min(red, one) * np.float32(65535.0) + np.float32(0.5))]
            out[y, x, 1] = code[int(min(green, one) * np.float32(65535.0) + np.float32(0.5))]
            out[y, x, 2] = code[int(min(blue, one) * np.float32(65535.0) + np.float32(0.5))]


_map = cast("Callable[..., None]", numba.njit(cache=True, nogil=True)(_map_pixels))
