"""AP@5 of key moments: how well a labelled moment is found again in the other recordings.

Every labelled moment of a recording is a query: the vector of the sample nearest to it. It is
searched, by the program's own ``Retriever`` with its default distance between hits (so that hits of
one moment are one hit), in the group's other recordings, each recording's mean vector taken off
first. A hit is right when it lies at a moment of the same kind (repetitions of one pose are one
kind) that no earlier hit has found, within the sum of both recordings' labelled tolerances plus two
frames of the one searched, or within 3 % of its labelled span. Then

    AP@5 = sum over ranks r <= 5 of (right hits up to r) / r where hit r is right,
           divided by min(5, moments of that kind to be found),

0 to 1, mean over the queries of a group. Moments that are nowhere to be found are no queries.

Synchronous cameras are searched re-timed, a single recording in re-timed copies of itself; there a
hit lies where the source recording shows the frame. A copy that cuts a moment out does not have it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.retrieval.retriever import Query, Retriever
from carl_core.similarity.matrix import unit_rows
from training.evaluation.moments import RETIMED_PER_PAIR, numbered, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from carl_core.arrays import Float32, Float64
    from training.evaluation.moments import Case, Clip

    Events = Mapping[str, dict[str, int]]  # file name > event > frame

_K = 5
_EXTRA_FRAMES = 2
_SHARE_OF_SPAN = 0.03


@dataclass(frozen=True, eq=False)
class Search:
    """One recording whose moments are searched in others."""

    query: Clip
    gallery: tuple[Clip, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A moment to be found: its time in the source recording and how far off a hit may be."""

    clip: int
    time_s: float
    tolerance_s: float


def searches(cases: Sequence[Case], times_of: Callable[[str], Float64]) -> Iterator[Search]:
    """Return who is searched in whom: every whole recording in all it is paired with.

    Re-timed pairs: in the first re-timed copy of every partner, then in the second, and so on.
    """
    partners: dict[str, list[list[Clip]]] = defaultdict(
        lambda: [[] for _ in range(RETIMED_PER_PAIR)]
    )
    seen: dict[tuple[str, str], int] = defaultdict(int)
    wholes: dict[str, Clip] = {}
    for case in cases:
        sides = (case.reference, case.other)
        plain = [_is_whole(clip, times_of) for clip in sides]
        if all(plain):
            wholes[case.reference.file] = case.reference
            partners[case.reference.file][0].append(case.other)
            continue
        query, copy = sides if plain[0] else sides[::-1]
        variant = seen[query.file, copy.file]
        seen[query.file, copy.file] += 1
        wholes.setdefault(query.file, whole(query.file, times_of))
        partners[query.file][variant].append(copy)
    for file, galleries in partners.items():
        for gallery in galleries:
            if gallery:
                yield Search(wholes[file], tuple(gallery))


def _is_whole(clip: Clip, times_of: Callable[[str], Float64]) -> bool:
    times_s = times_of(clip.file)
    return len(clip.frames) == len(times_s) and np.array_equal(clip.times_s, times_s)


def search_scores(
    search: Search,
    events: Events,
    tolerance: Callable[[str, str], float],
    times_of: Callable[[str], Float64],
    vectors: Callable[[Clip], tuple[Float64, Float32]],
    *,
    centre: bool,
) -> list[float]:
    """AP@5 of every labelled moment of one recording in its gallery.

    Parameters
    ----------
    search : who is searched in whom
    events : of the group's files
    tolerance : labelling uncertainty of (file name, event) in frames of that file
    times_of : times of all frames of a file
    vectors : seconds (T,) of a clip's samples and their vectors (T, D)
    centre : take each recording's mean vector off
    """
    searched: dict[str, Embeddings] = {}
    shown_s: list[Float64] = []  # of each sample: when its source recording shows it
    for number, clip in enumerate(search.gallery):
        times_s, rows = vectors(clip)
        key = EmbeddingKey(f"{clip.file} {number}", "benchmark", "benchmark")
        centred = unit_rows(rows, centre=centre)
        searched[str(number)] = Embeddings(key, np.arange(len(rows)), times_s, centred)
        at = np.minimum(np.searchsorted(clip.times_s, times_s - 1e-9), len(clip.frames) - 1)
        shown_s.append(times_of(clip.file)[clip.frames[at]])
    retriever = Retriever(searched)
    own_s, own_rows = vectors(search.query)
    own_rows = unit_rows(own_rows, centre=centre)
    own_name = search.query.file.partition("/")[2]
    own_step_s = _step_s(times_of(search.query.file))
    scores = []
    for kind, frames in numbered(events[own_name]).items():
        own_tolerance_s = own_step_s * _tolerance_of(tolerance, events, own_name, kind)
        targets = _targets(search, events, tolerance, times_of, kind, own_tolerance_s)
        if not targets:
            continue
        for frame in frames.values():
            at = int(np.argmin(np.abs(own_s - times_of(search.query.file)[frame])))
            found = retriever.search(Query(own_rows[at : at + 1]), k=_K).hits
            hits = [
                (int(hit.recording), float(shown_s[int(hit.recording)][hit.frame])) for hit in found
            ]
            scores.append(average_precision(hits, targets))
    return scores


def average_precision(hits: Sequence[tuple[int, float]], targets: Sequence[Target]) -> float:
    """AP@5 of hits (clip, source seconds), best first; see the module. 0 to 1."""
    waiting = list(targets)
    right, total = 0, 0.0
    for rank, (clip, time_s) in enumerate(hits[:_K], start=1):
        fitting = [
            t for t in waiting if t.clip == clip and abs(t.time_s - time_s) <= t.tolerance_s + 1e-9
        ]
        if fitting:
            waiting.remove(min(fitting, key=lambda t: abs(t.time_s - time_s)))
            right += 1
            total += right / rank
    return total / min(_K, len(targets))


def _targets(
    search: Search,
    events: Events,
    tolerance: Callable[[str, str], float],
    times_of: Callable[[str], Float64],
    kind: str,
    own_tolerance_s: float,
) -> list[Target]:
    targets = []
    for number, clip in enumerate(search.gallery):
        name = clip.file.partition("/")[2]
        times_s, labelled = times_of(clip.file), events[name]
        step_s = _step_s(times_s)
        span_s = float(np.ptp(times_s[list(labelled.values())]))
        frames = _tolerance_of(tolerance, events, name, kind) + _EXTRA_FRAMES
        allowed_s = max(own_tolerance_s + frames * step_s, _SHARE_OF_SPAN * span_s)
        for frame in numbered(labelled).get(kind, {}).values():
            # A copy shows the moment when it shows a frame next to it.
            if np.abs(clip.frames - frame).min() <= 1:
                targets.append(Target(number, float(times_s[frame]), allowed_s))
    return targets


def _tolerance_of(
    tolerance: Callable[[str, str], float], events: Events, name: str, kind: str
) -> float:
    frames = numbered(events[name]).get(kind, {})
    named = [event for event, frame in events[name].items() if frame in frames.values()]
    return max((tolerance(name, event) for event in named), default=0.0)


def _step_s(times_s: Float64) -> float:
    return float(np.median(np.diff(times_s)))
