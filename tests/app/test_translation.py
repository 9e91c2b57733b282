"""Every text passes through the translator, and longer texts still fit a window."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QPoint, QRect, Qt, QTranslator
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDialog,
    QGroupBox,
    QLabel,
    QScrollArea,
    QTabBar,
    QToolBar,
    QToolButton,
    QWidget,
)

from app.actions import ActionId
from tests.app.conftest import wait_settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
from app.views.tools import Tools

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
    program.actions[ActionId.TRAIN].trigger()
    assert untranslated(program.window) == []
    program.actions[ActionId.MARK].trigger()
    table = program.window.markers.table
    tips = [str(table.index(row, 1).data(Qt.ItemDataRole.ToolTipRole)) for row in (0, 1)]
    assert [word for tip in tips for word in foreign_words(tip)] == []
    assert untranslated(program.window) == []


def clipped(root: QWidget) -> list[str]:
    """Return the labels and buttons that have less room than their words need."""
    found = []
    for widget in root.findChildren(QWidget):
        if not isinstance(widget, QLabel | QAbstractButton) or not widget.isVisible():
            continue
        if not widget.text():
            continue
        needed = widget.minimumSizeHint()
        if isinstance(widget, QLabel) and widget.wordWrap():
            needed.setHeight(widget.heightForWidth(widget.width()))
            needed.setWidth(0)
        if widget.visibleRegion().isEmpty():
            continue  # behind another panel, or scrolled away
        at = QRect(widget.mapTo(root, QPoint(0, 0)), widget.size())
        is_out = not root.rect().contains(at) and not _is_scrolled(widget)
        if is_out or widget.width() < needed.width() or widget.height() < needed.height():
            sizes = f"{widget.width()}x{widget.height()} of {needed.width()}x{needed.height()}"
            name = widget.objectName()
            found.append(f"{type(widget).__name__} {name} {widget.text()!r} {sizes}")
    return found


def _is_scrolled(widget: QWidget) -> bool:
    parent = widget.parentWidget()
    return parent is not None and (isinstance(parent, QScrollArea) or _is_scrolled(parent))


@pytest.mark.parametrize("size", [(1024, 700), (1360, 850)])
def test_nothing_is_cut_off(aligned: Program, qtbot: QtBot, size: tuple[int, int]) -> None:
    window = aligned.window
    window.resize(*size)
    qtbot.waitUntil(lambda: window.width() == size[0])
    for which in (
        ActionId.LAYOUT_ALIGN,
        ActionId.MARKERS_SHOW,
        ActionId.ADAPT,
        ActionId.TRAIN,
        ActionId.FIND_FRAME,
        ActionId.LAYOUT_COMPARE,
    ):
        aligned.actions[which].trigger()
        qtbot.waitUntil(lambda: not aligned.jobs.is_active("search"))
        qtbot.wait(20)
        assert window.width() == size[0], which
        assert clipped(window) == [], which
    more = window.findChild(QToolButton, "qt_toolbar_ext_button")
    assert more is None or not more.isVisible(), "a tool is hidden"


@pytest.mark.parametrize(
    "which",
    [
        ActionId.PALETTE,
        ActionId.KEYS,
        ActionId.SETTINGS,
        ActionId.ABOUT,
        ActionId.EXPORT,
        ActionId.GO_TO,
    ],
)
def test_all_texts_of_dialogs_are_translated(
    pseudo: None, aligned: Program, which: ActionId
) -> None:
    aligned.actions[which].trigger()
    dialogs = [d for d in aligned.window.findChildren(QDialog) if d.isVisible()]
    assert len(dialogs) == 1
    assert untranslated(dialogs[0]) == []
    assert clipped(dialogs[0]) == []
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
    assert isinstance(bar, Tools)
    first = bar.buttons[ActionId.OPEN]
    last = bar.buttons[ActionId.FIND_FRAME]
    assert first.x() > last.x()
    assert not window.grab().isNull()
    program.actions[ActionId.PALETTE].trigger()
    palette = next(d for d in window.findChildren(QDialog) if d.isVisible())
    assert not palette.grab().isNull()
    palette.close()
