"""Learning as a child process: it needs torch, and its crash must not take the window along.

An adaptation says what it does as JSON lines on its standard output (``carl_core.runs``), a
training in the ``events.jsonl`` of its folder. Both listen for a line "stop" on standard input.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QProcess, Signal

from carl_core.errors import StoreError
from carl_core.runs import event_from_json

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger("carl.train")

INSTALL_COMMAND = "uv sync --inexact --extra train"
CRASHED = -1
ADAPT, TRAIN = "training.adapt", "training.train"
_KILL_MS = 3000
_TAIL = 4000  # characters of what the child says on its standard error


def training_config(name: str) -> Path | None:
    """Return a configuration that comes with the training part; None where it is not installed."""
    spec = importlib.util.find_spec("training")
    places = spec.submodule_search_locations if spec is not None else None
    path = Path(next(iter(places))) / "configs" / f"{name}.toml" if places else None
    return path if path is not None and path.is_file() else None


def has_training() -> bool:
    """Whether the training part of the program is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "training"))


class TrainerProcess(QObject):
    """At most one child at a time. Main thread only, never blocks but in ``close``.

    Signals
    -------
    event_received(Event) : the child said something
    ended(int, str) : exit code, ``CRASHED`` when there is none, and the last it said besides
    """

    event_received = Signal(object)
    ended = Signal(int, str)

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        module: str = ADAPT,
        program: Sequence[str] = (),
    ) -> None:
        super().__init__(parent)
        # -P: the current folder may hold anything, also a file called torch.py.
        self._program = list(program) or [sys.executable, "-P", "-m", module]
        self._process: QProcess | None = None
        self._waiting = b""
        self._said = ""
        self._says_events = module == ADAPT

    @property
    def is_running(self) -> bool:
        """Whether a child is at work."""
        return self._process is not None

    def start(self, files: Sequence[Path], model: Path, output: Path) -> None:
        """Adapt ``model`` to ``files``; the better encoder is to lie at ``output``."""
        arguments = ["--json", "--model", str(model), "-o", str(output), "--"]
        self.run([*arguments, *(str(file) for file in files)])

    def run(self, arguments: Sequence[str]) -> None:
        """Start the child with these arguments."""
        if self._process is not None:
            raise RuntimeError("a child is at work already")
        process = QProcess(self)
        self._process, self._waiting, self._said = process, b"", ""
        process.readyReadStandardOutput.connect(self._on_output)
        process.readyReadStandardError.connect(self._on_error_output)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_error)
        command, *first = self._program
        process.start(command, [*first, *arguments])

    def stop(self) -> None:
        """Ask the child to end learning and to judge and keep the best so far."""
        if self._process is not None:
            self._process.write(b"stop\n")

    def close(self) -> None:
        """End the child at once; nothing is reported any more. Waits a moment for it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.blockSignals(True)
        process.kill()
        process.waitForFinished(_KILL_MS)
        process.deleteLater()

    def _on_output(self) -> None:
        if self._process is None:
            return
        self._waiting += bytes(self._process.readAllStandardOutput().data())
        whole, _, self._waiting = self._waiting.rpartition(b"\n")
        lines = whole.decode("utf-8", errors="replace").splitlines()
        for line in lines if self._says_events else ():
            try:
                event = event_from_json(line)
            except StoreError as error:
                log.warning("%s", error)
                continue
            self.event_received.emit(event)

    def _on_error_output(self) -> None:
        if self._process is not None:
            said = bytes(self._process.readAllStandardError().data())
            self._said = (self._said + said.decode("utf-8", errors="replace"))[-_TAIL:]

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._on_output()
        self._on_error_output()
        self._end(code if status is QProcess.ExitStatus.NormalExit else CRASHED)

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart:  # every other one also finishes
            if self._process is not None:
                self._said = self._process.errorString()
            self._end(CRASHED)

    def _end(self, code: int) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()
            self.ended.emit(code, self._said.strip())
