"""``carl library``: everything that was ever embedded, to be searched as a whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from carl_core.cli.align import open_all
from carl_core.cli.console import message, progress_bar, result
from carl_core.cli.options import add_engine_options, engine_of
from carl_core.errors import StoreError
from carl_core.retrieval.apart import start_build
from carl_core.retrieval.library import CELLS_FROM

if TYPE_CHECKING:
    import argparse
    import subprocess

    from carl_core.pipeline import Engine
    from carl_core.retrieval.library import Library

_NICE = 10
_builds: list[subprocess.Popen[bytes]] = []  # kept: a process that is forgotten is warned of


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("library", help="everything that was embedded, to search in")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, text, run in (
        ("show", "what is in it", run_show),
        ("add", "embed recordings where needed, and take them in", run_add),
        ("forget", "take recordings out", run_forget),
        ("build", "sort a large library, so that searches read a part of it", run_build),
        ("stop", "stop a build in the background (the next one goes on there)", run_stop),
        ("clear", "remove it (embeddings stay in the cache)", run_clear),
    ):
        action = actions.add_parser(name, help=text)
        if name in ("add", "forget"):
            action.add_argument("files", nargs="+", metavar="FILE")
        if name == "build":
            action.add_argument("--idle", action="store_true", help="give way to everything else")
            action.add_argument(
                "--least",
                type=int,
                default=CELLS_FROM,
                metavar="N",
                help=f"leave parts of fewer frames as they are ({CELLS_FROM})",
            )
        add_engine_options(action)
        action.set_defaults(run=run)


def run_show(options: argparse.Namespace) -> int:
    """Print what is in the library."""
    engine = engine_of(options)
    library = _library(engine)
    if engine.store is not None:
        library.update(engine.store)
    _tell(library)
    for known in library.catalogue.all():
        result(f"{known.count:8d} frames  {known.key.sampling:>8s}  {known.path}")
    return 0


def run_add(options: argparse.Namespace) -> int:
    """Embed and take in."""
    engine = engine_of(options)
    library = _library(engine)
    with progress_bar() as monitor:
        for recording in open_all(engine, options.files, monitor):
            engine.embed(recording, sampling=options.rate, monitor=monitor)
        assert engine.store is not None  # else there is no library
        library.update(engine.store, monitor)
    _tell(library)
    return 0


def run_forget(options: argparse.Namespace) -> int:
    """Take recordings out by the path under which they are known; 4 when none is."""
    library = _library(engine_of(options))
    paths = {os.path.abspath(name) for name in options.files}  # noqa: PTH100 - keeps links
    known = {k.key.fingerprint for k in library.catalogue.all() if str(k.path) in paths}
    if not known:
        message("The library knows none of these files. `carl library show` lists all.")
        return 4
    library.forget(known)
    _tell(library)
    return 0


def run_build(options: argparse.Namespace) -> int:
    """Build cells for large segments."""
    if options.idle and hasattr(os, "nice"):
        os.nice(_NICE)
    library = _library(engine_of(options))
    with progress_bar() as monitor:
        if not library.build(monitor, least=options.least):
            message("Another process builds already. `carl library show` tells how far it is.")
    _tell(library)
    return 0


def run_stop(options: argparse.Namespace) -> int:
    """Stop a build; 4 when there is none."""
    if _library(engine_of(options)).stop_building():
        message("The build stops. `carl library build` goes on where it was.")
        return 0
    message("No index is being built.")
    return 4


def run_clear(options: argparse.Namespace) -> int:
    """Remove the library."""
    _library(engine_of(options)).clear()
    return 0


def build_in_background(model: str | None) -> None:
    """Start ``carl library build`` as a process that outlives this one."""
    _builds.append(start_build(model, CELLS_FROM))


def _library(engine: Engine) -> Library:
    if engine.library is None:
        raise StoreError("There is no library without a cache. Leave out --no-cache.")
    return engine.library


def _tell(library: Library) -> None:
    result(
        f"{library.recordings} recordings, {library.frames} frames, "
        f"{library.size_bytes / 1e6:.1f} MB of {library.limit_bytes / 1e6:.0f} MB in "
        f"{library.folder}"
    )
    for cells in library.cells:
        result(
            f"index: {cells.probes} of {cells.count} cells are read, measured recall "
            f"{cells.recall:.3f}"
        )
    build = library.building
    if build is not None:
        share = "" if not build.total else f", {100 * build.done / build.total:.0f} %"
        left = ""
        if build.remaining_s is not None:
            minutes, seconds = divmod(round(build.remaining_s), 60)
            left = f", {build.rate:.0f} {build.unit}/s, {minutes}:{seconds:02d} left"
        result(f"index: being built, {build.stage}{share}{left} (`carl library stop` ends it)")
