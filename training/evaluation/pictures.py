"""Which recordings an evaluation draws, and under which columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.costs import Costs
from carl_core.alignment.dtw import solve_exact
from carl_core.similarity.matrix import unit_rows
from training.evaluation.controls import MODEL, TRUNK, UNTRAINED
from training.evaluation.plots import Cloud, Matched, plot_embeddings, plot_similarity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from training.evaluation.cases import FeatureCase, Truth
    from training.evaluation.controls import Contestant
    from training.evaluation.tracks import Track

_COLUMNS = (MODEL, UNTRAINED, TRUNK)
_CLOUDS = 5  # recordings in one picture
_SHOWN_MOMENTS = 12


def drawn(contestants: Sequence[Contestant]) -> list[Contestant]:
    """Return the first draw of every column that is drawn."""
    first: dict[str, Contestant] = {}
    for contestant in contestants:
        first.setdefault(contestant.column, contestant)
    return [first[column] for column in _COLUMNS if column in first]


def draw_pair(
    contestants: Sequence[Contestant],
    pairs: Sequence[tuple[Track, Track]],
    path: Path,
    *,
    title: str,
    truth: Truth | None = None,
) -> None:
    """Draw one pair under every drawn column.

    Parameters
    ----------
    contestants : of ``drawn``
    pairs : reference and other, by the number of the contestants' trunk
    path : PNG to write
    title : of the pair
    truth : some of its moments are marked
    """
    panels = []
    for contestant in contestants:
        reference, other = pairs[contestant.trunk]
        rows, columns = (
            unit_rows(contestant.vectors(track, aligning=True), centre=False)
            for track in (reference, other)
        )
        known = None
        if truth is not None:
            some = np.unique(
                np.linspace(0, len(truth.reference_s) - 1, _SHOWN_MOMENTS).round().astype(int)
            )
            other_s = np.interp(truth.content_s[some], other.content_s, other.times_s)
            known = np.stack([truth.reference_s[some], other_s], axis=1)
        panels.append(
            Matched(
                contestant.column,
                rows,
                columns,
                reference.times_s,
                other.times_s,
                solve_exact(Costs(rows, columns)),
                known,
            )
        )
    plot_similarity(panels, path, title=title)


def draw_case(contestants: Sequence[Contestant], cases: Sequence[FeatureCase], path: Path) -> None:
    """Draw one case, given for every trunk, with its truth."""
    pairs = [(case.reference, case.other) for case in cases]
    draw_pair(contestants, pairs, path, title=cases[0].name, truth=cases[0].truths[0])


def draw_clouds(
    contestants: Sequence[Contestant], tracks: Sequence[Sequence[Track]], path: Path
) -> None:
    """Draw the first recordings of one action, given for every trunk, in the plane."""
    action = tracks[0][0].action
    panels = []
    for contestant in contestants:
        shown = [track for track in tracks[contestant.trunk] if track.action == action][:_CLOUDS]
        clouds = [
            Cloud(track.name, contestant.vectors(track, aligning=True), track.labels)
            for track in shown
        ]
        panels.append((contestant.column, clouds))
    plot_embeddings(panels, path)
