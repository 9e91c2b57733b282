"""Run every benchmark one after the other and write ``benchmarks/results.md``.

``python -m benchmarks`` (``make bench``). Each script prints its own table; peers are measured in
the same run as what they are compared with.
"""

from __future__ import annotations

import datetime
import importlib.util
import platform
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
SCRIPTS = (
    "decode",
    "embed",
    "variants",
    "store",
    "alignment",
    "sound_offsets",
    "stretch",
    "adaptation",
    "event_loop",
    "training_data",
)
NEED_TORCH = frozenset({"adaptation", "training_data"})


def main() -> int:
    """Return the number of scripts that failed."""
    when = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    parts = [f"# Benchmarks\n\n{when}, Python {platform.python_version()}, {platform.machine()}\n"]
    failed = 0
    for name in SCRIPTS:
        if name in NEED_TORCH and importlib.util.find_spec("torch") is None:
            print(f"== {name} left out: it needs the train extra (torch)\n", flush=True)
            continue
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        print(f"== {name}", flush=True)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=FOLDER.parent)
        failed += done.returncode != 0
        print(done.stdout, flush=True)
        parts.append(f"## {name}\n\n```\n{done.stdout.rstrip()}\n```\n")
    (FOLDER / "results.md").write_text("\n".join(parts), encoding="utf-8")
    print(f"wrote {FOLDER / 'results.md'}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
