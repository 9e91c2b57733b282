"""From what a search returns to what the panel and the lanes show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.models.searching import Match, MatchGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.models.session import Entry, SessionModel
    from carl_core.arrays import Float64
    from carl_core.retrieval.everywhere import LibraryHit, LibraryResult
    from carl_core.retrieval.retriever import SearchResult
    from carl_core.video.recording import Recording


def groups_of(
    result: SearchResult, recordings: Sequence[Recording], session: SessionModel
) -> tuple[MatchGroup, ...]:
    """Return the moments of each recording, that with the best moment first."""
    return tuple(
        _group(entry, result)
        for recording in _order(result, recordings)
        if (entry := session.entry(recording.id)) is not None
    )


def groups_of_everything(result: LibraryResult, session: SessionModel) -> tuple[MatchGroup, ...]:
    """Return the moments of each recording of the library, that with the best moment first."""
    hits: dict[str, list[LibraryHit]] = {}
    for hit in result.hits:
        hits.setdefault(hit.fingerprint, []).append(hit)
    groups = []
    for fingerprint, own in hits.items():
        recording_id = fingerprint[:16]  # as ``Recording.id``
        entry = session.entry(recording_id)
        path = own[0].path
        letter, position = ("", 0) if entry is None else (entry.letter, entry.position)
        name = path.name if path is not None else fingerprint
        matches = tuple(
            Match(
                recording_id,
                letter,
                position,
                name,
                hit.frame,
                hit.time_s,
                hit.score,
                hit.score - own[n + 1].score if n + 1 < len(own) else None,
                min(max(hit.score, 0.0), 1.0),
                path=None if entry is not None else path,
            )
            for n, hit in enumerate(own)
        )
        where = str(path) if path is not None else ""
        groups.append(MatchGroup(letter, position, name, matches, result.convincing, where))
    return tuple(groups)


def curves_of(result: SearchResult, session: SessionModel) -> dict[str, Float64]:
    """Return what the lanes can draw: 0 = as alike as most of what was searched, 1 = the best.

    The cosines of all moments lie close together; only their differences say something.
    """
    curves: dict[str, Float64] = {}
    if not result.curves:
        return curves
    usual = _usual(result)
    best = max(float(curve.max()) for curve in result.curves.values() if len(curve))
    reach = max(best - usual, 1e-6)
    for recording_id, curve in result.curves.items():
        entry = session.entry(recording_id)
        if entry is None or entry.embeddings is None:
            continue
        times_s = entry.embeddings.times_s
        if len(times_s) == len(curve):
            curves[recording_id] = np.stack(
                [times_s, np.clip((curve - usual) / reach, 0.0, 1.0)], axis=1
            )
    return curves


def moments_of(result: SearchResult, recordings: list[Recording]) -> list[tuple[str, float]]:
    """Return (recording id, seconds) of all hits in the order in which they are shown."""
    return [
        (hit.recording, hit.time_s)
        for recording in _order(result, recordings)
        for hit in result.hits
        if hit.recording == recording.id
    ]


def _group(entry: Entry, result: SearchResult) -> MatchGroup:
    hits = [hit for hit in result.hits if hit.recording == entry.id]
    usual = _usual(result)
    matches = []
    for number, hit in enumerate(hits):
        is_last = number + 1 == len(hits)
        matches.append(
            Match(
                entry.id,
                entry.letter,
                entry.position,
                entry.recording.name,
                hit.frame,
                hit.time_s,
                hit.score,
                None if is_last else hit.score - hits[number + 1].score,
                min(max((hit.score - usual) / max(1.0 - usual, 1e-6), 0.0), 1.0),
            )
        )
    is_good, reason = result.verdicts.get(entry.id, (result.convincing and bool(hits), ""))
    return MatchGroup(
        entry.letter, entry.position, entry.recording.name, tuple(matches), is_good, reason
    )


def _usual(result: SearchResult) -> float:
    """Return the similarity that most of what was searched has; 0 where that is not known."""
    curves = [curve for curve in result.curves.values() if len(curve)]
    return float(np.median(np.concatenate(curves))) if curves else 0.0


def _order(result: SearchResult, recordings: Sequence[Recording]) -> list[Recording]:
    """Sort recordings by their best moment; those without any come last."""
    best = {hit.recording: -hit.score for hit in reversed(result.hits)}
    return sorted(recordings, key=lambda r: best.get(r.id, 2.0))
