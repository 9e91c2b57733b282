"""Align two recordings: choose a method, solve, judge."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment import candidates, fixed
from carl_core.alignment.alignment import Alignment
from carl_core.alignment.around import around_anchors, as_warped
from carl_core.alignment.candidates import Candidate, Problem
from carl_core.alignment.confidence import ALIGNED_FROM, measure_trust, verdict_of
from carl_core.alignment.nullbank import bank_for
from carl_core.alignment.options import AlignOptions
from carl_core.alignment.playmap import check_anchors
from carl_core.alignment.warping_path import Ends
from carl_core.errors import AlignmentError
from carl_core.progress import row_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.alignment.alignment import Anchor, Mask, Verdict
    from carl_core.alignment.confidence import Trust
    from carl_core.alignment.costs import Rectangle
    from carl_core.arrays import Bool, Float32, Float64
    from carl_core.embeddings.embeddings import Embeddings
    from carl_core.progress import Monitor

__all__ = ["METHODS", "AlignOptions", "align", "align_arrays", "measured"]

log = logging.getLogger("carl.align")

METHODS = ("auto", "dtw", "open-end", "subsequence", "gaps", "linear", "offset", "anchors")
_WITHOUT_DEMANDS = ("linear", "offset")

_DEFAULTS = AlignOptions()
# Leaving less than this share of both recordings out is no reason to open the ends.
_WHOLE_ENOUGH = 0.03
# A recording whose vectors vary by less than this (root mean square, unit vectors) stands still.
_STILL = 0.01


def align(
    reference: Embeddings,
    other: Embeddings,
    *,
    method: str = "auto",
    anchors: Sequence[Anchor] = (),
    masks: Sequence[Mask] = (),
    options: AlignOptions = _DEFAULTS,
    lengths_s: tuple[float, float] | None = None,
    monitor: Monitor | None = None,
) -> Alignment:
    """Align ``other`` to ``reference``.

    O(N M) time and one byte per pair of samples up to 4,000 x 4,000, above that coarse to fine.
    Safe from any thread.

    Parameters
    ----------
    method : one of ``METHODS``. "dtw" matches both from beginning to end; "open-end" leaves out
        what either has before and after, at a price; "subsequence" finds the whole of one inside
        the other; "gaps" leaves out stretches in the middle as well; "linear", "offset" and
        "anchors" are maps without search in the pictures' order; "auto" recognises the same
        content, else searches pace and ends (``search``). With anchors or masks "auto" takes the
        cheapest of the first three.
    anchors : the map goes through them exactly
    masks : pairs of moments that must not be matched
    lengths_s : see ``align_arrays``

    Raises
    ------
    AlignmentError
        When the recordings or the demands allow no alignment: what, why, and what to do.
    Cancelled
        When the monitor says so.
    """
    if reference.key.model_id != other.key.model_id:
        raise AlignmentError(
            f"The recordings were embedded by different encoders ({reference.key.model_id} and "
            f"{other.key.model_id}): their vectors cannot be compared. Embed both with one encoder."
        )
    return align_arrays(
        reference.times_s,
        reference.vectors,
        other.times_s,
        other.vectors,
        method=method,
        anchors=anchors,
        masks=masks,
        options=options,
        bank=bank_for(reference.key.model_id),
        lengths_s=lengths_s,
        monitor=monitor,
    )


def align_arrays(
    reference_s: Float64,
    vectors: Float32,
    other_s: Float64,
    other_vectors: Float32,
    *,
    method: str = "auto",
    anchors: Sequence[Anchor] = (),
    masks: Sequence[Mask] = (),
    options: AlignOptions = _DEFAULTS,
    bank: Sequence[Float32] = (),
    lengths_s: tuple[float, float] | None = None,
    monitor: Monitor | None = None,
) -> Alignment:
    """Align arrays of samples; see ``align``.

    Parameters
    ----------
    reference_s, vectors : float64 (N,), float32 (N, D): times and vectors of the reference
    other_s, other_vectors : float64 (M,), float32 (M, D)
    bank : vectors of unrelated recordings, for the confidence
    lengths_s : seconds that both recordings last, where that is known better than by their samples
    """
    if method not in METHODS:
        raise AlignmentError(f"There is no method {method!r}. Choose one of {', '.join(METHODS)}.")
    if method in _WITHOUT_DEMANDS and (anchors or masks):
        raise AlignmentError(
            f"By {method} the recordings are placed as a whole, so anchors and masks cannot be "
            'kept. Remove them, or choose another method, e.g. "anchors".'
        )
    _check_samples(reference_s, vectors, "reference")
    _check_samples(other_s, other_vectors, "other recording")
    if vectors.shape[1] != other_vectors.shape[1]:
        raise AlignmentError(
            f"The vectors have {vectors.shape[1]} and {other_vectors.shape[1]} components: they "
            "come from different encoders. Embed both recordings with one encoder."
        )
    problem = Problem(
        reference_s=np.asarray(reference_s, dtype=np.float64),
        vectors=np.asarray(vectors, dtype=np.float32),
        other_s=np.asarray(other_s, dtype=np.float64),
        other_vectors=np.asarray(other_vectors, dtype=np.float32),
        anchors=check_anchors(anchors, _end_s(reference_s), _end_s(other_s), options),
        forbidden=tuple(_rectangle(mask, reference_s, other_s) for mask in masks),
        options=options,
        monitor=monitor,
    )
    _check_pins(problem)
    candidate = _choose(problem) if method == "auto" else _solve(problem, method)
    return _judge(problem, candidate, bank, lengths_s)


def _choose(problem: Problem) -> Candidate:
    """``auto``: the same content, else the best of all paces, with closed and open ends.

    With anchors the path found without them changes only around them. Where that is not possible,
    and with masks: the cheapest of global, open ends and both subsequences; every sample
    left out costs the price ``Problem.skip``, so that the totals can be compared. Where a mask says
    that a whole stretch has no counterpart, the path leaves it out.
    """
    copy = fixed.copied(problem)
    if copy is not None:
        return copy
    if not problem.anchors and not problem.forbidden:
        return candidates.searched(problem)
    if problem.anchors and not problem.forbidden:
        found = around_anchors(problem)
        if found is not None:
            return found
    if not problem.anchors and _closes_a_stretch(problem):
        return candidates.gapped(problem)
    whole = candidates.warped(problem, "dtw", Ends())
    tried = [
        (whole, 0.0),
        _with_share(problem, "subsequence", candidates.inside_reference(problem)),
        _with_share(problem, "subsequence", candidates.inside_other(problem)),
        _with_share(problem, "open-end", candidates.every_end_open(problem)),
    ]
    for candidate, share in tried:
        log.debug("%s: total %.3f, %.1f %% left out", candidate.method, candidate.path.total, share)
    best, share = min(tried, key=lambda pair: pair[0].path.total)
    return best if share > _WHOLE_ENOUGH else whole


def measured(
    alignment: Alignment,
    reference: Embeddings,
    other: Embeddings,
    *,
    options: AlignOptions = _DEFAULTS,
    monitor: Monitor | None = None,
) -> Alignment:
    """Measure anew how far an alignment can be trusted whose path was changed by ``nearby``.

    Raises
    ------
    Cancelled
        When the monitor says so.
    """
    problem = Problem(
        reference_s=reference.times_s,
        vectors=reference.vectors,
        other_s=other.times_s,
        other_vectors=other.vectors,
        anchors=alignment.anchors,
        forbidden=(),
        options=options,
        monitor=monitor,
    )
    bank = bank_for(reference.key.model_id)
    return _judge(problem, as_warped(problem, alignment), bank, alignment.lengths_s)


def _closes_a_stretch(problem: Problem) -> bool:
    """Whether one mask covers the whole of a recording: the stretch of the other has no match."""
    n, m = problem.costs.shape
    return any(
        (r0 < r1 and c0 == 0 and c1 == m) or (c0 < c1 and r0 == 0 and r1 == n)
        for r0, r1, c0, c1 in problem.forbidden
    )


def _with_share(problem: Problem, method: str, ends: Ends) -> tuple[Candidate, float]:
    """Solve with open ends; return the candidate and the share of both that it leaves out."""
    candidate = candidates.warped(problem, method, ends)
    path, (n, m) = candidate.path, problem.costs.shape
    used = path.reference[-1] - path.reference[0] + 1 + path.other[-1] - path.other[0] + 1
    return candidate, 1.0 - float(used) / (n + m)


def _solve(problem: Problem, method: str) -> Candidate:
    if method == "dtw":
        return candidates.warped(problem, method, Ends())
    if method == "open-end":
        return candidates.warped(problem, method, candidates.every_end_open(problem))
    if method == "subsequence":
        both = (candidates.inside_reference(problem), candidates.inside_other(problem))
        found = [candidates.warped(problem, method, ends) for ends in both]
        return min(found, key=lambda candidate: candidate.path.total)
    if method == "gaps":
        return candidates.gapped(problem)
    if method == "linear":
        return fixed.linear(problem)
    if method == "offset":
        return fixed.offset(problem)
    return fixed.pinned(problem)


def _judge(
    problem: Problem,
    candidate: Candidate,
    bank: Sequence[Float32],
    lengths_s: tuple[float, float] | None,
) -> Alignment:
    """Measure confidence and say how far the map can be trusted, and why."""
    stillness = _stillness(problem)
    has_counterpart = np.isfinite(candidate.other_s)
    if stillness is None:
        trust = measure_trust(
            problem.pair,
            candidate.path,
            problem.reference_s,
            solver=candidate.solver,
            straight=candidate.straight,
            skip=problem.skip,
            options=problem.options,
            bank=bank,
            longest=candidate.longest,
            monitor=problem.monitor,
        )
        match = trust.match
        confidence = np.where(has_counterpart, trust.confidence, 0.0)
        verdict = verdict_of(match)
        reason = _reason(candidate, trust, verdict, problem)
    else:
        match, verdict = 0.0, "none"
        confidence = np.zeros(len(problem.reference_s))
        reason = stillness
    return Alignment(
        method=candidate.method,
        cost=candidate.path.mean_cost,
        match=match,
        verdict=verdict,
        reason=reason,
        reference_s=problem.reference_s,
        other_s=candidate.other_s,
        confidence=confidence,
        gaps=_gaps(problem.reference_s, has_counterpart),
        anchors=problem.anchors,
        raw_reference=candidate.path.reference,
        raw_other=candidate.path.other,
        is_stable=candidate.path.is_stable,
        lengths_s=lengths_s or (_end_s(problem.reference_s), _end_s(problem.other_s)),
    )


_NAMES = {
    "dtw": "Warped as a whole",
    "open-end": "Warped with open ends",
    "subsequence": "One lies inside the other",
    "gaps": "Warped with gaps",
    "linear": "Linear",
    "offset": "Constant offset",
    "anchors": "Through the anchors",
    "identity": "Same content",
}


def _reason(candidate: Candidate, trust: Trust, verdict: Verdict, problem: Problem) -> str:
    text = f"{_NAMES[candidate.method]}: {candidate.reason}"
    if not candidate.path.is_stable:
        text += "; a wider search changes the path in places, so look at it"
    if problem.options.null_maps == 0:
        return f"{text}; it was not compared with unrelated material."
    text += (
        f"; it fits better than {trust.better_than:.0%} of alignments of what does not belong "
        "together"
    )
    # The match also knows how closely the path fits, and how alike both look on the average.
    fits = trust.better_than >= ALIGNED_FROM
    if verdict == "aligned":
        return f"{text}." if fits else f"{text}, and both look alike on the whole."
    because = ", but not closely, or both look too different on the whole:" if fits else ", which"
    if verdict == "uncertain":
        return f"{text}{because} leaves doubt." if not fits else f"{text}{because} doubt is left."
    return f"{text}{because} {'is ' * (not fits)}no evidence that both show the same."


def _stillness(problem: Problem) -> str | None:
    for vectors, which in (
        (problem.vectors, "reference"),
        (problem.other_vectors, "other recording"),
    ):
        count = len(vectors)
        total, square, spread = np.zeros(vectors.shape[1]), 0.0, 0.0
        for block in row_blocks(count, problem.monitor):
            part = vectors[block].astype(np.float64)
            total += part.sum(axis=0)
            square += float(np.sum(part**2))
        for block in row_blocks(count, problem.monitor):
            spread += float(np.sum((vectors[block] - total / count) ** 2))
        if np.sqrt(spread) <= _STILL * np.sqrt(max(square, 1e-60)):
            return (
                f"The {which} looks the same all along, so nothing tells its moments apart. "
                "Pin moments by hand, or choose recordings in which something moves."
            )
    return None


def _gaps(times_s: Float64, has_counterpart: Bool) -> tuple[tuple[float, float], ...]:
    """Stretches without counterpart, from the last sample that has one to the next that has."""
    gaps = []
    edges = np.flatnonzero(np.diff(np.concatenate([[True], has_counterpart, [True]]).astype(int)))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        gaps.append((float(times_s[max(start - 1, 0)]), float(times_s[min(end, len(times_s) - 1)])))
    return tuple(gaps)


def _check_samples(times_s: Float64, vectors: Float32, which: str) -> None:
    count = len(times_s)
    if count < 2:
        raise AlignmentError(
            f"The {which} has {count} sample{'' if count == 1 else 's'}: an alignment in time "
            "needs at least two. Choose a longer recording, or a higher sampling rate."
        )
    if vectors.ndim != 2 or len(vectors) != count:
        raise ValueError(f"vectors {vectors.shape} of the {which} do not match {count} times")
    if not np.isfinite(vectors).all() or not np.isfinite(times_s).all():
        raise AlignmentError(
            f"The vectors of the {which} hold numbers that are not finite: the encoder failed on "
            "it. Clear the cache and embed it again, or choose another encoder."
        )
    if np.any(np.diff(times_s) <= 0):
        raise ValueError(f"times of the {which} must ascend strictly")


def _check_pins(problem: Problem) -> None:
    for r0, r1, c0, c1 in problem.forbidden:
        for i, j in problem.pins:
            if r0 <= i < r1 and c0 <= j < c1:
                raise AlignmentError(
                    f"A mask forbids the anchor {problem.reference_s[i]:.3f} s = "
                    f"{problem.other_s[j]:.3f} s. Move the anchor or shrink the mask."
                )


def _end_s(times_s: Float64) -> float:
    """Time at which the last sample has been replaced: frames after it are still shown."""
    return float(times_s[-1] + np.median(np.diff(times_s)))


def _rectangle(mask: Mask, reference_s: Float64, other_s: Float64) -> Rectangle:
    """Return the samples inside a mask, ends included."""
    r0, c0 = (
        int(np.searchsorted(times, start - 1e-9))
        for times, start in (
            (reference_s, mask.reference_start_s),
            (other_s, mask.other_start_s),
        )
    )
    r1, c1 = (
        int(np.searchsorted(times, end + 1e-9, side="right"))
        for times, end in ((reference_s, mask.reference_end_s), (other_s, mask.other_end_s))
    )
    return (r0, r1, c0, c1)
