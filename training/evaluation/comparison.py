"""The table of a comparison, and what it says about fixed SCL and its controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.report import spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SIMULATED, COPIES, REAL = "simulated", "copies", "real, mean"

Scores = dict[str, dict[str, list[float]]]  # method -> column -> one value per seed


def to_markdown(scores: Scores, facts: Mapping[str, str]) -> str:
    """One table, methods as rows, and what it says about fixed SCL against its controls."""
    found = list(next(iter(scores.values())))
    columns = [column for column in (SIMULATED, COPIES, REAL) if column in found]
    columns += [column for column in found if column not in columns]
    lines = ["# Does it learn? Median alignment error in % of the span", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", "| method | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name, values in scores.items():
        cells = [cell(values[column]) for column in columns]
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    lines += ["", "Lower is better; mean ± 2σ over seeds, one value where nothing is drawn.", ""]
    if "fixed_scl" in scores:
        lines += verdicts(scores, [c for c in (SIMULATED, COPIES, REAL) if c in columns])
    return "\n".join(lines) + "\n"


def verdicts(scores: Scores, columns: Sequence[str]) -> list[str]:
    """Say where fixed SCL is better than its controls by more than the spread, and where not.

    The spread is two standard deviations of the difference of two single runs.
    """
    lines = []
    for column in columns:
        ours, our_spread = spread(scores["fixed_scl"][column])
        for control in ("untrained head", "position only"):
            theirs, their_spread = spread(scores[control][column])
            width = float(np.hypot(our_spread or 0.0, their_spread or 0.0))
            better = theirs - ours > width
            lines.append(
                f"- {column}: fixed SCL is {'' if better else 'not '}better than {control} by more "
                f"than the spread ({ours:.1f} against {theirs:.1f}, spread {width:.1f})."
            )
    return lines


def cell(values: Sequence[float]) -> str:
    """Mean and two standard deviations, or the one value there is."""
    mean, two_sigma = spread(values)
    return f"{mean:.1f}" if two_sigma is None else f"{mean:.1f} ± {two_sigma:.1f}"
