"""The row of tools over the pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QToolBar, QToolButton, QWidget

from app.actions import ActionId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PySide6.QtGui import QAction

    from app.models.viewstate import PairChoice

_BASES = (ActionId.BASE_REFERENCE, ActionId.BASE_MEAN, ActionId.BASE_NATIVE)
_VIEWS = (
    ActionId.VIEW_GRID,
    ActionId.VIEW_OVERLAY,
    ActionId.VIEW_DIFFERENCE,
    ActionId.VIEW_WIPE,
)

_PLAIN = (ActionId.OPEN, ActionId.ALIGN, ActionId.FIND_FRAME)

NARROW = 1420
"""Pixels of the window; below, the views are icons without words."""

NARROWEST = 1270
"""Pixels; below, so is the rest, and what can be understood without a label has none."""


class Tools(QToolBar):
    """Opening, the reference, aligning, time, views, search, export.

    Signals
    -------
    reference_chosen(str) : another reference was picked
    """

    reference_chosen = Signal(str)

    def __init__(self, actions: Mapping[ActionId, QAction], parent: QWidget) -> None:
        super().__init__(parent)
        self._actions = actions
        self._labels: list[QAction] = []
        self.setWindowTitle(self.tr("Tools"))
        self.setObjectName("toolbar")
        self.setMovable(False)
        self.setIconSize(QSize(18, 18))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.addAction(actions[ActionId.OPEN])
        self.addSeparator()
        label = self._label(self.tr("Reference"))
        self._references = QComboBox()
        self._references.setObjectName("reference")
        self._references.setAccessibleName(self.tr("Reference recording"))
        self._references.setToolTip(self.tr("The recording all others are aligned to"))
        self._references.setMinimumWidth(155)
        self._references.setMaximumWidth(240)
        self._references.activated.connect(
            lambda index: self.reference_chosen.emit(str(self._references.itemData(index)))
        )
        label.setBuddy(self._references)
        self.addWidget(self._references)
        self.addAction(actions[ActionId.ALIGN])
        self.addSeparator()
        self._label(self.tr("Time"))
        for which in _BASES:
            self.addAction(actions[which])
        self.addAction(actions[ActionId.SYNC])
        self.addSeparator()
        for which in _VIEWS:
            self.addAction(actions[which])
        self.addSeparator()
        self.addAction(actions[ActionId.FIND_FRAME])
        self.addAction(actions[ActionId.EXPORT])
        for button in self.findChildren(QToolButton):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            if button.objectName() == "qt_toolbar_ext_button":
                button.setAccessibleName(self.tr("More tools"))

    def set_references(self, choices: tuple[PairChoice, ...], current: str) -> None:
        """Offer the recordings that can be the reference."""
        self._references.clear()
        for choice in choices:
            self._references.addItem(choice.text, choice.recording_id)
        self._references.setCurrentIndex(max(0, self._references.findData(current)))

    def set_room(self, width: int) -> None:
        """Leave words out in a narrow window, so that no tool is hidden."""
        for group, least in ((_VIEWS, NARROW), (_PLAIN, NARROWEST)):
            style = (
                Qt.ToolButtonStyle.ToolButtonTextBesideIcon
                if width >= least
                else Qt.ToolButtonStyle.ToolButtonIconOnly
            )
            for which in group:
                button = self.widgetForAction(self._actions[which])
                if isinstance(button, QToolButton):
                    button.setToolButtonStyle(style)
        for label in self._labels:
            label.setVisible(width >= NARROWEST)

    def _label(self, text: str) -> QLabel:
        label = QLabel(text)
        label.setProperty("role", "dim")
        label.setContentsMargins(4, 0, 4, 0)
        self._labels.append(self.addWidget(label))
        return label
