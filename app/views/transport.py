"""The row of play buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from app.actions import ActionId
from app.models.viewstate import Transport
from app.resources import icons
from app.resources.text import format_time
from app.resources.theme import THEME
from app.views.action_button import ActionButton
from app.views.painting import digits_font
from app.views.volume import VolumeControl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PySide6.QtGui import QAction, QResizeEvent

BUTTONS = (
    ActionId.START,
    ActionId.FRAME_BACK,
    ActionId.SHUTTLE_BACK,
    ActionId.PLAY,
    ActionId.FRAME_FORWARD,
    ActionId.END,
)


READOUTS = ("time", "frame", "percent")
"""What a place can be counted in."""

WIDE = 1080
"""Pixels; below, volume is set in a menu."""

NARROWEST = 720
"""Pixels; below, it is left to the tiles."""


class TransportBar(QFrame):
    """Play buttons, time, frame number and speed.

    Signals
    -------
    speed_chosen(float) : a speed was picked from the list
    readout_pressed() : the time was clicked, to be counted in something else

    Attributes
    ----------
    volume : the volume control among them
    """

    speed_chosen = Signal(float)
    readout_pressed = Signal()

    def __init__(
        self,
        actions: Mapping[ActionId, QAction],
        speeds: Sequence[float],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = Transport()
        self._play = actions[ActionId.PLAY]
        self.setObjectName("transport")
        self.setAccessibleName(self.tr("Playback"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 2, 10, 2)
        layout.setSpacing(2)

        self._readout = "time"
        self._time = QToolButton()
        self._time.setObjectName("transport-time")
        self._time.setAutoRaise(True)
        self._time.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._time.setToolTip(actions[ActionId.READOUT].toolTip())
        self._time.clicked.connect(self.readout_pressed)
        self._time.setFont(digits_font(self.font(), scale=1.15, is_bold=True))
        self._time.setAccessibleName(self.tr("Time"))
        self._duration = QLabel()
        self._duration.setProperty("role", "dim")
        self._duration.setFont(digits_font(self.font()))
        self._frame = QLabel()
        self._frame.setObjectName("transport-frame")
        self._frame.setProperty("role", "dim")
        self._frame.setFont(digits_font(self.font()))
        self._frame.setAccessibleName(self.tr("Frame of the active recording"))
        self._frame.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        # Whatever is written here, it does not decide how wide the window must be.
        for label in (self._duration, self._frame):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._time.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)

        left = QWidget()
        left_layout = QHBoxLayout(left)
        left_layout.setContentsMargins(0, 0, 0, 0)
        left_layout.addWidget(self._time)
        left_layout.addWidget(self._duration, 1)
        layout.addWidget(left, 1)

        for which in BUTTONS:
            button = ActionButton(actions[which])
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
            button.setIconSize(QSize(24, 24) if which is ActionId.PLAY else QSize(18, 18))
            button.setObjectName(f"transport-{which.value}")
            layout.addWidget(button)
        loop = ActionButton(actions[ActionId.LOOP])
        loop.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        loop.setIconSize(QSize(18, 18))

        right = QWidget()
        right_layout = QHBoxLayout(right)
        right_layout.setContentsMargins(8, 0, 0, 0)
        right_layout.addWidget(loop)
        self._speed = QComboBox()
        self._speed.setObjectName("speed")
        self._speed.setAccessibleName(self.tr("Speed"))
        self._speed.setToolTip(self.tr("Speed: [ slower, ] faster, Backspace normal"))
        self._speed.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for speed in speeds:
            self._speed.addItem(f"{speed:g}×", speed)
        self._speed.activated.connect(self._on_speed)
        right_layout.addWidget(self._speed)
        self.volume = VolumeControl()
        self.volume.set_compact(True)
        right_layout.addWidget(self.volume)
        right_layout.addWidget(self._frame, 1)
        layout.addWidget(right, 1)
        self._show_rate(self._state.rate)
        self.set_transport(Transport())

    def set_transport(self, transport: Transport) -> None:
        """Show time, speed and whether it plays."""
        before, self._state = self._state, transport
        self._show_place()
        self._frame.setText(self._frame_text(transport))
        if before.is_playing is not transport.is_playing or self._play.icon().isNull():
            self.refresh_icon()
        if before.rate != transport.rate:
            self._show_rate(transport.rate)
        if self.isEnabled() is not transport.is_enabled:
            self.setEnabled(transport.is_enabled)

    @property
    def readout(self) -> str:
        """One of ``READOUTS``."""
        return self._readout

    def set_readout(self, readout: str) -> None:
        """Count in time, frames of the active recording, or percent."""
        self._readout = readout if readout in READOUTS else READOUTS[0]
        self._show_place()
        self._frame.setText(self._frame_text(self._state))

    def _show_place(self) -> None:
        state = self._state
        now, whole = format_time(state.time_s), format_time(state.duration_s)
        if self._readout == "frame":
            now, whole = ("–" if state.frame is None else str(state.frame)), str(state.frames)
        elif self._readout == "percent":
            share = state.time_s / state.duration_s if state.duration_s else 0.0
            now, whole = f"{share * 100:.2f}", "100 %"
        self._time.setText(now)
        if self._duration.text() != f"/ {whole}":
            self._duration.setText(f"/ {whole}")

    def refresh_icon(self) -> None:
        """Draw the play button anew, e.g. in the colours of another theme."""
        colours = THEME.colours
        name = "pause" if self._state.is_playing else "play"
        self._play.setIcon(icons.icon(name, colours.text, colours.line))
        self.volume.refresh_icons()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Use the room there is."""
        super().resizeEvent(event)
        self.volume.set_compact(self.width() < WIDE)
        self._duration.setVisible(self.width() >= NARROWEST)
        self._frame.setText(self._frame_text(self._state))

    def _frame_text(self, transport: Transport) -> str:
        if not transport.frames or self.width() < NARROWEST:
            return ""
        if self._readout == "frame":
            return format_time(transport.time_s)
        number = "–" if transport.frame is None else str(transport.frame)
        whole = self.tr("frame {number} of {count}").format(number=number, count=transport.frames)
        if self._frame.fontMetrics().horizontalAdvance(whole) <= self._frame.contentsRect().width():
            return whole
        text = self.tr("f {number}")
        return text.format(number=number, count=transport.frames)

    def _show_rate(self, rate: float) -> None:
        at = self._speed.findData(abs(rate))
        self._speed.setCurrentIndex(at)
        sign = "−" if rate < 0 else ""
        self._speed.setItemText(max(at, 0), f"{sign}{abs(rate):g}×")
        for other in range(self._speed.count()):
            if other != at:
                self._speed.setItemText(other, f"{self._speed.itemData(other):g}×")

    def _on_speed(self, index: int) -> None:
        self.speed_chosen.emit(float(self._speed.itemData(index)))
