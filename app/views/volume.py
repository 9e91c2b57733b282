"""Mute, volume, and which recording is heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)

from app.models.sound import REFERENCE, SoundState
from app.resources import icons
from app.resources.theme import THEME
from app.views.sliders import KeyedSlider

if TYPE_CHECKING:
    from PySide6.QtGui import QAction

SLIDER_WIDTH = 84
MENU_WIDTH = 260


class VolumeControl(QWidget):
    """A button that mutes, a slider, and a menu of what can be heard.

    Signals
    -------
    mute_toggled() : the speaker was pressed
    volume_chosen(int) : the slider was moved, 0 to 100
    source_chosen(str) : id of a recording, ``REFERENCE`` = whichever is the reference
    """

    mute_toggled = Signal()
    volume_chosen = Signal(int)
    source_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = SoundState()
        self.setObjectName("volume-control")
        self.setAccessibleName(self.tr("Sound"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 0)
        layout.setSpacing(2)
        self._mute = QToolButton()
        self._mute.setObjectName("mute")
        self._mute.setIconSize(QSize(18, 18))
        self._mute.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._mute.clicked.connect(self.mute_toggled)
        layout.addWidget(self._mute)
        self._slider = self._make_slider("volume")
        self._slider.setFixedWidth(SLIDER_WIDTH)
        layout.addWidget(self._slider)
        self._source = QToolButton()
        self._source.setObjectName("sound-source")
        self._source.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._source.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._menu = QMenu(self)
        self._menu.setAccessibleName(self.tr("Recording that is heard"))
        self._group: QActionGroup | None = None
        self._in_menu = self._make_slider("volume-in-menu")
        self._percent = QLabel()
        self._percent.setProperty("role", "dim")
        self._note = QLabel()
        self._note.setObjectName("sound-note")
        self._note.setWordWrap(True)
        self._head = QWidgetAction(self)
        self._head.setDefaultWidget(self._make_head())
        self._source.setMenu(self._menu)
        layout.addWidget(self._source)
        self.setTabOrder(self._mute, self._slider)
        self.setTabOrder(self._slider, self._source)
        self.set_sound(self._state)

    def set_compact(self, is_compact: bool) -> None:
        """Leave the slider to the menu, where there is no room for it."""
        self._slider.setVisible(not is_compact)

    def set_sound(self, state: SoundState) -> None:
        """Show volume, what is heard and what can be."""
        before, self._state = self._state, state
        for slider in (self._slider, self._in_menu):
            with QSignalBlocker(slider):
                slider.setValue(state.volume)
            slider.setToolTip(self.tr("Volume: {volume} %").format(volume=state.volume))
        self._percent.setText(f"{state.volume} %")
        self._note.setText(state.note)
        self._note.setVisible(bool(state.note))
        is_same = (before.choices, before.chosen) == (state.choices, state.chosen)
        if not is_same or self._group is None:
            self._fill_menu()
        self._source.setText(f"{state.letter or '–'} ▾")
        self._source.setToolTip(self.tr("Which recording is heard"))
        self._source.setAccessibleName(
            self.tr("Recording that is heard: {letter}").format(letter=state.letter or "–")
        )
        action = self.tr("Sound on") if state.is_muted else self.tr("Mute")
        self._mute.setToolTip(f"{action}\n{state.note}" if state.note else action)
        self._mute.setAccessibleName(action)
        self._mute.setAccessibleDescription(state.note)
        self.setEnabled(bool(state.choices))
        self.refresh_icons()

    def refresh_icons(self) -> None:
        """Draw the speaker anew, e.g. in the colours of another theme."""
        state, colours = self._state, THEME.colours
        name = "speaker" if state.volume > 50 else "speaker-low"
        if state.is_muted:
            name = "speaker-off"
        elif state.note:
            name = "speaker-none"
        self._mute.setIcon(icons.icon(name, colours.text, colours.line))

    def _make_slider(self, name: str) -> QSlider:
        slider = KeyedSlider(Qt.Orientation.Horizontal)
        slider.setObjectName(name)
        slider.setAccessibleName(self.tr("Volume"))
        slider.setRange(0, 100)
        slider.setSingleStep(5)
        slider.setPageStep(20)
        slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        slider.valueChanged.connect(self.volume_chosen)
        return slider

    def _make_head(self) -> QWidget:
        """Why it is silent, and the slider, for the top of the menu."""
        head = QWidget()
        head.setFixedWidth(MENU_WIDTH)
        column = QVBoxLayout(head)
        column.setContentsMargins(12, 6, 12, 6)
        column.addWidget(self._note)
        row = QHBoxLayout()
        label = QLabel(self.tr("Volume"))
        label.setBuddy(self._in_menu)
        row.addWidget(label)
        row.addWidget(self._in_menu, 1)
        self._percent.setMinimumWidth(self._percent.fontMetrics().horizontalAdvance("100 %"))
        self._percent.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self._percent)
        column.addLayout(row)
        return head

    def _fill_menu(self) -> None:
        self._menu.clear()
        if self._group is not None:
            self._group.deleteLater()
        self._group = QActionGroup(self)
        self._menu.addAction(self._head)
        self._menu.addSeparator()
        for choice in self._state.choices:
            text = choice.text.replace("&", "&&")
            if not choice.has_sound:
                text = self.tr("{recording} – no sound").format(recording=text)
            action = self._menu.addAction(text)
            action.setCheckable(True)
            action.setChecked(choice.recording_id == self._state.chosen)
            action.setEnabled(choice.has_sound or choice.recording_id == REFERENCE)
            action.setData(choice.recording_id)
            self._group.addAction(action)
            if choice.recording_id == REFERENCE:
                self._menu.addSeparator()
        self._group.triggered.connect(self._on_chosen)

    def _on_chosen(self, action: QAction) -> None:
        self.source_chosen.emit(str(action.data()))
