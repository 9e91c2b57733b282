"""How long a user waits: for ``carl --help``, the window on the screen, and its first answer.

    python -m benchmarks.start

Each is started nine times, one after the other in turn; the median counts, next to a bare
interpreter and one that imports Qt. The window is the real program's, with first settings: it is on
the screen, painted, before what shows recordings is made, and answers when all is imported.
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
PROGRAM = """
import os, sys
from PySide6.QtCore import QTimer
from app.bootstrap import run
show, load = run.show_at_once, run.import_engine
def shown(window):
    show(window)
    if sys.argv[1] == "shown":
        os._exit(0)
def loaded():
    load()
    QTimer.singleShot(0, lambda: os._exit(0))
run.show_at_once, run.import_engine = shown, loaded
run.run(run.Start())
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        os.environ |= {
            "QT_QPA_PLATFORM": os.environ.get("QT_QPA_PLATFORM", "offscreen"),
            "CARL_STATE": scratch,
            "XDG_CONFIG_HOME": scratch,
        }
        bare_s, help_s, qt_s, window_s, answer_s = _medians(
            ["-c", "pass"],
            ["-m", "carl_core.cli.main", "--help"],
            ["-c", "import PySide6.QtWidgets"],
            ["-c", PROGRAM, "shown"],
            ["-c", PROGRAM, "answers"],
        )
    report(
        [
            Claim("bare interpreter, s", bare_s),
            Claim("import PySide6.QtWidgets, s", qt_s),
            Claim("carl --help, s", help_s, at_most=0.3),
            Claim("carl-gui shows its window, s", window_s, at_most=1.5),
            Claim("carl-gui answers, s", answer_s),
        ]
    )
    return 0


def _medians(*starts: list[str]) -> list[float]:
    seconds: list[list[float]] = [[] for _ in starts]
    for _ in range(RUNS):
        for arguments, taken in zip(starts, seconds, strict=True):
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, *arguments],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in seconds]


if __name__ == "__main__":
    raise SystemExit(main())
