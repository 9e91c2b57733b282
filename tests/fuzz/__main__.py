"""Damage thousands of files and see that the program bears it: ``python -m tests.fuzz``.

A run that was stopped goes on where it was. ``--again TARGET FILE SEED`` repeats one case.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av

from tests.fuzz.runner import GOOD, Case, Outcome, cases_of, from_line, run_cases, table_of, to_line
from tests.fuzz.seeds import make_seeds

# Of a hundred cases so many go to each target.
SHARES = {
    "media": 54, "listing": 4, "picture": 4, "project": 6, "unsaved": 2, "alignment": 6,
    "labels": 4, "eaf": 4, "onnx": 6, "store": 4, "library": 3, "events": 1, "settings": 2,
}  # fmt: skip


def main() -> int:
    """Run; 1 when anything but a result or a clear sentence came of a case."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1, help="another seed, other damage")
    parser.add_argument("--jobs", type=int, default=2, help="child processes at a time")
    parser.add_argument("--only", choices=sorted(SHARES), help="one target alone")
    parser.add_argument("--folder", type=Path, default=Path("runs/fuzz"))
    parser.add_argument("-o", "--output", type=Path, help="write the table here as JSON")
    parser.add_argument("--again", nargs=3, metavar=("TARGET", "FILE", "SEED"), help="one case")
    options = parser.parse_args()
    os.environ.setdefault("SVT_LOG", "0")  # the encoder of AV1 prints
    seeds = make_seeds(options.folder / "seeds")
    if options.again:
        (outcome,) = run_cases(
            [Case(*options.again)], options.folder / "seeds", options.folder / "again"
        )
        print(outcome.way, outcome.outcome, f"{outcome.took_s} s {outcome.mib} MiB", outcome.text)
        return outcome.outcome not in GOOD
    shares = {options.only: 100} if options.only else SHARES
    counts = {target: -(-options.cases * share // 100) for target, share in shares.items()}
    cases = list(cases_of(seeds, counts, options.seed))
    record = options.folder / f"outcomes-{options.seed}.jsonl"
    done = _read(record)
    left = [case for case in cases if case not in done]
    print(f"{len(cases)} cases, {len(cases) - len(left)} done before")
    _run(left, options.folder, record, options.jobs)
    done = _read(record)
    outcomes = [done[case] for case in cases]
    for outcome in outcomes:
        if outcome.outcome not in GOOD:
            print(f"{outcome.outcome}: {outcome.case} ({outcome.way})\n{outcome.text[-1500:]}")
    table = table_of(outcomes)
    print(json.dumps(table, indent=1))
    if options.output:
        libraries = {name: ".".join(map(str, v)) for name, v in av.library_versions.items()}
        document = {
            "what": "damaged files through the engine, made by: python -m tests.fuzz",
            "seed": options.seed,
            "system": f"{platform.system()} {platform.machine()}, Python {sys.version.split()[0]}",
            "libraries": {"av": av.__version__, "libavcodec": libraries["libavcodec"]},
            "targets": table,
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return any(outcome.outcome not in GOOD for outcome in outcomes)


def _run(cases: list[Case], folder: Path, record: Path, jobs: int) -> None:
    began = time.monotonic()
    count = 0
    with record.open("a", encoding="utf-8") as out, ThreadPoolExecutor(jobs) as pool:

        def work(number: int) -> None:
            nonlocal count
            scratch = folder / f"scratch-{number}"
            for outcome in run_cases(cases[number::jobs], folder / "seeds", scratch):
                out.write(to_line(outcome) + "\n")
                out.flush()
                count += 1
                if count % 200 == 0:
                    rate = count / (time.monotonic() - began)
                    print(f"{count}/{len(cases)}, {rate:.0f} cases/s", flush=True)

        list(pool.map(work, range(jobs)))


def _read(record: Path) -> dict[Case, Outcome]:
    if not record.exists():
        return {}
    lines = record.read_text(encoding="utf-8").splitlines()
    outcomes = [from_line(line) for line in lines if line.endswith("}")]
    return {outcome.case: outcome for outcome in outcomes}


if __name__ == "__main__":
    sys.exit(main())
