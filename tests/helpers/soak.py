"""Use the window over and over, as somebody does all day, and watch what it keeps.

Every round opens two files nobody has seen before, so that nothing is answered from memory: open,
embed, align, play, seek, search, pin, mark, undo, save, close. What must not grow is looked at
after each round, when everything is closed.
"""

from __future__ import annotations

import gc
import logging
import math
import os
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication, QMessageBox
from shiboken6 import Shiboken

from app.actions import ActionId
from app.bootstrap.program import Program
from app.faults.hooks import Hooks
from app.faults.log import RecentRecords
from app.faults.messages import Reporter
from app.settings import Settings
from carl_core.embeddings.store import EmbeddingStore
from carl_core.pipeline import Engine
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.scenes import make_scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.faults.messages import Message

LIMIT_S = 60.0
"""A step of a round that takes longer hangs."""

STORE_BYTES = 2_000_000
"""So little that the cache is full after some rounds, and old entries must go."""


class SoakError(Exception):
    """A step of a round did not come to its end."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process holds when all is closed.

    Attributes
    ----------
    round : after which it was taken
    private : bytes in memory that are its own; pages of libraries come and go as others need room
    handles : open files and sockets
    threads : of Python, by number
    qt_objects : wrappers of Qt objects
    python_objects : everything the collector knows
    """

    round: int
    private: int
    handles: int
    threads: int
    qt_objects: int
    python_objects: int


class _Troubles(logging.Handler):
    """Collects what is logged as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


class Soak:
    """One program on made-up recordings; ``run`` goes round and round.

    Parameters
    ----------
    folder : scratch
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sources = [
            make_scene(folder / "one.mp4", start_s=0.0, end_s=2.4, audio_rate=16_000).read_bytes(),
            make_scene(folder / "two.mp4", start_s=0.4, end_s=2.4, speed=0.8).read_bytes(),
        ]
        model = make_tiny_encoder(folder / "tiny.onnx")
        store = EmbeddingStore(folder / "cache", limit_bytes=STORE_BYTES)
        reporter, recent = Reporter(), RecentRecords()
        self._hooks = Hooks(reporter, recent)
        self._hooks.install()  # what nobody caught becomes a message, and so an error here
        self.program = Program(
            reporter=reporter,
            recent=recent,
            make_engine=lambda: Engine(model, device="cpu", store=store),
            settings=Settings(folder / "window.ini"),
            state=folder / "state",
        )
        self.program.window.resize(1000, 700)
        # One for all waits: PySide keeps something of every QTimer.singleShot(milliseconds, slot).
        self._loop, self._tick = QEventLoop(), QTimer()
        self._tick.setSingleShot(True)
        self._tick.setInterval(4)
        self._tick.timeout.connect(self._loop.quit)
        self.errors: list[str] = []
        self.samples: list[Sample] = []
        self._troubles = _Troubles()
        logging.getLogger("carl").addHandler(self._troubles)
        self.program.reporter.reported.connect(self._on_message)
        self.program.show()
        self.wait("the encoder", lambda: self.program.engine_state is not None)

    def close(self) -> None:
        """Close the window; every thread must be gone after it."""
        self.program.close()
        self._hooks.remove()
        logging.getLogger("carl").removeHandler(self._troubles)
        self.errors += self._troubles.texts
        self.program.window.deleteLater()
        self.program.deleteLater()
        _let_go()

    def run(
        self,
        rounds: int,
        *,
        limit_s: float = math.inf,
        on_sample: Callable[[Sample], None] | None = None,
    ) -> None:
        """Go so many rounds; what goes wrong in one is noted and the next begins.

        Parameters
        ----------
        limit_s : after which no further round begins
        """
        until = time.monotonic() + limit_s
        for _ in range(rounds):
            if time.monotonic() > until:
                break
            number = len(self.samples)
            try:
                self.round(number)
            except SoakError as error:
                self.errors.append(f"round {number}: {error}")
            self.samples.append(self._sample(number))
            if on_sample is not None:
                on_sample(self.samples[-1])

    # One round ---------------------------------------------------------------------------------

    def round(self, number: int) -> None:
        """Open, align, play, seek, search, edit, undo, save, close."""
        program = self.program
        actions, player, session = program.actions, program.player, program.session
        files = [self._fresh(number, part) for part in range(2)]
        program.opening.add_paths(files)
        self.wait(
            "opening and aligning",
            lambda: len(session.entries) == 2 and not program.loading.is_busy,
        )
        first, second = session.entries
        if not second.is_mapped:
            raise SoakError("the pair was not aligned")
        self.wait("the first pictures", lambda: player.is_up_to_date)

        player.seek(0.0)
        actions[ActionId.PLAY].trigger()
        self.wait("playing", lambda: player.clock.time_s > 0.08)
        actions[ActionId.PLAY].trigger()
        for time_s in (1.6, 0.3, 1.1):
            player.seek(time_s)
            self.wait("seeking", lambda: player.is_up_to_date)
        actions[ActionId.FRAME_BACK].trigger()
        self.wait("stepping", lambda: player.is_up_to_date)

        session.set_active(first.id)
        actions[ActionId.FIND_FRAME].trigger()
        self.wait("searching", lambda: bool(program.window.search.model.matches))
        self.wait("its pictures", lambda: not program.jobs.is_active("search"))

        session.set_active(second.id)
        actions[ActionId.PIN].trigger()
        actions[ActionId.MARK].trigger()
        self.wait("aligning after the pin", lambda: not program.loading.is_busy)
        actions[ActionId.UNDO].trigger()
        actions[ActionId.UNDO].trigger()
        actions[ActionId.REDO].trigger()
        self.wait("undoing", lambda: not program.loading.is_busy)
        self._look_around(number)

        path = self._folder / "soak.carl"
        program.project.set_path(path)
        program.files.save()
        self.wait("saving", lambda: program.project.is_saved)
        program.files.new()
        self.wait("closing", lambda: not session.entries and program.window.empty.isVisible())
        if number % 10 == 9:
            program.files.open(path)
            self.wait(
                "opening the project",
                lambda: len(session.entries) == 2 and not program.loading.is_busy,
            )
            program.files.new()
            self.wait("closing it", lambda: not session.entries)
        for file in files:
            file.unlink()

    def _look_around(self, number: int) -> None:
        """Another view in every round, and another size of the window."""
        views = (
            ActionId.VIEW_OVERLAY,
            ActionId.VIEW_DIFFERENCE,
            ActionId.VIEW_WIPE,
            ActionId.VIEW_GRID,
        )
        self.program.actions[views[number % len(views)]].trigger()
        self.program.window.resize(1000 + 40 * (number % 3), 700)
        self.wait("another view", lambda: self.program.player.is_up_to_date)
        self.program.actions[ActionId.VIEW_GRID].trigger()

    def _fresh(self, number: int, part: int) -> Path:
        """Write a recording of content that was never there: an unused box at the end differs."""
        path = self._folder / f"round-{number}-{'ab'[part]}.mp4"
        box = (24).to_bytes(4, "big") + b"free" + f"{number:08d}{part:08d}".encode()
        path.write_bytes(self._sources[part] + box)
        # Made an hour ago: one that was written just now is watched first, for it may still grow.
        an_hour_ago = time.time() - 3600.0
        os.utime(path, (an_hour_ago, an_hour_ago))
        return path

    # Waiting and looking -----------------------------------------------------------------------

    def wait(self, what: str, is_over: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
        """Let the program run until ``is_over``.

        Raises
        ------
        SoakError
            When it takes longer than ``limit_s``.
        """
        until = time.monotonic() + limit_s
        while not is_over():
            if time.monotonic() > until:
                raise SoakError(f"{what} did not end in {limit_s:g} s")
            self._tick.start()
            self._loop.exec()

    def _on_message(self, message: Message) -> None:
        self.errors.append(f"message: {message.text}")

    def _sample(self, number: int) -> Sample:
        self.wait("jobs to end", lambda: not self.program.jobs.active)
        boxes = self.program.window.findChildren(QMessageBox)
        if boxes:
            self.errors.append(f"round {number}: {len(boxes)} questions left open")
        _let_go()
        return Sample(
            number,
            _private(),
            len(os.listdir("/proc/self/fd")),  # noqa: PTH208 (names only, a hundred times)
            len(threading.enumerate()),
            len(Shiboken.getAllValidWrappers()),
            len(gc.get_objects()),
        )


def growth(samples: list[Sample], *, warm_up: int, what: str) -> float:
    """How much a figure grew after the warm-up, in per cent: medians of the ends compared."""
    values = [asdict(sample)[what] for sample in samples[warm_up:]]
    part = max(1, len(values) // 10)
    first, last = sorted(values[:part])[part // 2], sorted(values[-part:])[part // 2]
    return 100.0 * (last - first) / first


def _let_go() -> None:
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()
    QApplication.processEvents()


def _private() -> int:
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return sum(1024 * int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem"))
