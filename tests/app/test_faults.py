from __future__ import annotations

import logging
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QTimer

from app.faults.hooks import Hooks, log_to_file
from app.faults.log import RecentRecords
from app.faults.messages import Message, Reporter, Severity, describe
from app.faults.private import without_paths
from app.faults.watchdog import LoopWatchdog
from carl_core.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot


def _raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_our_errors_speak_for_themselves() -> None:
    message = describe(_raised(ModelError("x.onnx is not one of ours. Choose another.")))
    assert message.text == "x.onnx is not one of ours. Choose another."
    assert message.severity is Severity.ERROR


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("division by zero"),
        MemoryError(),
        PermissionError(13, "Permission denied", "/x"),
    ],
)
def test_other_errors_become_sentences_with_the_traceback_folded_away(error: Exception) -> None:
    message = describe(_raised(error))
    assert message.text.endswith(".")
    assert "Traceback" not in message.text
    assert "Traceback" in message.details


def test_uncaught_exceptions_reach_the_banner_from_any_thread(
    qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    # Put back after it: records that pytest keeps hold exceptions, these the callers' frames.
    caplog.set_level(logging.INFO, "carl")
    reporter, recent = Reporter(), RecentRecords()
    messages: list[Message] = []
    reporter.reported.connect(messages.append)
    hooks = Hooks(reporter, recent)
    before = sys.excepthook
    hooks.install()
    try:
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError as error:
            sys.excepthook(type(error), error, error.__traceback__)

        def broken() -> None:
            raise RuntimeError("in a thread")

        thread = threading.Thread(target=broken)
        thread.start()
        thread.join()
        qtbot.waitUntil(lambda: len(messages) == 2)
    finally:
        hooks.remove()
    assert sys.excepthook is before
    assert "ZeroDivisionError" in messages[0].text
    assert "RuntimeError" in messages[1].text
    assert "in a thread" in recent.text()


def test_an_unwritable_log_folder_is_no_fault(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert log_to_file(blocked / "below") is None


def test_watchdog_trips_when_the_loop_is_held_and_prints_the_stack(
    qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    watchdog = LoopWatchdog()
    watchdog.start()

    def hold_the_loop() -> None:
        time.sleep(0.8)

    try:
        QTimer.singleShot(50, hold_the_loop)
        qtbot.waitUntil(lambda: bool(watchdog.stalls), timeout=5000)
    finally:
        watchdog.stop()
    assert watchdog.stalls[0].held_s > 0.5
    assert "hold_the_loop" in watchdog.stalls[0].stack
    assert "hold_the_loop" in caplog.text


def test_watchdog_is_quiet_when_the_loop_runs(qtbot: QtBot) -> None:
    watchdog = LoopWatchdog()
    watchdog.start()
    qtbot.wait(300)
    watchdog.stop()
    assert not watchdog.stalls
    assert len(watchdog.delays_s) > 5


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("cannot read /home/anna/My Videos/swing 1.mp4: damaged", "cannot read (file): damaged"),
        ("C:\\Users\\Anna\\clip.MOV is gone", "(file) is gone"),
        ("cache in ~/.cache/carl is full", "cache in (file) is full"),
        ("“swing 1.mp4” is open as anna.mp4", "(file) is open as (file)"),
        (
            "seek from 310 to key 300 at 12.5/s, 3/4 done",
            "seek from 310 to key 300 at 12.5/s, 3/4 done",
        ),
        ("2026-11-28 12:00:01,5 INFO carl.play late", "2026-11-28 12:00:01,5 INFO carl.play late"),
    ],
)
def test_reports_hold_no_paths(line: str, shown: str) -> None:
    assert without_paths(line) == shown


def test_what_is_open_keeps_its_letter() -> None:
    names = [("/a b/c.mp4", "(recording A)"), ("c.mp4", "(recording A)")]
    assert without_paths("c.mp4 in /a b/c.mp4", names) == "(recording A) in (recording A)"
