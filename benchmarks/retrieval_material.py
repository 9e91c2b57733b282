"""Rows for the benchmarks of retrieval: as many as wanted, made from real embeddings or drawn.

Real embeddings are enlarged so that what makes a search easy or hard stays: a made recording
strings together passages of real ones, each at a speed of its own and forwards or backwards (rows
between two neighbours in time are interpolated), and each moved by up to ``MOVED`` times the
difference of two real frames, which drifts while the passage lasts. So neighbours lie as near to
one another as they do in recordings, the numbers have the covariance of real ones, and no passage
comes twice.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from carl_core.arrays import Float32

MODEL = "b" * 16
LENGTH = 20_000  # frames of one recording
FRESH = 1_000_000  # drawn rows that are drawn anew
MOVED = 0.3
VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")

Real = tuple["Float32", ...]
"""Rows (T, D) of each real recording."""


def recordings(starts: range, dim: int, real: Real) -> Iterator[Embeddings]:
    """Yield recordings named by their first row; ``starts`` counts in steps of ``LENGTH``."""
    for start in starts:
        count = min(LENGTH, starts.stop - start)
        key = EmbeddingKey(f"{start:032x}", MODEL, "10/1")
        at = np.arange(count)
        yield Embeddings(key, at, at / 10, rows(start, count, dim, real))


def rows(start: int, count: int, dim: int, real: Real) -> Float32:
    """Make the rows of a recording; of real ones, or else drawn.

    Of the drawn ones those beyond the first million are those of an earlier one turned elsewhere:
    to flip the signs of some components keeps all distances within a recording, and costs little.
    """
    if real:
        return _strung(start, count, real)
    drawn = _drawn(start % FRESH, count, dim)
    if start < FRESH:
        return drawn
    signs = np.random.default_rng(start // FRESH).choice([-1, 1], dim).astype(np.float32)
    return drawn * signs


def embedded(folder: Path) -> Real:
    """Embed every video of a folder, tree and all; what cannot be read is left out."""
    from carl_core.errors import CarlError
    from carl_core.pipeline import Engine

    engine = Engine()
    found = []
    for file in sorted(f for f in folder.rglob("*") if f.suffix.lower() in VIDEOS):
        try:
            vectors = engine.embed(engine.open(file)).vectors
        except CarlError:
            continue
        if len(vectors) > 1:
            found.append(np.array(vectors, dtype=np.float32))
    return tuple(found)


def _strung(seed: int, count: int, real: Sequence[Float32]) -> Float32:
    chance = np.random.default_rng(seed)
    found, have = [], 0
    while have < count:
        clip = real[int(chance.integers(len(real)))]
        size = max(2, int(len(clip) / chance.uniform(0.5, 2.0)))
        place = np.linspace(0, len(clip) - 1, size)
        low = np.minimum(place.astype(np.int64), len(clip) - 2)
        part = (place - low).astype(np.float32)[:, None]
        passage = clip[low] * (1 - part) + clip[low + 1] * part
        passage = passage[:: int(chance.choice([-1, 1]))]
        drift = np.linspace(0, 1, size, dtype=np.float32)[:, None]
        one, other = (chance.uniform(0, MOVED) * _difference(chance, real) for _ in range(2))
        found.append(
            passage + one.astype(np.float32) * (1 - drift) + other.astype(np.float32) * drift
        )
        have += size
    return _unit(np.concatenate(found)[:count])


def _difference(chance: np.random.Generator, real: Sequence[Float32]) -> Float32:
    one, other = (real[int(chance.integers(len(real)))] for _ in range(2))
    return one[int(chance.integers(len(one)))] - other[int(chance.integers(len(other)))]


@cache
def _drawn(seed: int, count: int, dim: int) -> Float32:
    """Walk among scenes that all recordings share."""
    chance = np.random.default_rng(seed)
    scenes = np.random.default_rng(0).standard_normal((2000, dim), dtype=np.float32)
    shown = scenes[chance.integers(2000, size=count // 50 + 2)]
    place = np.arange(count) / 50
    low = place.astype(np.int64)
    part = (place - low).astype(np.float32)[:, None]
    walk = shown[low] * (1 - part) + shown[low + 1] * part
    return _unit(walk + 0.5 * chance.standard_normal(walk.shape, dtype=np.float32))


def _unit(found: Float32) -> Float32:
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.maximum(norms, 1e-12), dtype=np.float32)
