"""What a test of the window must not leave behind."""

from __future__ import annotations

import gc
import threading
import time
from dataclasses import dataclass

import shiboken6
from PySide6.QtCore import QAbstractAnimation, QCoreApplication, QEvent, QObject, QThread, QTimer
from PySide6.QtWidgets import QApplication, QWidget

PATIENCE_S = 5.0
"""Threads that were asked to end get this long."""


@dataclass(frozen=True)
class Living:
    """What is there at one moment. Objects are held, so that no other gets their address."""

    widgets: tuple[QWidget, ...]
    threads: tuple[threading.Thread, ...]
    busy: tuple[QObject, ...]


def what_lives() -> Living:
    """Look at windows (hidden ones too), threads, running timers, animations and Qt threads."""
    return Living(
        tuple(w for w in QApplication.topLevelWidgets() if shiboken6.isValid(w)),
        tuple(threading.enumerate()),
        tuple(o for o in shiboken6.getAllValidWrappers() if _is_busy(o)),
    )


def what_is_left(before: Living) -> list[str]:
    """Name what came since and did not go; whoever is on the way out is waited for."""
    until = time.monotonic() + PATIENCE_S
    while True:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        gc.collect()
        left = _came(before, what_lives())
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.02)


def _came(before: Living, now: Living) -> list[str]:
    known = {id(o) for o in (*before.widgets, *before.threads, *before.busy)}
    widgets = [w for w in now.widgets if id(w) not in known]
    return [
        *(f"window {_name(w)}{' (hidden)' if w.isHidden() else ''}" for w in widgets),
        *(f"thread {t.name!r}" for t in now.threads if id(t) not in known and t.is_alive()),
        *(f"running {_name(o)}" for o in now.busy if id(o) not in known),
    ]


def _is_busy(thing: object) -> bool:
    if isinstance(thing, QTimer):
        return thing.isActive()
    if isinstance(thing, QThread):
        return thing.isRunning() and thing is not QCoreApplication.instance().thread()
    if isinstance(thing, QAbstractAnimation):
        return thing.state() is QAbstractAnimation.State.Running
    return False


def _name(thing: QObject) -> str:
    parent = thing.parent()
    of = f" of {type(parent).__name__}" if parent is not None else ""
    return f"{type(thing).__name__} {thing.objectName()!r}{of}"
