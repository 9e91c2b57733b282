"""Small maps of all pairs: which recording goes well with the reference, at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QIcon,
    QImage,
    QPainter,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from app.views.heatmap.colours import clipped_levels, viridis_table
from app.views.painting import draw_chip

if TYPE_CHECKING:
    from app.models.viewstate import PairPreview

SIDE = 62
LEAST_SIDE = 28
_PADDING = 8
_SPACING = 3


class PairStrip(QWidget):
    """A button with a small map for each pair.

    Signals
    -------
    chosen(str) : the recording of the pair
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("heatmap-previews")
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(_SPACING)
        self._layout.addStretch(1)
        self._buttons: dict[str, QToolButton] = {}
        self.hide()

    def set_previews(self, previews: tuple[PairPreview, ...], current: str) -> None:
        """Show these; nothing for fewer than two pairs."""
        ids = [p.recording_id for p in previews]
        if ids != list(self._buttons):
            for button in self._buttons.values():
                self._layout.removeWidget(button)
                button.deleteLater()
            self._buttons = {p.recording_id: self._make(p.recording_id) for p in previews}
        for preview in previews:
            button = self._buttons[preview.recording_id]
            button.setChecked(preview.recording_id == current)
            button.setToolTip(preview.text)
            button.setAccessibleName(preview.text)
            button.setIcon(QIcon(_drawn(preview)))
        self.setVisible(len(previews) > 1)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let all pairs stand side by side, however many."""
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """Leave it to others how wide the panel is."""
        return QSize(len(self._buttons) * (LEAST_SIDE + _PADDING + _SPACING), LEAST_SIDE + _PADDING)

    def _fit(self) -> None:
        count = max(1, len(self._buttons))
        room = (self.width() - _SPACING * (count - 1)) // count - _PADDING
        side = min(max(room, LEAST_SIDE), SIDE)
        for button in self._buttons.values():
            button.setIconSize(QSize(side, side))
            button.setFixedSize(side + _PADDING, side + _PADDING)

    def _make(self, recording_id: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"preview-{recording_id}")
        button.setCheckable(True)
        button.setAutoExclusive(True)
        button.setProperty("role", "picture")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda: self.chosen.emit(recording_id))
        self._layout.insertWidget(self._layout.count() - 1, button)
        return button


def _drawn(preview: PairPreview) -> QPixmap:
    """Return the small map with its path and the letter of the recording."""
    pixmap = QPixmap(SIDE * 2, SIDE * 2)
    pixmap.fill(QColor(40, 44, 52))
    painter = QPainter(pixmap)
    whole = QRectF(pixmap.rect())
    if preview.values is not None:
        low, high = clipped_levels(preview.values, 5)
        shown = np.clip((preview.values.astype(np.float32) - low) / (high - low) * 255, 0, 255)
        colours = np.ascontiguousarray(viridis_table()[shown.astype(np.uint8)][::-1])
        height, width, _ = colours.shape
        data: bytes = colours.data  # type: ignore[assignment]
        image = QImage(data, width, height, width * 3, QImage.Format.Format_RGB888)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(whole, image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if len(preview.path):
        points = preview.path * [whole.width(), -whole.height()] + [0, whole.height()]
        line = QPolygonF([QPointF(x, y) for x, y in points.tolist()])
        for colour, thick in ((QColor(0, 0, 0, 220), 6.0), (QColor("#ffffff"), 2.5)):
            painter.setPen(QPen(colour, thick))
            painter.drawPolyline(line)
    font = painter.font()
    font.setPointSizeF(font.pointSizeF() * 2.2)
    painter.setFont(font)
    draw_chip(painter, QRectF(4, 4, 44, 42), preview.letter, preview.position)
    painter.end()
    return pixmap
