"""Settings of keys: find a command by name or by key, and give it others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QColor, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.actions import (
    ACTIONS,
    SPECS,
    ActionId,
    effective_keys,
    native_key,
    normal_key,
    plain_text,
    tip_of,
    translated,
)
from app.models.fuzzy import fit
from app.resources.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID = Qt.ItemDataRole.UserRole
_NAME, _MENU, _FIRST, _SECOND, _PROBLEM = range(5)


class KeysPage(QWidget):
    """A table of all commands with their two keys, and fields that change those of the chosen one.

    Signals
    -------
    changed(dict[ActionId, tuple[str, ...]]) : all keys that differ from the table's
    """

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("keys-page")
        self._overrides: dict[ActionId, tuple[str, ...]] = {}
        self._rows: dict[ActionId, int] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addLayout(self._make_search())
        self.table = self._make_table()
        layout.addWidget(self.table, 1)
        layout.addLayout(self._make_editor())
        self.note = QLabel()
        self.note.setObjectName("keys-note")
        self.note.setWordWrap(True)
        layout.addWidget(self.note)
        self._fill()
        self.table.setCurrentCell(0, _NAME)

    # Building ----------------------------------------------------------------------------------

    def _make_search(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.by_name = QLineEdit()
        self.by_name.setObjectName("keys-by-name")
        self.by_name.setPlaceholderText(self.tr("Find by name"))
        self.by_name.setAccessibleName(self.tr("Find a command by name"))
        self.by_name.setToolTip(self.tr("Show only commands with this word."))
        self.by_name.setClearButtonEnabled(True)
        self.by_name.textChanged.connect(self._narrow)
        self.by_key = self._key_field(
            "keys-by-key",
            self.tr("Find a command by its key"),
            self.tr("Press a key to see what it does."),
        )
        self.by_key.keySequenceChanged.connect(self._narrow)
        label = QLabel(self.tr("or press a key"))
        label.setProperty("role", "dim")
        label.setBuddy(self.by_key)
        row.addWidget(self.by_name, 1)
        row.addWidget(label)
        row.addWidget(self.by_key)
        return row

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(len(ACTIONS), 5)
        table.setObjectName("keys-table")
        table.setAccessibleName(self.tr("Commands and their keys"))
        table.setToolTip(self.tr("Choose a command to change its keys below."))
        table.setHorizontalHeaderLabels(
            [
                self.tr("Command"),
                self.tr("Menu"),
                self.tr("Key"),
                self.tr("Second key"),
                self.tr("Conflict"),
            ]
        )
        table.verticalHeader().hide()
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setWordWrap(False)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_PROBLEM, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignVCenter)
        table.currentCellChanged.connect(self._show_chosen)
        return table

    def _make_editor(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        self.title = QLabel()
        self.title.setProperty("role", "heading")
        grid.addWidget(self.title, 0, 0, 1, 6)
        self.fields: list[QKeySequenceEdit] = []
        for number, (text, name) in enumerate(
            ((self.tr("Key"), "keys-first"), (self.tr("Second key"), "keys-second"))
        ):
            field = self._key_field(name, text, self.tr("Press the key; the cross takes it away."))
            field.keySequenceChanged.connect(self._on_edited)
            label = QLabel(text)
            label.setBuddy(field)
            grid.addWidget(label, 1, 2 * number)
            grid.addWidget(field, 1, 2 * number + 1)
            self.fields.append(field)
        self.reset_one = QPushButton(self.tr("Reset"))
        self.reset_one.setToolTip(self.tr("Give the chosen command its first keys again."))
        self.reset_one.setAutoDefault(False)
        self.reset_one.clicked.connect(self._reset_one)
        self.reset_all = QPushButton(self.tr("Reset all"))
        self.reset_all.setToolTip(self.tr("Give all commands their first keys again."))
        self.reset_all.setAutoDefault(False)
        self.reset_all.clicked.connect(self._reset_all)
        grid.addWidget(self.reset_one, 1, 4)
        grid.addWidget(self.reset_all, 1, 5)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        return grid

    def _key_field(self, name: str, spoken: str, tip: str) -> QKeySequenceEdit:
        field = QKeySequenceEdit()
        field.setObjectName(name)
        field.setMaximumSequenceLength(1)
        field.setClearButtonEnabled(True)
        field.setMinimumWidth(130)
        field.setToolTip(tip)
        field.setAccessibleName(spoken)
        inner = field.findChild(QLineEdit)
        if inner is not None:  # that is what has the focus
            inner.setAccessibleName(spoken)
            inner.setToolTip(tip)
            inner.setPlaceholderText(self.tr("Press a key"))
        return field

    # State -------------------------------------------------------------------------------------

    def set_overrides(self, overrides: Mapping[ActionId, tuple[str, ...]]) -> None:
        """Show these changes."""
        self._overrides = dict(overrides)
        self._fill()
        self._show_chosen()

    def choose(self, which: ActionId) -> None:
        """Choose a command, as a click does."""
        self.table.setCurrentCell(self._rows[which], _NAME)

    def conflict_text(self, which: ActionId) -> str:
        """Return what is written in the row about keys used twice."""
        return self._item(self._rows[which], _PROBLEM).text()

    def _chosen(self) -> ActionId | None:
        row = self.table.currentRow()
        return None if row < 0 else ActionId(self._item(row, _NAME).data(_ID))

    def _item(self, row: int, column: int) -> QTableWidgetItem:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            self.table.setItem(row, column, item)
        return item

    def _fill(self) -> None:
        keymap = effective_keys(ACTIONS, self._overrides)
        for row, spec in enumerate(ACTIONS):
            self._rows[spec.id] = row
            keys = [native_key(k) for k in keymap.keys[spec.id]]
            shared = keymap.conflicts_of(spec.id)
            problem = "; ".join(
                self.tr("{key} is also “{others}”").format(
                    key=native_key(key), others="”, “".join(plain_text(SPECS[o]) for o in others)
                )
                for key, others in shared.items()
            )
            texts = [plain_text(spec), translated(spec.menu).replace("&", ""), "", "", problem]
            texts[_FIRST : _FIRST + len(keys)] = keys
            for column, text in enumerate(texts):
                item = self._item(row, column)
                item.setText(text)
                item.setToolTip(problem or tip_of(spec))
                is_red = bool(problem) and column >= _FIRST
                colours = THEME.colours
                item.setForeground(QColor(colours.error if is_red else colours.text))
                font = item.font()
                font.setBold(spec.id in self._overrides and column in (_FIRST, _SECOND))
                item.setFont(font)
            self._item(row, _NAME).setData(_ID, spec.id.value)
        count = len(keymap.conflicts)
        self.note.setProperty("role", "error" if count else "dim")
        self.note.setText(
            self.tr(
                "Keys used twice: %n. Such a key does nothing until only one command has it.",
                "",
                count,
            )
            if count
            else self.tr("Changed keys are bold. They hold at once.")
        )
        self.note.style().unpolish(self.note)
        self.note.style().polish(self.note)

    def _narrow(self) -> None:
        typed = self.by_name.text()
        pressed = self.by_key.keySequence()
        key = normal_key(pressed.toString(QKeySequence.SequenceFormat.PortableText))
        keymap = effective_keys(ACTIONS, self._overrides)
        first = -1
        for row, spec in enumerate(ACTIONS):
            is_found = fit(typed, plain_text(spec), tip_of(spec)) is not None
            is_found = is_found and (not key or key in keymap.keys[spec.id])
            self.table.setRowHidden(row, not is_found)
            if is_found and first < 0:
                first = row
        row = self.table.currentRow()
        if first >= 0 and (row < 0 or self.table.isRowHidden(row)):
            self.table.setCurrentCell(first, _NAME)

    def _show_chosen(self, *_: int) -> None:
        which = self._chosen()
        if which is None or not self.fields:
            return
        problem = self.conflict_text(which)
        name = plain_text(SPECS[which])
        self.title.setText(f"{name}: {problem}" if problem else name)
        keys = effective_keys(ACTIONS, self._overrides).keys[which]
        for number, field in enumerate(self.fields):
            with QSignalBlocker(field):
                key = keys[number] if number < len(keys) else ""
                field.setKeySequence(QKeySequence(key))
        self.reset_one.setEnabled(which in self._overrides)
        self.reset_all.setEnabled(bool(self._overrides))

    # Editing -----------------------------------------------------------------------------------

    def _on_edited(self) -> None:
        which = self._chosen()
        if which is None:
            return
        portable = QKeySequence.SequenceFormat.PortableText
        keys = [normal_key(f.keySequence().toString(portable)) for f in self.fields]
        wanted = tuple(dict.fromkeys(k for k in keys if k))
        if wanted == tuple(normal_key(k) for k in SPECS[which].keys):
            self._overrides.pop(which, None)
        else:
            self._overrides[which] = wanted
        self._tell()

    def _reset_one(self) -> None:
        which = self._chosen()
        if which is not None and self._overrides.pop(which, None) is not None:
            self._tell()
            self._show_chosen()

    def _reset_all(self) -> None:
        self._overrides.clear()
        self._tell()
        self._show_chosen()

    def _tell(self) -> None:
        self._fill()
        self._show_chosen()
        self.reset_one.setEnabled(self._chosen() in self._overrides)
        self.reset_all.setEnabled(bool(self._overrides))
        self.changed.emit(dict(self._overrides))
