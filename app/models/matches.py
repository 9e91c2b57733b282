"""What a search found, as an item model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.resources.text import format_time

if TYPE_CHECKING:
    from app.models.viewstate import Match, Thumbnail

MATCH_ROLE = Qt.ItemDataRole.UserRole + 1


class MatchesModel(QAbstractListModel):
    """One row per moment, best first. ``MATCH_ROLE`` gives the ``Match``."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._matches: list[Match] = []

    @property
    def matches(self) -> tuple[Match, ...]:
        """All rows."""
        return tuple(self._matches)

    def set_matches(self, matches: tuple[Match, ...]) -> None:
        """Replace all rows."""
        self.beginResetModel()
        self._matches = list(matches)
        self.endResetModel()

    def set_picture(self, position: int, part: str, thumbnail: Thumbnail) -> None:
        """Add a row's picture: "picture", or that "before" or "after" it."""
        if 0 <= position < len(self._matches):
            match = self._matches[position]
            if part == "before":
                match = replace(match, before=thumbnail)
            elif part == "after":
                match = replace(match, after=thumbnail)
            else:
                match = replace(match, picture=thumbnail)
            self._matches[position] = match
            at = self.index(position)
            self.dataChanged.emit(at, at, [MATCH_ROLE])

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Return the number of moments."""
        return 0 if parent.isValid() else len(self._matches)

    def data(
        self,
        index: QModelIndex | QPersistentModelIndex,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return a row's text, accessible text or ``Match``."""
        if not index.isValid() or not 0 <= index.row() < len(self._matches):
            return None
        match = self._matches[index.row()]
        if role == MATCH_ROLE:
            return match
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{match.letter} {format_time(match.time_s)}"
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return self.tr("{name} at {time}, frame {frame}, similarity {score}").format(
                name=match.name,
                time=format_time(match.time_s),
                frame=match.frame,
                score=f"{match.score:.2f}",
            )
        return None
