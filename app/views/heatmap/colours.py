"""The colours of the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from carl_core.arrays import UInt8

# Nine equally spaced colours of viridis (CC0, van der Walt and Smith 2015): perceptually uniform
# and safe for colour-blind readers.
VIRIDIS = (
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
)


def viridis_table() -> UInt8:
    """Return the colour table, uint8 (256, 3)."""
    at = np.linspace(0, len(VIRIDIS) - 1, 256)
    colours = np.asarray(VIRIDIS, dtype=np.float64)
    channels = [np.interp(at, np.arange(len(VIRIDIS)), colours[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def clipped_levels(values: UInt8, contrast: int) -> tuple[float, float]:
    """Return the values to show darkest and brightest.

    Parameters
    ----------
    contrast : 0 to 100; of the values, up to 40 % become the darkest and up to 10 % the brightest
        colour. 5 is gentle: 2 % and 0.025 %, so that a diagonal of single cells (0.1 % of 1,000 x
        1,000) stands out from what is merely bright.
    """
    counts = np.bincount(values.reshape(-1), minlength=256).cumsum()
    low_share, high_share = 0.004 * contrast, 1 - 0.1 * (contrast / 100) ** 2
    low = int(np.searchsorted(counts, low_share * counts[-1], side="right"))
    high = int(np.searchsorted(counts, high_share * counts[-1]))
    low = min(low, 254)
    return float(low), float(max(min(high, 255), low + 1))
