"""What the colours mean, in numbers."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.resources.theme import THEME
from app.views.heatmap.colours import VIRIDIS

LEGEND_WIDTH = 54


class Legend(QWidget):
    """What the colours mean, in numbers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._low, self._high = -1.0, 1.0
        self.setObjectName("heatmap-legend")
        self.setFixedWidth(LEGEND_WIDTH)
        self._is_cost = False
        self._describe()

    def set_levels(self, low: float, high: float, *, is_cost: bool = False) -> None:
        """Show what the darkest and the brightest colour stand for: similarities, or costs."""
        self._low, self._high, self._is_cost = low, high, is_cost
        self._describe()
        self.update()

    def _describe(self) -> None:
        name = self.tr("Colours: similarity from {low} (dark) to {high} (bright)")
        tip = self.tr("Similarity of two frames: 1 = the same, 0 = unrelated")
        if self._is_cost:
            name = self.tr("Colours: additional cost from {low} (dark) to {high} (bright)")
            tip = self.tr("How much dearer the cheapest path is that passes here: 0 = the best one")
        self.setAccessibleName(name.format(low=f"{self._low:.2f}", high=f"{self._high:.2f}"))
        self.setToolTip(tip)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the colour bar with numbers."""
        painter = QPainter(self)
        bar = QRectF(6, 26, 12, max(20.0, self.height() - 74.0))
        ramp = QLinearGradient(bar.bottomLeft(), bar.topLeft())
        for number, rgb in enumerate(VIRIDIS):
            ramp.setColorAt(number / (len(VIRIDIS) - 1), QColor(*rgb))
        painter.fillRect(bar, ramp)
        small = painter.font()
        small.setPointSizeF(small.pointSizeF() * 0.85)
        painter.setFont(small)
        painter.setPen(QColor(THEME.colours.dim))
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        for share in (0.0, 0.5, 1.0):
            value = self._low + (self._high - self._low) * share
            y = bar.bottom() - bar.height() * share
            painter.drawText(
                QRectF(22, y - 9, LEGEND_WIDTH - 22, 18),
                flags,
                f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}",
            )
        painter.drawText(
            QRectF(4, 4, LEGEND_WIDTH, 18),
            flags,
            self.tr("cost") if self._is_cost else self.tr("alike"),
        )
        painter.end()
