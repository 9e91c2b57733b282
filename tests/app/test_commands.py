from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QLabel, QPushButton

from app import settings as keys
from app.actions import (
    ACTIONS,
    SPECS,
    ActionId,
    effective_keys,
    native_key,
    normal_key,
    overrides_from_text,
    overrides_to_text,
    plain_text,
)
from app.actions.effective import MOST_KEYS
from app.actions.listing import keys_page
from app.models.fuzzy import fit
from app.settings import Settings
from app.views.keys import KeySheet
from app.views.keys_page import KeysPage
from app.views.palette import Command, Palette

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program

DOCS = Path(__file__).parents[2] / "docs"


# The keys in force -----------------------------------------------------------------------------


def test_the_table_has_two_keys_at_most_that_qt_knows_and_no_conflict(qtbot: QtBot) -> None:
    assert all(len(spec.keys) <= MOST_KEYS for spec in ACTIONS)
    assert all(normal_key(key) for spec in ACTIONS for key in spec.keys)
    assert effective_keys(ACTIONS, {}).conflicts == {}


@pytest.mark.parametrize("key", ["", "Ctrl+Nonsense", "no such key"])
def test_keys_qt_does_not_know_are_none(qtbot: QtBot, key: str) -> None:
    assert normal_key(key) == ""


def test_the_users_keys_stand_in_for_the_tables(qtbot: QtBot) -> None:
    keymap = effective_keys(ACTIONS, {ActionId.PLAY: ("ctrl+k", "F9"), ActionId.OPEN: ()})
    assert keymap.keys[ActionId.PLAY] == ("Ctrl+K", "F9")
    assert keymap.keys[ActionId.OPEN] == ()
    assert keymap.keys[ActionId.QUIT] == SPECS[ActionId.QUIT].keys
    assert keymap.conflicts == {"Ctrl+K": (ActionId.PLAY, ActionId.PALETTE)}
    assert keymap.conflicts_of(ActionId.PALETTE) == {"Ctrl+K": (ActionId.PLAY,)}
    assert keymap.conflicts_of(ActionId.OPEN) == {}


def test_changes_are_kept_as_text(qtbot: QtBot) -> None:
    changes = {ActionId.PLAY: ("Ctrl+K", "F9"), ActionId.OPEN: ()}
    assert overrides_from_text(overrides_to_text(changes)) == changes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": 2, "keys": {"play": ["F9"]}}',
        '{"format": 1, "keys": []}',
        '{"format": 1, "keys": {"no-such": ["F9"], "play": "F9"}}',
    ],
)
def test_damaged_or_foreign_changes_are_left_out(qtbot: QtBot, text: str) -> None:
    assert overrides_from_text(text) == {}


def test_the_page_in_the_documentation_is_current(qtbot: QtBot) -> None:
    committed = (DOCS / "keys.md").read_text(encoding="utf-8")
    assert committed == keys_page(ACTIONS), "run: make keys"


def activate(program: Program, qtbot: QtBot) -> None:
    """Keys reach the active window only."""
    program.window.activateWindow()
    with qtbot.waitActive(program.window):
        pass


# Finding ---------------------------------------------------------------------------------------


def test_fuzzy_fit_prefers_the_beginning_of_words() -> None:
    def of(typed: str, name: str, *others: str) -> float:
        found = fit(typed, name, *others)
        assert found is not None
        return found

    assert fit("xyz", "Play / pause") is None
    assert fit("play zebra", "Play / pause") is None
    assert of("pl", "Play / pause") > of("pl", "Next tile, please") > of("pl", "Sample")
    assert of("fff", "Find the first frame") > 0
    assert of("nof", "Nudge one frame") < of("nud", "Nudge one frame")
    assert of("ctrl+j", "Ten seconds back", "Ctrl+J") > 0
    assert of("PAUSE play", "Play / pause") > 0.9


def commands() -> tuple[Command, ...]:
    return tuple(
        Command(
            spec.id,
            plain_text(spec),
            spec.menu.replace("&", ""),
            spec.tip,
            spec.keys,
            "Add recordings first." if spec.id is ActionId.ALIGN else "",
        )
        for spec in ACTIONS
    )


def test_palette_lists_the_recent_ones_first_and_narrows(qtbot: QtBot) -> None:
    palette = Palette(commands(), (ActionId.LOOP, ActionId.PIN))
    qtbot.addWidget(palette)
    palette.show()
    assert [c.id for c in palette.found()[:3]] == [ActionId.LOOP, ActionId.PIN, ActionId.OPEN]
    assert len(palette.found()) == len(ACTIONS)
    qtbot.keyClicks(palette.field, "whole len")
    assert [c.id for c in palette.found()] == [ActionId.CLEAR_RANGE]
    palette.field.setText("no such thing")
    assert palette.found() == []
    assert "No command" in palette.note.text()


def test_palette_runs_with_enter_and_says_why_it_does_not(qtbot: QtBot) -> None:
    palette = Palette(commands(), ())
    qtbot.addWidget(palette)
    palette.show()
    ran: list[ActionId] = []
    palette.chosen.connect(ran.append)
    qtbot.keyClicks(palette.field, "align again")
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert ran == []
    assert palette.isVisible()
    assert "Add recordings first." in palette.note.text()
    palette.field.setText("jump to the")
    second = palette.found()[1].id
    qtbot.keyClick(palette.field, Qt.Key.Key_Down)
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert ran == [second]
    assert not palette.isVisible()


def test_palette_closes_with_escape_and_speaks(qtbot: QtBot) -> None:
    palette = Palette(commands(), ())
    qtbot.addWidget(palette)
    palette.show()
    palette.field.setText("align again")
    index = palette.list.model().index(0, 0)
    spoken = index.data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "Align again, Ctrl+R, not possible now"
    qtbot.keyClick(palette.field, Qt.Key.Key_Escape)
    assert not palette.isVisible()


def test_the_window_runs_what_the_palette_found_and_remembers_it(
    make_program: Callable[..., Program], qtbot: QtBot
) -> None:
    program = make_program()
    activate(program, qtbot)
    qtbot.keyClick(program.window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    palette = program.window.findChild(Palette)
    assert palette is not None
    greyed = {c.id: c.why_not for c in palette.found()}
    assert greyed[ActionId.PLAY] == "Add recordings first."
    assert greyed[ActionId.UNDO] == "There is nothing to take back."
    palette.field.setText("full screen")
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    qtbot.waitUntil(program.window.isFullScreen)
    assert program.settings.get(keys.RECENT_COMMANDS) == "full-screen"
    program.commands.show_palette()
    again = [p for p in program.window.findChildren(Palette) if p.isVisible()]
    assert again[-1].found()[0].id is ActionId.FULL_SCREEN
    again[-1].close()


# Changing keys ---------------------------------------------------------------------------------


def test_keys_page_changes_keys_and_says_conflicts_in_words(qtbot: QtBot) -> None:
    page = KeysPage()
    qtbot.addWidget(page)
    page.show()
    told: list[dict[ActionId, tuple[str, ...]]] = []
    page.changed.connect(told.append)
    page.choose(ActionId.LOOP)
    page.fields[0].setKeySequence(QKeySequence("Ctrl+K"))
    assert told[-1] == {ActionId.LOOP: ("Ctrl+K",)}
    assert page.conflict_text(ActionId.LOOP) == f"{native_key('Ctrl+K')} is also “Find a command”"
    assert page.conflict_text(ActionId.PALETTE) == f"{native_key('Ctrl+K')} is also “Loop”"
    assert "Keys used twice" in page.note.text()
    page.fields[1].setKeySequence(QKeySequence("F9"))
    assert told[-1] == {ActionId.LOOP: ("Ctrl+K", "F9")}
    page.fields[0].setKeySequence(QKeySequence("P"))
    page.fields[1].clear()
    assert told[-1] == {}, "the table's own keys are no change"
    assert page.conflict_text(ActionId.LOOP) == ""


def test_keys_page_resets_one_and_all(qtbot: QtBot) -> None:
    page = KeysPage()
    qtbot.addWidget(page)
    page.set_overrides({ActionId.LOOP: ("F9",), ActionId.PLAY: ("F10",)})
    told: list[dict[ActionId, tuple[str, ...]]] = []
    page.changed.connect(told.append)
    page.choose(ActionId.LOOP)
    assert page.fields[0].keySequence().toString() == "F9"
    page.reset_one.click()
    assert told[-1] == {ActionId.PLAY: ("F10",)}
    assert page.fields[0].keySequence().toString() == "P"
    assert not page.reset_one.isEnabled()
    page.reset_all.click()
    assert told[-1] == {}
    assert not page.reset_all.isEnabled()


def test_keys_page_finds_by_name_and_by_key(qtbot: QtBot) -> None:
    page = KeysPage()
    qtbot.addWidget(page)
    page.show()

    def shown() -> list[str]:
        rows = range(page.table.rowCount())
        return [page.table.item(r, 0).text() for r in rows if not page.table.isRowHidden(r)]

    page.by_name.setText("whole length")
    assert shown() == ["Whole length"]
    page.by_name.clear()
    page.by_key.setKeySequence(QKeySequence("Ctrl+J"))
    assert shown() == ["Ten seconds back"]
    page.by_key.clear()
    assert len(shown()) == len(ACTIONS)


def test_changed_keys_hold_at_once_and_after_a_restart(
    make_program: Callable[..., Program], qtbot: QtBot
) -> None:
    program = make_program()
    activate(program, qtbot)
    program.commands.set_overrides({ActionId.PALETTE: ("F9",)})
    assert program.actions[ActionId.PALETTE].toolTip().endswith("(F9)")
    qtbot.keyClick(program.window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert program.window.findChild(Palette) is None
    qtbot.keyClick(program.window, Qt.Key.Key_F9)
    palette = program.window.findChild(Palette)
    assert palette is not None
    palette.close()
    program.settings.sync()
    again = make_program()
    assert [s.toString() for s in again.actions[ActionId.PALETTE].shortcuts()] == ["F9"]


def test_key_sheet_shows_the_keys_in_force_and_filters(qtbot: QtBot) -> None:
    keymap = effective_keys(ACTIONS, {ActionId.LOOP: ("F9",), ActionId.PLAY: ()})
    sheet = KeySheet(None, keymap.keys)
    qtbot.addWidget(sheet)
    sheet.show()
    texts = {label.text() for label in sheet.findChildren(QLabel)}
    assert "F9" in texts
    assert "Play / pause" not in texts
    sheet.field.setText("f9")
    assert sheet.shown() == ["Loop"]
    sheet.field.setText("zzzz")
    assert sheet.shown() == []
    sheet.field.clear()
    assert len(sheet.shown()) == sum(bool(k) for k in keymap.keys.values())


def test_the_key_sheet_leads_to_the_settings_of_keys(
    make_program: Callable[..., Program], qtbot: QtBot
) -> None:
    program = make_program()
    program.actions[ActionId.KEYS].trigger()
    sheet = program.window.findChild(KeySheet)
    assert sheet is not None
    change = next(b for b in sheet.findChildren(QPushButton) if b.text() == "Change keys…")
    change.click()
    assert not sheet.isVisible()
    page = program.window.findChild(KeysPage)
    assert page is not None
    assert page.isVisible()
    page.window().close()


# Layouts ---------------------------------------------------------------------------------------


def docks(program: Program) -> tuple[bool, bool]:
    window = program.window
    return not window.alignment_dock.isHidden(), not window.adaptation_dock.isHidden()


def test_layouts_are_remembered_as_they_were_left(aligned: Program, tmp_path: Path) -> None:
    program = aligned
    assert docks(program) == (True, False)
    assert program.actions[ActionId.LAYOUT_ALIGN].isChecked()
    program.actions[ActionId.LAYOUT_COMPARE].trigger()
    assert docks(program) == (False, False)
    program.actions[ActionId.LAYOUT_TRAIN].trigger()
    assert docks(program) == (True, True)
    program.window.alignment_dock.hide()
    program.actions[ActionId.LAYOUT_COMPARE].trigger()
    program.actions[ActionId.LAYOUT_TRAIN].trigger()
    assert docks(program) == (False, True), "the user's own change is remembered"
    program.actions[ActionId.RESET_LAYOUT].trigger()
    assert docks(program) == (True, True)
    program.close()
    settings = Settings(tmp_path / "window.ini")
    assert settings.get(keys.LAYOUT_NAME) == "train"
    assert not settings.get(keys.layout_key("compare")).isEmpty()


def test_a_layout_survives_removing_and_adding_recordings(aligned: Program) -> None:
    program = aligned
    program.actions[ActionId.LAYOUT_COMPARE].trigger()
    program.window.show_recordings(is_any=True)
    assert docks(program) == (False, False), "another recording opens no panel"
    program.window.show_recordings(is_any=False)
    program.window.show_recordings(is_any=True)
    assert docks(program) == (False, False)
