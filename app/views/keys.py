"""All keys in force on one sheet, made from the table of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.actions import ACTIONS, MENUS, effective_keys, native_key, plain_text, tip_of, translated
from app.models.fuzzy import fit
from app.views.painting import digits_font

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.actions import ActionId, ActionSpec

_COLUMNS = 3
_SIZE = QSize(1120, 720)


class KeySheet(QDialog):
    """Shows every action that has a key, by menu.

    Signals
    -------
    change_requested() : the user wants other keys

    Parameters
    ----------
    keys : in force; None = those of the table
    """

    change_requested = Signal()

    def __init__(
        self,
        parent: QWidget | None = None,
        keys: Mapping[ActionId, tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("key-sheet")
        self.setWindowTitle(self.tr("Keys"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._keys = effective_keys(ACTIONS, {}).keys if keys is None else keys
        self._rows: list[tuple[ActionSpec, QLabel, QLabel]] = []
        self._sections: list[tuple[QWidget, list[ActionSpec]]] = []
        outer = QVBoxLayout(self)
        outer.setContentsMargins(20, 16, 20, 14)
        outer.setSpacing(12)
        self.field = QLineEdit()
        self.field.setObjectName("key-sheet-field")
        self.field.setPlaceholderText(self.tr("Show only commands with this word or key"))
        self.field.setAccessibleName(self.tr("Filter of the key sheet"))
        self.field.setToolTip(self.tr("Type a part of a name, or a key such as Ctrl+J."))
        self.field.setClearButtonEnabled(True)
        self.field.textChanged.connect(self._narrow)
        outer.addWidget(self.field)
        sheet = self._make_sheet()
        outer.addWidget(sheet, 1)
        self._nothing = QLabel(self.tr("No key is for that. Ctrl+K finds commands without a key."))
        self._nothing.setProperty("role", "dim")
        self._nothing.hide()
        outer.addWidget(self._nothing)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        change = QPushButton(self.tr("Change keys…"))
        change.setToolTip(self.tr("Open the settings where every key can be changed."))
        change.setAutoDefault(False)
        change.clicked.connect(self.change_requested)
        buttons.addButton(change, QDialogButtonBox.ButtonRole.ActionRole)
        outer.addWidget(buttons)
        page = sheet.widget()
        width = page.sizeHint().width() + 64 if page is not None else 0
        wanted = _SIZE.expandedTo(QSize(width, 0))
        self.resize(wanted.boundedTo(self.screen().availableSize() * 0.95))

    def shown(self) -> list[str]:
        """Return the names that are listed."""
        return [text.text() for _, _, text in self._rows if not text.isHidden()]

    def _make_sheet(self) -> QScrollArea:
        sheet = QWidget()
        sheet.setObjectName("key-sheet-page")
        columns = QHBoxLayout(sheet)
        columns.setContentsMargins(0, 0, 12, 0)
        columns.setSpacing(24)
        stacks = [QVBoxLayout() for _ in range(_COLUMNS)]
        by_menu = {
            menu: [s for s in ACTIONS if s.menu == menu and self._keys[s.id]] for menu in MENUS
        }
        share = sum(len(rows) + 2 for rows in by_menu.values() if rows) / _COLUMNS
        filled, column = 0.0, 0
        for menu, rows in by_menu.items():
            if not rows:
                continue
            # Menus keep their order: a column is left when more than half of the next one is over.
            if column < _COLUMNS - 1 and filled + len(rows) / 2 > share * (column + 1):
                column += 1
            filled += len(rows) + 2
            section = self._section(translated(menu).replace("&", ""), rows)
            self._sections.append((section, rows))
            stacks[column].addWidget(section)
            stacks[column].addSpacing(10)
        for stack in stacks:
            stack.addStretch(1)
            columns.addLayout(stack, 1)
        area = QScrollArea()
        area.setObjectName("key-sheet-area")
        area.setAccessibleName(self.tr("Keys by menu"))
        area.setWidget(sheet)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        return area

    def _section(self, title: str, rows: list[ActionSpec]) -> QWidget:
        section = QWidget()
        grid = QGridLayout(section)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        heading = QLabel(title)
        heading.setProperty("role", "heading")
        grid.addWidget(heading, 0, 0, 1, 2)
        for row, spec in enumerate(rows, start=1):
            keys = QLabel("  ".join(native_key(k) for k in self._keys[spec.id]))
            keys.setFont(digits_font(self.font()))
            text = QLabel(plain_text(spec))
            text.setProperty("role", "dim")
            keys.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            for label in (keys, text):
                label.setToolTip(tip_of(spec))
                label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeading)
            grid.addWidget(keys, row, 0)
            grid.addWidget(text, row, 1)
            self._rows.append((spec, keys, text))
        grid.setColumnMinimumWidth(0, 110)
        grid.setColumnStretch(1, 1)
        return section

    def _narrow(self, typed: str) -> None:
        found: set[ActionId] = set()
        for spec, keys, text in self._rows:
            own = [native_key(k) for k in self._keys[spec.id]]
            is_found = fit(typed, plain_text(spec), *own, tip_of(spec)) is not None
            keys.setVisible(is_found)
            text.setVisible(is_found)
            if is_found:
                found.add(spec.id)
        for section, rows in self._sections:
            section.setVisible(any(spec.id in found for spec in rows))
        self._nothing.setVisible(not found)
