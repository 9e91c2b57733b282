"""All keys on one sheet, made from the table of actions."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from app.actions import ACTIONS, MENUS, plain_text, translated
from app.views.painting import digits_font


class KeySheet(QDialog):
    """Shows every action that has a key, by menu."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("key-sheet")
        self.setWindowTitle(self.tr("Keys"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(20, 16, 20, 14)
        outer.setSpacing(14)
        columns = QHBoxLayout()
        columns.setSpacing(36)
        halves = [QVBoxLayout(), QVBoxLayout()]
        filled = [0, 0]
        for menu in MENUS:
            rows = [spec for spec in ACTIONS if spec.menu == menu and spec.keys]
            if not rows:
                continue
            half = 0 if filled[0] <= filled[1] else 1
            filled[half] += len(rows) + 2
            halves[half].addWidget(self._section(translated(menu).replace("&", ""), menu))
            halves[half].addSpacing(8)
        for half_layout in halves:
            half_layout.addStretch(1)
            columns.addLayout(half_layout)
        outer.addLayout(columns)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        outer.addWidget(buttons)

    def _section(self, title: str, menu: str) -> QWidget:
        section = QWidget()
        grid = QGridLayout(section)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(4)
        heading = QLabel(title)
        heading.setProperty("role", "heading")
        grid.addWidget(heading, 0, 0, 1, 2)
        row = 1
        for spec in ACTIONS:
            if spec.menu != menu or not spec.keys:
                continue
            keys = QLabel(
                "  ".join(
                    QKeySequence(k).toString(QKeySequence.SequenceFormat.NativeText)
                    for k in spec.keys
                )
            )
            keys.setFont(digits_font(self.font()))
            text = QLabel(plain_text(spec))
            text.setProperty("role", "dim")
            text.setToolTip(translated(spec.tip))
            grid.addWidget(keys, row, 0)
            grid.addWidget(text, row, 1)
            row += 1
        grid.setColumnMinimumWidth(0, 120)
        grid.setColumnStretch(1, 1)
        return section
