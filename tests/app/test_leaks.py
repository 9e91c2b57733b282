"""The fixture that every test of the window has sees what is left behind."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QThread, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from tests.app import leaks

if TYPE_CHECKING:
    import pytest


def left(monkeypatch: pytest.MonkeyPatch, before: leaks.Living) -> str:
    monkeypatch.setattr(leaks, "PATIENCE_S", 0.0)
    return "; ".join(leaks.what_is_left(before))


def test_a_hidden_window_is_seen_until_it_is_deleted(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = leaks.what_lives()
    window = QWidget()
    window.setObjectName("forgotten")
    assert left(monkeypatch, before) == "window QWidget 'forgotten' (hidden)"
    window.deleteLater()
    assert left(monkeypatch, before) == ""


def test_a_ticking_timer_is_seen_until_it_stops(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = leaks.what_lives()
    owner = QObject()
    timer = QTimer(owner)
    timer.start(1000)
    assert left(monkeypatch, before) == "running QTimer '' of QObject"
    timer.stop()
    assert left(monkeypatch, before) == ""


def test_threads_of_both_kinds_are_seen_until_they_end(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = leaks.what_lives()
    go = threading.Event()
    thread = threading.Thread(target=go.wait, name="forgotten")
    thread.start()
    qt_thread = QThread()
    qt_thread.start()
    seen = left(monkeypatch, before)
    assert "thread 'forgotten'" in seen
    assert "running QThread" in seen
    go.set()
    thread.join()
    qt_thread.quit()
    qt_thread.wait()
    assert left(monkeypatch, before) == ""
