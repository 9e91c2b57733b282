"""Run every benchmark one after the other and write ``benchmarks/results.md``.

``python -m benchmarks [SCRIPT...]`` (``make bench``). Peers are measured in the same run as what
they are compared with. What the scripts claim (`benchmarks.claims`) is printed as one table at the
end, which also begins the file; below it is what each script printed, and when. Of some scripts
alone, their rows and sections are replaced and the others stay. The exit status is not zero when a
script failed or a claim does not hold.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import results
from benchmarks.claims import FILE_VARIABLE, read_claims

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Run:
    """A script and its arguments; each run is a process of its own."""

    script: str
    arguments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in the table, and its heading."""
        return " ".join((self.script, *self.arguments))


# The short ones first.
RUNS = (
    Run("start"),
    Run("decode"),
    Run("seek"),
    Run("first_look"),
    Run("dtw"),
    Run("dtw_hard"),
    Run("cancel"),
    Run("heatmap"),
    Run("retrieval"),
    Run("pictures"),
    Run("playback"),
    Run("event_loop"),
    Run("event_loop", ("--long",)),
    Run("long"),
    Run("embed"),
    Run("variants"),
    Run("store"),
    Run("alignment"),
    Run("sound_offsets"),
    Run("stretch"),
    Run("anchors"),
    Run("adaptation"),
    Run("training_data"),
)
NEED_TORCH = frozenset({"adaptation", "training_data"})


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when every script ran to its end and every claim holds, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "scripts",
        nargs="*",
        metavar="SCRIPT",
        help='such as: dtw embed "event_loop --long"; a bare name is all runs of the script',
    )
    wanted = parser.parse_args(arguments).scripts
    if unknown := [w for w in wanted if not any(w in (run.script, run.name) for run in RUNS)]:
        known = ", ".join(run.name for run in RUNS)
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are: {known}")
    chosen = [run for run in RUNS if not wanted or {run.script, run.name} & set(wanted)]
    head = f"{'Some scripts' if wanted else 'All scripts'}: begun {_now()}, {_machine()}."
    made: list[results.Section] = []
    for run in chosen:
        if run.script in NEED_TORCH and importlib.util.find_spec("torch") is None:
            print(f"== {run.name} left out: it needs the train extra (torch)\n", flush=True)
            continue
        print(f"== {run.name}, load {_load()}", flush=True)
        made.append(measure(run))
        print(made[-1].output, flush=True)
        write(head, made)  # at once: a run that is broken off keeps what it measured
    print(results.table(made))
    print(f"\n{results.verdict(made) or 'Every claim holds.'}\n")
    print(f"wrote {FOLDER / 'results.md'}")
    return int(any(section.has_failed or section.unkept for section in made))


def measure(run: Run) -> results.Section:
    """Run a script, and return what it claims and prints."""
    when, load, started = _now(), _load(), time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "claims.jsonl"
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{run.script}", *run.arguments],
            stdout=subprocess.PIPE,
            text=True,
            cwd=FOLDER.parent,
            env=os.environ | {FILE_VARIABLE: str(target)},
        )
        rows = tuple(claim.cells() for claim in read_claims(target))
    seconds = time.monotonic() - started
    measured = results.measured_text(when, load, seconds, status=done.returncode)
    return results.Section(run.name, rows, measured, done.stdout.rstrip())


def write(head: str, made: list[results.Section]) -> None:
    """Put what was measured into the file, for what it had of the same scripts."""
    path = FOLDER / "results.md"
    old = results.parse(path.read_text(encoding="utf-8")) if path.exists() else {}
    sections = results.merged(old, made, order=[run.name for run in RUNS])
    path.write_text(results.render(head, sections), encoding="utf-8")


def _machine() -> str:
    cores = f"{os.cpu_count()} cores"
    return f"Python {platform.python_version()}, {platform.machine()}, {cores}, load {_load()}"


def _now() -> str:
    return f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d %H:%M} UTC"


def _load() -> str:
    """Say how busy the machine is: timings of a busy one are not worth much."""
    try:
        return f"{os.getloadavg()[0]:.1f}"
    except (OSError, AttributeError):  # none on Windows
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
