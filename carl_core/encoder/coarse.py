"""A first look at a long recording: few frames over its whole length, the rest afterwards."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from carl_core.encoder.sampling import KEYS, sampled_frames, sampling_of

if TYPE_CHECKING:
    from carl_core.arrays import Int64
    from carl_core.encoder.onnx import Encoder
    from carl_core.timebase import FrameIndex
    from carl_core.video.recording import Recording

COARSE = "2/1"
"""Sampling of a first look. Its frames are among those of the usual rates, which are multiples."""

FIRST_LOOKS = (COARSE, KEYS)

# A first look comes on top where nothing of it is used again: only worth it for a real wait.
_WORTH_S = 20.0
# Decoding H.264 with two cores, measured: 3.5 ms for 1920 x 1080.
_DECODE_S_PER_PIXEL = 1.7e-9
_TRIAL_FRAMES = 8
# With fewer, a first look at key frames alone says nothing.
_FEWEST_KEYS = 48


def coarse_sampling(recording: Recording, encoder: Encoder) -> str | None:
    """Return the sampling of a first look where the usual rate would take long; else None.

    ``COARSE``, or ``KEYS`` where that would take long as well: between key frames that are far
    apart nearly everything is decoded on the way to two frames a second.
    """
    frames = len(sampled_frames(recording.index, sampling_of(recording.index, None, encoder.spec)))
    if frames < 2 * len(sampled_frames(recording.index, COARSE)):
        return None
    decode_s = recording.info.width * recording.info.height * _DECODE_S_PER_PIXEL
    if max(frames * frame_s(encoder), len(recording.index) * decode_s) <= _WORTH_S:
        return None
    looked_at = sampled_frames(recording.index, COARSE)
    is_dear = _decoded_on_the_way(recording.index, looked_at) * decode_s > _WORTH_S
    keys = len(sampled_frames(recording.index, KEYS))
    return KEYS if is_dear and _FEWEST_KEYS <= keys < len(looked_at) else COARSE


def _decoded_on_the_way(index: FrameIndex, frames: Int64) -> int:
    """Return how many frames are decoded to have these, which ascend."""
    keys = np.flatnonzero(index.is_key)
    if len(keys) == 0:
        return int(frames[-1]) + 1
    begin = keys[np.maximum(np.searchsorted(keys, frames, side="right") - 1, 0)]
    begin[1:] = np.maximum(begin[1:], frames[:-1] + 1)
    return int((frames - begin + 1).sum())


@cache
def frame_s(encoder: Encoder) -> float:
    """Return the seconds a frame takes in the trunk, measured once: a fraction of a second."""
    size = encoder.spec.size
    blank = np.zeros((_TRIAL_FRAMES, size, size, 3), np.uint8)
    encoder.features(blank)  # the first call also allocates
    start = time.perf_counter()
    encoder.features(blank)
    return (time.perf_counter() - start) / _TRIAL_FRAMES
