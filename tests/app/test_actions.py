from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import SIGNAL, QObject
from PySide6.QtGui import QIcon, QKeySequence
from PySide6.QtWidgets import QMenu

import app
from app.actions import ACTIONS, MENUS, ActionId, bind, make_actions, plain_text
from app.resources import icons
from app.views.tools import Tools

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program

APP = Path(app.__file__).parent


def test_every_action_has_a_row_a_tip_and_a_menu() -> None:
    assert sorted(spec.id.value for spec in ACTIONS) == sorted(which.value for which in ActionId)
    for spec in ACTIONS:
        assert plain_text(spec), spec.id
        assert spec.tip.endswith("."), spec.id
        assert spec.menu in MENUS, spec.id
        assert not spec.icon or spec.icon in icons.ICON_NAMES, spec.id


def test_no_key_is_used_twice(qtbot: QtBot) -> None:
    keys = [QKeySequence(key).toString() for spec in ACTIONS for key in spec.keys]
    assert all(keys), "a key Qt does not understand"
    assert len(keys) == len(set(keys))


def test_actions_call_their_handler_without_arguments(qtbot: QtBot) -> None:
    called: list[ActionId] = []

    def handler(which: ActionId) -> Callable[[], None]:
        return lambda: called.append(which)

    parent = QObject()
    actions = make_actions(parent, lambda _n: QIcon())
    bind(actions, [{which: handler(which)} for which in ActionId])
    for action in actions.values():
        action.trigger()
    assert called == [spec.id for spec in ACTIONS]


def test_an_action_without_handler_or_with_two_is_a_fault(qtbot: QtBot) -> None:
    parent = QObject()
    actions = make_actions(parent, lambda _n: QIcon())
    every: dict[ActionId, Callable[[], None]] = {which: lambda: None for which in ActionId}
    with pytest.raises(ValueError, match="two handlers for quit"):
        bind(actions, [every, {ActionId.QUIT: lambda: None}])
    del every[ActionId.PLAY]
    with pytest.raises(ValueError, match="no handler for play"):
        bind(actions, [every])


def test_every_action_is_in_a_menu(make_program: Callable[..., Program]) -> None:
    program = make_program()
    in_menus = {
        action for menu in program.window.menuBar().findChildren(QMenu) for action in menu.actions()
    }
    missing = [which for which, action in program.actions.items() if action not in in_menus]
    assert not missing


def test_icons_draw_something(qtbot: QtBot) -> None:
    for name in icons.ICON_NAMES:
        image = icons.pixmap(name, "#ff0000", 24).toImage()
        shades = {image.pixelColor(x, y).alpha() for x in range(24) for y in range(24)}
        assert max(shades) > 200, name


def test_only_what_is_chosen_from_is_made_outside_the_table() -> None:
    """Recordings to hear and colours are choices; every command comes from the table."""
    choices = {"volume.py", "markers_panel.py", "menus.py"}
    made = re.compile(r"\bQMenu\(|\.addAction\(\s*(?:self\.tr|[\"'])|\bQAction\(")
    sources = [p for d in ("views", "bootstrap", "presenters") for p in (APP / d).rglob("*.py")]
    assert len(sources) > 80
    makers = {p.name for p in sources if made.search(p.read_text(encoding="utf-8"))}
    assert makers <= choices


def test_enabling_and_disabling_leaves_no_connection_behind(
    make_program: Callable[..., Program],
) -> None:
    """Qt's own buttons of an action gather one each time, and every change goes through them."""
    program = make_program()

    def connections() -> int:
        changed = SIGNAL("changed()")
        return sum(action.receivers(changed) for action in program.actions.values())

    before = connections()
    for _time in range(5):
        for action in program.actions.values():
            action.setEnabled(not action.isEnabled())
            action.setEnabled(not action.isEnabled())
    assert connections() == before


def test_a_button_follows_its_action_and_the_group_it_is_in(
    make_program: Callable[..., Program], qtbot: QtBot
) -> None:
    program = make_program()
    tools = program.window.findChild(Tools)
    assert isinstance(tools, Tools)
    mean, native = (tools.buttons[w] for w in (ActionId.BASE_MEAN, ActionId.BASE_NATIVE))
    for button in (mean, native, native):
        button.click()
        assert button.isChecked()
    assert not mean.isChecked()
    program.actions[ActionId.BASE_MEAN].setEnabled(False)
    assert not mean.isEnabled()
    program.actions[ActionId.BASE_MEAN].setToolTip("Why not.")
    assert mean.toolTip() == "Why not."
