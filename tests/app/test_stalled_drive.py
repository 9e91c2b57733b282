"""A drive that does not answer: the window lives, says so, and opens other recordings."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from carl_core import waiting
from carl_core.video import recording as module
from tests.app.conftest import wait_settled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program


def test_the_window_says_that_a_drive_does_not_answer(
    make_program: Callable[..., Program],
    videos: list[Path],
    tmp_path: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = threading.Event()
    check = module.check_file

    def stalled(path: Path) -> os.stat_result:
        if path.name == "far.mp4":
            answers.wait()
        return check(path)

    is_folder = os.path.isdir

    def asked(path: str | os.PathLike[str]) -> bool:
        if str(path).endswith("far.mp4"):
            answers.wait()
        return is_folder(path)

    monkeypatch.setattr(module, "check_file", stalled)
    monkeypatch.setattr(waiting, "ANSWER_S", 1.0)
    monkeypatch.setattr(os.path, "isdir", asked)
    try:
        program = make_program()
        told: list[str] = []
        program.reporter.reported.connect(lambda message: told.append(message.text))
        program.opening.add_paths([tmp_path / "far.mp4"])
        program.opening.add_paths(videos[:2])
        turns = [0]

        def turned() -> bool:
            turns[0] += 1
            return any("its drive does not answer" in text for text in told)

        qtbot.waitUntil(turned, timeout=60_000)
        assert turns[0] > 20  # the event loop turned all the while
        wait_settled(qtbot, program, 2)
    finally:
        answers.set()
