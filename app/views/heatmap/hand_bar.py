"""How the active recording is mapped, one click away: by what, in which way, and by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QToolButton, QWidget

from app.actions import ActionId
from app.views.action_button import ActionButton

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PySide6.QtGui import QAction

_BY = (ActionId.METHOD_PICTURES, ActionId.METHOD_SOUND, ActionId.METHOD_TIMECODE)
_MAPS = (ActionId.MAP_AUTO, ActionId.MAP_OFFSET, ActionId.MAP_LINEAR, ActionId.MAP_PINS)
_HAND = (
    ActionId.NUDGE_BACK_TEN,
    ActionId.NUDGE_BACK,
    ActionId.NUDGE_FORWARD,
    ActionId.NUDGE_FORWARD_TEN,
    ActionId.PIN,
)


class HandBar(QWidget):
    """Three rows of buttons; what they do is their actions' affair."""

    def __init__(self, actions: Mapping[ActionId, QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("hand-bar")
        self.setAccessibleName(self.tr("Alignment by hand"))
        rows = QGridLayout(self)
        rows.setContentsMargins(8, 2, 8, 0)
        rows.setHorizontalSpacing(8)
        rows.setVerticalSpacing(3)
        rows.setColumnStretch(1, 1)
        self._map = QLabel()
        self._map.setObjectName("hand-bar-map")
        labels = (QLabel(self.tr("Align by")), self._map, QLabel(self.tr("Nudge")))
        for row, (label, group) in enumerate(zip(labels, (_BY, _MAPS, _HAND), strict=True)):
            label.setProperty("role", "dim")
            rows.addWidget(label, row, 0)
            line = QHBoxLayout()
            line.setSpacing(2)
            for which in group:
                if which is ActionId.PIN:
                    line.addSpacing(8)
                line.addWidget(self._button(actions[which]))
            line.addStretch(1)
            rows.addLayout(line, row, 1)
        self.set_recording("")

    def set_recording(self, letter: str) -> None:
        """Say whose map is chosen; "" = of all recordings but the reference."""
        text = self.tr("Map of {letter}").format(letter=letter) if letter else self.tr("All maps")
        self._map.setText(text)

    def _button(self, action: QAction) -> QToolButton:
        button = ActionButton(action)
        button.setObjectName(f"hand-{action.objectName()}")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        button.setProperty("role", "tight")
        return button
