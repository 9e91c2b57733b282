"""How long a user waits for the first word: ``carl --help`` and the window on the screen.

    python -m benchmarks.start

Each is started nine times; the median counts, next to a bare interpreter and one that imports Qt.
Aims: help in less than 0.3 s, the window in less than 1.5 s.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.claims import Claim, report

RUNS = 9
WINDOW = """
import sys
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
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as scratch:
        bare_s = _median([sys.executable, "-c", "pass"])
        help_s = _median([sys.executable, "-m", "carl_core.cli.main", "--help"])
        qt_s = _median([sys.executable, "-c", "import PySide6.QtWidgets"])
        window_s = _median([sys.executable, "-c", WINDOW, scratch])
    report(
        [
            Claim("bare interpreter, s", bare_s),
            Claim("import PySide6.QtWidgets, s", qt_s),
            Claim("carl --help, s", help_s, at_most=0.3),
            Claim("carl-gui shows its window, s", window_s, at_most=1.5),
        ]
    )
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
