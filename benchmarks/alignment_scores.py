"""Errors of methods on labelled pairs, and what the table says about our encoder: pure arithmetic.

Key moments are pooled over the ordered pairs of a group. An error is given in % of the labelled
span, in seconds and in frames of the other recording.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.moments import extended

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from carl_core.arrays import Float64
    from training.evaluation.moments import Case

MARGIN_POINTS = 2.0  # of the span
MARGIN_FRAMES = 1.0
LEAST_ALIGNED = 0.90  # of pairs that match
MOST_ALIGNED = 0.05  # of pairs that do not


@dataclass
class Score:
    """What one method reached on one group.

    Attributes
    ----------
    percents, seconds, frames : one error per key moment: % of the span, seconds, frames of the
        other recording
    unmatched : key moments the map leaves without counterpart
    verdicts : of the pairs, where the method gives one
    pairs : scored
    """

    percents: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    frames: list[float] = field(default_factory=list)
    unmatched: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    pairs: int = 0

    def add_map(self, case: Case, map_: Callable[[Float64], Float64]) -> None:
        """Score a map that answers everywhere."""
        errors, span_s = case.error_s(map_)
        frame_s = float(np.median(np.diff(case.other.times_s)))
        self.percents += (100.0 * errors / span_s).tolist()
        self.seconds += errors.tolist()
        self.frames += (errors / frame_s).tolist()
        self.pairs += 1

    def add_samples(self, case: Case, reference_s: Float64, other_s: Float64) -> None:
        """Score a map given by samples, NaN = no counterpart."""
        self.add_map(case, extended(reference_s, other_s))
        asked = case.truths[0][:, 0]
        at = np.abs(reference_s[:, None] - asked[None]).argmin(axis=0)
        self.unmatched += int(np.isnan(other_s[at]).sum())

    @property
    def median(self) -> float:
        """Median error in % of the span."""
        return float(np.median(self.percents))

    @property
    def worst_tenth(self) -> float:
        """90th percentile of the errors in % of the span."""
        return float(np.percentile(self.percents, 90))

    def within(self, percent: float) -> float:
        """Share of the key moments that are at most so many % of the span off, 0 to 1."""
        return float(np.mean(np.asarray(self.percents) <= percent))

    @property
    def median_frames(self) -> float:
        """Median error in frames of the other recording."""
        return float(np.median(self.frames))

    @property
    def aligned(self) -> float | None:
        """Share of the pairs with the verdict "aligned"; None where there are no verdicts."""
        total = self.verdicts.total()
        return self.verdicts["aligned"] / total if total else None


Table = dict[str, dict[str, Score]]  # group > method > score


def mean_of_groups(table: Table, method: str) -> float:
    """Mean over the groups of the median error, % of the span."""
    return float(np.mean([scores[method].median for scores in table.values()]))


def best_single(table: Table, baselines: Sequence[str]) -> str:
    """Return the one baseline with the least mean over the groups."""
    return min(baselines, key=lambda name: mean_of_groups(table, name))


def is_clearly_worse(ours: Score, theirs: Score) -> bool:
    """Whether the median error is larger by more than two points and by more than a frame."""
    return (
        ours.median - theirs.median > MARGIN_POINTS
        and ours.median_frames - theirs.median_frames > MARGIN_FRAMES
    )


def comparison_lines(
    table: Table, ours: str, baselines: Sequence[str], controls: Sequence[str]
) -> list[str]:
    """Say whether ``ours`` beats the best single baseline in the mean, and where it is worse."""
    lines = []
    mine = mean_of_groups(table, ours)
    best = best_single(table, baselines)
    theirs = mean_of_groups(table, best)
    lines.append(
        line(
            mine < theirs,
            f"mean over groups: {ours} {mine:.1f} %, best single baseline ({best}) {theirs:.1f} %",
        )
    )
    lines.append(_worse_line(table, ours, dict.fromkeys(table, best), f"the best single ({best})"))
    per_group = {
        group: min(baselines, key=lambda name: scores[name].median)
        for group, scores in table.items()
    }
    lines.append(_worse_line(table, ours, per_group, "even each group's own best baseline"))
    for control in controls:
        value = mean_of_groups(table, control)
        lines.append(
            line(mine < value, f"mean over groups: {ours} {mine:.1f} %, {control} {value:.1f} %")
        )
    return lines


def _worse_line(table: Table, ours: str, peers: Mapping[str, str], what: str) -> str:
    worse = []
    for group, peer in peers.items():
        mine, theirs = table[group][ours], table[group][peer]
        if is_clearly_worse(mine, theirs):
            worse.append(
                f"{group} ({mine.median:.1f} % and {mine.median_frames:.1f} frames against "
                f"{theirs.median:.1f} % and {theirs.median_frames:.1f} of {peer})"
            )
    told = "; worse: " + "; ".join(worse) if worse else ""
    return line(
        not worse,
        f"no group worse than {what} by more than {MARGIN_POINTS:g} points and "
        f"{MARGIN_FRAMES:g} frame{told}",
    )


def verdict_lines(table: Table, ours: str, negatives: Mapping[tuple[str, str], str]) -> list[str]:
    """Say whether pairs that match are called aligned and unrelated ones are not, per group.

    Parameters
    ----------
    table, ours : the method whose verdicts count
    negatives : verdict by the two files, each GROUP/NAME
    """
    rates = {group: scores[ours].aligned for group, scores in table.items()}
    low = [f"{g} {r:.0%}" for g, r in rates.items() if r is not None and r < LEAST_ALIGNED]
    told = "; below: " + ", ".join(low) if low else ""
    lines = [
        line(not low, f"of the matching pairs of every group {LEAST_ALIGNED:.0%} aligned{told}")
    ]
    false = false_rates(negatives)
    high = [f"{g} {n} of {m}" for g, (n, m) in false.items() if n > MOST_ALIGNED * m]
    told = "; above: " + ", ".join(high) if high else ""
    lines.append(
        line(
            not high,
            f"of the negative pairs of every group {MOST_ALIGNED:.0%} aligned at most{told}",
        )
    )
    count, total = sum(v == "aligned" for v in negatives.values()), len(negatives)
    lines.append(
        line(count <= MOST_ALIGNED * total, f"of all negative pairs {count} of {total} aligned")
    )
    return lines


def false_rates(negatives: Mapping[tuple[str, str], str]) -> dict[str, tuple[int, int]]:
    """Count, per group, its negative pairs called aligned and all of them.

    A pair counts for the groups of both its recordings.
    """
    found: dict[str, tuple[int, int]] = {}
    for files, verdict in negatives.items():
        for group in sorted({file.partition("/")[0] for file in files}):
            wrong, total = found.get(group, (0, 0))
            found[group] = (wrong + (verdict == "aligned"), total + 1)
    return found


def line(holds: bool, text: str) -> str:
    """One verdict of the report."""
    return f"- {'holds' if holds else 'FAILS'}: {text}"
