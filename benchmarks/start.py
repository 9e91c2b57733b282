"""How long a user waits for the first word: ``carl --help`` and the window on the screen.

    python -m benchmarks.start [--json]

Each is started nine times; the median counts, next to a bare interpreter and one that imports Qt.
Aims: help in less than 0.3 s, the window in less than 1.5 s.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 9
WINDOW = """
import sys, time
from pathlib import Path
from app.bootstrap.run import make_application
app = make_application()
from app.bootstrap.program import Program
from app.settings import Settings
from PySide6.QtCore import QTimer
state = Path(sys.argv[1])
program = Program(settings=Settings(state / "window.ini"), state=state)
program.show()
QTimer.singleShot(0, lambda: (sys.stdout.write("shown\\n"), sys.stdout.flush(), app.exit()))
app.exec()
import os
os._exit(0)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as scratch:
        commands = {
            "bare interpreter, s": [sys.executable, "-c", "pass"],
            "carl --help, s (aim 0.3)": [sys.executable, "-m", "carl_core.cli.main", "--help"],
            "import PySide6.QtWidgets, s": [sys.executable, "-c", "import PySide6.QtWidgets"],
            "window shown, s (aim 1.5)": [sys.executable, "-c", WINDOW, str(Path(scratch))],
        }
        figures = {name: _median(command) for name, command in commands.items()}
    if options.json:
        print(json.dumps(figures, indent=1))
    else:
        for name, value in figures.items():
            print(f"{name:<40}{value:>8.3f}")
    return 0


def _median(command: list[str]) -> float:
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    raise SystemExit(main())
