"""Ten million frames on disk: an index built, killed and built on; searches; growth.

Called by ``python -m benchmarks.retrieval --ten-million --real FOLDER``; see there. Every step is
a process of its own, so that its memory and what a restart costs are seen; the index is built by
``carl library build --idle``, as a search starts it in the background.
"""

from __future__ import annotations

import json
import math
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.claims import Claim
from benchmarks.retrieval_material import LENGTH, recordings, rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.retrieval_material import Real
    from carl_core.arrays import Float32
    from carl_core.retrieval.library import Library

QUERIES, NEAREST = 64, 10
GROWN = 10  # recordings that come later, one by one
_KINDS, _ALL = ("made", "real"), "all frames"
_REAL = "real.npz"
_BUILD = [sys.executable, "-m", "carl_core.cli.main", "library", "build", "--idle"]
_SAME = 2e-6  # scores nearer than this are the same: of equal rows any will do


@dataclass(frozen=True, slots=True)
class _Run:
    """What a process did."""

    wall_s: float
    cpu_s: float
    own_mb: float
    figures: dict[str, Any]


def measure_large(folder: Path, count: int, real: Real) -> dict[str, float | str]:
    """Take a library of ``count`` rows in ``folder`` through its life."""
    np.savez(folder / _REAL, *real)
    figures: dict[str, float | str] = {"frames": float(count)}
    figures["numbers per frame"] = float(real[0].shape[1])
    figures["real frames they are made of"] = float(sum(map(len, real)))
    added = _run(_step("add", folder, count), folder)
    figures["added, frames/s"] = count / (added.wall_s - added.figures["making"])
    figures["making the rows, s (not counted above)"] = added.figures["making"]
    figures["own memory while adding, MB"] = added.own_mb
    figures |= _searched(_run(_step("search", folder, count), folder), "before the index")
    killed = _run(_BUILD, folder, kill_when=_half_sorted)
    done = _sorted(folder) / count
    figures["index: killed after, s"] = killed.wall_s
    figures["index: of the frames sorted by then"] = done
    built = _run(_BUILD, folder)
    figures["index: built on, s"] = built.wall_s
    figures["index: CPU s of both"] = killed.cpu_s + built.cpu_s
    figures["own memory while building, MB"] = max(killed.own_mb, built.own_mb)
    figures |= _searched(_run(_step("search", folder, count), folder), "with the index")
    grown = _run(_step("grow", folder, count), folder)
    figures |= grown.figures
    figures["own memory while growing, MB"] = grown.own_mb
    figures["on disk, GB"] = _size(folder) / 1e9
    return figures


def claims_of_large(figures: dict[str, float | str]) -> list[Claim]:
    """Say what is wanted of the figures."""

    def figure(name: str) -> float:
        value = figures.get(name, math.nan)
        return value if isinstance(value, float) else math.nan

    def memory(name: str) -> float:
        return max(v for n, v in figures.items() if name in n and isinstance(v, float))

    frames, after = f"{figure('frames'):,.0f} x {figure('numbers per frame'):.0f}", "with the index"
    return [
        Claim(f"adding {frames}, frames/s", figure("added, frames/s")),
        Claim(
            f"exact query over {frames}, CPU ms", figure(f"{after}: all frames: CPU ms (median)")
        ),
        Claim(
            "recall of the exact query",
            min(figure(f"{after}: {_ALL}: recall@{NEAREST}, {w} frames") for w in _KINDS),
            at_least=1.0,
        ),
        Claim(f"query of cells over {frames}, CPU ms", figure(f"{after}: cells: CPU ms (median)")),
        Claim(
            "recall of the query of cells",
            min(figure(f"{after}: cells: recall@{NEAREST}, {w} frames") for w in _KINDS),
            at_least=0.99,
        ),
        Claim("own memory, the most of all steps, MB", memory("own memory"), at_most=1000),
    ]


def _searched(run: _Run, when: str) -> dict[str, float | str]:
    found: dict[str, float | str] = {f"{when}: {name}": v for name, v in run.figures.items()}
    found[f"{when}: own memory, MB"] = run.own_mb
    return found


def _step(name: str, folder: Path, count: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.retrieval_large", name, str(folder), str(count)]


def _run(
    command: list[str], folder: Path, *, kill_when: Callable[[Path], bool] | None = None
) -> _Run:
    environment = os.environ | {"CARL_CACHE": str(folder)}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    most = 0.0
    output: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: output.append(process.stdout.read()))  # type: ignore[union-attr]
    reader.start()
    while reader.is_alive():
        most = max(most, _own_mb(process.pid))
        if kill_when is not None and kill_when(folder):
            process.send_signal(signal.SIGKILL)
            break
        reader.join(0.1)
    reader.join()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 and kill_when is None:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    text = output[0].strip().splitlines()[-1:] if output else []
    figures = json.loads(text[0]) if text and text[0].startswith("{") else {}
    wall_s = time.perf_counter() - started
    print(f"  {' '.join(command[2:5])}: {wall_s:.0f} s, {most:.0f} MB", file=sys.stderr, flush=True)
    return _Run(wall_s, used.ru_utime + used.ru_stime, most, figures)


def _own_mb(process: int) -> float:
    """Memory of a process that is not a mapped file."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    lines = [line for line in text.splitlines() if line.startswith("RssAnon")]
    return int(lines[0].split()[1]) / 1024 if lines else 0.0


def _sorted(folder: Path) -> int:
    return sum(file.stat().st_size // 4 for file in folder.rglob("cell_of.i32"))


def _half_sorted(folder: Path) -> bool:
    segments = [
        f.stat().st_size for f in folder.rglob("scales.f32") if f.parent.name != "cells.part"
    ]
    return _sorted(folder) > sum(segments) / 8


def _size(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and f.name != _REAL)


# Steps, each in a process of its own ---------------------------------------------------------


def _add(library: Library, count: int, real: Real) -> dict[str, Any]:
    made = 0.0

    def timed() -> Any:
        nonlocal made
        waiting = recordings(range(0, count, LENGTH), real[0].shape[1], real)
        while True:
            started = time.perf_counter()
            one = next(waiting, None)
            made += time.perf_counter() - started
            if one is None:
                return
            yield one

    library.add(timed())
    return {"making": made}


def _search(library: Library, count: int, real: Real) -> dict[str, Any]:
    """Half of the queries are frames of a made recording that is not in it, half real frames."""
    queries = _queries(real)
    started = time.perf_counter()
    library.nearest(queries[0], NEAREST)
    found: dict[str, Any] = {
        "first query after a restart, ms": 1000 * (time.perf_counter() - started)
    }
    ways = {_ALL: True} | ({"cells": False} if library.cells else {})
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    scores: dict[str, list[list[float]]] = {way: [] for way in ways}
    for query in queries:
        for way, exactly in ways.items():
            started, cpu = time.perf_counter(), time.process_time()
            nearest = library.nearest(query, NEAREST, exactly=exactly)
            spent = (time.perf_counter() - started, time.process_time() - cpu)
            times[way].append(spent)
            scores[way].append([score for score, _, _ in nearest])
    right = _brute(library, queries)
    for way in ways:
        wall, cpu_ms = 1000 * np.asarray(times[way]).T
        shares = [
            np.mean(np.asarray(have) >= want[-1] - _SAME)
            for have, want in zip(scores[way], right, strict=True)
        ]
        found[f"{way}: ms a query (median)"] = statistics.median(wall.tolist())
        found[f"{way}: ms a query (fastest)"] = float(wall.min())
        found[f"{way}: ms a query (95 %)"] = float(np.percentile(wall, 95))
        found[f"{way}: CPU ms (median)"] = statistics.median(cpu_ms.tolist())
        found[f"{way}: recall@{NEAREST}, made frames"] = float(np.mean(shares[::2]))
        found[f"{way}: recall@{NEAREST}, real frames"] = float(np.mean(shares[1::2]))
    if library.cells:
        found["cells read of all"] = ", ".join(f"{c.probes}/{c.count}" for c in library.cells)
        found["recall measured by the library"] = min(c.recall for c in library.cells)
    return found


def _grow(library: Library, count: int, real: Real) -> dict[str, Any]:
    """Ten recordings come, one by one, and each is found at once."""
    spent, hits = [], 0
    for number in range(GROWN):
        first = 2 * 10**9 + number * LENGTH
        (one,) = recordings(range(first, first + LENGTH, LENGTH), real[0].shape[1], real)
        started = time.perf_counter()
        library.add([one])
        spent.append(time.perf_counter() - started)
        ((_, name, _),) = library.nearest(one.vectors[77], 1)
        hits += name == one.key.fingerprint
    return {
        "growing by 20,000 frames, s (median)": statistics.median(spent),
        "growing by 20,000 frames, s (longest)": max(spent),
        "recordings found as soon as they were added, %": 100 * hits / GROWN,
        "segments then": float(len(library.segments())),
    }


def _queries(real: Real) -> Float32:
    made = rows(10**9, LENGTH, real[0].shape[1], real)[:: 2 * LENGTH // QUERIES]
    chance = np.random.default_rng(5)
    drawn = [clip[int(chance.integers(len(clip)))] for clip in real]
    order = chance.permutation(len(drawn))
    shown = [drawn[order[n % len(order)]] for n in range(len(made))]
    return np.ascontiguousarray(np.stack([made, shown], axis=1).reshape(-1, made.shape[1]))


def _brute(library: Library, queries: Float32) -> Float32:
    """Scores of the nearest rows, best first, by a product with all vectors: (Q, NEAREST)."""
    best = np.full((len(queries), NEAREST), -np.inf, dtype=np.float32)
    for segment, _ in library.segments():
        for first in range(0, len(segment), 1 << 16):
            scores = queries @ segment.vectors[first : first + (1 << 16)].T
            both = np.concatenate([best, scores], axis=1)
            best = np.partition(both, -NEAREST, axis=1)[:, -NEAREST:]
    return np.sort(best, axis=1)[:, ::-1]


def main(name: str, folder: Path, count: int) -> None:
    from carl_core.pipeline import Engine

    library = Engine().library
    assert library is not None
    with np.load(folder / _REAL) as kept:
        real = tuple(kept[key] for key in kept.files)
    step = {"add": _add, "search": _search, "grow": _grow}[name]
    print(json.dumps(step(library, count, real)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
