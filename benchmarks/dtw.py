"""Dynamic time warping: ours against the libraries, on the same costs in the same run.

    python -m benchmarks.dtw [--json] [--short]

10,000 x 10,000 samples of cosine distance, steps (1, 1), (1, 0), (0, 1) with weight 1. Each method
runs in a process of its own, which reports its CPU time and the growth of its memory. "excess" is
the cost of its path, summed by us over its cells, relative to the exact optimum. The peers are what
``pip`` gives (group ``bench``); one that is not installed is left out by name. Then ours alone at
100,000, on walks of several seeds, and the exact solver there, a minute with its progress.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.claims import Claim, report

if TYPE_CHECKING:
    from carl_core.arrays import Float32, Int64

METHODS = (
    "exact",
    "multiscale",
    "librosa",
    "librosa-cosine",
    "tslearn",
    "dtw-python",
    "dtaidistance",
    "fastdtw",
    "synctoolbox",
)
# What needs older versions of our own dependencies runs in an environment of its own (uv makes it).
APART = {"synctoolbox": "synctoolbox>=1.4,<2"}
SEEDS = (1, 2, 3)
LIMIT_S = 300  # for one method
REPORTS: list[float] = []
"""When the exact solver said how far it is."""


def pair(count: int, seed: int, noise: float = 0.3, dim: int = 128) -> tuple[Float32, Float32]:
    """Walk along the same smooth path twice, the second time at a changing pace: unit rows."""
    rng = np.random.default_rng(seed)
    knots = rng.normal(size=(max(40, count // 25), dim))
    walk = np.stack([np.convolve(c, np.hanning(7), mode="same") for c in knots.T], axis=1)
    share = np.linspace(0, 1, count)
    other = share + 0.03 * np.sin(2 * np.pi * 3 * share) * share * (1 - share)
    made = []
    for at in (share, np.clip(other, 0, 1)):
        place = at * (len(walk) - 1)
        low = np.minimum(place.astype(np.int64), len(walk) - 2)
        part = (place - low)[:, None]
        rows = walk[low] * (1 - part) + walk[low + 1] * part
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        rows = rows + noise * rng.normal(size=rows.shape) / np.sqrt(dim)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        made.append(rows.astype(np.float32))
    return made[0], made[1]


def solve(method: str, a: Float32, b: Float32) -> tuple[Int64, Int64]:
    """Return the path a method finds."""
    if method in ("exact", "multiscale"):
        from carl_core.alignment.costs import Costs
        from carl_core.alignment.dtw import solve as ours
        from carl_core.alignment.dtw import solve_checkpointed
        from carl_core.progress import Monitor

        costs = Costs(a, b)
        monitor = Monitor(lambda _progress: REPORTS.append(time.perf_counter()))
        exact = partial(solve_checkpointed, costs, pattern="1-1-1", monitor=monitor)
        found = exact() if method == "exact" else None
        found = found or ours(costs, pattern="1-1-1", exact_cells=0)
        return found.reference, found.other
    if method == "librosa":  # given the matrix, as cheaply as it can be had
        import librosa

        _, path = librosa.sequence.dtw(C=1.0 - a @ b.T)
        return path[::-1, 0], path[::-1, 1]
    if method == "librosa-cosine":
        import librosa

        _, path = librosa.sequence.dtw(
            a.T.astype(np.float64), b.T.astype(np.float64), metric="cosine"
        )
        return path[::-1, 0], path[::-1, 1]
    if method == "synctoolbox":
        from synctoolbox.dtw.mrmsdtw import sync_via_mrmsdtw

        # Windows shorter than a scene; its own are made for music and miss by a factor of three.
        path = sync_via_mrmsdtw(
            f_chroma1=a.T.astype(np.float64),
            f_chroma2=b.T.astype(np.float64),
            input_feature_rate=50,
            step_weights=np.ones(3),
            threshold_rec=1_000_000,
            win_len_smooth=np.array([17, 9, 5, 1]),
            downsamp_smooth=np.array([8, 4, 2, 1]),
            verbose=False,
            normalize_chroma=False,
        ).T.astype(np.int64)
        inside = (path[:, 0] < len(a)) & (path[:, 1] < len(b))
        return path[inside, 0], path[inside, 1]
    if method == "tslearn":
        from tslearn.metrics import dtw_path_from_metric

        matrix = 1.0 - a.astype(np.float64) @ b.T.astype(np.float64)
        path, _ = dtw_path_from_metric(matrix, metric="precomputed")
        return _columns(path)
    if method == "dtw-python":
        import dtw

        matrix = 1.0 - a.astype(np.float64) @ b.T.astype(np.float64)
        found = dtw.dtw(matrix, step_pattern="symmetric1", keep_internals=False)
        return np.asarray(found.index1), np.asarray(found.index2)
    if method == "dtaidistance":
        from dtaidistance import dtw_ndim

        # Squared Euclid of unit rows is twice the cosine distance: the same path.
        path = dtw_ndim.warping_path(a.astype(np.float64), b.astype(np.float64), use_c=True)
        return _columns(path)
    if method == "fastdtw":
        from fastdtw import fastdtw

        _, path = fastdtw(a, b, radius=8, dist=lambda x, y: 1.0 - float(x @ y))
        return _columns(path)
    raise ValueError(f"there is no method {method!r}")


def one(method: str, count: int, seed: int) -> dict[str, float]:
    """Run one method here; figures of this process."""
    a, b = pair(count, seed)
    if method in ("exact", "multiscale"):
        from carl_core.alignment.dtw import warm_up

        warm_up()
    else:
        solve(method, a[:300], b[:300])  # what they import and compile is not what they cost
    _begin_peak()
    before_mb = _peak_mb()
    cpu, wall = time.process_time(), time.perf_counter()
    rows, columns = solve(method, a, b)
    figures = {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "growth_mb": _peak_mb() - before_mb,
        "reports": len(REPORTS),
    }
    costs = np.concatenate(
        [
            1.0 - np.einsum("ij,ij->i", a[rows[k : k + 8192]], b[columns[k : k + 8192]])
            for k in range(0, len(rows), 8192)
        ]
    )
    return {**figures, "cost": float(np.maximum(costs, 0).sum(dtype=np.float64))}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--short", action="store_true", help="2,000 and 20,000 samples")
    parser.add_argument("--one", nargs=3, metavar=("METHOD", "COUNT", "SEED"))
    options = parser.parse_args()
    if options.one:
        method, count, seed = options.one
        print(json.dumps(one(method, int(count), int(seed))))
        return 0
    count, large = (2_000, 20_000) if options.short else (10_000, 100_000)
    rows: list[dict[str, object]] = []
    for method in METHODS:
        rows.append({"method": method, "samples": count, "seed": 1} | _run(method, count, 1))
    for seed in SEEDS:
        found = {"method": "multiscale", "samples": large, "seed": seed}
        rows.append(found | _run("multiscale", large, seed))
    rows.append({"method": "exact", "samples": large, "seed": 1} | _run("exact", large, 1))
    _compare(rows)
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        _print(rows)
        report(_claims(rows, count, large))
    return 0


def _run(method: str, count: int, seed: int) -> dict[str, object]:
    python = [sys.executable]
    if method in APART:
        uv = _uv()
        if uv is None:
            return {"left_out": "it needs an environment of its own, and there is no uv"}
        python = [uv, "run", "--quiet", "--no-project", "--isolated", "--with", APART[method]]
        python.append("python")
    command = [*python, "-m", "benchmarks.dtw", "--one", method, str(count), str(seed)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return {"left_out": f"not done after {LIMIT_S} s"}
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no words"])[-1]
        return {"left_out": last[:70]}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def _uv() -> str | None:
    """Return the path of uv: the one this runs under, the one on the path, or the project's."""
    here = Path(__file__).parent.parent / ".uv/bin"
    return os.environ.get("UV") or shutil.which("uv") or shutil.which("uv", path=str(here))


def _compare(rows: list[dict[str, object]]) -> None:
    """Add the ratio to librosa's CPU and the excess over the exact optimum."""
    for row in rows:
        same = [r for r in rows if (r["samples"], r["seed"]) == (row["samples"], row["seed"])]
        exact = next((r for r in same if r["method"] == "exact"), None)
        peer = next((r for r in same if r["method"] == "librosa"), None)
        if "cost" in row and exact is not None and "cost" in exact:
            row["excess"] = float(row["cost"]) / float(exact["cost"]) - 1.0  # type: ignore[arg-type]
        if "cpu_s" in row and peer is not None and "cpu_s" in peer:
            row["of_librosa"] = float(row["cpu_s"]) / float(peer["cpu_s"])  # type: ignore[arg-type]


def _print(rows: list[dict[str, object]]) -> None:
    names = ("cpu s", "of librosa", "MB", "excess")
    widths = (9, 12, 8, 11)
    head = "".join(f"{name:>{width}}" for name, width in zip(names, widths, strict=True))
    print(f"{'method':<14}{'samples':>9}{'seed':>5}{head}")
    for row in rows:
        head = f"{row['method']:<14}{row['samples']:>9}{row['seed']:>5}"
        if "left_out" in row:
            print(f"{head}  left out: {row['left_out']}")
            continue
        ratio = f"{row['of_librosa']:.4f}" if "of_librosa" in row else ""
        excess = f"{row['excess']:.1e}" if "excess" in row else ""
        print(f"{head}{row['cpu_s']:>9.3f}{ratio:>12}{row['growth_mb']:>8.0f}{excess:>11}")


def _claims(rows: list[dict[str, object]], count: int, large: int) -> list[Claim]:
    def figure(name: str, method: str, samples: int, seed: int = 1) -> float:
        for row in rows:
            if (row["method"], row["samples"], row["seed"]) == (method, samples, seed):
                return float(row.get(name, math.nan))  # type: ignore[arg-type]
        return math.nan

    librosa_s = figure("cpu_s", "librosa", count)
    claims = [
        Claim(
            f"{method} warping at {count:,}, CPU s",
            figure("cpu_s", method, count),
            peer=librosa_s,
            peer_name="librosa",
            at_most=bound,
        )
        for method, bound in (("multiscale", 0.01), ("exact", 0.1))
    ]
    for samples in (count, large):
        excess = figure("excess", "multiscale", samples)
        claims.append(Claim(f"cost of multiscale over exact at {samples:,}", excess, at_most=1e-3))
    walls = [figure("wall_s", "multiscale", large, seed) for seed in SEEDS]
    growths = [figure("growth_mb", "multiscale", large, seed) for seed in SEEDS]
    note = f"the most of {len(SEEDS)} seeds"
    claims.append(Claim(f"multiscale at {large:,}, s", max(walls), at_most=5, note=note))
    claims.append(
        Claim(f"growth of memory at {large:,}, MB", max(growths), at_most=1000, note=note)
    )
    exactly = f"exact warping at {large:,}"
    claims += [
        Claim(f"{exactly}, s", figure("wall_s", "exact", large)),
        Claim(f"{exactly}, growth of memory, MB", figure("growth_mb", "exact", large)),
        Claim(f"{exactly}, reports of progress", figure("reports", "exact", large), at_least=10),
    ]
    return claims


def _columns(path: object) -> tuple[Int64, Int64]:
    cells = np.asarray(path, dtype=np.int64)
    return cells[:, 0], cells[:, 1]


def _begin_peak() -> None:
    """Forget the peak that making the data reached (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_mb() -> float:
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(next(x for x in text.splitlines() if x.startswith("VmHWM")).split()[1]) / 1024


if __name__ == "__main__":
    raise SystemExit(main())
