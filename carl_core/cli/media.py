"""``carl probe`` and ``carl embed``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carl_core.cli.console import message, progress_bar, result, result_json, tell_problems
from carl_core.cli.models import resolve_model
from carl_core.cli.options import add_engine_options, engine_of
from carl_core.cluster.processes import with_processes
from carl_core.cluster.scheduler import Tls, with_dask
from carl_core.cluster.tasks import Outcome, Task, one_by_one, tasks_for
from carl_core.errors import MediaError
from carl_core.video.recording import open_recording

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator, Sequence

    from carl_core.embeddings.store import EmbeddingStore
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
        resolve_model(options.model) if options.model else None,
        engine.encoder.model_id,
        options.rate,
        options.device,
    )
    failed = 0
    with progress_bar() as monitor, contextlib.closing(_outcomes(tasks, options, monitor)) as done:
        for outcome in done:
            problem = outcome.problem or _missing(outcome, engine.store)
            if problem:
                failed += 1
                message(problem, is_error=True)
            elif outcome.key is not None:
                made = f"{outcome.count} vectors of {outcome.dim}, {outcome.key.sampling}"
                result(f"{Path(outcome.task.path).name}: {made}")
                if engine.library is not None:
                    path = Path(outcome.task.path)
                    engine.library.catalogue.note(path, outcome.key, outcome.count)
    _tell_of_limit(engine.store)
    return 3 if failed else 0


def _outcomes(
    tasks: Sequence[Task], options: argparse.Namespace, monitor: Monitor
) -> Generator[Outcome]:
    if options.scheduler:
        tls = Tls(*(Path(file) for file in options.tls)) if options.tls else None
        yield from with_dask(tasks, options.scheduler, tls=tls, monitor=monitor)
        return
    # All files are looked at first: a wrong name shows before hours of work.
    readable = []
    for task in tasks:
        try:
            recording = open_recording(Path(task.path), monitor=monitor)
        except MediaError as error:
            yield Outcome(task, problem=str(error))
        else:
            tell_problems(recording)
            readable.append(task)
    if options.jobs > 1 and len(readable) > 1:
        yield from with_processes(readable, options.jobs, monitor)
    else:
        yield from one_by_one(readable, monitor)


def _missing(outcome: Outcome, store: EmbeddingStore) -> str:
    """Return what to say when a result is not in the store of this machine."""
    if outcome.key is None or store.is_finished(outcome.key):
        return ""
    return (
        f"{outcome.task.path} was embedded on another machine, into a cache that is not seen here "
        f"({store.root}). Set CARL_CACHE to a shared folder here and on all workers."
    )


def _tell_of_limit(store: EmbeddingStore) -> None:
    usage = store.usage()
    if usage.size_bytes > usage.limit_bytes:
        message(
            f"The cache holds {usage.size_bytes / 1e9:.1f} GB, more than its limit of "
            f"{usage.limit_bytes / 1e9:.1f} GB: other commands will remove what was used longest "
            "ago. Set CARL_CACHE_GB to a higher limit to keep it."
        )
