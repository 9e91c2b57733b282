"""A whole session, as a coach has it: from dropped files to a crash and back."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QMessageBox, QPushButton

from app.actions import ActionId
from app.models.engine import engine_maker
from app.models.exporting import ExportChoice
from carl_core.export.labels import read_labels
from carl_core.project.files import autosave_path, read_autosave
from carl_core.video.recording import open_recording
from tests.app.conftest import wait_settled
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.videos import make_video

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program


def drop(program: Program, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    event = QDropEvent(
        QPointF(200, 200),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    program.window.dropEvent(event)


def test_from_dropped_files_to_a_crash_and_back(
    make_program: Callable[..., Program], qtbot: QtBot, tmp_path: Path
) -> None:
    first = make_video(tmp_path / "first.mp4", frames=120, fps=30, size=(160, 120))
    second = make_video(
        tmp_path / "second.mp4", frames=100, fps=30, size=(160, 120), numbers=range(20, 120)
    )
    model = make_tiny_encoder(tmp_path / "tiny.onnx")
    program = make_program(engine_maker(model)())
    actions, player = program.actions, program.player

    # Drop, align: no click.
    drop(program, first, second)
    wait_settled(qtbot, program, 2)
    one, two = program.session.entries
    assert two.is_mapped

    # Play and seek: in step, frame on frame.
    actions[ActionId.PLAY].trigger()
    qtbot.waitUntil(lambda: player.clock.time_s > 0.2)
    actions[ActionId.PLAY].trigger()
    player.seek(2.0)
    qtbot.waitUntil(lambda: player.is_up_to_date)
    pair = player.frame_due(one.id), player.frame_due(two.id)
    assert pair[0] == 60
    assert pair[1] == pytest.approx(40, abs=2)

    # Nudge and pin, then take it back.
    program.session.set_active(two.id)
    actions[ActionId.NUDGE_FORWARD_TEN].trigger()
    actions[ActionId.PIN].trigger()
    assert len(program.project.project.anchors) == 1
    wait_settled(qtbot, program, 2)
    assert player.frame_due(two.id) == pytest.approx(pair[1] + 10, abs=1)
    actions[ActionId.UNDO].trigger()
    wait_settled(qtbot, program, 2)
    assert player.frame_due(two.id) == pytest.approx(pair[1], abs=1)

    # Search.
    program.session.set_active(one.id)
    actions[ActionId.FIND_FRAME].trigger()
    qtbot.waitUntil(lambda: bool(program.window.search.model.matches), timeout=20_000)
    best = program.window.search.model.matches[0]
    assert best.frame == pytest.approx(40, abs=3)
    qtbot.waitUntil(lambda: not program.jobs.is_active("search"), timeout=20_000)

    # Mark, carry over, accept.
    actions[ActionId.MARK].trigger()
    button = program.window.markers.findChild(QPushButton, "markers-accept")
    assert isinstance(button, QPushButton)
    button.click()
    assert {m.recording for m in program.project.project.markers} == {one.id, two.id}

    # Export: video and markers.
    program.exporting.exporting.write(ExportChoice(height=120), tmp_path / "both.mp4")
    qtbot.waitUntil(lambda: not program.jobs.is_active("export"), timeout=60_000)
    assert len(open_recording(tmp_path / "both.mp4").index) > 60
    marks = tmp_path / "marks.eaf"
    program.marking.marker_files.write(marks)
    qtbot.waitUntil(lambda: marks.exists() and not program.jobs.is_active("labels"))
    assert {label.recording for label in read_labels(marks)} == {"first.mp4", "second.mp4"}

    # Save, go on working, crash: the work is offered, and is there again.
    path = tmp_path / "swing.carl"
    program.project.set_path(path)
    program.files.save()
    qtbot.waitUntil(lambda: path.exists() and program.project.is_saved)
    autosave = autosave_path(path, tmp_path / "state" / "unsaved")
    actions[ActionId.PIN].trigger()
    wait_settled(qtbot, program, 2)
    kept = program.project.project
    qtbot.waitUntil(
        lambda: autosave.exists() and bool(read_autosave(autosave).project.anchors), timeout=15_000
    )
    text = autosave.read_text()
    program.close()
    # As a crash leaves it: the process is gone, the file is there.
    autosave.write_text(json.dumps(json.loads(text) | {"process": 2**22 + 7}))

    again = make_program(engine_maker(model)())
    qtbot.waitUntil(lambda: bool(again.window.banner.messages), timeout=10_000)
    recover = next(
        c for m in again.window.banner.messages for c in m.choices if c.text == "Recover"
    )
    recover.action()
    wait_settled(qtbot, again, 2)
    assert again.project.project.anchors == kept.anchors
    assert again.project.project.markers == kept.markers
    assert not again.project.is_saved

    # And the saved project opens as it was saved.
    again.files.open(path)
    box = again.window.findChild(QMessageBox, "ask-unsaved")
    assert box is not None
    box.button(QMessageBox.StandardButton.Discard).click()
    qtbot.waitUntil(lambda: again.project.is_in_file and not again.project.project.anchors)
    wait_settled(qtbot, again, 2)
    assert len(again.project.project.markers) == 2


def test_work_of_a_window_that_was_killed_is_offered_and_comes_back(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot, tmp_path: Path
) -> None:
    """A real process, killed without a chance to tidy up."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.app.crash_child", tmp_path / "state", *videos[:2]],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        said = child.stdout.readline()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert said == "kept\n"
    program = make_program()
    qtbot.waitUntil(lambda: bool(program.window.banner.messages), timeout=20_000)
    (message,) = program.window.banner.messages
    assert "did not end properly" in message.text
    message.choices[0].action()
    wait_settled(qtbot, program, 2)
    assert [m.name for m in program.project.project.markers] == ["Marker 1"]
    assert program.session.entries[1].is_mapped
    assert not program.project.is_saved
