"""``carl probe`` and ``carl embed``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from carl_core.cli.console import message, progress_bar, result, result_json
from carl_core.cli.models import resolve_model
from carl_core.cli.options import add_engine_options, engine_of
from carl_core.cluster import Outcome, Task, Tls, tasks_for, with_dask, with_processes
from carl_core.errors import MediaError
from carl_core.video.recording import open_recording

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from carl_core.pipeline import Engine
    from carl_core.progress import Monitor
    from carl_core.video.recording import Recording


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the parser."""
    probe = commands.add_parser("probe", help="what is in a file")
    probe.add_argument("files", nargs="+", metavar="FILE")
    probe.add_argument("--json", action="store_true", help="print one JSON document")
    probe.set_defaults(run=run_probe)

    embed = commands.add_parser("embed", help="embed recordings into the cache")
    embed.add_argument("files", nargs="+", metavar="FILE")
    embed.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="files at a time, each in a process"
    )
    embed.add_argument(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        help="use a Dask cluster on a trusted network (extra [cluster]); all machines must reach "
        "the files, the encoder and the cache by the same paths",
    )
    embed.add_argument(
        "--tls",
        nargs=3,
        metavar=("CA", "CERT", "KEY"),
        help="PEM files for a scheduler at tls://",
    )
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
    if options.tls and not options.scheduler:
        message("--tls goes with --scheduler.", is_error=True)
        return 2
    tasks = tasks_for(
        [Path(name) for name in options.files],
        engine,
        resolve_model(options.model) if options.model else None,
        options.rate,
        options.device,
    )
    failed = 0
    with progress_bar() as monitor:
        for outcome in _outcomes(engine, tasks, options, monitor):
            name = Path(outcome.task.path).name
            if outcome.problem:
                failed += 1
                message(outcome.problem, is_error=True)
            else:
                result(f"{name}: {outcome.count} vectors of {outcome.dim}, {outcome.sampling}")
    return 3 if failed else 0


def _outcomes(
    engine: Engine, tasks: list[Task], options: argparse.Namespace, monitor: Monitor
) -> Iterator[Outcome]:
    if options.scheduler:
        tls = Tls(*(Path(file) for file in options.tls)) if options.tls else None
        yield from with_dask(tasks, options.scheduler, tls=tls, monitor=monitor)
        return
    # All files are opened first: a wrong name shows before hours of work.
    recordings = []
    for task in tasks:
        try:
            recordings.append((task, engine.open(Path(task.path), monitor=monitor)))
        except MediaError as error:
            yield Outcome(task, problem=str(error))
    if options.jobs > 1:
        yield from with_processes([task for task, _ in recordings], options.jobs, monitor)
        return
    for task, recording in recordings:
        try:
            made = engine.embed(recording, sampling=task.sampling, monitor=monitor)
        except MediaError as error:
            yield Outcome(task, problem=str(error))
        else:
            yield Outcome(task, *made.vectors.shape, made.key.sampling)
