"""How soon an hour of far key frames has its first look, next to two frames a second.

    python -m benchmarks.first_look [--minutes M]

A 1080p30 H.264 file of a key frame in 250 (one clip, its packets repeated): opening by its own
table, opening exactly, then embedding its key frames alone. Two frames a second, for which nearly
every frame is decoded, are measured on one minute of the same clip and multiplied. CPU seconds
move less under load than those of the clock.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.claims import Claim, report
from benchmarks.clips import camera_clip, long_file
from benchmarks.taking import taken
from carl_core.assets import asset_path
from carl_core.encoder.coarse import COARSE, coarse_sampling
from carl_core.encoder.embed import embed_recording
from carl_core.encoder.onnx import load_encoder
from carl_core.encoder.sampling import KEYS
from carl_core.video.recording import open_recording

if TYPE_CHECKING:
    from carl_core.arrays import UInt8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    minutes = parser.parse_args().minutes
    path = long_file(camera_clip(), 60.0 * minutes)
    minute = open_recording(long_file(camera_clip(), 60.0))
    encoder = load_encoder(asset_path("encoder.onnx"), device="cpu")
    encoder.features(_blank(encoder.spec.size))
    _, (table_s, _) = taken(lambda: open_recording(path, provisional=True))
    _, (exact_s, _) = taken(lambda: open_recording(path))
    recording = open_recording(path)
    assert coarse_sampling(recording, encoder) == KEYS
    _, (keys_s, keys_cpu_s) = taken(lambda: embed_recording(recording, encoder, sampling=KEYS))
    _, (coarse_s, coarse_cpu_s) = taken(lambda: embed_recording(minute, encoder, sampling=COARSE))
    times = f"2 frames/s, one minute x {minutes}"
    report(
        [
            Claim(f"opening {minutes} minutes by their table, s", table_s, at_most=1.0),
            Claim(f"opening {minutes} minutes exactly, s", exact_s),
            Claim("first look at key frames, s", keys_s, coarse_s * minutes, times, at_most=0.1),
            Claim("first look, CPU s", keys_cpu_s, coarse_cpu_s * minutes, times, at_most=0.1),
        ]
    )
    return 0


def _blank(size: int) -> UInt8:
    return np.zeros((1, size, size, 3), np.uint8)


if __name__ == "__main__":
    raise SystemExit(main())
