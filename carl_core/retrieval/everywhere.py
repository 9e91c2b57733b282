"""Find the moments of a whole library that look most like a query.

Which recordings may hold them tells the library's index; these are then searched exactly, as open
recordings are (``retriever``). More are looked at until no other can hold a better moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from carl_core.retrieval.retriever import Beyond, Retriever

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from carl_core.arrays import Float32, Float64
    from carl_core.embeddings.embeddings import Embeddings
    from carl_core.progress import Monitor
    from carl_core.retrieval.library import Library
    from carl_core.retrieval.retriever import Query, SearchResult
    from carl_core.retrieval.stills import Stills

_SAMPLES = 16  # frames of a range that are looked for one by one
_MOST = 256  # recordings looked at closely
_STRANGERS = 64
_MOMENT = 10.0  # samples that make one independent moment, roughly


@dataclass(frozen=True, slots=True)
class LibraryHit:
    """One moment found.

    Attributes
    ----------
    path : the recording, where it was last seen; None = unknown
    fingerprint : of its content
    frame, time_s, score, span : as in ``retriever.Hit``
    """

    path: Path | None
    fingerprint: str
    frame: int
    time_s: float
    score: float
    span: tuple[float, float]


@dataclass(frozen=True, slots=True)
class LibraryResult:
    """Hits, best first, and what was searched for them.

    Attributes
    ----------
    hits : at most k, one per moment
    convincing, reason : as in ``retriever.SearchResult``
    recordings, frames : size of what was searched
    is_exact : whether no moment can have been missed: one frame (or a mean of several) was looked
        for, and every row was looked at
    lacks_index : whether the library is large enough for cells (``cells``) that are not built yet
    left_out : recordings that could not be searched by a picture: what the trunk saw of their
        frames is no longer in the cache
    """

    hits: tuple[LibraryHit, ...]
    convincing: bool
    reason: str
    recordings: int
    frames: int
    is_exact: bool
    lacks_index: bool = False
    left_out: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Bounded:
    """A recording that may hold what is looked for.

    Attributes
    ----------
    bound : the most that its best moment can score
    fingerprint, count : of its content, and its samples
    load : gives what is compared
    """

    bound: float
    fingerprint: str
    count: int
    load: Callable[[], Embeddings | Stills]


def search_library(
    library: Library,
    query: Query,
    *,
    strangers: Sequence[Float32] = (),
    k: int = 10,
    min_gap_s: float = 1.0,
    without: Collection[str] = (),
    monitor: Monitor | None = None,
) -> LibraryResult:
    """Find at most ``k`` moments among all recordings of a library.

    ``without`` are fingerprints of recordings that do not count.

    Of one frame exactly what searching all recordings one by one finds; of a range what the
    recordings hold that contain its frames best. O(frames D / 4) bytes are read, less with cells.
    """
    frames, recordings = library.frames, library.recordings
    is_single = len(query.vectors) == 1
    wanted = query.vectors
    if not is_single:
        at = np.linspace(0, len(wanted) - 1, min(len(wanted), _SAMPLES)).round().astype(np.int64)
        wanted = wanted[at]
    candidates = [
        Bounded(
            one.bound,
            one.part.fingerprint,
            one.part.count,
            partial(one.segment.embeddings, one.part, library.model_id),
        )
        for one in library.candidates(wanted)
        if one.part.fingerprint not in without
    ]
    if not candidates:
        reason = "The library holds nothing else." if recordings else "The library is empty."
        return LibraryResult((), False, reason, recordings, frames, is_exact=True)
    scores = _stranger_scores(library, strangers, monitor) if is_single else None
    found, is_complete = look_closely(
        candidates,
        query,
        strangers=strangers,
        stranger_scores=scores,
        frames=frames,
        k=k,
        min_gap_s=min_gap_s,
        monitor=monitor,
    )
    is_exact = is_single and is_complete and not library.cells
    return LibraryResult(
        hits_of(library, found),
        found.convincing,
        found.reason,
        recordings,
        frames,
        is_exact,
        library.lacks_cells,
    )


def look_closely(
    candidates: Sequence[Bounded],
    query: Query,
    *,
    strangers: Sequence[Float32],
    stranger_scores: Float64 | None,
    frames: int,
    k: int,
    min_gap_s: float,
    monitor: Monitor | None,
) -> tuple[SearchResult, bool]:
    """Search the likeliest recordings until no other can hold a better moment.

    Parameters
    ----------
    candidates : the likeliest first
    stranger_scores : what frames of unrelated clips reach in everything, None = unknown
    frames : samples that were looked at to find the candidates

    Returns
    -------
    what was found, and whether nothing better can have been missed
    """
    size = min(len(candidates), 2 * k)
    while True:
        if monitor is not None:
            monitor.check()
        chosen = candidates[:size]
        searched = {one.fingerprint: one.load() for one in chosen}
        others = max(0, frames - sum(one.count for one in chosen))
        beyond = Beyond(others / _MOMENT, stranger_scores)
        retriever = Retriever(searched, strangers=strangers, beyond=beyond)
        found = retriever.search(query, k=k, min_gap_s=min_gap_s)
        is_complete = size == len(candidates) or (
            len(found.hits) == k and found.hits[-1].score >= candidates[size].bound
        )
        if is_complete or size >= _MOST:
            return found, is_complete
        size = min(len(candidates), 2 * size)


def hits_of(library: Library, found: SearchResult) -> tuple[LibraryHit, ...]:
    """Say where the recordings of what was found were last seen."""
    paths = {known.key.fingerprint: known.path for known in library.catalogue.all()}
    return tuple(
        LibraryHit(
            paths.get(hit.recording), hit.recording, hit.frame, hit.time_s, hit.score, hit.span
        )
        for hit in found.hits
    )


def _stranger_scores(
    library: Library, strangers: Sequence[Float32], monitor: Monitor | None
) -> Float64 | None:
    """Return what frames of unrelated clips reach in the whole library."""
    if not strangers:
        return None
    frames = np.concatenate(strangers)
    drawn = np.random.default_rng(0).permutation(frames)[:_STRANGERS]
    return library.best_scores(np.ascontiguousarray(drawn), monitor).astype(np.float64)
