"""How moments are drawn in the list of matches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.models.matches import GROUP_ROLE, MATCH_ROLE, MatchesModel
from app.resources.text import format_time
from app.resources.theme import THEME, recording_colour
from app.views.painting import digits_font, draw_chip, fitted, image_over

if TYPE_CHECKING:
    from app.models.searching import Match, MatchGroup
    from app.models.viewstate import Thumbnail

ROW_HEIGHT = 84
GROUP_HEIGHT = 28
PICTURE_WIDTH = 112
BESIDE_WIDTH = 50
PICTURES_LEFT = 8
WORDS_WIDTH = 112
"""Pixels that time and frame number need; the pictures of a narrow list give way to them."""


def picture_widths(row_width: float) -> tuple[float, float]:
    """Return the pixels of the picture in the middle and of the two beside it."""
    room = row_width - 2 * PICTURES_LEFT - WORDS_WIDTH - 30
    scale = min(1.0, max(0.4, room / (PICTURE_WIDTH + 2 * BESIDE_WIDTH)))
    return round(PICTURE_WIDTH * scale), round(BESIDE_WIDTH * scale)


def share_at(x: float, row_width: float) -> float:
    """Return where in a row's pictures a pixel lies: 0 = their left edge, 1 = their right."""
    middle, beside = picture_widths(row_width)
    return (x - PICTURES_LEFT) / (middle + 2 * beside + 6)


class MatchDelegate(QStyledItemDelegate):
    """Draws a heading, or one moment: pictures, recording, time, score.

    Attributes
    ----------
    hover : (row, share of the pictures' width, 0 to 1) under the mouse, None = none; the middle
        picture then runs from a second before the moment to a second after
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.hover: tuple[int, float] | None = None

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Draw a row."""
        group: MatchGroup | None = index.data(GROUP_ROLE)
        if group is not None:
            self._paint_group(painter, QRectF(option.rect), group, index)
            return
        match: Match | None = index.data(MATCH_ROLE)
        if match is None:
            return
        colours = THEME.colours
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        card = QRectF(rect).adjusted(2, 3, -2, -3)
        is_chosen = bool(state & QStyle.StateFlag.State_Selected)
        is_hot = bool(state & QStyle.StateFlag.State_MouseOver)
        painter.setPen(QColor(colours.accent if is_chosen else colours.line))
        painter.setBrush(QColor(colours.hover if is_hot or is_chosen else colours.raised))
        painter.drawRoundedRect(card, 7, 7)
        place = QRectF(card.left() + 6, card.top() + 6, 0, card.height() - 12)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        middle = self._middle(index.row(), match)
        wide, narrow = picture_widths(rect.width())
        for width, shown in ((narrow, match.before), (wide, middle), (narrow, match.after)):
            place.setWidth(width)
            painter.fillRect(place, QColor(colours.picture))
            if shown is not None:
                image = image_over(shown.pixels)
                painter.setOpacity(1.0 if width == wide else 0.6)
                painter.drawImage(fitted(place, image.width() / image.height()), image)
                painter.setOpacity(1.0)
            place.moveLeft(place.right() + 3)
        place.moveLeft(place.left() - narrow - 3)
        left = place.right() + 12
        room = card.right() - left - 10
        vertical = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        line = QRectF(left, card.top() + 8, room, 20)
        base = painter.font()
        time_s = match.time_s if middle is None else middle.time_s
        painter.setFont(digits_font(base, scale=1.1, is_bold=True))
        painter.setPen(QColor(colours.text))
        painter.drawText(line, vertical, format_time(time_s))
        painter.setFont(digits_font(base))
        painter.setPen(QColor(colours.dim))
        painter.drawText(
            line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, f"f{match.frame}"
        )
        self._paint_score(painter, QRectF(left, line.bottom() + 3, room, 34), match)
        painter.restore()

    def _middle(self, row: int, match: Match) -> Thumbnail | None:
        """Return the picture in the middle: of the moment, or of where the mouse is."""
        if self.hover is None or self.hover[0] != row:
            return match.picture
        part = min(int(self.hover[1] * len(match.strip)), len(match.strip) - 1)
        return match.strip[part] or match.picture

    def _paint_group(
        self,
        painter: QPainter,
        rect: QRectF,
        group: MatchGroup,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        colours = THEME.colours
        painter.save()
        middle = rect.center().y() + 1
        indent = 0
        if group.letter:  # else it is not open here
            chip = QRectF(rect.left() + 4, middle - 9, 20, 18)
            draw_chip(painter, chip, group.letter, group.position)
            indent = 28
        model = index.model()
        summary = model.summary(group) if isinstance(model, MatchesModel) else ""
        metrics = QFontMetricsF(painter.font())
        width = metrics.horizontalAdvance(summary) + 12
        name = metrics.elidedText(
            group.name, Qt.TextElideMode.ElideMiddle, rect.width() - 12 - indent - width
        )
        painter.setPen(QColor(colours.text))
        line = rect.adjusted(4 + indent, 2, -6, 2)
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        painter.setPen(QColor(colours.dim if group.is_good else colours.warning))
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, summary)
        painter.restore()

    def _paint_score(self, painter: QPainter, place: QRectF, match: Match) -> None:
        """Write score and margin over a bar as wide as the score is above what is usual."""
        colours = THEME.colours
        words = QRectF(place.left(), place.top(), place.width(), 16)
        painter.setPen(QColor(colours.text))
        vertical = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(words, vertical | Qt.AlignmentFlag.AlignLeft, f"{match.score:.3f}")
        if match.margin is not None:
            painter.setPen(QColor(colours.dim))
            margin = f"+{match.margin:.3f}"
            painter.drawText(words, vertical | Qt.AlignmentFlag.AlignRight, margin)
        track = QRectF(place.left(), words.bottom() + 6, place.width(), 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.line))
        painter.drawRoundedRect(track, 3, 3)
        track.setWidth(max(6.0, track.width() * match.share))
        is_open = bool(match.letter)
        painter.setBrush(recording_colour(match.position) if is_open else QColor(colours.accent))
        painter.drawRoundedRect(track, 3, 3)

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """Return the size of a row."""
        is_group = index.data(GROUP_ROLE) is not None
        return QSize(220, GROUP_HEIGHT if is_group else ROW_HEIGHT)
