"""A search of everything that was ever embedded, from the window."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox

from app.actions import ActionId
from app.models.engine import engine_maker
from carl_core.pipeline import Engine
from carl_core.retrieval.mapping import thread_count, threads
from carl_core.video.image import write_png
from tests.app.conftest import wait_settled
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.videos import draw_frame, make_video

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program


@pytest.fixture(autouse=True, scope="module")
def _scan_threads() -> None:
    """Start the threads that all searches of a process share: no test leaves them behind."""
    gate = threading.Barrier(thread_count() + 1)
    started = [threads().submit(gate.wait, 20) for _ in range(thread_count())]
    gate.wait(20)
    for one in started:
        one.result()


@pytest.fixture
def everywhere(
    make_program: Callable[..., Program],
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Program:
    """Two recordings are open, a third was embedded before; the box is ticked, F was pressed."""
    monkeypatch.setenv("CARL_CACHE", str(tmp_path / "cache"))
    paths = [
        make_video(tmp_path / name, frames=count, fps=30, size=(160, 120), numbers=numbers)
        for name, count, numbers in (
            ("first.mp4", 120, range(120)),
            ("second.mp4", 60, range(200, 260)),
            ("elsewhere.mp4", 100, range(20, 120)),
        )
    ]
    model = make_tiny_encoder(tmp_path / "tiny.onnx")
    engine = Engine(model=model)
    engine.embed(engine.open(paths[2]))
    program = make_program(engine_maker(model)())
    program.opening.add_paths(paths[:2])
    wait_settled(qtbot, program, 2)
    program.player.seek(2.0)
    qtbot.waitUntil(lambda: program.player.is_up_to_date)
    box = program.window.search.findChild(QCheckBox, "search-scope")
    assert box is not None
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton)
    assert program.actions[ActionId.FIND_EVERYWHERE].isChecked()
    program.actions[ActionId.FIND_FRAME].trigger()
    qtbot.waitUntil(lambda: bool(program.window.search.model.matches), timeout=20_000)
    qtbot.waitUntil(lambda: not program.jobs.is_active("search"), timeout=20_000)
    return program


def test_a_moment_of_a_recording_that_is_not_open_is_found_shown_and_opened(
    everywhere: Program, qtbot: QtBot
) -> None:
    panel, session = everywhere.window.search, everywhere.session
    best = panel.model.matches[0]
    assert (best.letter, best.name) == ("", "elsewhere.mp4")
    assert best.time_s == pytest.approx(2.0 - 20 / 30, abs=0.2)
    assert best.picture is not None
    assert session.reference_id not in {m.recording_id for m in panel.model.matches}
    panel.list.setFocus()
    qtbot.keyClick(panel, Qt.Key.Key_A)  # nothing to pin yet
    assert not everywhere.project.project.anchors
    assert "not open yet" in "\n".join(m.text for m in everywhere.window.banner.messages)
    panel.list.activated.emit(panel.list.currentIndex())
    qtbot.waitUntil(lambda: len(session.entries) == 3, timeout=20_000)
    assert session.active_id == best.recording_id
    wait_settled(qtbot, everywhere, 3)
    qtbot.waitUntil(lambda: best.recording_id in everywhere.player.shown, timeout=20_000)
    qtbot.waitUntil(lambda: everywhere.player.is_up_to_date)
    shown = everywhere.player.shown[best.recording_id]
    assert shown.time_s == pytest.approx(best.time_s, abs=0.05)
    assert panel.model.matches  # what was found stays
    everywhere.player.seek(0.5)  # whoever moves is not taken back
    everywhere.session.schedule_changed.emit()
    assert everywhere.player.clock.time_s == pytest.approx(0.5, abs=0.05)


def test_without_the_box_only_open_recordings_are_searched(
    everywhere: Program, qtbot: QtBot
) -> None:
    panel = everywhere.window.search
    everywhere.actions[ActionId.FIND_EVERYWHERE].trigger()
    qtbot.waitUntil(lambda: not everywhere.jobs.is_active("search"), timeout=20_000)
    qtbot.waitUntil(lambda: {m.letter for m in panel.model.matches} == {"B"}, timeout=20_000)
    box = panel.findChild(QCheckBox, "search-scope")
    assert box is not None
    assert not box.isChecked()


def test_a_picture_is_looked_for_in_everything(
    everywhere: Program, qtbot: QtBot, tmp_path: Path
) -> None:
    write_png(tmp_path / "query.png", draw_frame(90))  # in the first recording, and elsewhere
    everywhere.window.files_dropped.emit([tmp_path / "query.png"])
    panel = everywhere.window.search
    qtbot.waitUntil(lambda: panel.query.texts == ("query.png",), timeout=20_000)
    qtbot.waitUntil(lambda: not everywhere.jobs.is_active("search"), timeout=20_000)
    best = {match.name: match for match in reversed(panel.model.matches)}
    assert best["first.mp4"].time_s == pytest.approx(90 / 30, abs=0.11)
    assert best["elsewhere.mp4"].time_s == pytest.approx(70 / 30, abs=0.11)
    assert best["elsewhere.mp4"].picture is not None
    everywhere.actions[ActionId.FIND_EVERYWHERE].trigger()
    qtbot.waitUntil(lambda: bool({m.letter for m in panel.model.matches}), timeout=20_000)
    qtbot.waitUntil(lambda: not everywhere.jobs.is_active("search"), timeout=20_000)
    assert {m.letter for m in panel.model.matches} <= {"A", "B"}


def test_a_picture_is_found_in_everything_with_no_recording_open(
    everywhere: Program, qtbot: QtBot
) -> None:
    panel, search = everywhere.window.search, everywhere.finding.search
    everywhere.actions[ActionId.CLOSE_ALL].trigger()
    qtbot.waitUntil(lambda: not everywhere.session.entries)
    assert not panel.model.matches
    search.find_pixels("pasted", draw_frame(90))
    qtbot.waitUntil(lambda: bool(panel.model.matches), timeout=20_000)
    qtbot.waitUntil(lambda: not everywhere.jobs.is_active("search"), timeout=20_000)
    assert {"first.mp4", "elsewhere.mp4"} <= {match.name for match in panel.model.matches}
    assert panel.isVisible()
    everywhere.actions[ActionId.FIND_EVERYWHERE].trigger()  # there is nothing to search in now
    assert not panel.model.matches
