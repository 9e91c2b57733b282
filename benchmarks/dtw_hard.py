"""Warping where the signal is weak: how much dearer than exact, and whether the result says so.

    python -m benchmarks.dtw_hard [--seeds N] [--real FOLDER]

Two walks of 8,000 samples of 128 numbers at changing pace with pauses, under noise once and twice
as strong as the walk, with scenes that come again 4 or 12 times or not at all. "Corridor" is what
is found coarse to fine without widening; "result" is what the program gives. ``--real``: the videos
of a folder, embedded, one after the other, against themselves at another pace and under noise.
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
KINDS = ((1.0, 0), (1.0, 4), (1.0, 12), (2.0, 0), (2.0, 4), (2.0, 12))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--real", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    kinds = [(f"noise {n:g}, {r or 'no'} repeats", n, r) for n, r in KINDS]
    real = None
    if options.real is not None:
        from benchmarks.retrieval_material import embedded

        real = np.concatenate(embedded(options.real))
        kinds.append(("real embeddings", 1.0, 0))
    print(f"{'data':<26}{'seed':>5}{'corridor':>11}{'settled':>9}{'result':>11}{'settled':>9}")
    unsaid, worst = {True: 0, False: 0}, 0.0
    for name, noise, repeats in kinds:
        for seed in range(options.seeds):
            source = real if name == "real embeddings" else None
            costs = Costs(*pair(seed, noise, repeats, source))
            exact = dtw.solve_checkpointed(costs, pattern="1-1-1").total
            widenings, dtw._WIDENINGS = dtw._WIDENINGS, 0
            corridor = dtw.solve(costs, pattern="1-1-1", exact_cells=0)
            dtw._WIDENINGS = widenings
            result = dtw.solve(costs, pattern="1-1-1")
            excesses = [path.total / exact - 1 for path in (corridor, result)]
            print(
                f"{name:<26}{seed:>5}{excesses[0]:>11.1e}{corridor.is_stable!s:>9}"
                f"{excesses[1]:>11.1e}{result.is_stable!s:>9}",
                flush=True,
            )
            unsaid[noise > 1.0] += excesses[0] > 1e-3 and corridor.is_stable
            worst = max(worst, excesses[1])
    print()
    silent = "corridors more than 1e-3 too dear that say nothing"
    report(
        [
            Claim(silent, unsaid[True], at_most=0, note="noise 2"),
            Claim(silent, unsaid[False], note="noise 1"),
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
