"""Start the window and run it to its end."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, QTimer

from app import settings as keys
from app.bootstrap.first import make_application, make_window, show_at_once
from app.bootstrap.instance import Instance
from app.bootstrap.scratch import Scratch, sweep
from app.faults.hooks import Hooks, log_to_file
from app.faults.log import RecentRecords
from app.faults.messages import Reporter
from app.faults.watchdog import LoopWatchdog
from app.resources.theme import THEME
from app.settings import Settings
from carl_core.paths import KEEP_NOTHING, keeps_nothing, log_folder, state_folder

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtWidgets import QApplication

    from app.bootstrap.program import Program

log = logging.getLogger("carl.window")

SWITCH_INTERVAL_S = 0.001


@dataclass(frozen=True)
class Start:
    """What was asked for on the command line.

    Attributes
    ----------
    files : recordings to open
    is_demo : whether to open the bundled recordings
    self_test : where to write the picture, None = an ordinary start
    limit_s : longest time a self-test may take
    model : encoder file, None = the one of the settings
    is_new_window : whether the files go to a window of their own
    keeps_nothing : whether nothing is kept of what is looked at
    """

    files: tuple[Path, ...] = ()
    is_demo: bool = False
    self_test: Path | None = None
    limit_s: float = 900.0
    model: Path | None = None
    is_new_window: bool = False
    keeps_nothing: bool = False

    @property
    def goes_to_open_window(self) -> bool:
        """Whether an open window may take the files: it has its own encoder, and keeps things."""
        is_special = self.is_new_window or self.keeps_nothing or self.model is not None
        return bool(self.files) and not is_special


def import_engine() -> None:
    """Import numba, ONNX Runtime and what stands on them, before the event loop begins.

    On a worker's thread it would hold Python's lock for up to a second at a time.
    """
    try:
        import carl_core.pipeline  # noqa: F401
    except ImportError:
        log.exception("the engine cannot be imported")  # the first job says so to the user


def run(start: Start) -> int:
    """Run the window; return the exit code."""
    gc.disable()  # as the program does all the time: see MainThreadCollector
    app = make_application()
    settings = Settings()
    if start.keeps_nothing or (start.self_test is None and settings.get(keys.KEEP_NOTHING)):
        os.environ[KEEP_NOTHING] = "1"
    instance = Instance() if start.self_test is None else None
    if instance is not None and start.goes_to_open_window and instance.send(start.files):
        return 0
    reporter = Reporter()
    recent = RecentRecords()
    hooks = Hooks(reporter, recent)
    hooks.install()
    logging.getLogger("carl").setLevel(logging.INFO)
    if not keeps_nothing():
        with suppress(OSError):  # what cannot be kept there says so itself
            state_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
            state_folder().chmod(0o700)
    file_log = None if keeps_nothing() else log_to_file(log_folder())
    sweep()
    scratch = Scratch() if start.self_test is not None or keeps_nothing() else None
    if scratch is not None and keeps_nothing():
        # Qt's own dialogs note the folders they have shown.
        folder = str(scratch.folder)
        QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, folder)
    if scratch is not None and start.self_test is not None:
        # A test must see the window as it is at first, whatever the user did to it.
        settings = Settings(scratch.folder / "window.ini")
    THEME.apply(app, settings.get(keys.THEME))
    window = make_window(settings)
    show_at_once(window)
    from app.bootstrap.program import Program
    from app.presenters.preferences import engine_from
    from carl_core.video.heap import keep_freed_memory

    keep_freed_memory()
    program = Program(
        window=window,
        make_engine=engine_from(settings, start.model),
        settings=settings,
        reporter=reporter,
        recent=recent,
        state=scratch.folder if scratch is not None else None,
    )
    if instance is not None and instance.listen():
        instance.received.connect(program.take_files)
    watchdog = LoopWatchdog(program)
    try:
        with ExitStack() as ahead:
            code = _run(app, program, watchdog, start, ahead)
    finally:
        if instance is not None:
            instance.close()
        watchdog.stop()
        program.close()
        hooks.remove()
        if file_log is not None:
            logging.getLogger("carl").removeHandler(file_log)
            file_log.close()
        if scratch is not None:
            scratch.remove()
    if program.jobs.is_stuck:
        # Python would wait for that thread for ever; all is saved, and nothing can end it.
        logging.shutdown()
        os._exit(code)
    return code


def _run(
    app: QApplication, program: Program, watchdog: LoopWatchdog, start: Start, ahead: ExitStack
) -> int:
    # Ctrl-C in the terminal closes the window; Python sees signals only between its own steps.
    signal.signal(signal.SIGINT, lambda *_args: app.quit())
    ticking = QTimer()
    ticking.start(250)
    ticking.timeout.connect(lambda: None)
    # Workers give way to the event loop sooner than Python's 5 ms.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    program.show()
    app.processEvents()
    import_engine()  # from here on nothing holds the window
    with suppress(ImportError):
        # heavy: numba, which is imported by now
        from carl_core.alignment.warming import warming

        ahead.enter_context(warming())
    watchdog.start()
    if start.is_demo:
        program.open_demo()
    if start.files:
        program.opening.add_paths(start.files)
    if start.self_test is None:
        return app.exec()
    from app.bootstrap.selftest import FAULT, SelfTest

    test = SelfTest(program, start.files, start.self_test, limit_s=start.limit_s)
    codes: list[int] = []

    def on_finished(code: int) -> None:
        codes.append(code)
        app.quit()

    test.finished.connect(on_finished)
    test.start()
    app.exec()
    sys.stdout.write(test.text() + "\n")
    sys.stdout.flush()
    if codes and codes[0] != 0:
        sys.stderr.write(f"carl-gui: {test.report.get('error', '')}\n")
    return codes[0] if codes else FAULT
