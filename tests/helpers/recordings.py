"""Recordings that exist only as values: for code that needs times and no pictures."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np

from carl_core.timebase import FrameIndex
from carl_core.video.info import VideoInfo
from carl_core.video.recording import Recording


def fake_recording(
    name: str, frames: int, fps: float = 25.0, size: tuple[int, int] = (64, 48)
) -> Recording:
    """Return a recording of a constant rate without a file behind it."""
    ticks = np.round(np.arange(frames + 1) * 90_000 / fps).astype(np.int64)
    index = FrameIndex(ticks[:-1], int(ticks[-1]), np.ones(frames, dtype=bool), Fraction(1, 90_000))
    info = VideoInfo(
        codec="h264",
        width=size[0],
        height=size[1],
        coded_width=size[0],
        coded_height=size[1],
        rotation=0,
        mirrored=False,
        sar=Fraction(1),
        frames=frames,
        duration_s=index.duration_s,
        vfr=False,
        first_pts=0,
        time_base=index.time_base,
        audio=None,
        is_hdr=False,
        is_interlaced=False,
        colour="bt709 limited",
    )
    fingerprint = hashlib.md5(name.encode()).hexdigest()
    return Recording(name, Path(f"{name}.mp4"), fingerprint, info, index)
