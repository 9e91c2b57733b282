"""Warping where the signal is weak: how much dearer than exact, and whether the result says so.

    python -m benchmarks.dtw_hard [--seeds N] [--count N] [--real FOLDER]

Two walks of 8,000 samples of 128 numbers at changing pace with pauses, under noise once to twice as
strong as the walk, with 4, 12 or 30 scenes that come again all the time, or none; and real
embeddings (of the demo, or the videos of a folder, one after the other) against themselves at
another pace and under noise. Solved plainly, steps 1-1-1 from corner to corner, and as the program
does by default, steps 2-1-1 with a price on holding still, where one recording is a part of the
other and all ends are open. "Corridor" is what is found coarse to fine without widening, "wider"
with it and without searching every pair.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.claims import Claim, report
from benchmarks.retrieval_material import embedded
from carl_core.alignment import dtw
from carl_core.alignment.costs import Costs
from carl_core.alignment.options import AlignOptions
from carl_core.alignment.warping_path import Ends
from carl_core.assets import asset_path

if TYPE_CHECKING:
    from carl_core.alignment.options import StepPattern
    from carl_core.arrays import Float32

DIM = 128
KINDS = ((1.0, 0), (1.0, 4), (1.0, 12), (1.5, 12), (1.5, 30), (2.0, 0), (2.0, 4), (2.0, 30))
PART = 0.15, 0.8  # of the other recording, where the ends are open


@dataclass(frozen=True)
class Problem:
    """Two recordings and how a path through their pairs is charged."""

    costs: Costs
    pattern: StepPattern
    ends: Ends
    straight: float

    def solved(self, exact_cells: int, corridors: tuple[tuple[int, int], ...]) -> tuple[float, str]:
        """Return what the path costs, and whether it is called stable."""
        path = dtw.solve(
            self.costs,
            pattern=self.pattern,
            ends=self.ends,
            straight=self.straight,
            exact_cells=exact_cells,
            corridors=corridors,
        )
        return path.total, "yes" if path.is_stable else "no"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--count", type=int, default=8000, help="samples of either recording")
    parser.add_argument("--real", type=Path, metavar="FOLDER", help="the demo's, if not given")
    options = parser.parse_args()
    real = np.concatenate(embedded(options.real or asset_path("demo")))
    kinds: list[tuple[str, float, int, Float32 | None]] = [
        (f"noise {noise:g}, {repeated or 'no'} scenes again", noise, repeated, None)
        for noise, repeated in KINDS
    ]
    kinds.append(("real embeddings", 1.0, 0, real))
    print(f"{'data':<28}{'ends':<8}{'seed':>4}{'corridor':>11} stable{'wider':>11} stable")
    dear, unsaid, worst = [0, 0], [0, 0], 0.0
    for name, noise, repeated, source in kinds:
        for seed in range(options.seeds):
            a, b = pair(seed, noise, repeated, source, options.count)
            for is_open in (False, True):
                problem = opened(a, b) if is_open else Problem(Costs(a, b), "1-1-1", Ends(), 0.0)
                exact, _ = problem.solved(options.count**2, dtw.CORRIDORS)
                text = ""
                for k, corridors in enumerate((dtw.CORRIDORS[:2], dtw.CORRIDORS)):
                    total, is_stable = problem.solved(0, corridors)
                    excess = total / exact - 1.0
                    text += f"{excess:>11.1e} {is_stable:>6}"
                    dear[k] += excess > 1e-3
                    unsaid[k] += excess > 1e-3 and is_stable == "yes"
                    if k == 1 and is_stable == "yes":
                        worst = max(worst, excess)
                ends = "open" if is_open else "closed"
                print(f"{name:<28}{ends:<8}{seed:>4}{text}", flush=True)
    print()
    silent = "{} more than 1e-3 too dear that are called stable"
    report(
        [
            Claim(silent.format("corridors"), unsaid[0], at_most=0, note=f"of {dear[0]} too dear"),
            Claim(silent.format("wider ones"), unsaid[1], at_most=0, note=f"of {dear[1]} too dear"),
            Claim("the dearest result called stable, over exact", worst, at_most=1e-3),
        ]
    )
    return 0


def opened(a: Float32, b: Float32) -> Problem:
    """Pose a recording against a part of another, as the program aligns them by default."""
    begin, end = (round(share * len(b)) for share in PART)
    costs = Costs(a, b[begin:end])
    options = AlignOptions()
    best, usual = costs.typical()
    spread = max(usual - best, 0.0)
    skip = best + options.skip_price * spread
    ends = Ends(skip, skip, skip, skip)
    return Problem(costs, options.step_pattern, ends, options.straight_price * spread)


def pair(
    seed: int, noise: float, repeated: int, real: Float32 | None, count: int
) -> tuple[Float32, Float32]:
    """Walk along the same scenes twice; unit rows (N, D)."""
    rng = np.random.default_rng(seed)
    if real is None:
        scenes = rng.normal(size=(count // 20 + 4, DIM))
        if repeated:
            again = scenes[:repeated][np.arange(len(scenes)) % repeated]
            scenes = again + 0.3 * rng.normal(size=scenes.shape)
    else:
        begin = int(rng.integers(len(real)))
        scenes = np.take(real, np.arange(begin, begin + count), axis=0, mode="wrap")
        noise *= float(scenes.std())
    pace = np.exp(np.interp(np.arange(count), np.linspace(0, count, 40), 0.8 * rng.normal(size=40)))
    for _ in range(5):
        at = int(rng.integers(0, count - count // 50 - 1))
        pace[at : at + count // 50] = 0.0
    share = np.cumsum(pace)
    share = (share - share[0]) / (share[-1] - share[0])
    made = []
    for along in (np.linspace(0, 1, count), share):
        place = along * (len(scenes) - 1.001)
        low = place.astype(np.int64)
        part = (place - low)[:, None]
        rows = scenes[low] * (1 - part) + scenes[low + 1] * part
        rows = rows + noise * rng.normal(size=rows.shape)
        made.append((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))
    return made[0], made[1]


if __name__ == "__main__":
    raise SystemExit(main())
