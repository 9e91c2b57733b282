"""Search everything that was ever embedded by single frames and pictures.

A picture has no neighbours in time, so it is compared with what the trunk saw of each frame
(``stills``), which the library does not keep: it lies in the cache of embeddings, with thousands of
numbers a frame. So every frame is looked at where it lies, and a recording that had to leave the
cache is left out until it is embedded again.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.retrieval.everywhere import Bounded, LibraryResult, hits_of, look_closely
from carl_core.retrieval.mapping import thread_count, threads
from carl_core.retrieval.retriever import drawn_stills
from carl_core.retrieval.stills import Stills, cosines, mean_of
from carl_core.similarity.matrix import one_blas_thread

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import numpy.typing as npt

    from carl_core.arrays import Float32, Float64
    from carl_core.embeddings.embeddings import EmbeddingKey
    from carl_core.embeddings.store import EmbeddingStore
    from carl_core.progress import Monitor
    from carl_core.retrieval.library import Library
    from carl_core.retrieval.retriever import Query

_BLOCK = 256  # frames widened to float32 at a time by each thread
_SLACK = 1e-4  # products of one frame and of many differ in their last digits


class StoredStills:
    """What the trunk saw of every recording whose features are in a store.

    Parameters
    ----------
    monitor : may cancel looking for them: a few files a recording are asked for

    Attributes
    ----------
    keys : recordings that are there, by fingerprint
    left_out : number of recordings that are not
    """

    def __init__(self, library: Library, store: EmbeddingStore, monitor: Monitor) -> None:
        self._store = store
        known = {name: one.key for name, one in library.densest().items()}
        self._counts: dict[str, int] = {}
        for name, key in known.items():
            monitor.check()
            features = store.load_features(key)
            if features is not None and len(features):
                self._counts[name] = len(features)
        self.keys: Mapping[str, EmbeddingKey] = {name: known[name] for name in self._counts}
        self.left_out = len(known) - len(self._counts)
        self._mean: Float32 | None = None
        self._stranger_scores: Float64 | None = None

    @property
    def frames(self) -> int:
        """Number of all frames."""
        return sum(self._counts.values())

    def count(self, fingerprint: str) -> int:
        """Frames of one recording."""
        return self._counts[fingerprint]

    def mean(self, monitor: Monitor) -> Float32:
        """Return what is taken off every frame, ``stills.common_mean`` of all. Raises as below."""
        if self._mean is None:
            monitor.start("looking at everything", self.frames, "frames")
            means = []
            for name in self.keys:
                means.append(mean_of(self._features(name)))
                monitor.advance(self._counts[name])
            self._mean = np.mean(means, axis=0).astype(np.float32)
        return self._mean

    def best_scores(self, queries: Float32, monitor: Monitor) -> Float32:
        """Return the best score of each query in each recording, in order of ``keys``: (Q, R).

        O(frames C Q). Raises ``Cancelled``, and ``OSError`` when a file is gone meanwhile.
        """
        mean = self.mean(monitor)
        best = np.full((len(queries), len(self.keys)), -np.inf, dtype=np.float32)
        monitor.start("comparing with everything", self.frames, "frames")
        for number, name in enumerate(self.keys):
            features = self._features(name)
            firsts = range(0, len(features), _BLOCK)
            width = thread_count()
            some = partial(_best_in_block, features, mean, queries)
            with one_blas_thread():
                for group in range(0, len(firsts), width):
                    for found in threads().map(some, firsts[group : group + width]):
                        best[:, number] = np.maximum(best[:, number], found)
                    monitor.check()
            monitor.advance(len(features))
        return best

    def stranger_scores(self, strangers: Sequence[Float32], monitor: Monitor) -> Float64 | None:
        """Return what frames of unrelated clips reach here; found once. Raises as above."""
        if not strangers:
            return None
        if self._stranger_scores is None:
            best = self.best_scores(drawn_stills(strangers), monitor)
            self._stranger_scores = best.max(axis=1).astype(np.float64)
        return self._stranger_scores

    def stills(self, fingerprint: str) -> Stills:
        """Return one recording, to be searched closely; ``mean`` was asked for before."""
        embeddings = self._store.load(self.keys[fingerprint])
        if embeddings is None or self._mean is None:
            raise FileNotFoundError(f"{fingerprint} has left the cache")
        features = self._features(fingerprint)
        return Stills(embeddings.frames, embeddings.times_s, features, self._mean)

    def _features(self, fingerprint: str) -> npt.NDArray[Any]:
        features = self._store.load_features(self.keys[fingerprint])
        if features is None or len(features) != self._counts[fingerprint]:
            raise FileNotFoundError(f"{fingerprint} has left the cache")
        return features


def search_stills(
    library: Library,
    stills: StoredStills,
    query: Query,
    *,
    strangers: Sequence[Float32] = (),
    k: int = 10,
    min_gap_s: float = 1.0,
    without: Collection[str] = (),
    monitor: Monitor,
) -> LibraryResult:
    """Find at most ``k`` moments among all recordings of a library by one row, less ``mean``.

    Exactly what searching these recordings one by one finds.

    Raises
    ------
    OSError
        When a recording leaves the cache meanwhile.
    Cancelled
    """
    empty = LibraryResult(
        (), False, "", len(stills.keys), stills.frames, is_exact=True, left_out=stills.left_out
    )
    names = [name for name in stills.keys if name not in without]
    if not names:
        return replace(empty, reason="The cache holds no frames of any other recording.")
    order = {name: number for number, name in enumerate(stills.keys)}
    highs = stills.best_scores(query.vectors, monitor)[0]
    candidates = [
        Bounded(
            float(highs[order[name]]) + _SLACK,
            name,
            stills.count(name),
            partial(stills.stills, name),
        )
        for name in names
    ]
    candidates.sort(key=lambda one: -one.bound)
    found, is_complete = look_closely(
        candidates,
        query,
        strangers=strangers,
        stranger_scores=stills.stranger_scores(strangers, monitor),
        frames=stills.frames,
        k=k,
        min_gap_s=min_gap_s,
        monitor=monitor,
    )
    return replace(
        empty,
        hits=hits_of(library, found),
        convincing=found.convincing,
        reason=found.reason,
        is_exact=is_complete,
    )


def _best_in_block(
    features: npt.NDArray[Any], mean: Float32, queries: Float32, first: int
) -> Float32:
    best: Float32 = cosines(features[first : first + _BLOCK], mean, queries).max(axis=0)
    return best
