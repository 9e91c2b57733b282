"""Warping where the signal is weak: how much dearer than exact, and whether the result says so.

    python -m benchmarks.dtw_hard [--seeds N] [--real FOLDER]

Two walks of 8,000 samples of 128 numbers at changing pace with pauses, under noise once to twice as
strong as the walk, with 4, 12 or 30 scenes that come again all the time, or none. "Corridor" is
what is found coarse to fine without widening, "wider" with it and without searching every pair;
"result" is what the program gives. ``--real``: the videos of a folder, embedded, one after the
other, against themselves at another pace and under noise.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.claims import Claim, report
from carl_core.alignment import dtw
from carl_core.alignment.costs import Costs

if TYPE_CHECKING:
    from carl_core.arrays import Float32

COUNT, DIM = 8000, 128
KINDS = ((1.0, 0), (1.0, 4), (1.0, 12), (1.5, 12), (1.5, 30), (2.0, 0), (2.0, 4), (2.0, 30))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--real", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    kinds = [(f"noise {n:g}, {r or 'no'} repeated", n, r) for n, r in KINDS]
    real = None
    if options.real is not None:
        from benchmarks.retrieval_material import embedded

        real = np.concatenate(embedded(options.real))
        kinds.append(("real embeddings", 1.0, 0))
    columns = ("corridor", "wider", "result")
    heads = "".join(f"{column:>11}   stable" for column in columns)
    print(f"{'data':<26}{'seed':>5}{heads}")
    dear, unsaid, worst = [0, 0], [0, 0], 0.0
    for name, noise, repeats in kinds:
        for seed in range(options.seeds):
            source = real if name == "real embeddings" else None
            costs = Costs(*pair(seed, noise, repeats, source))
            exact = dtw.solve_checkpointed(costs, pattern="1-1-1").total
            two = dtw.CORRIDORS[:2]
            corridor = dtw.solve(costs, pattern="1-1-1", exact_cells=0, corridors=two)
            wider = dtw.solve(costs, pattern="1-1-1", exact_cells=0)
            result = dtw.solve(costs, pattern="1-1-1")
            found = (corridor, wider, result)
            excesses = [path.total / exact - 1 for path in found]
            figures = zip(excesses, found, strict=True)
            text = (f"{excess:>11.1e}{path.is_stable!s:>9}" for excess, path in figures)
            print(f"{name:<26}{seed:>5}{''.join(text)}", flush=True)
            for k in range(2):
                dear[k] += excesses[k] > 1e-3
                unsaid[k] += excesses[k] > 1e-3 and found[k].is_stable
            worst = max(worst, excesses[2])
    print()
    silent = "{} more than 1e-3 too dear that say nothing"
    report(
        [
            Claim(silent.format("corridors"), unsaid[0], at_most=0, note=f"of {dear[0]} too dear"),
            Claim(silent.format("wider"), unsaid[1], at_most=0, note=f"of {dear[1]} too dear"),
            Claim("the dearest result over exact", worst, at_most=1e-3),
        ]
    )
    return 0


def pair(seed: int, noise: float, repeats: int, real: Float32 | None) -> tuple[Float32, Float32]:
    """Walk along the same scenes twice; unit rows (N, D)."""
    rng = np.random.default_rng(seed)
    if real is None:
        scenes = rng.normal(size=(COUNT // 20 + 4, DIM))
        if repeats:
            again = scenes[:repeats][np.arange(len(scenes)) % repeats]
            scenes = again + 0.3 * rng.normal(size=scenes.shape)
    else:
        begin = int(rng.integers(len(real)))
        scenes = np.take(real, np.arange(begin, begin + COUNT), axis=0, mode="wrap")
        noise *= float(scenes.std())
    pace = np.exp(np.interp(np.arange(COUNT), np.linspace(0, COUNT, 40), 0.8 * rng.normal(size=40)))
    for _ in range(5):
        at = int(rng.integers(0, COUNT - COUNT // 50 - 1))
        pace[at : at + COUNT // 50] = 0.0
    share = np.cumsum(pace)
    share = (share - share[0]) / (share[-1] - share[0])
    made = []
    for along in (np.linspace(0, 1, COUNT), share):
        place = along * (len(scenes) - 1.001)
        low = place.astype(np.int64)
        part = (place - low)[:, None]
        rows = scenes[low] * (1 - part) + scenes[low + 1] * part
        rows = rows + noise * rng.normal(size=rows.shape)
        made.append((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))
    return made[0], made[1]


if __name__ == "__main__":
    raise SystemExit(main())
