"""The last border: uncaught exceptions become a message and a log record, never a traceback."""

from __future__ import annotations

import faulthandler
import logging
import sys
import threading
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

from app.faults.messages import Reporter, describe

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from app.faults.log import RecentRecords

log = logging.getLogger("carl.window")

_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}

# Qt says these on screens without a window manager or a desktop; nobody can act on them.
_NOISE = ("This plugin does not support", "propagateSizeHints", "QFont::setPointSize")


class Hooks:
    """Holds Python's and Qt's hooks for what nobody caught, until ``remove``."""

    def __init__(self, reporter: Reporter, recent: RecentRecords) -> None:
        self._reporter = reporter
        self._recent = recent
        self._is_installed = False

    def install(self) -> None:
        """Take over. The previous hooks come back with ``remove``."""
        self._previous = sys.excepthook
        self._previous_thread = threading.excepthook
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread_exception
        qInstallMessageHandler(on_qt_message)
        logging.getLogger("carl").addHandler(self._recent)
        if sys.stderr is not None and not faulthandler.is_enabled():
            faulthandler.enable()
        self._is_installed = True

    def remove(self) -> None:
        """Give everything back."""
        if not self._is_installed:
            return
        self._is_installed = False
        sys.excepthook = self._previous
        threading.excepthook = self._previous_thread
        qInstallMessageHandler(None)
        logging.getLogger("carl").removeHandler(self._recent)

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt | SystemExit):
            self._previous(kind, error, trace)
            return
        log.error("uncaught: %s", error, exc_info=(kind, error, trace))
        self._reporter.report(describe(error.with_traceback(trace)))

    def _on_thread_exception(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is None or issubclass(args.exc_type, SystemExit):
            return
        name = args.thread.name if args.thread is not None else "?"
        log.error("uncaught in thread %s: %s", name, args.exc_value, exc_info=args.exc_value)
        self._reporter.report(describe(args.exc_value))


def log_to_file(folder: Path) -> logging.Handler | None:
    """Write the log to ``folder/window.log`` as well; None where that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = RotatingFileHandler(
            folder / "window.log", maxBytes=1_000_000, backupCount=2, encoding="utf-8", delay=True
        )
    except OSError as exc:
        log.warning("no log file in %s: %s", folder, exc)
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.getLogger("carl").addHandler(handler)
    return handler


def on_qt_message(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
    """Put what Qt says into the log."""
    if any(noise in text for noise in _NOISE):
        return
    level = _LEVELS.get(kind, logging.WARNING)
    logging.getLogger("carl.qt").log(level, "%s", text)
