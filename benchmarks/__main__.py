"""Run every benchmark one after the other and write ``benchmarks/results.md``.

``python -m benchmarks [SCRIPT...]`` (``make bench``). Peers are measured in the same run as what
they are compared with. What the scripts claim (`benchmarks.claims`) is printed as one table at the
end, which also begins the file; below it is what each script printed.
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
from pathlib import Path

from benchmarks.claims import FILE_VARIABLE, HEAD, as_table, read_claims

FOLDER = Path(__file__).parent
# The short ones first; each runs in a process of its own.
SCRIPTS = (
    "start",
    "decode",
    "seek",
    "first_look",
    "dtw",
    "dtw_hard",
    "cancel",
    "anchors",
    "heatmap",
    "retrieval",
    "pictures",
    "playback",
    "event_loop",
    "long",
    "embed",
    "variants",
    "store",
    "alignment",
    "sound_offsets",
    "stretch",
    "adaptation",
    "training_data",
)
NEED_TORCH = frozenset({"adaptation", "training_data"})


def main() -> int:
    """Return the number of scripts that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scripts", nargs="*", choices=[*SCRIPTS, []], metavar="SCRIPT")
    chosen = parser.parse_args().scripts or SCRIPTS
    outputs: list[str] = []
    rows: list[tuple[str, ...]] = []
    failed = []
    for name in chosen:
        if name in NEED_TORCH and importlib.util.find_spec("torch") is None:
            print(f"== {name} left out: it needs the train extra (torch)\n", flush=True)
            continue
        print(f"== {name}, load {_load()}", flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            target = Path(scratch) / "claims.jsonl"
            done = subprocess.run(
                [sys.executable, "-m", f"benchmarks.{name}"],
                stdout=subprocess.PIPE,
                text=True,
                cwd=FOLDER.parent,
                env=os.environ | {FILE_VARIABLE: str(target)},
            )
            rows += [(name, *claim.cells()) for claim in read_claims(target)]
        if done.returncode != 0:
            failed.append(name)
        print(done.stdout, flush=True)
        outputs.append(f"## {name}\n\n```\n{done.stdout.rstrip()}\n```\n")
    table = "\n".join(as_table(rows, head=("script", *HEAD)))
    if failed:
        table += f"\n\nFailed: {', '.join(failed)}."
    print(table)
    when = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    head = f"# Benchmarks\n\n{when}, Python {platform.python_version()}, {platform.machine()}, "
    head += f"{os.cpu_count()} cores, load {_load()} at the end\n"
    (FOLDER / "results.md").write_text("\n".join([head, table, "", *outputs]), encoding="utf-8")
    print(f"wrote {FOLDER / 'results.md'}")
    return len(failed)


def _load() -> str:
    """Say how busy the machine is: timings of a busy one are not worth much."""
    try:
        return f"{os.getloadavg()[0]:.1f}"
    except OSError:
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
