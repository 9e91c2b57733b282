"""Find the moments that look most like a query."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from carl_core.arrays import Float32, Float64, as_read_only

if TYPE_CHECKING:
    from collections.abc import Mapping

    from carl_core.embeddings.embeddings import Embeddings


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """What to look for.

    Attributes
    ----------
    vectors : float32 (Q, D), one frame (Q = 1) or the frames of a range in order; rows are scaled
        to unit norm
    excluded : (recording id, start_s, end_s): moments in these spans are no hits, e.g. the query's
        own
    """

    vectors: Float32
    excluded: tuple[tuple[str, float, float], ...] = ()

    def __post_init__(self) -> None:
        vectors = np.asarray(self.vectors, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) == 0:
            raise ValueError(f"a query needs vectors (Q, D) with Q >= 1, got {vectors.shape}")
        if not np.isfinite(vectors).all():
            raise ValueError("query vectors must be finite")
        norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        object.__setattr__(self, "vectors", as_read_only(vectors / norms, np.float32))


@dataclass(frozen=True, slots=True)
class Hit:
    """One moment found.

    Attributes
    ----------
    recording : its id
    frame : frame number that fits best (of a range: where its middle falls)
    time_s : its time, seconds
    score : similarity to the query, at most 1.0 (cosine)
    span : (start, end) of the moment, seconds
    """

    recording: str
    frame: int
    time_s: float
    score: float
    span: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class SearchResult:
    """Hits, best first, and whether they mean anything.

    Attributes
    ----------
    hits : at most k, one per moment
    convincing : whether the best hit stands out from everything else that was searched
    reason : one sentence on ``convincing``
    curves : similarity of every searched sample to the query, float64 (T,) by recording id
    """

    hits: tuple[Hit, ...]
    convincing: bool
    reason: str
    curves: Mapping[str, Float64] = field(default_factory=dict)


class Retriever:
    """Searches the embeddings of some recordings. Safe from any thread."""

    def __init__(self, embeddings: Mapping[str, Embeddings]) -> None:
        self._embeddings = dict(embeddings)

    def search(self, query: Query, *, k: int = 10, min_gap_s: float = 1.0) -> SearchResult:
        """Find at most ``k`` moments, no two of one recording closer than ``min_gap_s``."""
        raise NotImplementedError
