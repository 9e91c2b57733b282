"""How soon an alignment of 100,000 x 100,000 samples stops when it is told to.

    python -m benchmarks.cancel [--count N] [--json]

One alignment from beginning to end, by each way of searching. Its monitor notes how long after one
another it is asked whether to stop: the longest of these times is the longest wait of somebody who
cancels. In seconds of the clock, and of the processor, which a busy machine does not stretch.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from benchmarks.claims import Claim, report
from benchmarks.dtw import pair
from carl_core.alignment.aligners import align_arrays
from carl_core.progress import Monitor

METHODS = ("auto", "dtw", "subsequence")


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
    times_s = np.arange(count) / 30
    ours, theirs = pair(count, 1)
    bank = [
        np.random.default_rng(k).normal(size=(300, ours.shape[1])).astype(np.float32)
        for k in range(8)
    ]
    align_arrays(times_s[:600], ours[:600], times_s[:600], theirs[:600])  # what is loaded once
    rows = []
    for method in METHODS:
        asked, cpu_s = _Asked(), time.process_time()
        align_arrays(times_s, ours, times_s, theirs, method=method, bank=bank, monitor=asked)
        asked.check()
        rows.append(
            {
                "method": method,
                "cpu_s": time.process_time() - cpu_s,
                "questions": asked.count,
                "longest_s": asked.longest_s,
                "longest_cpu_s": asked.longest_cpu_s,
            }
        )
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    print(f"{'method':<14}{'CPU s':>8}{'questions':>11}{'longest s':>11}{'of CPU s':>10}")
    for row in rows:
        print(
            f"{row['method']:<14}{row['cpu_s']:>8.1f}{row['questions']:>11}"
            f"{row['longest_s']:>11.3f}{row['longest_cpu_s']:>10.3f}"
        )
    what = f"cancelling an alignment of {count:,} samples, longest wait"
    report(
        [
            Claim(f"{what}, s", max(float(r["longest_s"]) for r in rows), at_most=0.2),
            Claim(f"{what}, CPU s", max(float(r["longest_cpu_s"]) for r in rows), at_most=0.2),
        ]
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
