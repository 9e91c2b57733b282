"""A list of all commands that narrows while one types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QLabel,
    QLineEdit,
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.models.fuzzy import fit
from app.resources.theme import THEME

if TYPE_CHECKING:
    from app.actions import ActionId

_ROW = Qt.ItemDataRole.UserRole
_RECENT_BONUS = 0.05
_SIZE = QSize(640, 460)


@dataclass(frozen=True, slots=True)
class Command:
    """A command as the palette shows it.

    Attributes
    ----------
    name : without mnemonic
    menu : where it also is
    tip : what it does
    keys : as written on this system
    why_not : why it cannot be run now, "" = it can
    is_checked : whether it is on; None = it holds no state
    """

    id: ActionId
    name: str
    menu: str
    tip: str
    keys: tuple[str, ...]
    why_not: str = ""
    is_checked: bool | None = None


class Palette(QDialog):
    """Finds a command.

    Signals
    -------
    chosen(ActionId) : run this command; the palette is closed

    Parameters
    ----------
    commands : in the order of the table
    recent : those run before, the last one first
    """

    chosen = Signal(object)

    def __init__(
        self,
        commands: tuple[Command, ...],
        recent: tuple[ActionId, ...],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent, Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        self.setObjectName("palette")
        self.setWindowTitle(self.tr("Find a command"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._commands = commands
        self._recent = recent
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 10)
        layout.setSpacing(8)
        self.field = QLineEdit()
        self.field.setObjectName("palette-field")
        self.field.setPlaceholderText(self.tr("Type a name, a word or a key"))
        self.field.setAccessibleName(self.tr("Command to find"))
        self.field.setToolTip(self.tr("Arrow keys choose, Enter runs, Esc closes."))
        self.field.setClearButtonEnabled(True)
        self.field.textChanged.connect(self._narrow)
        self.field.installEventFilter(self)
        layout.addWidget(self.field)
        self._model = QStandardItemModel(self)
        self.list = QListView()
        self.list.setObjectName("palette-list")
        self.list.setAccessibleName(self.tr("Commands found"))
        self.list.setToolTip(self.tr("Enter or a click runs the command."))
        self.list.setModel(self._model)
        self.list.setItemDelegate(_CommandDelegate(self.list))
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.clicked.connect(self._run)
        self.list.installEventFilter(self)
        layout.addWidget(self.list, 1)
        self.note = QLabel()
        self.note.setObjectName("palette-note")
        self.note.setProperty("role", "dim")
        self.note.setWordWrap(True)
        layout.addWidget(self.note)
        self.resize(_SIZE)
        self._narrow("")

    def found(self) -> list[Command]:
        """Return what is listed, from top to bottom."""
        return [self._model.item(row).data(_ROW) for row in range(self._model.rowCount())]

    def _narrow(self, typed: str) -> None:
        self._model.clear()
        for command in self._ordered(typed):
            item = QStandardItem(command.name)
            item.setData(command, _ROW)
            item.setEditable(False)
            item.setToolTip(command.why_not or command.tip)
            item.setData(self._spoken(command), Qt.ItemDataRole.AccessibleTextRole)
            item.setData(command.why_not or command.tip, Qt.ItemDataRole.AccessibleDescriptionRole)
            self._model.appendRow(item)
        count = self._model.rowCount()
        if count:
            self.list.setCurrentIndex(self._model.index(0, 0))
            self.list.scrollToTop()
            self.note.setText(self.tr("Enter runs · Esc closes · commands found: %n", "", count))
        else:
            self.note.setText(self.tr("No command is called that. Try a shorter word."))

    def _ordered(self, typed: str) -> list[Command]:
        place = {which: number for number, which in enumerate(self._recent)}
        if not typed.strip():
            return sorted(self._commands, key=lambda c: place.get(c.id, len(place)))
        ranked: list[tuple[float, int, Command]] = []
        for number, command in enumerate(self._commands):
            score = fit(typed, command.name, command.menu, *command.keys, command.tip)
            if score is not None:
                bonus = _RECENT_BONUS if command.id in place else 0.0
                ranked.append((-(score + bonus), number, command))
        return [command for _, _, command in sorted(ranked, key=lambda r: r[:2])]

    def _spoken(self, command: Command) -> str:
        parts = [command.name, *command.keys]
        if command.is_checked is not None:
            parts.append(self.tr("on") if command.is_checked else self.tr("off"))
        if command.why_not:
            parts.append(self.tr("not possible now"))
        return ", ".join(parts)

    def _run(self, index: QModelIndex) -> None:
        command = index.data(_ROW)
        if command is None:
            return
        if command.why_not:
            self.note.setText(
                self.tr("“{name}” is not possible now. {reason}").format(
                    name=command.name, reason=command.why_not
                )
            )
            return
        self.close()
        self.chosen.emit(command.id)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the arrows move in the list while the field has the focus; Enter runs."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            key = Qt.Key(event.key())
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run(self.list.currentIndex())
                return True
            moves = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
            if watched is self.field and key in moves:
                QApplication.sendEvent(self.list, event)
                return True
        return super().eventFilter(watched, event)


class _CommandDelegate(QStyledItemDelegate):
    """Draws name and keys, and below what it does or why it cannot be run."""

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """Return room for two lines."""
        return QSize(200, 2 * option.fontMetrics.height() + 12)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Draw one command."""
        command: Command = index.data(_ROW)
        colours = THEME.colours
        box: QRect = option.rect
        view = option.widget
        is_current = isinstance(view, QListView) and view.currentIndex() == index
        painter.save()
        if is_current:
            painter.fillRect(box, QColor(colours.hover))
            bar = QRect(box)
            bar.setWidth(3)
            if view.layoutDirection() is Qt.LayoutDirection.RightToLeft:
                bar.moveRight(box.right())
            painter.fillRect(bar, QColor(colours.accent))
        inner = box.adjusted(12, 5, -12, -5)
        height = option.fontMetrics.height()
        upper = QRect(inner.left(), inner.top(), inner.width(), height)
        lower = QRect(inner.left(), inner.top() + height + 2, inner.width(), height)
        start = Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignVCenter
        end = Qt.AlignmentFlag.AlignTrailing | Qt.AlignmentFlag.AlignVCenter
        metrics = painter.fontMetrics()
        painter.setPen(QColor(colours.dim if command.why_not else colours.text))
        mark = "✓ " if command.is_checked else ""
        painter.drawText(upper, start, mark + command.name)
        painter.setPen(QColor(colours.dim))
        painter.drawText(upper, end, "   ".join(command.keys))
        below = self.tr("Not now: {reason}").format(reason=command.why_not)
        below = below if command.why_not else f"{command.menu} · {command.tip}"
        below = metrics.elidedText(below, Qt.TextElideMode.ElideRight, lower.width())
        painter.drawText(lower, start, below)
        painter.restore()
