"""Which frames of a recording are embedded."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from carl_core.arrays import Int64
    from carl_core.encoder.spec import EncoderSpec
    from carl_core.timebase import FrameIndex

NATIVE = "native"
KEYS = "keys"
"""Key frames alone, which are decoded without any other: for a first look."""

# Of a recording's key frames so many are taken at most, and not more than these a second.
_MOST_KEYS = 1000
_KEYS_PER_S = 2.0
# A short recording is sampled faster than the encoder's rate, to have this many samples where it
# has as many frames: between two samples a map only interpolates, and a golf swing at 10 samples a
# second would be 15 of them.
FEWEST_SAMPLES = 64
_LIMIT = 1001  # denominators up to that of 30000/1001


def usual_rate(duration_s: float, sample_fps: float) -> Fraction:
    """Return the samples per second of a recording when nobody asks for others.

    The encoder's own rate; for a recording too short for ``FEWEST_SAMPLES`` at that rate, the
    lowest whole number of samples per second that gives as many.

    Parameters
    ----------
    duration_s : from the first to the last frame
    sample_fps : the encoder's rate
    """
    own = Fraction(sample_fps).limit_denominator(_LIMIT)
    if duration_s <= 0 or duration_s * own >= FEWEST_SAMPLES - 1:
        return own
    return Fraction(math.ceil((FEWEST_SAMPLES - 1) / duration_s))


def sampling_of(index: FrameIndex, sampling: str | None, spec: EncoderSpec) -> str:
    """Return the one spelling of a sampling: "native" or a fraction in lowest terms, "10/1".

    Parameters
    ----------
    index : of the recording
    sampling : as a user spells it; None = ``usual_rate``

    Raises
    ------
    ValueError
        When it is neither "native" nor a positive number.
    """
    if sampling is None:
        rate = usual_rate(float(index.times_s[-1]), spec.sample_fps)
        return f"{rate.numerator}/{rate.denominator}"
    return normal_sampling(sampling)


def normal_sampling(sampling: str) -> str:
    """Return the one spelling of what a user asks for. Raises as ``sampling_of``."""
    if sampling in (NATIVE, KEYS):
        return sampling
    try:
        rate = Fraction(sampling)
    except (ValueError, ZeroDivisionError) as exc:
        raise ValueError(
            f'sampling must be "native" or frames per second, got {sampling!r}'
        ) from exc
    rate = rate.limit_denominator(_LIMIT)
    if rate <= 0:
        raise ValueError(f"sampling must be positive, got {sampling!r}")
    return f"{rate.numerator}/{rate.denominator}"


def sampled_frames(index: FrameIndex, sampling: str) -> Int64:
    """Return the frames to embed: the nearest presented frame to each sample instant, each once.

    ``KEYS`` are the first key frames of equal parts of the recording; the first frame where there
    is none.

    Instants are 0, 1/rate, 2/rate, ... up to the last frame. A rate above the recording's own gives
    every frame once.
    """
    if sampling == NATIVE:
        return np.arange(len(index), dtype=np.int64)
    if sampling == KEYS:
        keys = np.flatnonzero(index.is_key)
        if len(keys) == 0:
            return np.zeros(1, dtype=np.int64)
        part_s = max(1 / _KEYS_PER_S, index.duration_s / _MOST_KEYS)
        _, firsts = np.unique((index.times_s[keys] / part_s).astype(np.int64), return_index=True)
        return keys[firsts].astype(np.int64)
    rate = Fraction(sampling)
    last_s = float(index.times_s[-1])
    # Half a sample's rounding must not lose the instant that falls on the last frame.
    count = int(np.floor(last_s * float(rate) + 1e-6)) + 1
    if count <= 4 * len(index):
        numbers = np.arange(count, dtype=np.float64)
    else:
        # A frame is nearest to some instant exactly if it is nearest to the first instant after the
        # middle between it and the frame before: a few candidates per frame are all that count.
        middles = (index.times_s[1:] + index.times_s[:-1]) / 2 * float(rate)
        around = [np.floor(middles) + step for step in (-1, 0, 1, 2)]
        numbers = np.unique(np.clip(np.concatenate([[0.0], *around]), 0, count - 1))
    return np.unique(index.nearest_frames(numbers * rate.denominator / rate.numerator))
