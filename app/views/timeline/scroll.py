"""The scroll bar under the lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QScrollBar

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.views.timeline.axis import Axis

_STEPS = 100_000


class ViewBar(QScrollBar):
    """Shows which part of the whole is in view; there only while it is a part.

    Signals
    -------
    scrolled(float) : the user wants the view to begin at this second of the reference
    """

    scrolled = Signal(float)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setObjectName("timeline-scroll")
        self.setAccessibleName(self.tr("Part of the timeline that is shown"))
        self._limits_s = (0.0, 1.0)
        self.valueChanged.connect(self._on_value)
        self.hide()

    def follow(self, axis: Axis) -> None:
        """Show what is in view now."""
        self._limits_s = low, high = axis.limits_s()
        each = (high - low) / _STEPS
        page = max(1, round(axis.span_s / each))
        self.blockSignals(True)
        self.setRange(0, max(0, _STEPS - page))
        self.setPageStep(page)
        self.setSingleStep(max(1, page // 10))
        self.setValue(round((axis.start_s - low) / each))
        self.blockSignals(False)
        self.setVisible(not axis.is_fit)

    def _on_value(self, value: int) -> None:
        low, high = self._limits_s
        self.scrolled.emit(low + value / _STEPS * (high - low))
