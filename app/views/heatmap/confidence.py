"""The confidence along the path, under the map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.resources.theme import THEME

if TYPE_CHECKING:
    from carl_core.arrays import Float64

HEIGHT = 14


class ConfidenceStrip(QWidget):
    """A hill over the reference's seconds, as high as the alignment is sure; as wide as the map."""

    def __init__(self, plot: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot = plot
        self._box = plot.getPlotItem().getViewBox()
        self._times_s: Float64 = np.zeros(0)
        self._values: Float64 = np.zeros(0)
        self.setObjectName("heatmap-confidence")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(self.tr("How sure the alignment is along the reference"))
        self._box.sigRangeChanged.connect(lambda *_: self.update())
        self._box.sigResized.connect(lambda *_: self.update())

    def set_confidence(self, times_s: Float64, values: Float64) -> None:
        """Show confidence 0 to 1 at times of the reference, float64 (N,) each."""
        self._times_s, self._values = times_s, values
        text = self.tr("no alignment")
        if len(values):
            text = self.tr("confidence from {low} % to {high} %").format(
                low=round(float(values.min()) * 100), high=round(float(values.max()) * 100)
            )
        self.setAccessibleName(text)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw one point a pixel: the least confidence of each."""
        painter = QPainter(self)
        scene = self._box.sceneBoundingRect()
        left = self.mapFromGlobal(
            self._plot.mapToGlobal(self._plot.mapFromScene(scene.topLeft()))
        ).x()
        track = QRectF(left, 1, scene.width(), self.height() - 2)
        painter.fillRect(track, QColor(THEME.colours.raised))
        if len(self._times_s) < 2:
            return
        painter.setClipRect(track)
        (start_s, end_s), _ = self._box.viewRange()
        xs = left + (self._times_s - start_s) / max(1e-9, end_s - start_s) * scene.width()
        first = max(0, int(np.searchsorted(xs, left)) - 1)
        last = int(np.searchsorted(xs, track.right(), side="right")) + 1
        xs, values = xs[first:last], self._values[first:last]
        if len(xs) < 2:
            return
        starts = np.flatnonzero(np.concatenate([[True], np.diff(np.floor(xs)) > 0]))
        xs, values = xs[starts], np.minimum.reduceat(values, starts)
        floor, high = track.bottom(), track.height()
        points = [
            QPointF(x, floor - v * high) for x, v in zip(xs.tolist(), values.tolist(), strict=True)
        ]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(THEME.colours.good))
        painter.drawPolygon(
            QPolygonF([QPointF(points[0].x(), floor), *points, QPointF(points[-1].x(), floor)])
        )

    def sizeHint(self) -> QSize:
        """Return a low strip."""
        return QSize(200, HEIGHT)
