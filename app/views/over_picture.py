"""Words and progress over a recording's picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QLinearGradient, QPainter

from app.resources.theme import THEME

if TYPE_CHECKING:
    from app.models.viewstate import TileState

HEADER_HEIGHT = 30


def paint_chips(painter: QPainter, room: QRectF, chips: tuple[str, ...]) -> None:
    """Write the map's kind and an unpinned nudge below the header."""
    metrics = QFontMetricsF(painter.font())
    left, top = 8.0, HEADER_HEIGHT + 8.0
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for text in chips:
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room.width() - 32)
        width = metrics.horizontalAdvance(shown) + 16
        if left > 8 and left + width > room.width() - 8:
            left, top = 8.0, top + 26
        pill = QRectF(left, top, width, 22)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 185))
        painter.drawRoundedRect(pill, 6, 6)
        painter.setPen(QColor("#ffd37a"))
        painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, shown)
        left += width + 6


def paint_note(painter: QPainter, room: QRectF, text: str, *, is_strong: bool) -> None:
    """Write a sentence: in the middle when it is about what is shown, else at the lower edge."""
    font = painter.font()
    font.setBold(is_strong)
    painter.setFont(font)
    width = min(room.width() - 40.0, 460.0)
    flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
    bounds = QFontMetricsF(font).boundingRect(QRectF(0, 0, width, 400), flags, text)
    pill = QRectF(0, 0, bounds.width() + 28, bounds.height() + 16)
    if is_strong:
        pill.moveCenter(room.center())
    else:
        pill.moveCenter(QPointF(room.width() / 2, room.height() - 22 - pill.height() / 2))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 195))
    painter.drawRoundedRect(pill, 8, 8)
    painter.setPen(QColor("#ffffff"))
    painter.drawText(pill, flags, text)


def paint_progress(painter: QPainter, room: QRectF, state: TileState, busy_step: int) -> None:
    """Draw a line as long as the work is done; where that is unknown, one that runs."""
    share = state.progress
    if share is None:
        return
    if state.status:
        strip = QRectF(0, room.height() - 30, room.width(), 30)
        shade = QLinearGradient(strip.topLeft(), strip.bottomLeft())
        shade.setColorAt(0.0, QColor(0, 0, 0, 0))
        shade.setColorAt(0.5, QColor(0, 0, 0, 170))
        shade.setColorAt(1.0, QColor(0, 0, 0, 215))
        painter.fillRect(strip, shade)
        painter.setPen(QColor("#f2f4f6"))
        painter.drawText(
            QRectF(10, room.height() - 27, room.width() - 20, 20),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
            state.status,
        )
    track = QRectF(0, room.height() - 5, room.width(), 3)
    painter.fillRect(track, QColor(255, 255, 255, 60))
    if share >= 0:
        track.setWidth(track.width() * share)
    else:
        width = track.width() * 0.25
        phase = (busy_step % 60) / 60
        track = QRectF((room.width() + width) * phase - width, track.y(), width, 3)
    painter.fillRect(track, QColor(THEME.colours.accent))
