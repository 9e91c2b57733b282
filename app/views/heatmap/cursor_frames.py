"""Both frames under the cursor, beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QWidget

from app.views.painting import draw_chip, image_over

if TYPE_CHECKING:
    from app.models.viewstate import CursorFrames

HEIGHT = 84
CAPTION = 20
LEAST = 124
"""Pixels a picture's column has at least: room for the words under it."""

GAP = 4
AWAY = 18
"""Pixels between the cursor and the pictures."""


class CursorFramesView(QWidget):
    """A small window over the map; the mouse passes through."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("heatmap-frames")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName(self.tr("The two frames under the cursor"))
        self._pictures: tuple[tuple[QPixmap, str, int, str], ...] = ()
        self.hide()

    def show_frames(self, frames: CursorFrames, at: QPoint) -> None:
        """Show both beside ``at``, inside the parent."""
        self._pictures = tuple(
            (
                QPixmap.fromImage(image_over(side.picture.pixels)),
                side.letter,
                side.position,
                side.text,
            )
            for side in (frames.reference, frames.other)
        )
        self.resize(self.sizeHint())
        self.move_beside(at)
        self.show()
        self.raise_()
        self.update()

    def move_beside(self, at: QPoint) -> None:
        """Follow the cursor without covering it."""
        parent = self.parentWidget()
        assert parent is not None
        room = parent.rect()
        x = (
            at.x() + AWAY
            if at.x() + AWAY + self.width() <= room.right()
            else at.x() - AWAY - self.width()
        )
        y = at.y() - AWAY - self.height()
        if y < room.top():
            y = at.y() + AWAY
        x = min(max(x, room.left()), max(room.left(), room.right() - self.width()))
        self.move(x, min(max(y, room.top()), max(room.top(), room.bottom() - self.height())))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw pictures and what they are."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(16, 18, 22, 235))
        small = painter.font()
        small.setPointSizeF(small.pointSizeF() * 0.85)
        painter.setFont(small)
        x = GAP
        for pixmap, letter, position, text in self._pictures:
            width = _width(pixmap)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawPixmap(QRectF(x, GAP, width, HEIGHT), pixmap, QRectF(pixmap.rect()))
            draw_chip(painter, QRectF(x, GAP + HEIGHT + 3, 17, 16), letter, position)
            painter.setPen(QColor("#e9ebee"))
            label = QRectF(x + 21, GAP + HEIGHT + 2, max(LEAST, width) - 21, CAPTION - 2)
            painter.drawText(label, Qt.AlignmentFlag.AlignVCenter, text)
            x += max(int(width), LEAST) + GAP

    def sizeHint(self) -> QSize:
        """Return room for both pictures."""
        width = sum(max(int(_width(p)), LEAST) + GAP for p, *_ in self._pictures) + GAP
        return QSize(width, HEIGHT + CAPTION + 2 * GAP)


def _width(pixmap: QPixmap) -> float:
    return HEIGHT * pixmap.width() / max(1, pixmap.height())
