"""The known-warp test: align two simulated clips of one unseen action, compare with the truth.

Both clips show the same action by different bodies, cameras and clocks, each trimmed at random; the
truth is exact. Beside the encoder: linear time, and raw 32 x 32 grey pixels with the same DTW.

``python -m training.evaluate --model encoder.onnx`` prints the table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from carl_core.alignment.costs import Costs
from carl_core.alignment.dtw import solve_exact
from carl_core.encoder.onnx import load_encoder
from carl_core.encoder.windows import taper, window_spans
from carl_core.errors import CarlError
from carl_core.similarity.matrix import unit_rows
from training.bank import warp_pairs
from training.config import EvaluationConfig

if TYPE_CHECKING:
    from carl_core.arrays import Float32, Float64, UInt8
    from training.config import ExportConfig
    from training.data import Source
    from training.model import CarlModel

# A clip (T, S, S, 3) and its seconds (T,) to one vector per frame (T, D).
Embedder = Callable[["UInt8", "Float64"], "Float32"]

RAW_SIZE = 32


@dataclass(frozen=True, slots=True)
class WarpError:
    """How far a map is from the truth, over the moments both clips show.

    Attributes
    ----------
    mean_s, median_s : of |t' - t| in seconds of the action
    share : median as a share of the action's length that both show
    """

    mean_s: float
    median_s: float
    share: float


def torch_embedder(model: CarlModel, export: ExportConfig) -> Embedder:
    """Embed with the module as the engine embeds with the exported file: windows and taper."""

    def embed(clip: UInt8, times_s: Float64) -> Float32:
        device = next(model.parameters()).device
        model.eval()
        with torch.inference_mode():
            parts = torch.split(torch.from_numpy(np.array(clip)), 64)
            features = torch.cat([model.trunk(part.to(device)) for part in parts])
            total = np.zeros((len(clip), model.config.dim), dtype=np.float32)
            overlap = export.overlap_frames if export.window_frames else 0
            for start, end in window_spans(len(clip), export.window_frames, overlap):
                times = torch.as_tensor(
                    times_s[start:end] - times_s[start], dtype=torch.float32, device=device
                )
                valid = torch.ones(1, end - start, dtype=torch.bool, device=device)
                vectors = model.head(features[None, start:end], times[None], valid)[0]
                weights = taper(end - start, overlap, is_first=start == 0, is_last=end == len(clip))
                total[start:end] += weights[:, None] * vectors.cpu().numpy()
        return unit_rows(total, centre=False)

    return embed


def raw_embedder(clip: UInt8, times_s: Float64) -> Float32:
    """Return 32 x 32 grey pixels as vectors, the mean picture of the clip taken off."""
    grey = clip.astype(np.float32).mean(axis=3)  # (T, S, S)
    side = grey.shape[1]
    edges = np.linspace(0, side, RAW_SIZE + 1).round().astype(int)
    rows = np.add.reduceat(grey, edges[:-1], axis=1)
    cells = np.add.reduceat(rows, edges[:-1], axis=2)
    area = np.outer(np.diff(edges), np.diff(edges))
    vectors: Float32 = (cells / area).reshape(len(clip), -1).astype(np.float32)
    return vectors


def warp_error(pair: Source, embed: Embedder | None, *, centre: bool) -> WarpError:
    """Error of one pair along the DTW path of ``embed``; None = linear time.

    Each sample of the first clip is compared with the mean content time of the samples of the
    second that the path puts beside it.
    """
    one, two = pair.takes
    if embed is None:
        place = np.linspace(0, len(two.content_s) - 1, len(one.content_s))
        found = np.interp(place, np.arange(len(two.content_s)), two.content_s)
    else:
        rows = unit_rows(embed(one.pictures(), one.times_s), centre=centre)
        columns = unit_rows(embed(two.pictures(), two.times_s), centre=centre)
        path = solve_exact(Costs(rows, columns))
        sums = np.bincount(path.reference, weights=two.content_s[path.other])
        found = sums / np.bincount(path.reference)
    start = max(one.content_s[0], two.content_s[0])
    end = min(one.content_s[-1], two.content_s[-1])
    is_shared = (one.content_s >= start) & (one.content_s <= end)
    error = np.abs(found - one.content_s)[is_shared]
    median = float(np.median(error))
    return WarpError(float(error.mean()), median, median / float(end - start))


def known_warp_scores(embed: Embedder, pairs: list[Source]) -> dict[str, float]:
    """Scores of an encoder and of both baselines over the pairs.

    Returns
    -------
    For each of "encoder", "encoder_centred" (each clip's mean taken off), "linear", "raw": mean
    over pairs of the mean error in seconds (``_mean_s``), and of the median error in percent of
    the action (``_median_percent``)
    """
    methods: dict[str, tuple[Embedder | None, bool]] = {
        "encoder": (embed, False),
        "encoder_centred": (embed, True),
        "linear": (None, False),
        "raw": (raw_embedder, True),
    }
    scores: dict[str, float] = {}
    for name, (method, centre) in methods.items():
        errors = [warp_error(pair, method, centre=centre) for pair in pairs]
        scores[f"{name}_mean_s"] = float(np.mean([error.mean_s for error in errors]))
        scores[f"{name}_median_percent"] = 100 * float(np.mean([error.share for error in errors]))
    return scores


def run_cli(arguments: list[str] | None = None) -> int:
    """Evaluate an exported encoder; print the scores as JSON."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="exported encoder (.onnx)")
    parser.add_argument("--actions", type=int, default=24, help="pairs of clips")
    parser.add_argument("--seed", type=int, default=EvaluationConfig().seed)
    options = parser.parse_args(arguments)
    try:
        encoder = load_encoder(options.model)
    except CarlError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    settings = EvaluationConfig(actions=options.actions, seed=options.seed)
    pairs = warp_pairs(settings, encoder.spec.size, encoder.spec.sample_fps)
    print(json.dumps(known_warp_scores(encoder.encode, pairs), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(run_cli())
