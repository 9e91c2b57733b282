"""The row of tools over the pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QToolBar, QToolButton, QWidget

from app.actions import ActionId
from app.views.action_button import ActionButton

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
_PICTURED = (ActionId.OPEN, ActionId.ALIGN, ActionId.FIND_FRAME, ActionId.EXPORT)
_LEVELS = 4


class Tools(QToolBar):
    """Opening, the reference, aligning, time, views, search, export.

    Signals
    -------
    reference_chosen(str) : another reference was picked

    Attributes
    ----------
    buttons : of the commands, by id
    """

    reference_chosen = Signal(str)

    def __init__(self, actions: Mapping[ActionId, QAction], parent: QWidget) -> None:
        super().__init__(parent)
        self._actions = actions
        self.buttons: dict[ActionId, ActionButton] = {}
        self._labels: list[QAction] = []
        self._level = 0
        self._widths: list[int] = []
        self.setWindowTitle(self.tr("Tools"))
        self.setObjectName("toolbar")
        self.setMovable(False)
        self.setIconSize(QSize(18, 18))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self._add(ActionId.OPEN)
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
        self._add(ActionId.ALIGN)
        self.addSeparator()
        self._label(self.tr("Time"))
        for which in _BASES:
            self._add(which)
        self._add(ActionId.SYNC)
        self.addSeparator()
        for which in _VIEWS:
            self._add(which)
        self.addSeparator()
        self._add(ActionId.FIND_FRAME)
        self._add(ActionId.EXPORT)
        more = self.findChild(QToolButton, "qt_toolbar_ext_button")
        if isinstance(more, QToolButton):
            more.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            more.setAccessibleName(self.tr("More tools"))

    def set_references(self, choices: tuple[PairChoice, ...], current: str) -> None:
        """Offer the recordings that can be the reference."""
        self._references.clear()
        for choice in choices:
            self._references.addItem(choice.text, choice.recording_id)
        self._references.setCurrentIndex(max(0, self._references.findData(current)))
        self._widths.clear()
        self.fit(self.width())

    def fit(self, width: int) -> None:
        """Leave out as many words as it takes to show every tool in ``width`` pixels.

        First those of the views, then the labels, then those of all that has a picture.
        """
        if not self._widths:
            self._widths = [self._width_of(level) for level in range(_LEVELS)]
        level = next((n for n, needed in enumerate(self._widths) if needed <= width), _LEVELS - 1)
        self._leave_out(level)

    def _width_of(self, level: int) -> int:
        self._leave_out(level)
        layout = self.layout()
        assert layout is not None  # a tool bar has its own
        layout.invalidate()
        return layout.sizeHint().width()

    def _leave_out(self, level: int) -> None:
        if level == self._level:
            return
        self._level = level
        for label in self._labels:
            label.setVisible(level < 2)
        for which in (*_VIEWS, *_PICTURED):
            is_short = level >= (1 if which in _VIEWS else 3)
            self.buttons[which].setToolButtonStyle(
                Qt.ToolButtonStyle.ToolButtonIconOnly
                if is_short
                else Qt.ToolButtonStyle.ToolButtonTextBesideIcon
            )

    def _add(self, which: ActionId) -> None:
        button = ActionButton(self._actions[which])
        button.setIconSize(self.iconSize())
        button.setToolButtonStyle(self.toolButtonStyle())
        self.addWidget(button)
        self.buttons[which] = button

    def _label(self, text: str) -> QLabel:
        label = QLabel(text)
        label.setProperty("role", "dim")
        label.setContentsMargins(4, 0, 4, 0)
        self._labels.append(self.addWidget(label))
        return label
