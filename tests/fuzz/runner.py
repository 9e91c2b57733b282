"""Run cases in child processes, notice what crashes or hangs, and keep every outcome."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

# A case takes some 50 ms on an idle machine; a busy one is ten times slower. Starting takes longer.
CASE_LIMIT_S = 30.0
START_LIMIT_S = 120.0
GOOD = ("used", "refused")


@dataclass(frozen=True, slots=True)
class Case:
    """One damaged file: for what, made of which seed, in which way."""

    target: str
    name: str
    seed: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case.

    Attributes
    ----------
    way : how the file was damaged
    outcome : "used", "refused", and what must not be: "fault", "memory", "crash", "hang", "noise"
    text : the sentence, or what is known of the fault
    """

    case: Case
    way: str
    outcome: str
    text: str
    took_s: float
    mib: int


def cases_of(
    seeds: Mapping[str, Sequence[str]], counts: Mapping[str, int], seed: int
) -> Iterator[Case]:
    """Spread so many cases of each target evenly over its files; each file undamaged first."""
    for target, names in seeds.items():
        for number in range(counts.get(target, 0)):
            name = names[number % len(names)]
            turn = number // len(names)
            yield Case(target, name, f"{seed}.{turn}" if turn else "")


def run_cases(
    cases: Iterable[Case], seeds: Path, scratch: Path, *, limit_s: float = CASE_LIMIT_S
) -> Iterator[Outcome]:
    """Run cases one after the other; a new child takes over where one ended."""
    child: _Child | None = None
    try:
        for case in cases:
            if child is None:
                child = _Child(seeds, scratch)
            outcome = child.run(case, limit_s)
            if outcome.outcome not in GOOD:
                child.close()
                child = None
            yield outcome
    finally:
        if child is not None:
            child.close()


class _Child:
    """A worker process and what it writes to stderr."""

    def __init__(self, seeds: Path, scratch: Path) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        self._stderr = (scratch / "stderr.txt").open("w+b")
        self._is_fresh = True
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker", str(seeds), str(scratch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=os.environ | {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1"},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self._pending = b""

    def run(self, case: Case, limit_s: float) -> Outcome:
        limit_s = START_LIMIT_S if self._is_fresh else limit_s
        self._is_fresh = False
        began = time.monotonic()
        line: bytes | None = b""
        try:
            self._to.write(json.dumps([case.target, case.name, case.seed]).encode() + b"\n")
            self._to.flush()
            line = self._line(began + limit_s)
        except BrokenPipeError:
            line = b""
        took_s = round(time.monotonic() - began, 3)
        if line is None:
            self._process.kill()
            return Outcome(case, "?", "hang", f"no answer for {limit_s:g} s", took_s, 0)
        if not line:
            code = self._process.wait()
            return Outcome(case, "?", "crash", f"exit code {code}\n{self._noise()}", took_s, 0)
        answer = json.loads(line)
        noise = self._noise()
        if noise and answer["outcome"] in GOOD:
            answer |= {"outcome": "noise", "text": noise}
        return Outcome(
            case, answer["way"], answer["outcome"], answer["text"], answer["s"], answer["mib"]
        )

    def close(self) -> None:
        self._to.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._from.close()
        self._stderr.close()

    def _line(self, until: float) -> bytes | None:
        """Return a line, "" at the end of the output, None when the time is up."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._from, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if not selector.select(max(0.0, until - time.monotonic())):
                    return None
                block = os.read(self._from.fileno(), 65536)
                if not block:
                    return b""
                self._pending += block
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _noise(self) -> str:
        self._stderr.flush()
        self._stderr.seek(0)
        return self._stderr.read().decode("utf-8", "replace")[-4000:]


def table_of(outcomes: Iterable[Outcome]) -> dict[str, dict[str, object]]:
    """Count outcomes for each target, with the slowest case and the one that took most memory."""
    by_target: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_target.setdefault(outcome.case.target, []).append(outcome)
    table: dict[str, dict[str, object]] = {}
    for target, own in sorted(by_target.items()):
        counts = Counter(outcome.outcome for outcome in own)
        table[target] = {
            "files": len({outcome.case.name for outcome in own}),
            "ways": len({outcome.way for outcome in own}),
            "cases": len(own),
            **{kind: counts[kind] for kind in (*GOOD, "fault", "memory", "crash", "hang", "noise")},
            "slowest_s": round(max(outcome.took_s for outcome in own), 1),
            "most_mib": max(outcome.mib for outcome in own),
        }
    return table


def to_line(outcome: Outcome) -> str:
    """Write an outcome as one line of JSON."""
    return json.dumps(asdict(outcome))


def from_line(line: str) -> Outcome:
    """Read such a line."""
    fields = json.loads(line)
    return Outcome(**(fields | {"case": Case(**fields["case"])}))
