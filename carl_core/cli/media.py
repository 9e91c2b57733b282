"""``carl probe`` and ``carl embed``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carl_core.cli.console import message, progress_bar, result, result_json
from carl_core.cli.options import add_engine_options, engine_of
from carl_core.errors import MediaError
from carl_core.video.recording import open_recording

if TYPE_CHECKING:
    import argparse

    from carl_core.video.recording import Recording


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the parser."""
    probe = commands.add_parser("probe", help="what is in a file")
    probe.add_argument("files", nargs="+", metavar="FILE")
    probe.add_argument("--json", action="store_true", help="print one JSON document")
    probe.set_defaults(run=run_probe)

    embed = commands.add_parser("embed", help="embed recordings into the cache")
    embed.add_argument("files", nargs="+", metavar="FILE")
    embed.add_argument("--jobs", type=int, default=1, metavar="N", help="files at a time")
    add_engine_options(embed)
    embed.set_defaults(run=run_embed)


def run_probe(options: argparse.Namespace) -> int:
    """Print what is in each file; 3 when one of them cannot be read."""
    documents: list[dict[str, Any]] = []
    failed = 0
    for name in options.files:
        try:
            with progress_bar(quiet=options.json) as monitor:
                recording = open_recording(Path(name), monitor=monitor)
        except MediaError as error:
            failed += 1
            documents.append(_unreadable(name, error))
            if not options.json:
                message(str(error), is_error=True)
            continue
        documents.append(recording.info.to_json(recording.path))
        if not options.json:
            _print(recording)
    if options.json:
        result_json(documents)
    return 3 if failed else 0


def _unreadable(name: str, error: MediaError) -> dict[str, Any]:
    keys = ("codec", "size", "rotation", "sar", "frames", "duration_s", "vfr", "first_pts")
    document: dict[str, Any] = {"path": name}
    document |= dict.fromkeys((*keys, "time_base", "audio"))
    document["problems"] = [str(error)]
    return document


def _print(recording: Recording) -> None:
    info = recording.info
    kind = "variable frame rate" if info.vfr else "constant frame rate"
    result(str(recording.path))
    result(f"  {info.codec}, {info.width} x {info.height}, {info.colour}, {kind}")
    if info.rotation or info.mirrored:
        turned = f"{info.rotation} degrees clockwise" + (", mirrored" if info.mirrored else "")
        result(f"  shown turned {turned}")
    result(
        f"  {info.frames} frames in {info.duration_s:.3f} s, first pts {info.first_pts} "
        f"of time base {info.time_base}"
    )
    result(f"  audio: {info.audio or 'none'}")
    for problem in info.problems:
        result(f"  note: {problem}")


def run_embed(options: argparse.Namespace) -> int:
    """Embed every file; what is in the cache already costs nothing."""
    engine = engine_of(options)
    if engine.store is None:
        message("Without a cache the embeddings cannot be kept: nothing to do.", is_error=True)
        return 2
    if options.jobs < 1:
        message(f"--jobs must be at least 1, not {options.jobs}.", is_error=True)
        return 2
    # All files are opened first: a wrong name shows before hours of work.
    with progress_bar() as monitor:
        recordings = [engine.open(Path(name), monitor=monitor) for name in options.files]
    engine.encoder  # noqa: B018  loads it before the threads start
    with ThreadPoolExecutor(options.jobs) as pool:

        def embed(recording: Recording) -> str:
            with progress_bar(quiet=options.jobs > 1) as monitor:
                embeddings = engine.embed(recording, sampling=options.rate, monitor=monitor)
            count, width = embeddings.vectors.shape
            return f"{recording.name}: {count} vectors of {width}, {embeddings.key.sampling}"

        for line in pool.map(embed, recordings):
            result(line)
    return 0
