"""Heads outside an encoder file: of the model being trained, and untrained ones as a control."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from carl_core.encoder.windows import taper, window_spans
from carl_core.errors import ModelError
from carl_core.similarity.matrix import unit_rows
from training.config import ModelConfig
from training.model import Head

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.arrays import Float32, Float64
    from carl_core.encoder.spec import EncoderSpec
    from training.evaluation.tracks import Embed


def head_file(encoder: Path) -> Path:
    """Where the head of an encoder file lies: beside it, NAME.head.safetensors."""
    return encoder.with_name(encoder.stem + ".head.safetensors")


def head_config(path: Path) -> ModelConfig:
    """Read the model configuration that an exported head carries.

    Raises
    ------
    ModelError
        When the file is missing, damaged, or written by another version.
    """
    advice = "Export the encoder again to have it beside the encoder file."
    if not path.is_file():
        raise ModelError(f"There is no {path.name} beside the encoder. {advice}")
    try:
        with safe_open(path, "pt") as file:
            values = json.loads((file.metadata() or {})["model"])
        return ModelConfig(**values)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as exc:
        raise ModelError(f"{path} does not say how its head is built ({exc}). {advice}") from exc


def untrained_head(config: ModelConfig, channels: int, seed: int) -> Head:
    """Build a head with fresh weights, a function of the seed; the global generator stays."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Head(config, channels).eval()


def head_embedder(head: Head, spec: EncoderSpec) -> Embed:
    """Embed with a head as the engine embeds with an exported one: windows and taper."""

    def embed(features: Float32, times_s: Float64) -> Float32:
        return head_vectors(
            head, features, times_s, window=spec.window_frames, overlap=spec.overlap_frames
        )

    return embed


def head_vectors(
    head: Head, features: Float32, times_s: Float64, *, window: int, overlap: int
) -> Float32:
    """Run a head over a whole recording: (T, C) and seconds (T,) -> float32 (T, D) unit rows.

    Parameters
    ----------
    head : in the mode it is in, on its device
    features, times_s : of the recording
    window, overlap : frames, as in ``EncoderSpec``; window 0 = the published chunks
    """
    device = next(head.parameters()).device
    count = len(features)
    shared = overlap if window else 0
    total: Float32 | None = None
    with torch.inference_mode():
        for start, end in window_spans(count, window, shared):
            vectors = head(
                torch.as_tensor(features[None, start:end], dtype=torch.float32, device=device),
                torch.as_tensor(
                    times_s[None, start:end] - times_s[start], dtype=torch.float32, device=device
                ),
                torch.ones(1, end - start, dtype=torch.bool, device=device),
            )[0]
            weights = taper(end - start, shared, is_first=start == 0, is_last=end == count)
            if total is None:
                total = np.zeros((count, vectors.shape[-1]), dtype=np.float32)
            total[start:end] += weights[:, None] * vectors.cpu().numpy()
    assert total is not None
    return unit_rows(total, centre=False)
