"""A first look at a long recording: few frames over its whole length, the rest afterwards."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from carl_core.encoder.sampling import sampled_frames, sampling_of

if TYPE_CHECKING:
    from carl_core.encoder.onnx import Encoder
    from carl_core.video.recording import Recording

COARSE = "2/1"
"""Sampling of a first look. Its frames are among those of the usual rates, which are multiples."""

# A first look comes on top where nothing of it is used again: only worth it for a real wait.
_WORTH_S = 20.0
# Decoding H.264 with two cores, measured: 3.5 ms for 1920 x 1080.
_DECODE_S_PER_PIXEL = 1.7e-9
_TRIAL_FRAMES = 8


def coarse_sampling(recording: Recording, encoder: Encoder) -> str | None:
    """Return ``COARSE`` where the usual rate would take long, by an estimate; else None."""
    frames = len(sampled_frames(recording.index, sampling_of(recording.index, None, encoder.spec)))
    if frames < 2 * len(sampled_frames(recording.index, COARSE)):
        return None
    decoding_s = len(recording.index) * recording.info.width * recording.info.height
    expected_s = max(frames * frame_s(encoder), decoding_s * _DECODE_S_PER_PIXEL)
    return COARSE if expected_s > _WORTH_S else None


@cache
def frame_s(encoder: Encoder) -> float:
    """Return the seconds a frame takes in the trunk, measured once: a fraction of a second."""
    size = encoder.spec.size
    blank = np.zeros((_TRIAL_FRAMES, size, size, 3), np.uint8)
    encoder.features(blank)  # the first call also allocates
    start = time.perf_counter()
    encoder.features(blank)
    return (time.perf_counter() - start) / _TRIAL_FRAMES
