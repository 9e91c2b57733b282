"""Markers as rows that can be typed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QCoreApplication,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QIcon, QPainter, QPixmap

from app.models.marking import PALETTE, MarkerLine
from app.resources.text import format_time
from app.resources.theme import THEME

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

Index = QModelIndex | QPersistentModelIndex
LETTER, NAME, START, LENGTH, NOTE = range(5)
"""Columns."""

ID_ROLE = int(Qt.ItemDataRole.UserRole)
"""Gives the id of a row's marker."""


class MarkerTable(QAbstractTableModel):
    """Markers as rows; name and note can be typed over.

    Signals
    -------
    renamed(str, str), noted(str, str) : marker id and the new text
    """

    renamed = Signal(str, str)
    noted = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lines: tuple[MarkerLine, ...] = ()

    def set_lines(self, lines: tuple[MarkerLine, ...]) -> None:
        """Show these."""
        self.beginResetModel()
        self.lines = lines
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Return the number of markers."""
        return 0 if parent.isValid() else len(self.lines)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Return the number of columns."""
        return 5

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Name a column."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            names = ("", self.tr("Name"), self.tr("Start"), self.tr("Lasts"), self.tr("Note"))
            return names[section]
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Let names and notes of the user's own markers be edited."""
        flags = super().flags(index)
        is_own = not self.lines[index.row()].is_derived
        if is_own and index.column() in (NAME, NOTE):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        line, column = self.lines[index.row()], index.column()
        if role == ID_ROLE:
            return line.id
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._text(line, column, is_edited=role == Qt.ItemDataRole.EditRole)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (START, LENGTH):
            return int(Qt.AlignmentFlag.AlignTrailing | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.DecorationRole and column == NAME:
            return swatch(line.colour, is_derived=line.is_derived)
        if role == Qt.ItemDataRole.FontRole and line.is_derived:
            font = QFont()
            font.setItalic(True)
            return font
        if role == Qt.ItemDataRole.ForegroundRole and line.is_derived:
            return QColor(THEME.colours.dim)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleDescriptionRole):
            names = dict(PALETTE)
            colour = colour_name(names[line.colour]) if line.colour in names else line.colour
            said = [f"{line.letter}: {line.name}", f"f{line.frame}", colour]
            if line.is_derived:
                said.append(
                    self.tr("carried over from {letter}, not accepted").format(letter=line.source)
                )
            elif line.source:
                said.append(self.tr("accepted, carried over from {l}").format(l=line.source))
            return " · ".join(part for part in said if part)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Hand on what was typed."""
        line, text = self.lines[index.row()], str(value).strip()
        if role != Qt.ItemDataRole.EditRole:
            return False
        if index.column() == NAME and text and text != line.name:
            self.renamed.emit(line.id, text)
        elif index.column() == NOTE and text != line.note:
            self.noted.emit(line.id, text)
        return True

    def _text(self, line: MarkerLine, column: int, *, is_edited: bool) -> str:
        if column == LETTER:
            return line.letter
        if column == NAME:
            derived = f"  ← {line.source}" if line.is_derived and not is_edited else ""
            return line.name + derived
        if column == START:
            return format_time(line.start_s)
        if column == LENGTH:
            return "" if line.length_s is None else f"{line.length_s:.3f} s"
        return line.note


def colour_name(name: str) -> str:
    """Return the name of one of the palette's colours in the user's language."""
    return QCoreApplication.translate("MarkerColours", name)


def swatch(colour: str, *, is_derived: bool = False) -> QIcon:
    """Draw a filled square; an open one for what is only carried over."""
    picture = QPixmap(28, 28)
    picture.setDevicePixelRatio(2)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    shade = QColor(colour or "#999999")
    painter.setPen(shade)
    painter.setBrush(Qt.BrushStyle.NoBrush if is_derived else shade)
    painter.drawRoundedRect(1, 1, 11, 11, 3, 3)
    painter.end()
    icon = QIcon(picture)
    icon.addPixmap(picture, QIcon.Mode.Selected)  # a colour is no less one for being chosen
    return icon
