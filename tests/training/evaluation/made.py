"""Recordings whose content can be read off their features, made without pictures."""

from __future__ import annotations

import numpy as np

from training.evaluation.tracks import Track


def track_of(
    content: np.ndarray,
    *,
    name: str = "",
    action: str = "",
    fps: float = 10.0,
    phases: int = 4,
    noise: float = 0.0,
    seed: int = 0,
) -> Track:
    """A recording that shows ``content`` (0..1): smooth features of it, phases by its quarters."""
    content = np.asarray(content, dtype=np.float64)
    centres = np.linspace(0.0, 1.0, 12)
    features = np.exp(-0.5 * ((content[:, None] - centres) / 0.06) ** 2)
    features = features + noise * np.random.default_rng(seed).standard_normal(features.shape)
    labels = np.minimum((content * phases).astype(np.int64), phases - 1)
    pixels = np.zeros((len(content), 4), dtype=np.float32)
    times_s = np.arange(len(content)) / fps
    return Track(name, features.astype(np.float32), pixels, times_s, times_s, labels, action)


def warped(count: int, power: float) -> np.ndarray:
    """Content 0..1 of a recording that runs unevenly."""
    return np.linspace(0.0, 1.0, count) ** power
