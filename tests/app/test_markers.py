"""Markers and phases in the window: made, carried over, accepted, compared, read, written."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractItemView, QLineEdit, QMenu, QPushButton, QTableWidget

from app.actions import ActionId
from app.bootstrap.marking import MARKER_COMMANDS
from carl_core.export.labels import read_labels

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from app.presenters.marker_files import MarkerFiles
    from app.presenters.markers import MarkersPresenter


def presenter(program: Program) -> MarkersPresenter:
    return program.marking.markers


def files(program: Program) -> MarkerFiles:
    return program.marking.marker_files


def test_a_mark_is_the_frame_shown_and_is_carried_over(aligned: Program, qtbot: QtBot) -> None:
    first, second = aligned.session.entries
    aligned.player.seek(0.8)
    due = aligned.player.frame_due(first.id)
    assert due is not None
    qtbot.keyClick(aligned.window, Qt.Key.Key_M)
    (marker,) = aligned.project.project.markers
    assert marker.start.pts == int(first.recording.index.pts[due])
    (derived,) = presenter(aligned).derived
    frame = aligned.player.frame_due(second.id)
    assert frame is not None
    assert derived.start.pts == int(second.recording.index.pts[frame])
    lines = aligned.window.markers.table.lines
    assert [(line.letter, line.is_derived, line.source) for line in lines] == [
        ("A", False, ""),
        ("B", True, "A"),
    ]
    aligned.project.stack.undo()
    assert not aligned.window.markers.table.lines
    assert not presenter(aligned).derived


def test_fields_for_names_leave_nothing_behind(aligned: Program, qtbot: QtBot) -> None:
    def fields() -> int:
        gc.collect()
        return sum(type(thing) is QLineEdit for thing in gc.get_objects())

    aligned.window.show_markers()
    view = aligned.window.markers.view
    qtbot.waitUntil(view.isVisible)
    before = fields()
    for _ in range(3):
        aligned.actions[ActionId.MARK].trigger()
        assert view.state() is QAbstractItemView.State.EditingState
        aligned.project.stack.undo()
    assert fields() <= before


def test_accepting_makes_it_the_users_own_in_one_step(aligned: Program) -> None:
    aligned.player.seek(0.4)
    aligned.actions[ActionId.MARK].trigger()
    aligned.player.seek(1.2)
    aligned.actions[ActionId.MARK].trigger()
    steps = aligned.project.stack.count()
    button = aligned.window.markers.findChild(QPushButton, "markers-accept")
    assert isinstance(button, QPushButton)
    assert button.text() == "Accept all (2)"
    button.click()
    assert len(aligned.project.project.markers) == 4
    assert not presenter(aligned).derived
    assert aligned.project.stack.count() == steps + 1
    assert [line.source for line in aligned.window.markers.table.lines] == ["", "", "A", "A"]


def test_names_notes_and_colours_are_edited_and_undone(aligned: Program) -> None:
    aligned.actions[ActionId.MARK].trigger()
    panel, table = aligned.window.markers, aligned.window.markers.table
    assert table.setData(table.index(0, 1), "impact")
    assert table.setData(table.index(0, 4), "see the wrist")
    panel.coloured.emit([table.lines[0].id], "#0072b2")
    (marker,) = aligned.project.project.markers
    assert (marker.name, marker.note, marker.colour) == ("impact", "see the wrist", "#0072b2")
    assert presenter(aligned).derived[0].name == "impact"
    assert not table.flags(table.index(1, 1)) & Qt.ItemFlag.ItemIsEditable
    aligned.project.stack.undo()
    aligned.project.stack.undo()
    aligned.project.stack.undo()
    assert aligned.project.project.markers[0].name == "Marker 1"
    panel.removed.emit([table.lines[0].id])
    assert not aligned.project.project.markers


def test_a_marker_is_moved_to_the_frame_shown_and_becomes_a_phase(aligned: Program) -> None:
    first = aligned.session.entries[0]
    index = first.recording.index

    def at(time_s: float, command: ActionId) -> None:
        aligned.player.seek(time_s)
        aligned.actions[command].trigger()

    def ends() -> tuple[int, int | None]:
        (marker,) = aligned.project.project.markers
        return marker.start.pts, marker.end.pts if marker.end else None

    at(0.4, ActionId.MARK)
    at(0.6, ActionId.MARKER_START)
    assert ends() == (int(index.pts[index.frame_shown_at(0.6)]), None)
    at(1.2, ActionId.MARKER_END)
    whole = ends()
    assert whole[1] == int(index.pts[index.frame_shown_at(1.2)])
    at(1.4, ActionId.MARKER_START)  # behind its end: refused in words
    assert ends() == whole
    assert "before it begins" in aligned.window.banner.messages[0].text
    for _ in range(2):
        aligned.project.stack.undo()
    assert ends() == (int(index.pts[index.frame_shown_at(0.4)]), None)


def test_commands_change_the_chosen_markers_or_the_nearest(aligned: Program) -> None:
    for time_s in (0.4, 1.2):
        aligned.player.seek(time_s)
        aligned.actions[ActionId.MARK].trigger()
    panel = aligned.window.markers
    aligned.player.seek(1.1)
    panel.view.clearSelection()
    first, second = aligned.project.project.markers
    assert presenter(aligned).nearest() == second.id
    panel.view.selectRow(0)
    aligned.actions[ActionId.MARKER_COLOUR].trigger()
    menu = panel.findChild(QMenu, "marker-colours")
    assert isinstance(menu, QMenu)
    menu.actions()[4].trigger()
    menu.close()
    assert [m.colour for m in aligned.project.project.markers] == ["#0072b2", second.colour]
    panel.view.clearSelection()
    aligned.actions[ActionId.MARKER_REMOVE].trigger()
    assert aligned.project.project.markers[0].id == first.id
    assert len(aligned.project.project.markers) == 1
    row = next(r for r, line in enumerate(panel.table.lines) if line.is_derived)
    aligned.actions[ActionId.MARKER_ACCEPT].trigger()
    assert "Choose the markers" in aligned.window.banner.messages[0].text
    panel.view.selectRow(row)
    aligned.actions[ActionId.MARKER_ACCEPT].trigger()
    assert len(aligned.project.project.markers) == 2
    assert aligned.project.project.markers[1].derived_from == first.id


def test_the_menu_of_a_marker_has_the_commands_of_the_table(aligned: Program) -> None:
    aligned.actions[ActionId.MARK].trigger()
    panel = aligned.window.markers
    panel.view.selectRow(0)
    panel.view.customContextMenuRequested.emit(QPoint(5, 5))
    menu = panel.findChild(QMenu, "marker-menu")
    assert isinstance(menu, QMenu)
    assert set(MARKER_COMMANDS) <= {w for w, a in aligned.actions.items() if a in menu.actions()}
    menu.close()


def test_renaming_opens_the_name_for_typing(aligned: Program, qtbot: QtBot) -> None:
    aligned.actions[ActionId.MARK].trigger()
    panel = aligned.window.markers
    (first,) = panel.view.viewport().findChildren(QLineEdit)  # a new one is named at once
    qtbot.keyClick(first, Qt.Key.Key_Escape)
    panel.view.clearSelection()
    aligned.actions[ActionId.MARKER_RENAME].trigger()
    editor = panel.view.viewport().findChildren(QLineEdit)[-1]
    editor.setText("impact")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: aligned.project.project.markers[0].name == "impact")


def test_a_phase_is_made_of_in_and_out_and_compared(aligned: Program, qtbot: QtBot) -> None:
    aligned.actions[ActionId.MARK_PHASE].trigger()
    assert "in and out" in "\n".join(m.text for m in aligned.window.banner.messages)
    aligned.player.seek(0.4)
    aligned.actions[ActionId.IN].trigger()
    aligned.player.seek(1.2)
    aligned.actions[ActionId.OUT].trigger()
    aligned.actions[ActionId.MARK_PHASE].trigger()
    (marker,) = aligned.project.project.markers
    assert marker.end is not None
    assert marker.end_s - marker.start.time_s == pytest.approx(0.8, abs=0.041)
    phases = aligned.window.markers.findChild(QTableWidget, "phases")
    assert isinstance(phases, QTableWidget)
    assert phases.rowCount() == 1
    assert "×1.5" in phases.item(0, 2).text()
    button = aligned.window.markers.findChild(QPushButton, "markers-copy")
    assert isinstance(button, QPushButton)
    button.click()
    assert QGuiApplication.clipboard().text().splitlines()[0] == "Phase\tA\tB"
    assert presenter(aligned).phases_text().count("\n") == 3


def test_keys_go_from_marker_to_marker(aligned: Program, qtbot: QtBot) -> None:
    for time_s in (0.4, 1.2):
        aligned.player.seek(time_s)
        aligned.actions[ActionId.MARK].trigger()
    aligned.player.seek(0.0)
    times = []
    for _ in range(3):
        aligned.actions[ActionId.MARKER_NEXT].trigger()
        times.append(aligned.player.clock.time_s)
    assert times == pytest.approx([0.4, 1.2, 1.2], abs=0.01)
    aligned.actions[ActionId.MARKER_PREVIOUS].trigger()
    assert aligned.player.clock.time_s == pytest.approx(0.4, abs=0.01)
    line = aligned.window.markers.table.lines[-1]
    aligned.window.markers.go_wanted.emit(line.id)
    assert aligned.session.active_id == line.recording


@pytest.mark.parametrize("suffix", [".csv", ".json", ".eaf"])
def test_markers_are_written_and_read(
    aligned: Program, qtbot: QtBot, tmp_path: Path, suffix: str
) -> None:
    aligned.player.seek(0.8)
    aligned.actions[ActionId.MARK].trigger()
    (made,) = aligned.project.project.markers
    presenter(aligned).note(made.id, "see the wrist")
    path = tmp_path / f"marks{suffix}"
    files(aligned).write(path)
    qtbot.waitUntil(lambda: path.exists() and not aligned.jobs.is_active("labels"))
    assert [label.derived for label in read_labels(path)] == ["", "first.mp4"]
    derived = presenter(aligned).derived
    presenter(aligned).remove([made.id])
    assert not presenter(aligned).derived
    files(aligned).read(path)
    qtbot.waitUntil(lambda: len(aligned.project.project.markers) == 1)
    (found,) = aligned.project.project.markers
    assert (found.name, found.start, found.end) == (made.name, made.start, made.end)
    assert [m.start for m in presenter(aligned).derived] == [m.start for m in derived]
    if suffix != ".eaf":  # which has no place for them
        assert (found.colour, found.note) == (made.colour, "see the wrist")
    aligned.project.stack.undo()
    assert not aligned.project.project.markers


def test_markers_carried_from_a_recording_that_is_not_there_are_taken(
    aligned: Program, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "marks.csv"
    path.write_text(
        "recording,name,start_s,end_s,colour,note,derived\nsecond.mp4,top,0.5,,,,gone.mp4\n"
    )
    files(aligned).read(path)
    qtbot.waitUntil(lambda: len(aligned.project.project.markers) == 1)
    assert aligned.project.project.markers[0].recording == aligned.session.entries[1].id


def test_markers_of_recordings_that_are_not_open_are_named(
    aligned: Program, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "marks.csv"
    path.write_text("recording,name,start_s,end_s\nfirst.mp4,top,0.5,\nother.mp4,top,0.5,\n")
    files(aligned).read(path)
    qtbot.waitUntil(lambda: len(aligned.project.project.markers) == 1)
    said = "\n".join(m.text for m in aligned.window.banner.messages)
    assert "other.mp4" in said
    path.write_text("nonsense")
    files(aligned).read(path)
    qtbot.waitUntil(
        lambda: "lack the column" in "\n".join(m.text for m in aligned.window.banner.messages)
    )


def test_the_filter_shows_what_matches(aligned: Program) -> None:
    aligned.actions[ActionId.MARK].trigger()
    panel = aligned.window.markers
    assert panel.view.model().rowCount() == 2
    panel.filter.setText("zzz")
    assert panel.view.model().rowCount() == 0
