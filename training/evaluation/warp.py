"""The known-warp test: align two simulated clips of one unseen action, compare with the truth.

Both clips show the same action by different bodies, cameras and clocks, each trimmed at random; the
truth is exact. Beside the encoder: linear time, and raw 32 x 32 grey pixels with the same DTW.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from training.evaluation.cases import CaseError, FeatureCase, case_error, shared_truth
from training.evaluation.heads import head_vectors
from training.evaluation.tracks import Track, raw_vectors

if TYPE_CHECKING:
    from carl_core.arrays import Float32, Float64, UInt8
    from training.config import ExportConfig
    from training.data import Source, Take
    from training.model import CarlModel

# A clip (T, S, S, 3) and its seconds (T,) to one vector per frame (T, D).
Embedder = Callable[["UInt8", "Float64"], "Float32"]

_TRUNK_BATCH = 64


def torch_embedder(model: CarlModel, export: ExportConfig) -> Embedder:
    """Embed with the module as the engine embeds with the exported file: windows and taper."""

    def embed(clip: UInt8, times_s: Float64) -> Float32:
        device = next(model.parameters()).device
        model.eval()
        with torch.inference_mode():
            parts = torch.split(torch.from_numpy(np.array(clip)), _TRUNK_BATCH)
            features = torch.cat([model.trunk(part.to(device)) for part in parts]).cpu().numpy()
        return head_vectors(
            model.head,
            features,
            times_s,
            window=export.window_frames,
            overlap=export.overlap_frames,
        )

    return embed


def raw_embedder(clip: UInt8, times_s: Float64) -> Float32:
    """Return 32 x 32 grey pixels as vectors; ``times_s`` plays no part."""
    return raw_vectors(clip)


def warp_error(pair: Source, embed: Embedder | None, *, centre: bool) -> CaseError:
    """Error of one pair along the DTW path of ``embed``; None = linear time.

    Over the moments both clips show. Seconds are the action's; percents are of the stretch that
    both show.
    """
    one, two = (_track(pair.name, take, embed) for take in pair.takes)
    case = FeatureCase(pair.name, "simulated", one, two, (shared_truth(one, two),))
    return case_error(case, None if embed is None else _as_they_are, centre=centre)


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
        percents = [error.median_percent for error in errors]
        scores[f"{name}_median_percent"] = float(np.mean(percents))
    return scores


def _track(name: str, take: Take, embed: Embedder | None) -> Track:
    """Vectors take the place of features."""
    times_s = take.times_s
    vectors = np.zeros((len(times_s), 1), dtype=np.float32)
    if embed is not None:
        vectors = embed(take.pictures(), times_s)
    return Track(name, vectors, vectors, times_s, take.content_s)


def _as_they_are(vectors: Float32, times_s: Float64) -> Float32:
    return vectors
