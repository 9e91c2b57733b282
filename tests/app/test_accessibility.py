"""Names for screen readers, a way by keyboard to everything, and contrast."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAccessible, QColor, QImage
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QDialog,
    QLabel,
    QLineEdit,
    QRadioButton,
    QTabBar,
    QWidget,
)

from app import settings as keys
from app.actions import ActionId
from app.resources.theme import DARK, LIGHT, THEME, Colours

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program

LEAST_CONTRAST = 4.5


def focusable(root: QWidget) -> list[QWidget]:
    return [
        w
        for w in root.findChildren(QWidget)
        if w.focusPolicy() & Qt.FocusPolicy.TabFocus
        and w.isVisible()
        and w.isEnabled()
        and w.window() is root
        and w.focusProxy() is None
        and not (isinstance(w, QTabBar) and w.count() == 0)
    ]


def spoken_name(widget: QWidget) -> str:
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name) if interface is not None else ""


def described(widgets: list[QWidget]) -> list[str]:
    return [
        f"{type(w).__name__} {w.objectName()!r} in {type(w.parent()).__name__}" for w in widgets
    ]


def without_name(root: QWidget) -> list[str]:
    found = [w for w in focusable(root) if not spoken_name(w).strip()]
    return [f"no name: {text}" for text in described(found)]


def not_reached(root: QWidget) -> list[str]:
    """Press Tab until it comes round; return what never had the focus."""
    reached: set[int] = set()
    widgets = focusable(root)
    for _ in range(2 * len(widgets) + 20):
        root.focusNextPrevChild(True)
        now = root.focusWidget()
        while now is not None:
            reached.add(id(now))
            now = now.parentWidget()
    found = [w for w in widgets if id(w) not in reached]
    return [f"not reached: {text}" for text in described(found)]


LAYOUTS = (ActionId.LAYOUT_COMPARE, ActionId.LAYOUT_ALIGN, ActionId.LAYOUT_TRAIN)


def test_everything_in_the_window_has_a_name_and_is_reached_by_tab(
    aligned: Program, qtbot: QtBot
) -> None:
    window = aligned.window
    window.activateWindow()
    with qtbot.waitActive(window):
        pass
    for layout in LAYOUTS:
        aligned.actions[layout].trigger()
        assert without_name(window) == [], layout
        assert not_reached(window) == [], layout
    for which in (ActionId.FIND_FRAME, ActionId.MARK, ActionId.ADAPT, ActionId.TRAIN):
        aligned.actions[which].trigger()
        assert without_name(window) == [], which
        for typed in window.markers.view.viewport().findChildren(QLineEdit):
            qtbot.keyClick(typed, Qt.Key.Key_Escape)  # Tab stays within a cell that is typed over
        qtbot.waitUntil(lambda: not window.markers.view.viewport().findChildren(QLineEdit))
        assert not_reached(window) == [], which


def test_the_empty_window_has_names_and_a_way_by_tab(
    make_program: Callable[..., Program], qtbot: QtBot
) -> None:
    window = make_program().window
    window.activateWindow()
    with qtbot.waitActive(window):
        pass
    assert without_name(window) == []
    assert not_reached(window) == []


@pytest.mark.parametrize(
    "which",
    [ActionId.PALETTE, ActionId.KEYS, ActionId.SETTINGS, ActionId.EXPORT, ActionId.GO_TO],
)
def test_dialogs_have_names_and_a_way_by_tab(
    aligned: Program, qtbot: QtBot, which: ActionId
) -> None:
    program = aligned
    program.actions[which].trigger()
    dialog = next(d for d in program.window.findChildren(QDialog) if d.isVisible())
    dialog.activateWindow()
    with qtbot.waitActive(dialog):
        pass
    pages = ("model", "device", "cache", "playback", "look", "keys")
    for page in pages if which is ActionId.SETTINGS else ("",):
        if page:
            dialog.show_page(page)  # type: ignore[attr-defined]
        assert without_name(dialog) == [], page
        assert not_reached(dialog) == [], page
    dialog.close()


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = QColor(colour).getRgbF()[:3]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_measured_as_defined() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("ink", ["text", "dim", "accent", "warning", "error", "good"])
@pytest.mark.parametrize("paper", ["window", "surface", "raised"])
def test_text_can_be_read(colours: Colours, ink: str, paper: str) -> None:
    assert contrast(getattr(colours, ink), getattr(colours, paper)) >= LEAST_CONTRAST


@pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize(
    ("ink", "paper"), [("text", "hover"), ("dim", "hover"), ("on_accent", "accent")]
)
def test_text_on_what_is_chosen_can_be_read(colours: Colours, ink: str, paper: str) -> None:
    assert contrast(getattr(colours, ink), getattr(colours, paper)) >= LEAST_CONTRAST


def painted_contrast(picture: QImage, area: QRect) -> float:
    """Contrast of the ink that differs most from the commonest colour, as it is on the screen."""
    part = picture.copy(area)
    shades = Counter(
        part.pixel(x, y) & 0xFFFFFF for x in range(part.width()) for y in range(part.height())
    )
    paper = QColor(shades.most_common(1)[0][0]).name()
    return max(contrast(QColor(shade).name(), paper) for shade in shades)


def hard_to_read(root: QWidget) -> list[str]:
    """Return the words on labels, buttons, boxes and tabs that are too faint as painted."""
    picture = root.grab().toImage()
    found = []
    for widget in root.findChildren(QWidget):
        if not widget.isVisible() or not widget.isEnabled() or widget.window() is not root:
            continue
        at = widget.mapTo(root, QPoint(0, 0))
        areas: list[tuple[str, QRect]] = []
        if isinstance(widget, QTabBar):
            areas = [(widget.tabText(n), widget.tabRect(n)) for n in range(widget.count())]
        elif isinstance(widget, QLabel | QAbstractButton) and widget.text().strip():
            areas = [(widget.text(), widget.rect())]
        elif isinstance(widget, QComboBox):
            areas = [(widget.currentText(), widget.rect())]
        elif isinstance(widget, QAbstractSpinBox | QLineEdit):
            areas = [(widget.objectName(), widget.rect())]
        for text, area in areas:
            area = area.translated(at).intersected(picture.rect()).adjusted(3, 3, -3, -3)
            if text and area.isValid():
                measured = painted_contrast(picture, area)
                if measured < LEAST_CONTRAST:
                    found.append(f"{measured:.1f}:1 {type(widget).__name__} {text!r}")
    return found


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_words_can_be_read_as_they_are_painted(
    aligned: Program, qapp: QApplication, qtbot: QtBot, theme: str
) -> None:
    """From the pixels: whatever palette, style sheet and state make of them."""
    aligned.settings.set(keys.THEME, theme)
    aligned.window.theme_changed.emit()
    window = aligned.window
    for which in (ActionId.LAYOUT_ALIGN, ActionId.MARK, ActionId.ADAPT, ActionId.TRAIN):
        aligned.actions[which].trigger()
        qtbot.wait(20)
        assert hard_to_read(window) == [], which
    for which in (ActionId.EXPORT, ActionId.SETTINGS):
        aligned.actions[which].trigger()
        dialog = next(d for d in window.findChildren(QDialog) if d.isVisible())
        qtbot.wait(20)
        assert hard_to_read(dialog) == [], which
        dialog.close()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("kind", [QCheckBox, QRadioButton])
def test_boxes_to_tick_stand_out(
    qapp: QApplication, qtbot: QtBot, theme: str, kind: type[QAbstractButton]
) -> None:
    """Their outline has 3:1, as WCAG asks of controls, and ticked differs from not ticked."""
    THEME.apply(qapp, theme)
    box = kind()
    qtbot.addWidget(box)
    box.resize(box.sizeHint())
    plain = box.grab().toImage()
    assert painted_contrast(plain, QRect(0, 0, 20, plain.height())) >= 3.0
    box.setChecked(True)
    ticked = box.grab().toImage()
    top = plain.height() // 2 - 8
    within = [(x, y) for x in range(3, 13) for y in range(top + 3, top + 13)]
    fills = [Counter(i.pixel(*at) for at in within).most_common(1)[0][0] for i in (plain, ticked)]
    assert contrast(*(QColor(fill).name() for fill in fills)) >= 3.0
