"""Find the moments that look most like a query."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from carl_core.arrays import Bool, Float32, Float64, Int64, as_read_only
from carl_core.embeddings.embeddings import Embeddings
from carl_core.retrieval.convincing import Yardstick
from carl_core.retrieval.stills import Stills

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


Searched = Embeddings | Stills

_RATES = (1.0, 0.5, 0.71, 1.41, 2.0)


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """What to look for.

    Attributes
    ----------
    vectors : float32 (Q, D), one frame (Q = 1) or the frames of a range in order; rows are scaled
        to unit norm
    excluded : (recording id, start_s, end_s): moments in these spans are no hits, e.g. the query's
        own
    unlike : float32 (U, D) or None; a moment that looks more like one of these than like the query
        is no hit. Rows are scaled to unit norm.
    """

    vectors: Float32
    excluded: tuple[tuple[str, float, float], ...] = ()
    unlike: Float32 | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", _unit(self.vectors, "a query"))
        if self.unlike is not None:
            object.__setattr__(self, "unlike", _unit(self.unlike, "what is unwanted"))


def _unit(vectors: Float32, name: str) -> Float32:
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) == 0:
        raise ValueError(f"{name} needs vectors (Q, D) with Q >= 1, got {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise ValueError(f"vectors of {name} must be finite")
    norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return as_read_only(vectors / norms, np.float32)


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
    verdicts : (convincing, reason) of each recording's best hit by itself; no entry where there is
        no hit
    """

    hits: tuple[Hit, ...]
    convincing: bool
    reason: str
    curves: Mapping[str, Float64] = field(default_factory=dict)
    verdicts: Mapping[str, tuple[bool, str]] = field(default_factory=dict)


# Queries from unrelated clips at most: of each length, and of single frames.
_STRANGERS = 64
_STILL_STRANGERS = 128
_STRANGER_COST = 2e9  # products per search spent on the yardstick at most


@dataclass(frozen=True, slots=True, eq=False)
class Beyond:
    """What a search went through beside the recordings that are looked at closely.

    Attributes
    ----------
    moments : how many independent ones, roughly
    stranger_scores : float64 (S,), what queries from unrelated clips reach in everything that was
        searched; None = to be measured on the recordings at hand
    """

    moments: float
    stranger_scores: Float64 | None = None


class Retriever:
    """Searches the embeddings of some recordings, exactly. Safe from any thread.

    Parameters
    ----------
    searched : embeddings by recording id, all by one encoder; or, to be searched by a picture,
        single frames less the same mean
    strangers : float32 (T, D) unit rows each, unrelated clips by the same encoder (less the same
        mean). What queries taken from them find is the yardstick for a convincing hit; without
        them, a hit must stand out from everything else that was searched.
    beyond : where these recordings were chosen from many (``library``)
    """

    def __init__(
        self,
        searched: Mapping[str, Embeddings]
        | Mapping[str, Stills]
        | Mapping[str, Embeddings | Stills],
        *,
        strangers: Sequence[Float32] = (),
        beyond: Beyond | None = None,
    ) -> None:
        if not searched:
            raise ValueError("there is nothing to search in")
        self._stranger_scores: dict[int, Float64] = {}  # by the query's length
        self._searched: dict[str, Embeddings | Stills] = dict(searched)
        self._strangers = tuple(strangers)
        self._beyond = beyond
        self._by_stills = any(isinstance(one, Stills) for one in searched.values())

    def search(self, query: Query, *, k: int = 10, min_gap_s: float = 1.0) -> SearchResult:
        """Find at most ``k`` moments, no two of one recording closer than ``min_gap_s``.

        One frame is compared by cosine. A range is laid over every place at five rates from half to
        double, frame on frame, so that the order counts. O(T Q D) for T samples.

        Raises
        ------
        ValueError
            When the query comes from another encoder, k or min_gap_s make no sense, or single
            frames are searched by a range.
        """
        if k < 1 or min_gap_s < 0:
            raise ValueError(f"k {k} must be positive and min_gap_s {min_gap_s} not negative")
        if self._by_stills and len(query.vectors) != 1:
            raise ValueError("single frames are searched by one frame, not by a range")
        curves: dict[str, Float64] = {}
        halves: dict[str, Int64] = {}
        allowed: dict[str, Bool] = {}
        for name, searched in self._searched.items():
            if searched.dim != query.vectors.shape[1]:
                raise ValueError(
                    f"the query has {query.vectors.shape[1]} components, {name} {searched.dim}"
                )
            curves[name], halves[name] = _curve(searched, query.vectors)
            allowed[name] = _allowed(name, searched.times_s, query)
            if query.unlike is not None:
                allowed[name] &= curves[name] >= _similar(searched, query.unlike).max(axis=1)
        everything = np.concatenate([curves[name][allowed[name]] for name in curves])
        if len(everything) == 0:
            return SearchResult((), False, "Everything searched is excluded by the query.", curves)
        usual = float(np.median(everything))
        hits: list[Hit] = []
        outside: dict[str, Float64] = {}
        for name, searched in self._searched.items():
            if not allowed[name].any():
                continue
            found, outside[name] = _moments(
                name, searched, curves[name], halves[name], allowed[name], k, min_gap_s, usual
            )
            hits += found
        hits.sort(key=lambda hit: (-hit.score, hit.recording, hit.time_s))
        yardstick = Yardstick(lambda: self._strangers_for(len(query.vectors)), self._by_stills)
        moments = self._moments(min_gap_s)
        rest = np.concatenate(list(outside.values()))
        convincing, reason = yardstick.judge(hits[0].score, rest, everything, moments[None])
        verdicts = {}
        for name, background in outside.items():
            best = next((hit for hit in hits if hit.recording == name), None)
            if best is not None:
                own = curves[name][allowed[name]]
                verdicts[name] = yardstick.judge(best.score, background, own, moments[name])
        return SearchResult(tuple(hits[:k]), convincing, reason, curves, verdicts)

    def _strangers_for(self, length: int) -> Float64 | None:
        """Best scores of queries from unrelated clips; None where there are none."""
        if self._beyond is not None and self._beyond.stranger_scores is not None:
            return self._beyond.stranger_scores
        if not self._strangers:
            return None
        if length not in self._stranger_scores:  # two threads would find the same
            self._stranger_scores[length] = (
                self._scores_of_stills() if self._by_stills else self._scores_of_strangers(length)
            )
        return self._stranger_scores[length]

    def is_over(self, searched: Mapping[str, Embeddings]) -> bool:
        """Whether this searches just these embeddings: asked again, it knows its yardstick."""
        return self._searched.keys() == searched.keys() and all(
            self._searched[name] is one for name, one in searched.items()
        )

    def _scores_of_stills(self) -> Float64:
        """Best score of each of up to 128 single frames from unrelated clips."""
        drawn = drawn_stills(self._strangers)
        best = np.full(len(drawn), -np.inf)
        for searched in self._searched.values():
            best = np.maximum(best, _similar(searched, drawn).max(axis=0))
        return best

    def _scores_of_strangers(self, length: int) -> Float64:
        """Best score of each of up to 64 queries of ``length`` samples from unrelated clips."""
        samples = sum(len(searched) for searched in self._searched.values())
        count = int(np.clip(_STRANGER_COST / (samples * length * len(_RATES)), 16, _STRANGERS))
        chance = np.random.default_rng(0)
        best = np.full(count, -np.inf)
        for number in range(count):
            clip = self._strangers[int(chance.integers(len(self._strangers)))]
            taken = min(length, len(clip))
            start = int(chance.integers(len(clip) - taken + 1))
            for searched in self._searched.values():
                curve, _ = _curve(searched, clip[start : start + taken])
                best[number] = max(best[number], float(curve.max()))
        return best

    def _moments(self, min_gap_s: float) -> dict[str | None, float]:
        """How many independent moments were searched, roughly: of each recording, None = of all."""
        counts: dict[str | None, float] = {}
        for name, searched in self._searched.items():
            span_s = float(searched.times_s[-1] - searched.times_s[0])
            counts[name] = max(1.0, span_s / max(min_gap_s, 0.5))
        beyond = 0.0 if self._beyond is None else self._beyond.moments
        counts[None] = sum(counts.values()) + beyond
        return counts


def drawn_stills(strangers: Sequence[Float32]) -> Float32:
    """Draw the single frames of unrelated clips that are the yardstick: at most 128 rows."""
    frames = np.concatenate(strangers)
    drawn: Float32 = np.random.default_rng(0).permutation(frames)[:_STILL_STRANGERS]
    return drawn


def _similar(searched: Embeddings | Stills, query: Float32) -> Float32:
    """Cosine of every sample with every row of the query: (T, Q)."""
    if isinstance(searched, Stills):
        return searched.similar_to(query)
    similar: Float32 = searched.vectors @ query.T
    return similar


def _curve(searched: Embeddings | Stills, query: Float32) -> tuple[Float64, Int64]:
    """Similarity of the query centred at every sample, and half the samples it covers there."""
    similar = _similar(searched, query)  # (T, Q)
    count, length = similar.shape
    if length == 1:
        return similar[:, 0].astype(np.float64), np.zeros(count, dtype=np.int64)
    # Summed along the recording: a row for each step of the query, or every sum jumps in memory.
    rows = np.ascontiguousarray(similar.T)
    del similar
    best = np.full(count, -np.inf)
    half = np.zeros(count, dtype=np.int64)
    for rate in _RATES:
        covered = max(2, round(length / rate))
        if covered > count:
            covered = count
        steps = np.rint(np.linspace(0, length - 1, covered)).astype(np.int64)
        places = count - covered + 1
        mean = np.zeros(places)
        for offset, step in enumerate(steps):
            mean += rows[step, offset : offset + places]
        mean /= covered
        centres = np.arange(places) + covered // 2
        better = mean > best[centres]
        best[centres[better]] = mean[better]
        half[centres[better]] = covered // 2
    # Where no whole range fits, the nearest place counts, a little less than itself.
    known = np.flatnonzero(np.isfinite(best))
    nearest = np.clip(np.arange(count), known[0], known[-1])
    return best[nearest] - 1e-6 * np.abs(np.arange(count) - nearest), half[nearest]


def _allowed(name: str, times_s: Float64, query: Query) -> Bool:
    allowed = np.ones(len(times_s), dtype=np.bool_)
    for recording, start_s, end_s in query.excluded:
        if recording == name:
            allowed &= (times_s < start_s) | (times_s > end_s)
    return allowed


def _moments(
    name: str,
    searched: Embeddings | Stills,
    curve: Float64,
    halves: Int64,
    allowed: Bool,
    k: int,
    min_gap_s: float,
    usual: float,
) -> tuple[list[Hit], Float64]:
    """Return the best peaks of one recording, and the curve outside the first one's moment."""
    times_s = searched.times_s
    free = allowed.copy()
    hits: list[Hit] = []
    background = curve[allowed]
    peaks = _peaks(np.where(allowed, curve, -np.inf))
    for at in peaks[np.argsort(-curve[peaks], kind="stable")].tolist():
        if len(hits) == k:
            break
        if not free[at]:
            continue
        level = 0.5 * (curve[at] + usual) if curve[at] > usual else curve[at]
        first = last = at
        while first > 0 and allowed[first - 1] and curve[first - 1] >= level:
            first -= 1
        while last < len(curve) - 1 and allowed[last + 1] and curve[last + 1] >= level:
            last += 1
        if halves[at]:  # a range: the moment is what it covers
            span = (max(at - int(halves[at]), 0), min(at + int(halves[at]), len(curve) - 1))
        else:
            span = (first, last)
        span_s = (float(times_s[span[0]]), float(times_s[span[1]]))
        hits.append(
            Hit(name, int(searched.frames[at]), float(times_s[at]), float(curve[at]), span_s)
        )
        taken = np.abs(times_s - times_s[at]) < min_gap_s
        taken[first : last + 1] = True
        taken[span[0] : span[1] + 1] = True
        if len(hits) == 1:
            background = curve[allowed & ~taken]
        free &= ~taken
    return hits, background


def _peaks(curve: Float64) -> Int64:
    """Find samples not below either neighbour; of a plateau the middle."""
    edges = np.flatnonzero(curve[1:] != curve[:-1])
    starts = np.concatenate([[0], edges + 1])
    ends = np.concatenate([edges, [len(curve) - 1]])
    level = np.concatenate([[-np.inf], curve[starts], [-np.inf]])
    is_peak = (level[1:-1] > level[:-2]) & (level[1:-1] > level[2:])
    return np.asarray(((starts + ends) // 2)[is_peak])
