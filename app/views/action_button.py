"""A button for a command of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolButton

if TYPE_CHECKING:
    from PySide6.QtGui import QAction
    from PySide6.QtWidgets import QWidget


class ActionButton(QToolButton):
    """Looks like an action and triggers it.

    Not a button with a default action, nor one that a tool bar makes: to those Qt (6.11) adds a
    connection each time the action is enabled or disabled, for ever, and every change of the action
    goes through all of them.

    Attributes
    ----------
    action : what is triggered
    """

    def __init__(self, action: QAction, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.action = action
        self.setAutoRaise(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        action.changed.connect(self._follow)
        self.clicked.connect(self._on_clicked)
        self._follow()

    def _on_clicked(self) -> None:
        self.action.trigger()
        self._follow()  # of a group, the one that is chosen stays chosen and does not say so

    def _follow(self) -> None:
        action = self.action
        self.setText(action.iconText())
        self.setIcon(action.icon())
        self.setToolTip(action.toolTip())
        self.setAccessibleName(action.toolTip())
        self.setCheckable(action.isCheckable())
        self.setChecked(action.isChecked())
        self.setEnabled(action.isEnabled())
