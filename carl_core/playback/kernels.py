"""Compiled inner loops, cached on disk."""

from __future__ import annotations

import numpy as np
from numba import njit


# NOTE: keeps the interpreter lock on purpose: for 0.1 ms, to give it away and wait for it again
# costs a sound callback more than it gives the others.
@njit("int64(float32[::1], float32[::1], int64, float64)", cache=True, fastmath=True)
def most_alike(template, region, channels, off_centre):  # type: ignore[no-untyped-def]
    """Return the offset, in samples, at which ``region`` is most like ``template``.

    Both interleaved; by correlation normalised for loudness. Silence is most alike in the centre.
    """
    length = template.shape[0]
    offsets = (region.shape[0] - length) // channels + 1
    centre = (offsets - 1) // 2
    loudness = np.float32(0.0)
    for k in range(length):
        loudness += template[k] * template[k]
    energy = 0.0
    for k in range(length):
        energy += float(region[k]) * float(region[k])
    best, best_score = centre, -np.inf
    for offset in range(offsets):
        first = offset * channels
        dot = np.float32(0.0)
        for k in range(length):
            dot += template[k] * region[first + k]
        score = float(dot) / np.sqrt(float(loudness) * max(energy, 0.0) + 1e-9)
        away = (offset - centre) / max(centre, 1)
        score -= off_centre * away * away
        if score > best_score:
            best, best_score = offset, score
        if offset + 1 < offsets:
            for c in range(channels):
                gone = float(region[first + c])
                come = float(region[first + length + c])
                energy += come * come - gone * gone
    return best
