"""The project in the window: one value, undo, files, recovery, missing recordings."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QMessageBox

from app.actions import ActionId
from app.models.project import ProjectModel
from carl_core.errors import ProjectError
from carl_core.project import edits, files
from carl_core.project.project import Anchor, Loop, Media, Moment, Project, View
from tests.app.conftest import wait_settled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program


def loop(start_s: float) -> Callable[[Project], Project]:
    return lambda p: edits.set_loop(p, Loop(start_s=start_s, end_s=100))


def test_every_edit_is_one_step(qtbot: QtBot) -> None:
    model = ProjectModel()
    seen: list[tuple[Project, Project]] = []
    model.changed.connect(lambda before, after: seen.append((before, after)))
    assert model.edit("one", loop(1))
    assert not model.edit("again", loop(1))
    assert model.edit("two", loop(2))
    assert (model.stack.count(), model.stack.undoText()) == (2, "two")
    model.stack.undo()
    assert model.project.loop == Loop(start_s=1, end_s=100)
    model.stack.undo()
    assert model.project == Project()
    model.stack.redo()
    assert len(seen) == 5
    assert all(b[1] == a[0] for b, a in itertools.pairwise(seen))


def test_a_drag_is_one_step_and_none_when_it_ends_where_it_began(qtbot: QtBot) -> None:
    model = ProjectModel()
    model.edit("set", loop(1))
    for k in (2, 3, 4):
        model.edit("drag", loop(k), merge="drag")
    model.end_merge()
    model.edit("drag", loop(5), merge="drag")
    assert model.stack.count() == 3
    model.stack.undo()
    model.stack.undo()
    assert model.project.loop == Loop(start_s=1, end_s=100)
    model.edit("drag", loop(2), merge="x")
    model.edit("drag", loop(1), merge="x")
    assert (model.project.loop, model.stack.undoText()) == (Loop(start_s=1, end_s=100), "set")


def test_how_pictures_are_shown_is_no_step_and_outlives_undo(qtbot: QtBot) -> None:
    model = ProjectModel()
    model.edit("set", loop(1))
    model.set_view(View(mode="wipe"))
    model.stack.undo()
    assert model.project == Project(view=View(mode="wipe"))


def test_an_edit_that_makes_no_sense_changes_nothing(qtbot: QtBot) -> None:
    model = ProjectModel()
    with pytest.raises(ProjectError):
        model.edit("x", lambda p: edits.set_reference(p, "x"))
    assert model.stack.count() == 0


def test_opening_files_alone_is_no_work_to_ask_about(qtbot: QtBot) -> None:
    model = ProjectModel()
    media = [Media(id=k, path=f"/{k}.mp4") for k in "ab"]
    model.edit("add", lambda p: edits.add_recordings(p, media))
    assert model.is_saved
    assert not model.is_in_file
    pin(model)
    assert not model.is_saved


def pin(model: ProjectModel, one_s: float = 1.0, other_s: float = 1.2) -> None:
    one, other = (m.id for m in model.project.recordings[:2])
    anchor = Anchor(
        first=Moment(recording=one, pts=round(one_s * 12800), time_s=one_s),
        second=Moment(recording=other, pts=round(other_s * 12800), time_s=other_s),
    )
    model.edit("pin", lambda p: edits.add_anchor(p, anchor))


# The whole window -----------------------------------------------------------------------------


def test_undo_of_adding_and_removing_recordings(
    aligned: Program, videos: list[Path], qtbot: QtBot
) -> None:
    session, stack = aligned.session, aligned.project.stack
    names = [e.recording.name for e in session.entries]
    stack.undo()
    assert not session.entries
    stack.redo()
    wait_settled(qtbot, aligned, 2)
    assert [e.recording.name for e in session.entries] == names
    session.set_active(session.entries[0].id)
    aligned._remove_active()
    assert [e.recording.name for e in session.entries] == names[1:]
    assert session.reference_id == session.entries[0].id
    stack.undo()
    wait_settled(qtbot, aligned, 2)
    assert [(e.recording.name, e.letter) for e in session.entries] == [
        (names[0], "A"),
        (names[1], "B"),
    ]
    assert session.reference_id == session.entries[0].id
    assert session.entries[1].alignment is not None


def test_a_pin_realigns_its_pair_and_undo_takes_it_back(aligned: Program, qtbot: QtBot) -> None:
    other = aligned.session.others[0].id

    def at_one() -> float:
        entry = aligned.session.entry(other)
        assert entry is not None
        assert entry.alignment is not None
        return float(entry.alignment.time_map(1.0))

    before = at_one()
    pin(aligned.project, 1.0, 1.2)
    assert aligned.session.entry(other).alignment is not None  # type: ignore[union-attr]
    wait_settled(qtbot, aligned, 2)
    assert at_one() == pytest.approx(1.2, abs=0.03)
    aligned.project.stack.undo()
    wait_settled(qtbot, aligned, 2)
    assert at_one() == pytest.approx(before, abs=1e-6)


def test_save_and_open_again(
    aligned: Program, make_program: Callable[..., Program], tmp_path: Path, qtbot: QtBot
) -> None:
    pin(aligned.project)
    assert aligned.window.isWindowModified()
    path = tmp_path / "mine.carl"
    aligned.files.save()
    dialog = next(d for d in aligned.window.findChildren(QFileDialog) if d.isVisible())
    dialog.selectFile(str(path))
    dialog.accept()
    qtbot.waitUntil(lambda: aligned.project.is_in_file)
    assert aligned.window.windowTitle().startswith("mine")
    assert not aligned.window.isWindowModified()
    saved = aligned.project.project

    second = make_program()
    second.opening.add_paths([path])
    qtbot.waitUntil(lambda: second.project.path == path)
    wait_settled(qtbot, second, 2)
    assert second.project.project == saved
    assert second.project.is_in_file
    assert second.session.others[0].alignment is not None
    assert second.session.others[0].alignment.anchors
    assert second.project.stack.count() == 0


def test_unsaved_work_is_asked_about_and_kept_on_cancel(
    aligned: Program, tmp_path: Path, qtbot: QtBot
) -> None:
    pin(aligned.project)
    for answer, left in (("Cancel", 2), ("Discard", 0)):
        aligned.files.new()
        box = next(b for b in aligned.window.findChildren(QMessageBox) if b.isVisible())
        box.button(QMessageBox.StandardButton[answer]).click()
        QApplication.processEvents()
        assert len(aligned.session.entries) == left
    assert aligned.project.is_in_file


def test_work_of_a_window_that_crashed_is_offered(
    make_program: Callable[..., Program], videos: list[Path], tmp_path: Path, qtbot: QtBot
) -> None:
    first = make_program()
    first.opening.add_paths(videos[:2])
    wait_settled(qtbot, first, 2)
    pin(first.project)
    state = tmp_path / "state" / "unsaved"
    qtbot.waitUntil(lambda: any(state.glob("*.autosave")), timeout=10_000)
    qtbot.waitUntil(
        lambda: bool(files.read_autosave(next(state.glob("*.autosave"))).project.anchors)
    )
    kept = first.project.project
    text = next(state.glob("*.autosave")).read_text()
    first.close()
    assert not any(state.glob("*.autosave"))  # it ended properly
    # As a crash leaves it: the process is gone, the file is there.
    crashed = state / "unsaved-1.carl.autosave"
    crashed.write_text(json.dumps(json.loads(text) | {"process": 2**22 + 7}))

    second = make_program()
    qtbot.waitUntil(lambda: bool(second.window.banner.messages))
    (message,) = second.window.banner.messages
    assert "did not end properly" in message.text
    assert "2 recordings" in message.text
    message.choices[0].action()
    wait_settled(qtbot, second, 2)
    assert second.project.project.anchors == kept.anchors
    assert not second.project.is_in_file


def test_a_project_with_missing_recordings_opens_and_finds_them(
    make_program: Callable[..., Program], videos: list[Path], tmp_path: Path, qtbot: QtBot
) -> None:
    import shutil

    here = tmp_path / "here"
    here.mkdir()
    copies = [shutil.copy2(v, here / v.name) for v in videos[:2]]
    first = make_program()
    first.opening.add_paths(copies)
    wait_settled(qtbot, first, 2)
    pin(first.project)
    path = tmp_path / "p.carl"
    first.files._write(path, None)
    qtbot.waitUntil(lambda: first.project.is_in_file)
    there = tmp_path / "there" / "deep"
    there.mkdir(parents=True)
    copies[1].rename(there / "renamed.mp4")

    second = make_program()
    second.files.open(path)
    qtbot.waitUntil(lambda: len(second.session.entries) == 1 and not second.loading.is_busy)
    qtbot.waitUntil(
        lambda: any("Not found: second.mp4" in m.text for m in second.window.banner.messages)
    )
    assert len(second.project.project.anchors) == 1  # nothing is lost
    second.files.look_for_missing(tmp_path / "there")
    wait_settled(qtbot, second, 2)
    assert second.project.project.recordings[1].path == str(there / "renamed.mp4")
    assert second.session.others[0].alignment is not None
    assert not second.project.is_in_file  # the new place is to be saved


def test_a_damaged_project_is_a_message(aligned: Program, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "bad.carl"
    path.write_text("{")
    aligned.opening.add_paths([path])
    qtbot.waitUntil(lambda: bool(aligned.window.banner.messages))
    assert "cannot be used" in aligned.window.banner.messages[0].text
    assert len(aligned.session.entries) == 2


def test_recent_projects_are_listed_with_pictures(
    aligned: Program, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "mine.carl"
    aligned.files._write(path, None)
    qtbot.waitUntil(lambda: aligned.project.is_in_file)
    recent = aligned.files._recent
    assert recent.paths() == (path,)
    qtbot.waitUntil(lambda: recent.picture_of(path).is_file())
    page = aligned.window.empty
    qtbot.waitUntil(lambda: page.recent.count() == 1 and recent.listed()[0].picture is not None)
    assert page.recent.item(0).text() == "mine"
    path.unlink()
    aligned.files.open(path)
    qtbot.waitUntil(lambda: "cannot be read" in str(aligned.window.banner.messages))
    qtbot.waitUntil(lambda: page.recent.item(0).text() == "mine (not found)")
    page.forget_requested.emit(path)
    qtbot.waitUntil(lambda: page.recent.count() == 0)
    assert not recent.picture_of(path).exists()


def test_recent_projects_open_and_go_by_command(
    make_program: Callable[..., Program], tmp_path: Path, qtbot: QtBot
) -> None:
    program = make_program()
    program.show()
    program.actions[ActionId.RECENT_OPEN].trigger()
    assert "No project" in program.window.banner.messages[0].text
    for name in ("older", "newer"):
        path = tmp_path / f"{name}.carl"
        files.write_project(path, Project())
        program.files._note_recent(path)
    page = program.window.empty
    qtbot.waitUntil(lambda: page.recent.count() == 2)
    program.actions[ActionId.RECENT_FORGET].trigger()
    assert "Choose a project" in program.window.banner.messages[0].text
    program.actions[ActionId.RECENT_OPEN].trigger()
    qtbot.waitUntil(lambda: program.files.name == "newer")
    older = page.recent.item(1)
    page.recent.customContextMenuRequested.emit(page.recent.visualItemRect(older).center())
    menu = page.findChild(QMenu, "recent-menu")
    assert isinstance(menu, QMenu)
    assert [program.actions[w] for w in (ActionId.RECENT_OPEN, ActionId.RECENT_FORGET)] == (
        menu.actions()
    )
    menu.close()
    program.actions[ActionId.RECENT_FORGET].trigger()
    qtbot.waitUntil(lambda: page.recent.count() == 1)
    assert page.recent.item(0).text() == "newer"


@pytest.mark.parametrize(("answer", "is_open"), [("Cancel", True), ("Discard", False)])
def test_closing_asks_about_unsaved_work(
    aligned: Program, qtbot: QtBot, answer: str, is_open: bool
) -> None:
    pin(aligned.project)
    wait_settled(qtbot, aligned, 2)
    aligned.window.close()
    assert aligned.window.isVisible()
    box = next(b for b in aligned.window.findChildren(QMessageBox) if b.isVisible())
    box.button(QMessageBox.StandardButton[answer]).click()
    qtbot.waitUntil(lambda: aligned.window.isVisible() is is_open)
