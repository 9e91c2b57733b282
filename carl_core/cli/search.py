"""``carl search``."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from carl_core.cli.align import open_all
from carl_core.cli.console import message, progress_bar, result, result_json, tell_problems
from carl_core.cli.library import build_in_background
from carl_core.cli.options import add_engine_options, engine_of
from carl_core.errors import CarlError
from carl_core.export.caption import clock_text
from carl_core.paths import is_there
from carl_core.queries import ImageQuery, RangeQuery, image_query

if TYPE_CHECKING:
    import argparse

    from carl_core.pipeline import Engine
    from carl_core.progress import Monitor

_MOMENT = re.compile(r"(.+)@(\d+(?:\.\d*)?)(?:-(\d+(?:\.\d*)?))?", re.DOTALL)


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("search", help="find the moments that look like a query")
    parser.add_argument(
        "query",
        nargs="+",
        metavar="QUERY",
        help="an image, VIDEO@SECONDS or VIDEO@START-END; several are averaged",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--in", dest="files", nargs="+", metavar="FILE")
    where.add_argument(
        "--library",
        action="store_true",
        help="search everything that was ever embedded (see carl library)",
    )
    parser.add_argument(
        "--not",
        dest="unlike",
        nargs="+",
        default=[],
        metavar="QUERY",
        help="no moments that look more like these than like the query",
    )
    parser.add_argument("-k", type=int, default=10, metavar="N", help="moments at most (10)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    add_engine_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Search and print one line per moment; 4 when nothing is convincing."""
    if options.k < 1:
        message(f"-k must be at least 1, not {options.k}.", is_error=True)
        return 2
    engine = engine_of(options)
    if options.library:
        return _search_library(engine, options)
    with progress_bar() as monitor:
        queries = [_query(text, engine, monitor) for text in options.query]
        unlike = [_query(text, engine, monitor) for text in options.unlike]
        recordings = open_all(engine, options.files, monitor)
        found = engine.search(
            queries,
            recordings,
            unlike=unlike,
            k=options.k,
            sampling=options.rate,
            monitor=monitor,
        )
    paths = {recording.id: recording.path for recording in recordings}
    if options.json:
        result_json(
            {
                "convincing": found.convincing,
                "reason": found.reason,
                "recordings": [
                    {"path": os.fspath(paths[name]), "convincing": convincing, "reason": reason}
                    for name, (convincing, reason) in found.verdicts.items()
                ],
                "hits": [
                    {
                        "path": os.fspath(paths[hit.recording]),
                        "frame": hit.frame,
                        "time_s": round(hit.time_s, 6),
                        "score": round(hit.score, 6),
                        "span_s": [round(hit.span[0], 6), round(hit.span[1], 6)],
                    }
                    for hit in found.hits
                ],
            }
        )
    else:
        for hit in found.hits:
            when = clock_text(hit.time_s)
            result(f"{hit.score:6.3f}  {when}  frame {hit.frame:6d}  {paths[hit.recording]}")
        if not found.convincing:
            message(f"Nothing convincing: {found.reason}")
    return 0 if found.convincing and found.hits else 4


def _search_library(engine: Engine, options: argparse.Namespace) -> int:
    """Search everything that was embedded; as ``run``."""
    with progress_bar() as monitor:
        items = [_query(text, engine, monitor) for text in (*options.query, *options.unlike)]
        count = len(options.query)
        found = engine.search_library(
            items[:count],
            unlike=items[count:],
            k=options.k,
            sampling=options.rate,
            monitor=monitor,
        )
    if options.json:
        result_json(
            {
                "convincing": found.convincing,
                "reason": found.reason,
                "library": {
                    "recordings": found.recordings,
                    "frames": found.frames,
                    "exact": found.is_exact,
                    "left_out": found.left_out,
                },
                "hits": [
                    {
                        "path": None if hit.path is None else os.fspath(hit.path),
                        "fingerprint": hit.fingerprint,
                        "frame": hit.frame,
                        "time_s": round(hit.time_s, 6),
                        "score": round(hit.score, 6),
                        "span_s": [round(hit.span[0], 6), round(hit.span[1], 6)],
                    }
                    for hit in found.hits
                ],
            }
        )
    else:
        for hit in found.hits:
            where = hit.path or f"(unknown file {hit.fingerprint})"
            gone = "" if hit.path is None or is_there(hit.path) else "  (moved or removed)"
            when = clock_text(hit.time_s)
            result(f"{hit.score:6.3f}  {when}  frame {hit.frame:6d}  {where}{gone}")
        message(f"searched {found.frames} frames of {found.recordings} recordings")
        if found.left_out:
            message(
                f"{found.left_out} more cannot be compared with a picture: their frames are no "
                "longer in the cache. `carl library add FILE...` brings them back."
            )
        if not found.convincing:
            message(f"Nothing convincing: {found.reason}")
    if engine.library is not None and engine.library.wants_cells:
        build_in_background(options.model)
        message("The library has grown large: an index of it is being built in the background.")
    return 0 if found.convincing and found.hits else 4


def _query(text: str, engine: Engine, monitor: Monitor) -> RangeQuery | ImageQuery:
    match = _MOMENT.fullmatch(text)
    if match is None or Path(text).exists():
        return image_query(Path(text))
    start_s, end_s = float(match[2]), float(match[3] or match[2])
    recording = engine.open(Path(match[1]), monitor=monitor)
    tell_problems(recording)
    if not start_s <= end_s or start_s > recording.index.duration_s:
        raise CarlError(
            f"{text}: the recording lasts {recording.index.duration_s:.3f} s; give a moment inside "
            "it, or a range whose start comes before its end."
        )
    return RangeQuery(replace(recording, id=f"query-{recording.id}"), start_s, end_s)
