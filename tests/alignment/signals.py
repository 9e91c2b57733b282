"""Synthetic recordings: smooth random walks on the sphere, and known warps of them."""

from __future__ import annotations

import numpy as np


def scene(seed: int, seconds: float = 40.0, dim: int = 48, scale_s: float = 0.5) -> np.ndarray:
    """Knots of a smooth trajectory, one per ``scale_s`` seconds."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(int(seconds / scale_s) + 4, dim))


def shown(
    knots: np.ndarray,
    times_s: np.ndarray,
    *,
    noise: float = 0.0,
    seed: int = 0,
    scale_s: float = 0.5,
) -> np.ndarray:
    """What is seen at ``times_s`` of the scene: float32 unit rows."""
    at = np.clip(np.asarray(times_s) / scale_s, 0, len(knots) - 1.001)
    k = at.astype(int)
    share = (at - k)[:, None]
    share = share * share * (3 - 2 * share)
    rows = knots[k] * (1 - share) + knots[k + 1] * share
    if noise:
        rows = rows + noise * np.random.default_rng(seed).normal(size=rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def grid(seconds: float, fps: float = 10.0) -> np.ndarray:
    return np.arange(round(seconds * fps)) / fps
