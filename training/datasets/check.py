"""``python -m training.data check DIR``: what a data set lacks, and what to do about it."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as ProgressBar
from rich.table import Table

from carl_core.errors import CarlError
from carl_core.progress import Monitor, Progress
from training.datasets.inspection import Report, SplitReport, guess_kinds, inspect
from training.datasets.load import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

WHOLE, USAGE, INCOMPLETE = 0, 2, 3
_RATES_SHOWN = 5
_EXPECTED = """\
Nothing to train on was found in {root}. What can be read:
  penn_action    train.pkl, val.pkl (a tuple), videos/
  pouring        train.pkl, val.pkl (a list), videos/
  finegym99/288  gym99_train_v1.0.pkl, gym99_val.pkl (or gym288_...), processed_videos/
  kinetics400    train.csv ("path,label")
  folder         any videos, with --labels CSV (recording,name,start_s,end_s) if there are phases
Name the folder that holds these files, or the work directory above it."""


def run_cli(arguments: Sequence[str]) -> int:
    """Check what the arguments name.

    Returns 0 where a data set is whole, 3 where something is missing or cannot be read, 2 for
    wrong use.
    """
    parser = _parser()
    try:
        options = parser.parse_args(list(arguments))
    except SystemExit as exc:  # argparse has said why
        return USAGE if exc.code else WHOLE
    root: Path = options.dir
    messages = Console(stderr=True, soft_wrap=True, highlight=False)
    if not root.exists():
        messages.print(escape(f"There is no folder {root}. Name the folder of a data set."))
        return USAGE
    try:
        kinds = [options.kind] if options.kind else guess_kinds(root)
        reports = _inspected(root, kinds, options, messages)
    except (CarlError, OSError) as error:
        messages.print(escape(f"{root} cannot be checked: {error}"))
        return INCOMPLETE
    except KeyboardInterrupt:
        messages.print("stopped")
        return 130
    is_whole = bool(reports) and not any(report.problems for report in reports)
    if options.json:
        found = {"root": str(root), "whole": is_whole, "sets": [asdict(r) for r in reports]}
        print(json.dumps(found, indent=2))
    else:
        out = Console(soft_wrap=True, highlight=False)
        for report in reports:
            _print(report, out)
        if not reports:
            out.print(escape(_EXPECTED.format(root=root)))
    return WHOLE if is_whole else INCOMPLETE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.data check",
        description="Say what a data set holds and what it lacks. Exit code 0 = whole, "
        "3 = something is missing or cannot be read, 2 = wrong use.",
    )
    parser.add_argument("dir", type=Path, metavar="DIR", help="its folder, or the one above")
    parser.add_argument("--kind", choices=KINDS, help="the layout; guessed where not given")
    parser.add_argument("--labels", default="", metavar="CSV", help="phases of a folder's videos")
    parser.add_argument("--fast", action="store_true", help="do not open the videos")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    return parser


def _inspected(
    root: Path, kinds: list[str], options: argparse.Namespace, messages: Console
) -> list[Report]:
    with ProgressBar(console=messages, transient=True, disable=not messages.is_terminal) as bar:
        task = bar.add_task("looking", total=None)

        def show(progress: Progress) -> None:
            bar.update(
                task,
                description=progress.stage,
                completed=progress.done,
                total=progress.total,
            )

        monitor = Monitor(show)
        return [
            inspect(root, kind, is_fast=options.fast, labels=options.labels, monitor=monitor)
            for kind in kinds
        ]


def _print(report: Report, out: Console) -> None:
    table = Table(title=escape(f"{report.kind} in {report.root}"), title_justify="left")
    for heading in ("split", "listed", "published", "there", "readable", "frames", "labelled"):
        table.add_column(heading, justify="left" if heading == "split" else "right", no_wrap=True)
    table.add_column("labels", justify="right", no_wrap=True)
    for split in report.splits:
        table.add_row(*_cells(split))
    out.print(table)
    for split in report.splits:
        if split.rates:
            out.print(escape(f"{split.name}: {_rates(split.rates)}"))
        if split.actions:
            found = ", ".join(f"{name} {count}" for name, count in split.actions.items())
            out.print(escape(f"{split.name}: {found}"))
    for note in report.notes:
        out.print(escape(f"note: {note}"))
    for problem in report.problems:
        times = f" ({problem.count})" if problem.count > 1 else ""
        out.print(escape(f"problem: {problem.what}{times}"))
        for example in problem.examples:
            out.print(escape(f"    {example}"))
        if problem.count > len(problem.examples) > 0:
            out.print(f"    and {problem.count - len(problem.examples)} more")
        out.print(escape(f"  {problem.advice}"))
    out.print("whole" if not report.problems else f"problems: {len(report.problems)}")


def _cells(split: SplitReport) -> list[str]:
    numbers = (
        split.listed,
        split.published,
        split.present,
        split.readable,
        split.frames,
        split.labelled,
        split.classes,
    )
    return [split.name, *("-" if number is None else str(number) for number in numbers)]


def _rates(rates: dict[str, int]) -> str:
    shown = [f"{count} at {rate}" for rate, count in list(rates.items())[:_RATES_SHOWN]]
    others = sum(list(rates.values())[_RATES_SHOWN:])
    return ", ".join(shown + ([f"{others} at other rates"] if others else []))
