"""What is on the screen first: the application and an empty window, with nothing else imported."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from PySide6.QtCore import QEventLoop
from PySide6.QtGui import QIcon, QPixmapCache
from PySide6.QtWidgets import QApplication

from app import settings as keys
from app.views.main_window import MainWindow
from carl_core.assets import asset_path
from carl_core.errors import CarlError

if TYPE_CHECKING:
    from app.settings import Settings

PIXMAPS_KB = 4 * 1024
"""What Qt keeps of scaled icons: those of lists that come and go would fill any room."""


def make_application() -> QApplication:
    """Make the one ``QApplication`` with name and theme."""
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("carl")
    app.setApplicationDisplayName("CARL")
    app.setDesktopFileName("carl")
    QPixmapCache.setCacheLimit(PIXMAPS_KB)
    with suppress(CarlError):  # an incomplete installation says so where it matters
        app.setWindowIcon(QIcon(str(asset_path("icons/carl.svg"))))
    return app


def make_window(settings: Settings) -> MainWindow:
    """Make the window, empty and where it was the last time; ``Program`` furnishes it."""
    window = MainWindow()
    geometry = settings.get(keys.GEOMETRY)
    if not geometry.isEmpty():
        window.restoreGeometry(geometry)
    return window


def show_at_once(window: MainWindow) -> None:
    """Put the window on the screen, painted; nothing answers yet."""
    window.show()
    QApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
