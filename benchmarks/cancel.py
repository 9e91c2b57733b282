"""How soon an alignment of 100,000 x 100,000 samples stops when it is told to.

    python -m benchmarks.cancel [--count N] [--json]

One alignment from beginning to end, by each way of searching, and one of a pair under noise twice
as strong as what is seen, for which the solver goes on to its widest corridor. Its monitor notes
how long after one another it is asked whether to stop: the longest of these times is the longest
wait of somebody who cancels. In seconds of the clock, and of the processor, which a busy machine
does not stretch.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from benchmarks.claims import Claim, report
from benchmarks.dtw import pair
from benchmarks.dtw_hard import DIM
from benchmarks.dtw_hard import pair as weak_pair
from carl_core.alignment import dtw
from carl_core.alignment.aligners import align_arrays
from carl_core.progress import Monitor

if TYPE_CHECKING:
    from carl_core.arrays import Float32

METHODS = ("auto", "dtw", "subsequence")
WEAK_METHODS = ("auto", "dtw")
WEAK = 2.0, 4  # noise over signal, scenes that come again all the time
AROUND = 4  # which argument of `dtw.refine` is the width of the corridor


class _Asked(Monitor):
    """Notes the longest time between two questions."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.longest_s = self.longest_cpu_s = 0.0
        self._last = (time.perf_counter(), time.thread_time())

    def check(self) -> None:
        """Note the time, and go on."""
        now = (time.perf_counter(), time.thread_time())
        self.longest_s = max(self.longest_s, now[0] - self._last[0])
        self.longest_cpu_s = max(self.longest_cpu_s, now[1] - self._last[1])
        self.count += 1
        super().check()
        self._last = now


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    count = options.count
    clear, weak = pair(count, 1), weak_pair(1, *WEAK, None, count)
    bank = [np.random.default_rng(k).normal(size=(300, DIM)).astype(np.float32) for k in range(8)]
    start_s = np.arange(600) / 30
    align_arrays(start_s, clear[0][:600], start_s, clear[1][:600])  # what is loaded once
    if not options.json:
        print(
            f"{'signal':<8}{'method':<14}{'CPU s':>8}{'corridor':>10}{'questions':>11}"
            f"{'longest s':>11}{'of CPU s':>10}"
        )
    rows = []
    for signal, vectors, methods in (("clear", clear, METHODS), ("weak", weak, WEAK_METHODS)):
        for method in methods:
            row = _row(signal, method, vectors, bank)
            rows.append(row)
            if not options.json:
                print(
                    f"{signal:<8}{method:<14}{row['cpu_s']:>8.1f}{row['corridor']:>10}"
                    f"{row['questions']:>11}{row['longest_s']:>11.3f}{row['longest_cpu_s']:>10.3f}",
                    flush=True,
                )
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    claims = []
    for signal in ("clear", "weak"):
        of_signal = [row for row in rows if row["signal"] == signal]
        what = f"cancelling an alignment of {count:,} samples, {signal} signal, longest wait"
        for name, key in (("s", "longest_s"), ("CPU s", "longest_cpu_s")):
            longest = max(float(row[key]) for row in of_signal)
            claims.append(Claim(f"{what}, {name}", longest, at_most=0.2))
    widest = max(int(row["corridor"]) for row in rows if row["signal"] == "weak")
    what = "corridor searched where the signal is weak, cells on either side"
    report([*claims, Claim(what, widest, at_least=dtw.CORRIDORS[-1][1])])
    return 0


def _row(
    signal: str, method: str, vectors: tuple[Float32, Float32], bank: list[Float32]
) -> dict[str, Any]:
    """Align, and note how long nobody could have cancelled and how wide was searched."""
    times_s = np.arange(len(vectors[0])) / 30
    asked = _Asked()
    widest = 0
    refine = dtw.refine

    def noted(*given: Any) -> Any:
        nonlocal widest
        widest = max(widest, given[AROUND])
        return refine(*given)

    with patch.object(dtw, "refine", noted):
        cpu_s = time.process_time()
        align_arrays(
            times_s, vectors[0], times_s, vectors[1], method=method, bank=bank, monitor=asked
        )
        asked.check()
    return {
        "signal": signal,
        "method": method,
        "cpu_s": time.process_time() - cpu_s,
        "corridor": widest,
        "questions": asked.count,
        "longest_s": asked.longest_s,
        "longest_cpu_s": asked.longest_cpu_s,
    }


if __name__ == "__main__":
    raise SystemExit(main())
