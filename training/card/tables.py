"""Tables of a model card: scores, losses side by side, whom the material is from."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from training.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from training.card.provenance import Piece


def score_lines(path: Path | None, model_id: str) -> list[str]:
    """Say what ``benchmarks.alignment`` measured with the encoder ``model_id``.

    Raises
    ------
    ConfigError
        When the report cannot be read, or is of another encoder.
    """
    if path is None:
        return ["Not measured."]
    report = document(path)
    try:
        facts, groups = report["facts"], report["groups"]
        if model_id not in facts["encoder"]:
            raise ConfigError(
                f"{path} was measured with the encoder {facts['encoder']}, not with {model_id}. "
                "Run python -m benchmarks.alignment with this file."
            )
        lines = [f"`python -m benchmarks.alignment`; ordered pairs: {facts['pairs']}."]
        lines += ["", "Median error of the key moments, % of the labelled span:", ""]
        lines += _by_group(
            {g: {m: s["median_percent"] for m, s in groups[g].items()} for g in groups}
        )
        precision = report["ap_at_5"]
        lines += ["", "AP@5 of key moments, %:", ""]
        lines += _by_group(
            {g: {m: 100 * s for m, s in precision[g].items()} for g in precision}, form=".0f"
        )
        if report["speed"]:
            ours, peer = report["speed"]["ours"], report["speed"]["peer"]
            lines += ["", f"Speed: {ours:.0f} frames/s; MobileNetV2 of torchvision: {peer:.0f}."]
        lines += [
            "",
            *(f"- {sentence.removeprefix('- ')}" for sentence in report["verdicts"] if sentence),
        ]
        return lines + [f"- note: {note}" for note in report["notes"]]
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise ConfigError(
            f"{path} is no report of benchmarks.alignment ({type(exc).__name__}: {exc})."
        ) from exc


def comparison_lines(path: Path | None) -> list[str]:
    """Say what ``training.compare`` measured. Raises ``ConfigError`` when it cannot be read."""
    if path is None:
        return ["Not measured."]
    report = document(path)
    try:
        facts = [f"{name} {value}" for name, value in report["facts"].items()]
        found: dict[str, dict[str, Any]] = report["scores"]
        columns = list(dict.fromkeys(name for scores in found.values() for name in scores))
        rows = [
            (method, *(_seeds(scores.get(column, [])) for column in columns))
            for method, scores in found.items()
        ]
        return [
            f"`python -m training.compare`: {'; '.join(facts)}. Error in %, mean over the seeds "
            "(and their standard deviation).",
            "",
            *table(("method", *columns), rows),
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise ConfigError(
            f"{path} is no report of training.compare ({type(exc).__name__}: {exc})."
        ) from exc


def attribution_lines(used: Iterable[Piece]) -> list[str]:
    """Return one row for each repository and licence, most minutes first."""
    by_source: dict[tuple[str, str], list[Piece]] = defaultdict(list)
    for piece in used:
        by_source[piece.repository, piece.licence].append(piece)
    rows = []
    for (repository, licence), pieces in by_source.items():
        clips = [piece for piece in pieces if piece.is_clip]
        seconds = sum(piece.duration_s for piece in clips)
        pictures = len(pieces) - len(clips)
        thanks = {p.attribution.replace(f"(github.com/{repository})", "").strip() for p in pieces}
        provenance = sorted({piece.provenance.replace("_", " ") for piece in pieces})
        row = (
            repository, licence, ", ".join(sorted(thanks)), str(len(clips) or ""),
            f"{seconds / 60:.1f}" if clips else "", str(pictures or ""), ", ".join(provenance),
        )  # fmt: skip
        rows.append(((-seconds, -pictures, repository), row))
    return [
        "Used for training only; none is part of this file or of the repository. "
        '"Third party or stock": footage the repository passes on, its licence covers what its '
        "owner could license.",
        "",
        *table(
            ("repository (github.com)", "licence", "attribution", "clips", "minutes", "pictures",
             "provenance"),
            [row for _, row in sorted(rows)],
        ),
    ]  # fmt: skip


def document(path: Path) -> Any:
    """Read a JSON file. Raises ``ConfigError`` when that is not possible."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path} cannot be read ({exc}).") from exc


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return lines + [
        "| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows
    ]


def _seeds(values: Sequence[float]) -> str:
    if not values:
        return "–"
    spread = f" ({np.std(values, ddof=1):.1f})" if len(values) > 1 else ""
    return f"{np.mean(values):.1f}{spread}"


def _by_group(found: Mapping[str, Mapping[str, float | None]], *, form: str = ".1f") -> list[str]:
    """Return methods down, groups across, and the mean of the groups that have a value."""
    methods = list(dict.fromkeys(name for scores in found.values() for name in scores))
    rows = []
    for method in methods:
        values = [scores.get(method) for scores in found.values()]
        known = [value for value in values if value is not None and np.isfinite(value)]
        shown = [*values, float(np.mean(known)) if known else None]
        cells = ["–" if v is None or not np.isfinite(v) else format(v, form) for v in shown]
        rows.append((method, *cells))
    return table(("", *found, "mean"), rows)
