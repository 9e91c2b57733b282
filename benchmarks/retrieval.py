"""Search among a million frames: the library against FAISS and plain numpy, in the same run.

    python -m benchmarks.retrieval [--rows N] [--dim D] [--real FOLDER] [--folder DIR] [--json]

Milliseconds of one query (median over different queries, rows interleaved), share of the ten
nearest frames found (exact = 1.0 by looking at all in float32), and memory of the process that is
not a mapped file. The rows are steps of random walks, as neighbouring frames are; with ``--real``
they are embeddings of the videos in a folder, repeated with noise until there are enough. With
``--rows 10000000`` 5 GB and cells are written to ``--folder`` (removed afterwards). Peers come with
the group ``bench``; one that is not installed is left out by name.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.claims import Claim, report
from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.retrieval.library import CELLS_FROM, Library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from carl_core.arrays import Float32

MODEL = "b" * 16
LENGTH = 20_000  # frames of one recording
FRESH = 1_000_000  # rows that are drawn anew
QUERIES, NEAREST = 24, 10
FEW_QUERIES = 8  # where all vectors are several gigabytes
VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--real", type=Path, metavar="FOLDER", help="embed the videos in it")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the library is written")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    real = _embedded(options.real) if options.real else None
    folder = Path(tempfile.mkdtemp(prefix="carl-retrieval-", dir=options.folder))
    try:
        figures = measure(
            folder, options.rows, options.dim if real is None else real.shape[1], real
        )
    finally:
        shutil.rmtree(folder)
    if options.json:
        print(json.dumps(figures, indent=1))
    else:
        for name, value in figures.items():
            print(
                f"{name:<52}{value:>14}" if isinstance(value, str) else f"{name:<52}{value:>14.3f}"
            )
        report(_claims(figures))
    return 0


def _claims(figures: dict[str, float | str]) -> list[Claim]:
    def figure(name: str) -> float:
        value = figures.get(name, math.nan)
        return value if isinstance(value, float) else math.nan

    frames, ours = f"{figure('frames'):,.0f} frames", "library, all frames"
    claims = [
        Claim(
            f"exact query over {frames}, ms (the fastest)",
            figure(f"{ours}: fastest, ms"),
            at_most=25 if figure("frames") <= 1_000_000 else None,
        ),
        Claim("recall of the exact query", figure(f"{ours}: recall@{NEAREST}"), at_least=1.0),
    ]
    for peer in ("faiss float16", "numpy float32"):
        if f"{peer}: CPU ms" in figures:
            claims.append(
                Claim(
                    f"exact query over {frames}, CPU ms",
                    figure(f"{ours}: CPU ms"),
                    peer=figure(f"{peer}: CPU ms"),
                    peer_name=peer,
                    at_most=1.1,
                )
            )
    cells = "library, cells"
    if f"{cells}: CPU ms" in figures:
        recall = figure(f"{cells}: recall@{NEAREST}")
        claims.append(Claim(f"query of cells over {frames}, CPU ms", figure(f"{cells}: CPU ms")))
        claims.append(Claim("recall of the query of cells", recall, at_least=0.99))
    growth = max(figure(f"own memory while {what}, MB") for what in ("adding", "building"))
    claims.append(Claim("own memory while it is built, MB", growth, at_most=1000))
    return claims


def measure(folder: Path, rows: int, dim: int, real: Float32 | None) -> dict[str, float | str]:
    """Build, grow and search a library of ``rows`` vectors of ``dim``."""
    library = Library(folder, MODEL)
    for start in range(0, min(rows, FRESH), LENGTH) if real is None else ():
        _kept(start, min(LENGTH, rows - start), dim)
    before_mb = _own_mb()
    started = time.perf_counter()
    for group in range(0, rows, 50 * LENGTH):
        library.add(_recordings(range(group, min(rows, group + 50 * LENGTH), LENGTH), dim, real))
    figures: dict[str, float | str] = {
        "frames": float(library.frames),
        "numbers per frame": float(dim),
        "added, frames/s": library.frames / (time.perf_counter() - started),
        "own memory while adding, MB": _own_mb() - before_mb,
    }
    count = QUERIES if rows <= 2_000_000 else FEW_QUERIES
    queries = _rows(10**9, 40 * count, dim, real)[::40]
    again = Library(folder, MODEL)
    started = time.perf_counter()
    again.nearest(queries[0], NEAREST, exactly=True)
    figures["reopened, first query, ms"] = 1000 * (time.perf_counter() - started)
    exact = [_plain(again, query) for query in queries]
    peers: dict[str, Callable[[Float32], set[int]]] = {
        "library, all frames": lambda q: _found(again, q, exactly=True),
    }
    if rows >= FRESH or real is not None:
        started, cpu = time.perf_counter(), time.process_time()
        again.build(least=min(rows, CELLS_FROM))
        figures["cells built, s"] = time.perf_counter() - started
        figures["cells built, CPU s"] = time.process_time() - cpu
        figures["own memory while building, MB"] = _own_mb() - before_mb
        figures["cells, read of all"] = ", ".join(f"{c.probes}/{c.count}" for c in again.cells)
        figures["cells, recall measured by the library"] = min(c.recall for c in again.cells)
        peers["library, cells"] = lambda q: _found(again, q, exactly=False)
    if rows <= 2_000_000:
        everything = np.concatenate([s.vectors for s, _ in again.segments()])
        peers["numpy float32"] = lambda q: _best(everything @ q)
        peers |= _faiss(everything, figures)
    before_mb = _own_mb()
    times: dict[str, list[float]] = {name: [] for name in peers}
    cpus: dict[str, list[float]] = {name: [] for name in peers}
    recalls: dict[str, list[float]] = {name: [] for name in peers}
    for query, right in zip(queries, exact, strict=True):
        for name, search in peers.items():
            started, cpu = time.perf_counter(), time.process_time()
            found = search(query)
            times[name].append(1000 * (time.perf_counter() - started))
            cpus[name].append(1000 * (time.process_time() - cpu))
            recalls[name].append(len(found & right) / NEAREST)
    for name in peers:
        figures[f"{name}: ms a query"] = statistics.median(times[name])
        figures[f"{name}: fastest, ms"] = min(times[name])
        figures[f"{name}: CPU ms"] = statistics.median(cpus[name])
        figures[f"{name}: recall@{NEAREST}"] = statistics.fmean(recalls[name])
    for peer in ("faiss float16", "numpy float32"):
        if peer in times:
            ratios = [a / b for a, b in zip(times["library, all frames"], times[peer], strict=True)]
            figures[f"library / {peer} (median of ratios)"] = statistics.median(ratios)
    figures["own memory of searching, MB"] = _own_mb() - before_mb
    started = time.perf_counter()
    again.add(_recordings(range(2 * 10**9, 2 * 10**9 + LENGTH, LENGTH), dim, real))
    figures["one more recording of 20,000 frames, s"] = time.perf_counter() - started
    return figures


def _recordings(starts: range, dim: int, real: Float32 | None) -> Iterator[Embeddings]:
    for start in starts:
        count = min(LENGTH, starts.stop - start)
        key = EmbeddingKey(f"{start:032x}", MODEL, "10/1")
        at = np.arange(count)
        yield Embeddings(key, at, at / 10, _made(start, count, dim, real))


def _made(start: int, count: int, dim: int, real: Float32 | None) -> Float32:
    """Rows of a recording; beyond the first million, those of an earlier one turned elsewhere.

    To flip the signs of some components keeps all distances within a recording, and costs little.
    """
    rows = _kept(start % FRESH, count, dim) if real is None else _rows(start, count, dim, real)
    if start < FRESH or real is not None:
        return rows
    signs = np.random.default_rng(start // FRESH).choice([-1, 1], dim).astype(np.float32)
    return rows * signs


@cache
def _kept(start: int, count: int, dim: int) -> Float32:
    return _rows(start, count, dim, None)


def _rows(seed: int, count: int, dim: int, real: Float32 | None) -> Float32:
    """Rows of one recording: a walk among scenes that all recordings share, or real ones."""
    chance = np.random.default_rng(seed)
    if real is not None:
        begin = int(chance.integers(len(real)))
        rows = np.take(real, np.arange(begin, begin + count), axis=0, mode="wrap")
        rows = rows + chance.normal(size=rows.shape).astype(np.float32) * (0.1 / dim**0.5)
    else:
        scenes = np.random.default_rng(0).standard_normal((2000, dim), dtype=np.float32)
        shown = scenes[chance.integers(2000, size=count // 50 + 2)]
        place = np.arange(count) / 50
        low = place.astype(np.int64)
        part = (place - low).astype(np.float32)[:, None]
        rows = shown[low] * (1 - part) + shown[low + 1] * part
        rows += 0.5 * chance.standard_normal(rows.shape, dtype=np.float32)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), dtype=np.float32)


def _found(library: Library, query: Float32, *, exactly: bool) -> set[int]:
    return {
        int(name, 16) + sample
        for _, name, sample in library.nearest(query, NEAREST, exactly=exactly)
    }


def _plain(library: Library, query: Float32) -> set[int]:
    """Return the nearest frames by looking at all vectors, a block at a time."""
    found: list[tuple[float, int]] = []
    for segment, _ in library.segments():
        for part in segment.parts:
            scores = segment.vectors[part.start : part.stop] @ query
            best = np.argpartition(-scores, NEAREST)[:NEAREST]
            base = int(part.fingerprint, 16)
            found += [(float(scores[i]), base + int(i)) for i in best]
    return {name for _, name in sorted(found, reverse=True)[:NEAREST]}


def _best(scores: Float32) -> set[int]:
    # Rows lie in the order of their recordings, which are numbered by their first row.
    return set(np.argpartition(-scores, NEAREST)[:NEAREST].tolist())


def _faiss(
    everything: Float32, figures: dict[str, float | str]
) -> dict[str, Callable[[Float32], set[int]]]:
    try:
        import faiss
    except ImportError:
        figures["faiss"] = "left out: not installed"
        return {}
    dim = everything.shape[1]
    half = faiss.IndexScalarQuantizer(
        dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    half.train(everything[:1000])
    half.add(everything)
    count = 1024
    started = time.perf_counter()
    inverted = faiss.index_factory(dim, f"IVF{count},Flat", faiss.METRIC_INNER_PRODUCT)
    inverted.cp.niter = 4  # its own 25 take minutes
    inverted.train(everything[:: max(1, len(everything) // (40 * count))])
    inverted.add(everything)
    inverted.nprobe = 16
    figures["faiss IVF1024 built, s"] = time.perf_counter() - started

    def search(index: object) -> Callable[[Float32], set[int]]:
        return lambda q: set(index.search(q[None], NEAREST)[1][0].tolist())  # type: ignore[attr-defined]

    return {"faiss float16": search(half), "faiss IVF1024, 16 read": search(inverted)}


def _embedded(folder: Path) -> Float32:
    """Embed every video of a folder, tree and all."""
    from carl_core.errors import CarlError
    from carl_core.pipeline import Engine

    engine = Engine()
    rows = []
    for file in sorted(f for f in folder.rglob("*") if f.suffix.lower() in VIDEOS):
        try:
            rows.append(engine.embed(engine.open(file)).vectors)
        except CarlError:
            continue
    return np.concatenate(rows)


def _own_mb() -> float:
    """Memory of this process that is not a mapped file."""
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return float("nan")
    line = next(line for line in text.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    raise SystemExit(main())
