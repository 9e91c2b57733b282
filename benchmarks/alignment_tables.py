"""The report of ``benchmarks.alignment``: Markdown tables and a JSON document."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.alignment_scores import MARGIN_FRAMES, MARGIN_POINTS, false_rates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.alignment_scores import Score, Table
    from benchmarks.alignment_speed import Speed


@dataclass
class Report:
    """Everything that was measured.

    Attributes
    ----------
    facts : about the run, name and value
    table : group > method > score
    precision : group > source > AP@5 of every query
    negatives : verdict by the two files
    ours : the method whose verdicts count
    verdicts : sentences on what holds
    notes : what is missing and why
    speed : None = not measured
    """

    facts: dict[str, str]
    table: Table
    precision: dict[str, dict[str, list[float]]]
    negatives: dict[tuple[str, str], str]
    ours: str
    verdicts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    speed: Speed | None = None


def to_markdown(report: Report) -> str:
    """Return the tables, then what they say."""
    table = report.table
    lines = [f"- {name}: {value}" for name, value in report.facts.items()]
    lines += [f"- note: {note}" for note in report.notes]
    measures: tuple[tuple[str, Callable[[Score], float], str], ...] = (
        ("Median error of the key moments, % of the labelled span", lambda s: s.median, ".1f"),
        ("Median error, seconds", lambda s: float(np.median(s.seconds)), ".2f"),
        ("90th percentile of the error, % of the span", lambda s: s.worst_tenth, ".1f"),
        ("Key moments within 5 % of the span, %", lambda s: 100 * s.within(5.0), ".0f"),
        ("Key moments within 10 % of the span, %", lambda s: 100 * s.within(10.0), ".0f"),
    )
    for title, measure, form in measures:
        rows = {
            method: [measure(scores[method]) for scores in table.values()]
            for method in next(iter(table.values()))
        }
        lines += ["", f"### {title}", "", *_rows("method", list(table), rows, form)]
    lines += ["", "### AP@5 of key moments, % (queries below)", ""]
    lines += _precision_rows(report.precision)
    lines += ["", f"### Verdicts of {report.ours}", "", *_verdict_rows(report)]
    if report.speed is not None:
        lines += ["", "### Encode speed", "", *_speed_rows(report.speed)]
    lines += ["", "### What holds", "", *report.verdicts]
    lines.append(
        f"\nA group counts as worse where the median error is larger by more than "
        f"{MARGIN_POINTS:g} points and by more than {MARGIN_FRAMES:g} frame."
    )
    return "\n".join(lines)


def _rows(
    first: str, groups: Sequence[str], rows: Mapping[str, Sequence[float]], form: str
) -> list[str]:
    lines = [
        f"| {first} | " + " | ".join(groups) + " | mean |",
        "|---|" + "---:|" * (len(groups) + 1),
    ]
    for name, values in rows.items():
        known = [value for value in values if not np.isnan(value)]
        shown = [*values, float(np.mean(known)) if known else np.nan]
        cells = ["–" if np.isnan(value) else format(value, form) for value in shown]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _precision_rows(precision: Mapping[str, Mapping[str, Sequence[float]]]) -> list[str]:
    groups = list(precision)
    sources = list(dict.fromkeys(name for found in precision.values() for name in found))
    values = {
        name: [
            100 * float(np.mean(found)) if (found := precision[group].get(name)) else np.nan
            for group in groups
        ]
        for name in sources
    }
    queries = [max((len(found) for found in precision[g].values()), default=0) for g in groups]
    counts = "| queries | " + " | ".join(map(str, queries)) + " | |"
    return [*_rows("vectors", groups, values, ".0f"), counts]


def _verdict_rows(report: Report) -> list[str]:
    false = false_rates(report.negatives)
    lines = [
        "| group | matching pairs aligned | uncertain | none | key moments without counterpart "
        "| negative pairs aligned |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    groups = [*report.table, *(group for group in false if group not in report.table)]
    for group in groups:
        cells = ["–"] * 4
        if group in report.table:
            score = report.table[group][report.ours]
            counts, total = score.verdicts, score.verdicts.total()
            cells = [
                f"{counts['aligned']} of {total} ({counts['aligned'] / total:.0%})",
                str(counts["uncertain"]),
                str(counts["none"]),
                f"{score.unmatched} of {len(score.percents)}",
            ]
        wrong, total = false.get(group, (0, 0))
        cells.append(f"{wrong} of {total} ({wrong / total:.0%})" if total else "–")
        lines.append(f"| {group} | " + " | ".join(cells) + " |")
    wrong, total = sum(v == "aligned" for v in report.negatives.values()), len(report.negatives)
    if total:
        lines.append(f"| all negative pairs | | | | | {wrong} of {total} ({wrong / total:.0%}) |")
    return lines


def _speed_rows(speed: Speed) -> list[str]:
    return [
        "| network | side | frames/s | ratio |",
        "|---|---:|---:|---:|",
        f"| our encoder, trunk and head | {speed.size} | {speed.ours:.0f} "
        f"| {speed.ours / speed.peer:.2f} |",
        f"| MobileNetV2 of torchvision | {speed.peer_size} | {speed.peer:.0f} | 1.00 |",
    ]


def to_json(report: Report) -> dict[str, object]:
    """Return the same as plain data, with the error of every key moment."""
    return {
        "facts": report.facts,
        "notes": report.notes,
        "groups": {
            group: {
                method: {
                    "median_percent": round(score.median, 3),
                    "p90_percent": round(score.worst_tenth, 3),
                    "within_5": round(score.within(5.0), 4),
                    "within_10": round(score.within(10.0), 4),
                    "seconds": [round(x, 4) for x in score.seconds],
                    "percent": [round(x, 2) for x in score.percents],
                    "frames": [round(x, 2) for x in score.frames],
                    "unmatched": score.unmatched,
                    "verdicts": dict(score.verdicts),
                }
                for method, score in scores.items()
            }
            for group, scores in report.table.items()
        },
        "ap_at_5": {
            group: {name: round(float(np.mean(v)), 4) for name, v in found.items() if v}
            for group, found in report.precision.items()
        },
        "negatives": [[*files, verdict] for files, verdict in report.negatives.items()],
        "speed": asdict(report.speed) if report.speed else None,
        "verdicts": report.verdicts,
    }
