"""The queue of uncertain places: where in it we are, and what can be done with the one shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from app.actions import ActionId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PySide6.QtGui import QAction


class ReviewBar(QFrame):
    """How many places are uncertain, back and forth, and "Correct". Hidden when there is none."""

    def __init__(self, actions: Mapping[ActionId, QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("review-bar")
        self.setProperty("role", "message")
        self.setProperty("severity", "warning")
        self._text = QLabel()
        self._text.setObjectName("review-text")
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 2, 4, 2)
        row.setSpacing(2)
        row.addWidget(self._text, 1)
        for which, text in (
            (ActionId.UNCERTAIN_PREVIOUS, "‹"),
            (ActionId.UNCERTAIN_NEXT, "›"),
            (ActionId.UNCERTAIN_RIGHT, ""),
        ):
            row.addWidget(self._button(actions[which], text))
        self.hide()

    def set_queue(self, text: str) -> None:
        """Say what is uncertain; "" = nothing is."""
        self._text.setText(text)
        self._text.setToolTip(text)
        self.setAccessibleName(text)
        self.setVisible(bool(text))

    def _button(self, action: QAction, text: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"review-{action.objectName()}")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        button.setText(text or action.iconText())
        button.setToolTip(action.toolTip())
        button.setAccessibleName(action.toolTip())
        button.setProperty("role", "tight")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(action.trigger)
        return button
