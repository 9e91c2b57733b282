"""The row under the map: contrast, the path before, linked zoom, fit."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from app.views.sliders import KeyedSlider

FIRST_CONTRAST = 5


class MapControls(QWidget):
    """Buttons and a slider; the panel listens to them.

    Attributes
    ----------
    contrast : 0 to 100, see ``clipped_levels``
    before : whether the path of before the last edit is shown
    linked : whether lanes and map zoom together
    fit : shows the whole map
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        label = QLabel(self.tr("Contrast"))
        label.setProperty("role", "dim")
        self.contrast = KeyedSlider(Qt.Orientation.Horizontal)
        self.contrast.setObjectName("heatmap-contrast")
        self.contrast.setAccessibleName(self.tr("Contrast of the map"))
        self.contrast.setToolTip(self.tr("How much of the map becomes darkest and brightest"))
        self.contrast.setRange(0, 100)
        self.contrast.setValue(FIRST_CONTRAST)
        self.contrast.setMaximumWidth(130)
        label.setBuddy(self.contrast)
        self.before = self._button(
            "before", self.tr("Before"), self.tr("Show the path as it was before the edit")
        )
        self.before.setEnabled(False)
        self.linked = self._button(
            "linked", self.tr("Linked"), self.tr("Zoom the lanes and the map together")
        )
        self.fit = self._button("fit", self.tr("Fit"), self.tr("Show the whole map (Z)"))
        for toggle in (self.before, self.linked):
            toggle.setCheckable(True)
            toggle.setChecked(True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(label)
        row.addWidget(self.contrast)
        row.addStretch(1)
        for button in (self.before, self.linked, self.fit):
            row.addWidget(button)

    def _button(self, name: str, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"heatmap-{name}")
        button.setText(text)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button
