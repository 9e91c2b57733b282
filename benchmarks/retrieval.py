"""Search among a million frames: the library against FAISS and plain numpy, in the same run.

    python -m benchmarks.retrieval [--rows N] [--dim D] [--real FOLDER] [--folder DIR] [--json]
    python -m benchmarks.retrieval --ten-million --real FOLDER [--rows N] [--folder DIR] [--json]

Milliseconds of one query (median over different queries, rows interleaved), share of the ten
nearest frames found (exact = 1.0 by looking at all in float32), and memory of the process that is
not a mapped file. The rows are steps of random walks that are far rougher than recordings, which
leaves nothing to skip; how much of the nearest cells find is also measured on rows made of the
demo's embeddings. With ``--real`` all are made of embeddings of the videos in a folder
(``retrieval_material``). ``--ten-million`` takes a library of ten million such frames through
building, killing, searching and growing (``retrieval_large``): half an hour, and 24 GB in
``--folder``, removed afterwards. Peers come with the group ``bench``; one that is not installed is
left out by name.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.claims import Claim, report
from benchmarks.retrieval_large import claims_of_large, measure_large
from benchmarks.retrieval_material import LENGTH, MODEL, embedded, recordings, rows
from carl_core.assets import asset_path
from carl_core.retrieval.library import Library

if TYPE_CHECKING:
    from benchmarks.retrieval_material import Real
    from carl_core.arrays import Float32

OURS = "library, all frames"
QUERIES, NEAREST = 24, 10
REAL_RECALL = f"cells, embeddings of the demo: recall@{NEAREST}"
_SAME = 2e-6  # scores nearer than this are the same: of equal rows any will do
_REST_S = 0.1  # the threads of who came before spin for a while, which counts as CPU time of all

Search = Callable[["Float32"], list[float]]
"""From a query to the true scores of what was found."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, metavar="N", help="1,000,000, or 10,000,000")
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--real", type=Path, metavar="FOLDER", help="embed the videos in it")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the library is written")
    parser.add_argument("--ten-million", action="store_true", help="on disk; needs --real")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.ten_million and options.real is None:
        parser.error("--ten-million needs --real FOLDER")
    real = embedded(options.real) if options.real else ()
    dim = real[0].shape[1] if real else options.dim
    folder = Path(tempfile.mkdtemp(prefix="carl-retrieval-", dir=options.folder))
    try:
        if options.ten_million:
            figures = measure_large(folder, options.rows or 10_000_000, real)
        else:
            count = options.rows or 1_000_000
            figures = measure(folder / "all", count, dim, real)
            if not real:
                demo = embedded(asset_path("demo"))
                figures |= recall_of_cells(folder / "demo", count // 2, demo)
    finally:
        shutil.rmtree(folder)
    if options.json:
        print(json.dumps(figures, indent=1))
    else:
        for name, value in figures.items():
            print(
                f"{name:<52}{value:>14}" if isinstance(value, str) else f"{name:<52}{value:>14.3f}"
            )
        report(claims_of_large(figures) if options.ten_million else _claims(figures))
    return 0


def _claims(figures: dict[str, float | str]) -> list[Claim]:
    def figure(name: str) -> float:
        value = figures.get(name, math.nan)
        return value if isinstance(value, float) else math.nan

    frames = f"{figure('frames'):,.0f} x {figure('numbers per frame'):.0f}"
    ours = OURS
    is_million = figure("frames") <= 1_000_000
    claims = [
        Claim(
            f"exact query over {frames}, CPU ms (median)",
            figure(f"{ours}: CPU ms"),
            at_most=25 if is_million else None,
        ),
        Claim(
            f"exact query over {frames}, ms (median)",
            figure(f"{ours}: ms a query"),
            at_most=25 if is_million else None,
        ),
        Claim(f"exact query over {frames}, ms (the fastest)", figure(f"{ours}: fastest, ms")),
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
        is_real = REAL_RECALL not in figures
        what = "recall of the query of cells" + ("" if is_real else ", rough walks")
        claims.append(Claim(what, recall, at_least=0.99 if is_real else None))
        if not is_real:
            what = "recall of the query of cells, real embeddings"
            claims.append(Claim(what, figure(REAL_RECALL), at_least=0.99))
    growth = max(figure(f"own memory while {what}, MB") for what in ("adding", "building"))
    claims.append(Claim("own memory while it is built, MB", growth, at_most=1000))
    return claims


def measure(folder: Path, count: int, dim: int, real: Real) -> dict[str, float | str]:
    """Build and search a library of ``count`` rows of ``dim`` numbers, and its peers."""
    library = Library(folder, MODEL)
    before_mb = _own_mb()
    started = time.perf_counter()
    for group in range(0, count, 50 * LENGTH):
        library.add(recordings(range(group, min(count, group + 50 * LENGTH), LENGTH), dim, real))
    figures: dict[str, float | str] = {
        "frames": float(library.frames),
        "numbers per frame": float(dim),
        "made and added, frames/s": library.frames / (time.perf_counter() - started),
        "own memory while adding, MB": _own_mb() - before_mb,
    }
    queries = np.ascontiguousarray(rows(10**9, LENGTH, dim, real)[:: LENGTH // QUERIES][:QUERIES])
    again = Library(folder, MODEL)
    started = time.perf_counter()
    again.nearest(queries[0], NEAREST, exactly=True)
    figures["reopened, first query, ms"] = 1000 * (time.perf_counter() - started)
    peers: dict[str, Search] = {
        OURS: lambda q: [score for score, *_ in again.nearest(q, NEAREST, exactly=True)]
    }
    started, cpu = time.perf_counter(), time.process_time()
    again.build(least=1)
    figures["cells built, s"] = time.perf_counter() - started
    figures["cells built, CPU s"] = time.process_time() - cpu
    figures["own memory while building, MB"] = _own_mb() - before_mb
    figures["cells, read of all"] = ", ".join(f"{c.probes}/{c.count}" for c in again.cells)
    figures["cells, recall measured by the library"] = min(c.recall for c in again.cells)
    peers["library, cells"] = lambda q: [score for score, *_ in again.nearest(q, NEAREST)]
    before_mb = _own_mb()
    again.nearest(queries[0], NEAREST, exactly=True)
    figures["own memory of searching, MB"] = _own_mb() - before_mb
    everything = np.concatenate([segment.vectors for segment, _ in again.segments()])
    peers["numpy float32"] = lambda q: np.partition(everything @ q, -NEAREST)[-NEAREST:].tolist()
    peers |= _faiss(everything, figures)
    right = [np.partition(everything @ query, -NEAREST)[-NEAREST] for query in queries]
    times: dict[str, list[float]] = {name: [] for name in peers}
    cpus: dict[str, list[float]] = {name: [] for name in peers}
    recalls: dict[str, list[float]] = {name: [] for name in peers}
    for query, least in zip(queries, right, strict=True):
        for name, search in peers.items():
            time.sleep(_REST_S)
            started, cpu = time.perf_counter(), time.process_time()
            found = search(query)
            times[name].append(1000 * (time.perf_counter() - started))
            cpus[name].append(1000 * (time.process_time() - cpu))
            recalls[name].append(float(np.mean(np.asarray(found) >= least - _SAME)))
    for name in peers:
        figures[f"{name}: ms a query"] = statistics.median(times[name])
        figures[f"{name}: fastest, ms"] = min(times[name])
        figures[f"{name}: CPU ms"] = statistics.median(cpus[name])
        figures[f"{name}: recall@{NEAREST}"] = statistics.fmean(recalls[name])
    for peer in ("faiss float16", "numpy float32"):
        if peer in times:
            ratios = [a / b for a, b in zip(times[OURS], times[peer], strict=True)]
            figures[f"library / {peer} (median of ratios)"] = statistics.median(ratios)
    started = time.perf_counter()
    again.add(recordings(range(2 * 10**9, 2 * 10**9 + LENGTH, LENGTH), dim, real))
    figures["one more recording of 20,000 frames, s"] = time.perf_counter() - started
    return figures


def recall_of_cells(folder: Path, count: int, real: Real) -> dict[str, float | str]:
    """Search ``count`` rows made of real embeddings by cells, and look at every row."""
    dim = real[0].shape[1]
    library = Library(folder, MODEL)
    for group in range(0, count, 25 * LENGTH):
        library.add(recordings(range(group, min(count, group + 25 * LENGTH), LENGTH), dim, real))
    library.build(least=1)
    recalls = []
    for query in rows(10**9, LENGTH, dim, real)[:: LENGTH // QUERIES][:QUERIES]:
        right = library.nearest(query, NEAREST, exactly=True)
        found = np.asarray([score for score, *_ in library.nearest(query, NEAREST)])
        recalls.append(float(np.mean(found >= right[-1][0] - _SAME)))
    read = ", ".join(f"{c.probes}/{c.count}" for c in library.cells)
    return {
        f"cells, embeddings of the demo x {count:,}, read of all": read,
        REAL_RECALL: statistics.fmean(recalls),
    }


def _faiss(everything: Float32, figures: dict[str, float | str]) -> dict[str, Search]:
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

    def search(index: Any) -> Search:
        def scores(query: Float32) -> list[float]:
            found = index.search(query[None], NEAREST)[1][0]
            return [float(everything[row] @ query) for row in found if row >= 0]

        return scores

    return {"faiss float16": search(half), "faiss IVF1024, 16 read": search(inverted)}


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
