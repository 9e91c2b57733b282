"""One table: a metric a row, the model and its controls in columns, as Markdown and as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.atomic import write_atomic
from carl_core.errors import ExportError
from training.evaluation.controls import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HIGHER, LOWER = "higher", "lower"
_DASH = "–"


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One metric.

    Attributes
    ----------
    section : heading it stands under
    name : of the metric, with what it was computed on
    unit : "" for shares of one
    better : "higher" or "lower"
    digits : decimals in the table
    values : column to one number per draw (seeds of the model, heads of a control)
    note : what a reader must know about these numbers, "" = nothing
    """

    section: str
    name: str
    unit: str
    better: str
    digits: int
    values: Mapping[str, Sequence[float]]
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Everything that one evaluation found.

    Attributes
    ----------
    title : heading
    facts : what was evaluated, on what and how, name to value
    rows : the metrics in order
    notes : sentences under the table
    plots : names of the picture files beside the report
    """

    title: str
    facts: Mapping[str, str]
    rows: Sequence[Row]
    notes: Sequence[str] = ()
    plots: Sequence[str] = field(default=())

    @property
    def columns(self) -> list[str]:
        """Columns that have a value in any row, model first."""
        present = {column for row in self.rows for column, found in row.values.items() if found}
        known = [column for column in COLUMNS if column in present]
        return known + sorted(present - set(known))


def spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean and two sample standard deviations of the known values.

    NaN where none is known; no spread for fewer than two.
    """
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return math.nan, None
    two_sigma = 2.0 * float(np.std(known, ddof=1)) if len(known) > 1 else None
    return float(np.mean(known)), two_sigma


def to_markdown(report: Report) -> str:
    """Write the table, its facts before and its notes after it."""
    lines = [f"# {report.title}", ""]
    lines += [f"- {name}: {value}" for name, value in report.facts.items()]
    columns = report.columns
    notes = list(report.notes)
    section = None
    for row in report.rows:
        if row.section != section:
            section = row.section
            lines += ["", f"## {section}", ""]
            lines.append("| metric | " + " | ".join(columns) + " |")
            lines.append("|---|" + "---:|" * len(columns))
        mark = ""
        if row.note:
            if row.note not in notes:
                notes.append(row.note)
            mark = f" [{notes.index(row.note) + 1}]"
        arrow = "↑" if row.better == HIGHER else "↓"
        unit = f", {row.unit}" if row.unit else ""
        cells = [_cell(row.values.get(column, ()), row.digits) for column in columns]
        lines.append(f"| {row.name}{unit} {arrow}{mark} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "↑ higher is better, ↓ lower is better. Mean ± 2σ over seeds of the model and over",
    ]
    lines += ["random heads of the untrained one; without ± there is one value only."]
    lines += [""] + [f"{number}. {note}" for number, note in enumerate(notes, start=1)]
    if report.plots:
        lines += [""] + [f"![{name.removesuffix('.png')}]({name})" for name in report.plots]
    return "\n".join(lines).rstrip("\n") + "\n"


def to_json(report: Report) -> dict[str, Any]:
    """Return all values, with every draw; numbers that are not known become null."""
    return {
        "title": report.title,
        "facts": dict(report.facts),
        "rows": [
            {
                "section": row.section,
                "metric": row.name,
                "unit": row.unit,
                "better": row.better,
                "note": row.note,
                "columns": {column: _summary(found) for column, found in row.values.items()},
            }
            for row in report.rows
        ],
        "notes": list(report.notes),
        "plots": list(report.plots),
    }


def write_report(report: Report, folder: Path) -> None:
    """Write ``report.md`` and ``report.json``.

    Raises
    ------
    ExportError
        When the folder cannot be written.
    """
    document = json.dumps(to_json(report), indent=1, ensure_ascii=False, allow_nan=False)
    try:
        write_atomic(folder / "report.md", to_markdown(report))
        write_atomic(folder / "report.json", document + "\n")
    except OSError as exc:
        raise ExportError(
            f"The report cannot be written to {folder} ({exc}). Choose another folder with -o."
        ) from exc


def _cell(values: Sequence[float], digits: int) -> str:
    mean, two_sigma = spread(values)
    if math.isnan(mean):
        return _DASH
    text = f"{mean:.{digits}f}"
    return text if two_sigma is None else f"{text} ± {two_sigma:.{digits}f}"


def _summary(values: Sequence[float]) -> dict[str, Any]:
    mean, two_sigma = spread(values)
    return {
        "mean": None if math.isnan(mean) else mean,
        "two_sigma": two_sigma,
        "values": [None if math.isnan(value) else value for value in values],
    }
