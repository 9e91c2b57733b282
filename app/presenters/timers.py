"""Timers that wait until the user rests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer

if TYPE_CHECKING:
    from collections.abc import Callable


def single_shot(parent: QObject, delay_ms: int, slot: Callable[[], None]) -> QTimer:
    """Return a timer that calls ``slot`` once, ``delay_ms`` after its last start."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setTimerType(Qt.TimerType.CoarseTimer)
    timer.setInterval(delay_ms)
    timer.timeout.connect(slot)
    return timer
