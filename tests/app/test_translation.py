"""Every text passes through the translator, and longer texts still fit a window."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt, QTranslator
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDialog,
    QGroupBox,
    QLabel,
    QTabBar,
    QToolBar,
    QWidget,
)

from app.actions import ActionId
from tests.app.conftest import wait_settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program

OPEN, CLOSE = "⟦", "⟧"
_BRACKETED = re.compile(rf"{OPEN}[^{OPEN}{CLOSE}]*{CLOSE}")
_TAGS = re.compile(r"<[^>]+>")
_WORD = re.compile(r"[^\W\d_]{2,}")

# Not translated: the program's name, keys, units, what is read from files or from the engine.
ALLOWED = {
    *("CARL", "CPU", "CUDA", "GPU", "REF", "GB"),
    *("Ctrl", "Shift", "Alt", "Esc", "Space", "Tab", "Home", "End", "Left", "Right", "Up", "Down"),
    *("PgUp", "PgDown", "Backspace", "Del", "Ins", "Return", "Enter"),
    *("made", "map", "for", "tests", "first", "second", "mp", "fake", "onnx", "up"),
}


class Pseudo(QTranslator):
    """Lengthens every text by 40 % and puts it into brackets."""

    def translate(
        self, context: str, source: str, disambiguation: str | None = None, n: int = -1
    ) -> str:
        return f"{OPEN}{source}{'~' * round(0.4 * len(source))}{CLOSE}"

    def isEmpty(self) -> bool:
        return False


@pytest.fixture
def pseudo(qapp: QApplication) -> Iterator[None]:
    translator = Pseudo()
    qapp.installTranslator(translator)
    yield
    qapp.removeTranslator(translator)


@pytest.fixture
def right_to_left(qapp: QApplication) -> Iterator[None]:
    qapp.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    yield
    qapp.setLayoutDirection(Qt.LayoutDirection.LeftToRight)


def texts_of(root: QWidget) -> Iterator[tuple[str, str]]:
    """Yield (where, text) of all that is seen, hovered or spoken."""
    for widget in [root, *root.findChildren(QWidget)]:
        where = f"{type(widget).__name__} {widget.objectName()}"
        if widget.objectName().startswith("qt_") or type(widget).__name__.startswith("QDockWidget"):
            continue
        if not widget.isVisibleTo(root):
            continue
        if isinstance(widget, QLabel | QAbstractButton) and widget.text():
            yield f"{where} text", widget.text()
        if isinstance(widget, QGroupBox):
            yield f"{where} title", widget.title()
        if isinstance(widget, QTabBar):
            for tab in range(widget.count()):
                yield f"{where} tab", widget.tabText(tab)
        yield f"{where} tip", widget.toolTip()
        yield f"{where} name", widget.accessibleName()
        yield f"{where} description", widget.accessibleDescription()
    for action in root.findChildren(QAction):
        yield f"action {action.objectName()}", action.text()
        yield f"action tip {action.objectName()}", action.toolTip()


def foreign_words(text: str, *, allowed: set[str] = ALLOWED) -> list[str]:
    """Return the words of a text that no translator has seen."""
    text = _TAGS.sub(" ", text)
    while _BRACKETED.search(text):
        text = _BRACKETED.sub(" ", text)
    return [word for word in _WORD.findall(text) if word not in allowed]


def untranslated(root: QWidget) -> list[str]:
    found = [f"{where}: {text!r}" for where, text in texts_of(root) if foreign_words(text)]
    return sorted(set(found))


def test_the_check_finds_what_is_not_translated() -> None:
    assert foreign_words("Play") == ["Play"]
    assert foreign_words("⟦Play⟧ (Ctrl+K)") == []
    assert foreign_words("⟦open ⟦first⟧.mp4⟧ now") == ["now"]


def test_all_texts_of_the_window_are_translated(
    pseudo: None, make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    program = make_program()
    assert untranslated(program.window) == [], "the empty window"
    program.opening.add_paths(videos[:2])
    wait_settled(qtbot, program, 2)
    for layout in (ActionId.LAYOUT_COMPARE, ActionId.LAYOUT_ALIGN, ActionId.LAYOUT_TRAIN):
        program.actions[layout].trigger()
        assert untranslated(program.window) == [], layout
    program.window.show_search()
    assert untranslated(program.window) == []


@pytest.mark.parametrize(
    "which", [ActionId.PALETTE, ActionId.KEYS, ActionId.SETTINGS, ActionId.ABOUT]
)
def test_all_texts_of_dialogs_are_translated(
    pseudo: None, make_program: Callable[..., Program], which: ActionId
) -> None:
    program = make_program()
    program.actions[which].trigger()
    dialogs = [d for d in program.window.findChildren(QDialog) if d.isVisible()]
    assert len(dialogs) == 1
    assert untranslated(dialogs[0]) == []
    dialogs[0].close()


def test_longer_texts_do_not_widen_the_window_beyond_a_small_screen(
    pseudo: None, make_program: Callable[..., Program]
) -> None:
    program = make_program()
    assert program.window.minimumSizeHint().width() <= 1280


def test_right_to_left_mirrors_the_window(
    right_to_left: None, make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    program = make_program()
    program.opening.add_paths(videos[:2])
    wait_settled(qtbot, program, 2)
    window = program.window
    bar = window.findChild(QToolBar, "toolbar")
    assert bar is not None
    first = bar.widgetForAction(program.actions[ActionId.OPEN])
    last = bar.widgetForAction(program.actions[ActionId.FIND_FRAME])
    assert first.x() > last.x()
    assert not window.grab().isNull()
    program.actions[ActionId.PALETTE].trigger()
    palette = next(d for d in window.findChildren(QDialog) if d.isVisible())
    assert not palette.grab().isNull()
    palette.close()
