"""``carl align``."""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from carl_core.alignment.aligners import METHODS, AlignOptions
from carl_core.alignment.alignment import Anchor
from carl_core.alignment.files import to_json, write_alignment
from carl_core.alignment.together import TOGETHER_METHODS
from carl_core.alignment.warming import warming
from carl_core.cli.console import (
    message,
    progress_bar,
    result,
    result_json,
    tell_problems,
    tell_unmapped,
)
from carl_core.cli.options import add_engine_options, engine_of
from carl_core.export.heatmap import write_heatmap
from carl_core.export.otio import write_timeline
from carl_core.export.table import write_table
from carl_core.export.video import render_video
from carl_core.pipeline import alignment_file, snap_anchor
from carl_core.playback.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.alignment.alignment import Alignment
    from carl_core.pipeline import Engine
    from carl_core.progress import Monitor
    from carl_core.video.recording import Recording

_ANCHOR = re.compile(r"(?:(\d+):)?([0-9.]+)=([0-9.]+)")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("align", help="align recordings in time")
    parser.add_argument("reference", metavar="REFERENCE")
    parser.add_argument("others", nargs="+", metavar="OTHER")
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="folder for files (default ./REFERENCE-aligned/)"
    )
    parser.add_argument("--json", action="store_true", help="print the alignment as JSON")
    parser.add_argument("--csv", action="store_true", help="write alignment.csv")
    parser.add_argument(
        "--otio", action="store_true", help="write alignment.otio (extra [timeline])"
    )
    parser.add_argument("--plot", action="store_true", help="write heatmap.png")
    parser.add_argument("--video", action="store_true", help="write side_by_side.mp4")
    parser.add_argument(
        "--method",
        choices=(*METHODS, *TOGETHER_METHODS),
        default="auto",
        help="audio and timecode: one constant shift, for cameras that ran together",
    )
    parser.add_argument(
        "--exact",
        action="store_true",
        help="search every pair of moments, by dtw; minutes for recordings of hours",
    )
    parser.add_argument(
        "--anchor",
        action="append",
        default=[],
        type=_anchor,
        metavar="[K:]REF_S=OTHER_S",
        help="a pair of moments that belong together, seconds; K = number of the other (1)",
    )
    add_engine_options(parser)
    parser.set_defaults(run=run)


def _anchor(text: str) -> tuple[int, Anchor]:
    match = _ANCHOR.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an anchor; write REF_SECONDS=OTHER_SECONDS, e.g. 2:1.5=3.25"
        )
    try:
        pair = Anchor(float(match[2]), float(match[3]))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error
    return int(match[1] or 1), pair


def run(options: argparse.Namespace) -> int:
    """Align, print, write. 4 when no other recording aligned."""
    for number, _ in options.anchor:
        if not 1 <= number <= len(options.others):
            message(f"There is no other recording {number} to anchor.", is_error=True)
            return 2
    if options.exact and (options.anchor or options.method not in ("auto", "dtw")):
        message("--exact goes with --method dtw and without anchors.", is_error=True)
        return 2
    engine = engine_of(options)
    with progress_bar() as monitor, warming():
        reference, *others = open_all(engine, [options.reference, *options.others], monitor)
        anchors = _snapped(options.anchor, reference, others)
        alignments = {
            other.id: engine.align(
                reference,
                other,
                method="dtw" if options.exact else options.method,
                anchors=anchors[other.id],
                options=AlignOptions(exact=options.exact),
                sampling=options.rate,
                monitor=monitor,
            )
            for other in others
        }
        document = alignment_file(engine, reference, others, alignments, sampling=options.rate)
        folder = _output_folder(options)
        files: list[Path] = []
        if folder is not None:
            files = [write_alignment(folder / "alignment.json", document)]
            files += _write(engine, folder, reference, others, alignments, options, monitor)
    if options.json:
        result_json(to_json(document, None))
    else:
        for other in others:
            result(summary(other, alignments[other.id]))
    for path in files:
        message(f"wrote {path}")
    return 0 if any(a.verdict == "aligned" for a in alignments.values()) else 4


def open_all(engine: Engine, names: Sequence[str], monitor: Monitor) -> list[Recording]:
    """Open recordings; the same file given twice gets ids of its own."""
    recordings: list[Recording] = []
    for name in names:
        recording = engine.open(Path(name), monitor=monitor)
        tell_problems(recording)
        copies = sum(r.fingerprint == recording.fingerprint for r in recordings)
        if copies:
            recording = replace(recording, id=f"{recording.id}-{copies + 1}")
        recordings.append(recording)
    return recordings


def summary(other: Recording, alignment: Alignment) -> str:
    """Return what a person wants to know of one alignment, in two lines."""
    lines = [
        f"{other.name}: {alignment.verdict} (match {alignment.match:.2f}, {alignment.method})",
        f"  {alignment.reason}",
    ]
    return "\n".join(lines)


def _snapped(
    anchors: Sequence[tuple[int, Anchor]], reference: Recording, others: Sequence[Recording]
) -> dict[str, list[Anchor]]:
    snapped: dict[str, list[Anchor]] = {other.id: [] for other in others}
    for number, anchor in anchors:
        other = others[number - 1]
        nearest = snap_anchor(anchor, reference, other)
        snapped[other.id].append(nearest)
        message(f"anchor {number}:{nearest.reference_s:.6f}={nearest.other_s:.6f} (nearest frames)")
    return snapped


def _output_folder(options: argparse.Namespace) -> Path | None:
    if options.output is not None:
        return Path(options.output)
    if options.json and not (options.csv or options.otio or options.plot or options.video):
        return None
    stem = os.path.splitext(os.path.basename(options.reference))[0]  # noqa: PTH119, PTH122
    return Path(f"{stem}-aligned")


def _write(
    engine: Engine,
    folder: Path,
    reference: Recording,
    others: Sequence[Recording],
    alignments: dict[str, Alignment],
    options: argparse.Namespace,
    monitor: Monitor,
) -> list[Path]:
    files = []
    maps = {key: alignment.time_map for key, alignment in alignments.items()}
    if options.csv:  # the table holds every map, as the JSON does
        files.append(write_table(folder / "alignment.csv", Schedule(reference, others, maps)))
    if options.otio:
        files.append(write_timeline(folder / "alignment.otio", Schedule(reference, others, maps)))
    if options.plot:
        first = engine.embed(reference, sampling=options.rate)
        for number, other in enumerate(others, start=1):
            name = "heatmap.png" if len(others) == 1 else f"heatmap_{number}.png"
            second = engine.embed(other, sampling=options.rate)
            names = (reference.name, other.name)
            alignment = alignments[other.id]
            files.append(write_heatmap(folder / name, first, second, alignment, names=names))
    if options.video:
        played = {key: maps[key] for key, found in alignments.items() if found.is_playable}
        tell_unmapped(others, played)
        schedule = Schedule(reference, others, played)
        rendered = render_video(folder / "side_by_side.mp4", schedule, monitor=monitor)
        files.append(rendered.path)
    return files
