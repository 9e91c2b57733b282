"""Make ``assets/null_bank.npz``: embeddings of simulated clips, part of the null for confidence.

    python -m benchmarks.make_null_bank [--model ENCODER.onnx] [--out assets/null_bank.npz]

Run it whenever the bundled encoder changes. Every clip shows another figure doing other random
actions before another background; nothing of it is anybody's recording. Fixed seed.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.nullbank import BANK_NAME, features_id, write_bank
from carl_core.assets import asset_path, assets_folder
from carl_core.embeddings.entry import to_stored
from carl_core.encoder.onnx import load_encoder
from training.simulate.clip import random_view, render_clip
from training.simulate.motion import random_action

if TYPE_CHECKING:
    from carl_core.arrays import Float16, Float32

_SECONDS = (8.0, 14.0)
_STILLS = 10  # frames a clip kept as raw features: neighbours are alike, and the bank stays small


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the bank of unrelated embeddings.")
    parser.add_argument("--model", type=Path, help="encoder file (default: the bundled one)")
    parser.add_argument("--out", type=Path, default=assets_folder() / BANK_NAME)
    parser.add_argument("--clips", type=int, default=32)
    chosen = parser.parse_args()
    encoder = load_encoder(chosen.model or asset_path("encoder.onnx"))
    spec = encoder.spec
    started = time.perf_counter()
    clips: list[Float32] = []
    stills: list[Float16] = []
    for number in range(chosen.clips):
        rng = np.random.default_rng([2026, number])
        action = random_action(rng, duration_s=_SECONDS)
        view = random_view(rng, action, size=spec.size, rate=(0.6, 1.6), trim=0.0)
        times_s = np.arange(0.0, view.duration_s, 1.0 / float(spec.sample_fps))
        clip = render_clip(action, view, times_s)
        features = encoder.features(clip.frames)
        clips.append(encoder.embed_features(features, times_s))
        spread = np.linspace(0, len(features) - 1, _STILLS).round().astype(np.int64)
        stills.append(to_stored(features[spread]))
    write_bank(chosen.out, {encoder.model_id: clips, features_id(encoder.model_id): stills})
    samples = sum(len(clip) for clip in clips)
    print(
        f"{chosen.out}: {len(clips)} clips, {samples} samples, "
        f"{chosen.out.stat().st_size / 1e6:.2f} MB, {time.perf_counter() - started:.0f} s"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
