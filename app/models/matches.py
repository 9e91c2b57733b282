"""What a search found, as an item model: a heading for each recording, its moments below."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.models.searching import Match, MatchGroup
from app.resources.text import format_time

if TYPE_CHECKING:
    from app.models.viewstate import Thumbnail

MATCH_ROLE = Qt.ItemDataRole.UserRole + 1
GROUP_ROLE = Qt.ItemDataRole.UserRole + 2


class MatchesModel(QAbstractListModel):
    """Rows are headings (``GROUP_ROLE``) and moments (``MATCH_ROLE``).

    Moments are also numbered without the headings, from 0 in the order shown: their "position".
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[MatchGroup | Match] = []
        self._row_of: list[int] = []

    @property
    def matches(self) -> tuple[Match, ...]:
        """All moments in the order shown."""
        return tuple(row for row in self._rows if isinstance(row, Match))

    def set_groups(self, groups: tuple[MatchGroup, ...]) -> None:
        """Replace all rows."""
        self.beginResetModel()
        self._rows, self._row_of = [], []
        for group in groups:
            self._rows.append(group)
            for match in group.matches:
                self._row_of.append(len(self._rows))
                self._rows.append(match)
        self.endResetModel()

    def row_of(self, position: int) -> int:
        """Return the row of a moment."""
        return self._row_of[position]

    def position_of(self, row: int) -> int | None:
        """Return which moment a row is; None = a heading."""
        return self._row_of.index(row) if row in self._row_of else None

    def set_picture(self, position: int, part: int, thumbnail: Thumbnail) -> None:
        """Add one picture of a moment's strip."""
        if not 0 <= position < len(self._row_of):
            return
        row = self._row_of[position]
        match = self._rows[row]
        assert isinstance(match, Match)
        strip = (*match.strip[:part], thumbnail, *match.strip[part + 1 :])
        self._rows[row] = replace(match, strip=strip)
        at = self.index(row)
        self.dataChanged.emit(at, at, [MATCH_ROLE])

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Return the number of rows."""
        return 0 if parent.isValid() else len(self._rows)

    def flags(self, index: QModelIndex | QPersistentModelIndex) -> Qt.ItemFlag:
        """Let headings not be chosen."""
        if not index.isValid() or isinstance(self._rows[index.row()], MatchGroup):
            return Qt.ItemFlag.ItemIsEnabled if index.isValid() else Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(
        self,
        index: QModelIndex | QPersistentModelIndex,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return a row's text, accessible text, ``Match`` or ``MatchGroup``."""
        if not index.isValid() or not 0 <= index.row() < len(self._rows):
            return None
        row = self._rows[index.row()]
        if isinstance(row, MatchGroup):
            if role == GROUP_ROLE:
                return row
            is_text = role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole)
            if is_text:
                return f"{row.letter} {row.name}: {self.summary(row)}".lstrip()
            return row.reason or None if role == Qt.ItemDataRole.ToolTipRole else None
        if role == MATCH_ROLE:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{row.letter} {format_time(row.time_s)}".lstrip()
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return self._words(row)
        return None

    def summary(self, group: MatchGroup) -> str:
        """Return how many moments a recording has, or that none is good."""
        count = len(group.matches)
        if not count:
            return self.tr("no match")
        if not group.is_good:
            return self.tr("no good match")
        return self.tr("1 moment") if count == 1 else self.tr("{n} moments").format(n=count)

    def _words(self, match: Match) -> str:
        text = self.tr("{name} at {time}, frame {frame}, similarity {score}").format(
            name=match.name,
            time=format_time(match.time_s),
            frame=match.frame,
            score=f"{match.score:.3f}",
        )
        if match.margin is not None:
            text += self.tr(", {margin} better than the next").format(margin=f"{match.margin:.3f}")
        return text
