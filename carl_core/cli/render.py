"""``carl render`` and ``carl transfer``: what follows from an alignment file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from carl_core.alignment.files import read_alignment
from carl_core.cli.console import message, progress_bar, result, tell_problems, tell_unmapped
from carl_core.errors import ProjectError
from carl_core.export.compose import MAX_GAIN
from carl_core.export.labels import LABEL_SUFFIXES, read_labels, transfer, write_labels
from carl_core.export.options import LAYOUTS, RenderOptions
from carl_core.export.video import render_video, write_frames
from carl_core.playback.schedule import Schedule
from carl_core.video.info import display_text
from carl_core.video.recording import open_recording

if TYPE_CHECKING:
    import argparse

    from carl_core.alignment.files import AlignmentFile
    from carl_core.progress import Monitor
    from carl_core.video.recording import Recording


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the parser."""
    render = commands.add_parser("render", help="write the synchronised video")
    render.add_argument("alignment", metavar="ALIGNMENT.json")
    render.add_argument("-o", "--output", required=True, metavar="OUT.mp4")
    render.add_argument("--layout", choices=LAYOUTS, default="side")
    render.add_argument("--height", type=int, default=540, help="pixels of one picture")
    render.add_argument("--no-audio", action="store_true", help="leave the sound out")
    render.add_argument("--opacity", type=float, default=0.5, help="of the overlay, 0 to 1")
    render.add_argument("--gain", type=float, default=4.0, help="of the difference, 1 to 16")
    render.add_argument("--wipe", type=float, default=0.5, help="place of the edge, 0 to 1")
    render.add_argument(
        "--frames", metavar="OUT.csv", help="also write which frame each output frame shows"
    )
    render.set_defaults(run=run_render)

    carry = commands.add_parser("transfer", help="carry labels to the aligned recordings")
    carry.add_argument("alignment", metavar="ALIGNMENT.json")
    carry.add_argument("labels", metavar="LABELS", help=".csv, .json or ELAN's .eaf")
    carry.add_argument("-o", "--output", required=True, metavar="DIR")
    carry.set_defaults(run=run_transfer)


def run_render(options: argparse.Namespace) -> int:
    """Render the video of an alignment file."""
    shares = {"--opacity": options.opacity, "--wipe": options.wipe}
    wrong = [name for name, value in shares.items() if not 0 <= value <= 1]
    if wrong or not 1 <= options.gain <= MAX_GAIN:
        what = (
            f"{wrong[0]} must lie in 0 to 1" if wrong else f"--gain must lie in 1 to {MAX_GAIN:g}"
        )
        message(f"{what}.", is_error=True)
        return 2
    if not 64 <= options.height <= 2160:
        message(f"--height must lie in 64 to 2160, not {options.height}.", is_error=True)
        return 2
    source = Path(options.alignment)
    with progress_bar() as monitor:
        schedule = _schedule(read_alignment(source), source, monitor)
        look = RenderOptions(
            layout=options.layout,
            height=options.height,
            audio=not options.no_audio,
            opacity=options.opacity,
            gain=options.gain,
            wipe=options.wipe,
        )
        rendered = render_video(Path(options.output), schedule, look, monitor=monitor)
        if options.frames:
            write_frames(Path(options.frames), rendered, schedule.recordings)
    width, height = rendered.size
    sound = "with sound" if rendered.has_audio else "no sound"
    result(
        f"{rendered.path}: {len(rendered.times_s)} frames, {width} x {height}, "
        f"{float(rendered.rate):.3f} frames/s, {rendered.codec}, {sound}"
    )
    return 0


def run_transfer(options: argparse.Namespace) -> int:
    """Carry the labels of the reference to every aligned recording."""
    document = read_alignment(Path(options.alignment))
    reference = display_text(document.recordings[document.reference].path.name)
    labels = read_labels(Path(options.labels))
    own = [label for label in labels if label.recording in ("", reference)]
    if not own:
        message(
            f"None of the {len(labels)} labels belongs to the reference {reference}. "
            "The column `recording` must name it or be empty.",
            is_error=True,
        )
        return 4
    suffix = Path(options.labels).suffix.lower()
    suffix = suffix if suffix in LABEL_SUFFIXES else ".csv"
    carried = 0
    for entry in document.maps:
        name = display_text(document.recordings[entry.recording].path.name)
        if not entry.alignment.is_playable:
            message(f"{name}: no convincing alignment, nothing carried over")
            continue
        found = transfer(own, entry.alignment.time_map, recording=name)
        target = Path(options.output) / f"{Path(name).stem}-{entry.recording}-labels{suffix}"
        result(f"{write_labels(target, found)}: {len(found)} of {len(own)} labels")
        carried += len(found)
    return 0 if carried else 4


def _schedule(document: AlignmentFile, source: Path, monitor: Monitor) -> Schedule:
    """Open the recordings of an alignment file and check that they are still the same."""
    opened: list[Recording] = []
    for number, entry in enumerate(document.recordings):
        recording = open_recording(entry.path, monitor=monitor)
        if recording.fingerprint != entry.fingerprint:
            raise ProjectError(
                f"{entry.path} is not the recording that {source} was made from: its content has "
                "changed. Align again, or put the original file back."
            )
        tell_problems(recording)
        opened.append(replace(recording, id=f"{recording.id}-{number}"))
    reference = opened[document.reference]
    others = [opened[entry.recording] for entry in document.maps]
    maps = {
        opened[entry.recording].id: entry.alignment.time_map
        for entry in document.maps
        if entry.alignment.is_playable
    }
    tell_unmapped(others, maps)
    return Schedule(reference, others, maps)
