"""The middle of the window: all tiles, or two recordings in one picture, and how they are mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.models.looking import Look, Mode, Zoom
from app.views.composite import Composite
from app.views.grid import TileGrid
from app.views.sliders import KeyedSlider

if TYPE_CHECKING:
    from app.models.viewstate import TileState
    from carl_core.video.reader import Frame

STEPS = 1000


class MixBar(QFrame):
    """Which two recordings are shown, and the slider of the view.

    Signals
    -------
    moved(float) : 0..1 of the slider
    """

    moved = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("mix-bar")
        self.setProperty("role", "panel")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 3, 10, 3)
        layout.setSpacing(10)
        self._name = QLabel()
        self._name.setObjectName("mix-name")
        self._slider = KeyedSlider(Qt.Orientation.Horizontal)
        self._slider.setObjectName("mix-slider")
        self._slider.setRange(0, STEPS)
        self._slider.setSingleStep(STEPS // 100)
        self._slider.setPageStep(STEPS // 10)
        self._slider.setMaximumWidth(320)
        self._slider.valueChanged.connect(lambda value: self.moved.emit(value / STEPS))
        self._value = QLabel()
        self._value.setObjectName("mix-value")
        self._value.setMinimumWidth(60)
        self._hint = QLabel()
        self._hint.setProperty("role", "dim")
        layout.addWidget(self._name)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._value)
        layout.addStretch(1)
        layout.addWidget(self._hint)

    def set_look(self, look: Look, letters: tuple[str, str]) -> None:
        """Show the setting of the view."""
        first, second = letters
        names = {
            Mode.OVERLAY: self.tr("{b} over {a}, opacity"),
            Mode.DIFFERENCE: self.tr("Difference of {a} and {b}, gain"),
            Mode.WIPE: self.tr("{a} left, {b} right of the edge"),
        }
        shares = {
            Mode.OVERLAY: look.opacity,
            Mode.DIFFERENCE: (look.gain - 1.0) / 15.0,
            Mode.WIPE: look.wipe,
        }
        words = {
            Mode.OVERLAY: f"{look.opacity:.0%}",
            Mode.DIFFERENCE: f"×{look.gain:.1f}",
            Mode.WIPE: f"{look.wipe:.0%}",
        }
        name = names.get(look.mode, "").format(a=first, b=second)
        self._name.setText(name)
        self._slider.setAccessibleName(name)
        self._slider.setToolTip(name)
        self._slider.blockSignals(True)
        self._slider.setValue(round(shares.get(look.mode, 0.0) * STEPS))
        self._slider.blockSignals(False)
        self._value.setText(words.get(look.mode, ""))
        self._hint.setText(
            self.tr("Drag the edge, or Alt+drag anywhere") if look.mode is Mode.WIPE else ""
        )


class Stage(QWidget):
    """Shows tiles or the composite; keeps their zooms together.

    Signals
    -------
    look_changed(Look) : a slider or the edge was moved
    refresh_wanted() : pictures of another size are needed
    """

    look_changed = Signal(object)
    refresh_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("stage")
        self.grid = TileGrid()
        self.composite = Composite()
        self.mix = MixBar()
        self._look = Look()
        self._letters: dict[str, str] = {}
        self._pages = QStackedWidget()
        self._pages.addWidget(self.grid)
        self._pages.addWidget(self.composite)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.mix)
        layout.addWidget(self._pages, 1)
        self.mix.hide()
        self.mix.moved.connect(self._on_moved)
        self.composite.wiped.connect(lambda at: self._change(wipe=at))
        self.composite.zoomed.connect(self.set_zoom)
        self.composite.resized.connect(self.refresh_wanted)
        self.grid.zoomed.connect(self._on_grid_zoomed)

    @property
    def look(self) -> Look:
        """What is shown now."""
        return self._look

    def set_look(self, look: Look) -> None:
        """Show tiles, or two recordings in one picture."""
        was = self._look
        self._look = look
        self.mix.setVisible(look.is_composite)
        self._pages.setCurrentWidget(self.composite if look.is_composite else self.grid)
        self.composite.set_look(look)
        letters = self._letters.get(look.first, ""), self._letters.get(look.second, "")
        self.mix.set_look(look, letters)
        shown = (look.is_composite, look.first, look.second)
        if shown != (was.is_composite, was.first, was.second):
            self.refresh_wanted.emit()

    def set_tiles(self, states: tuple[TileState, ...]) -> None:
        """Know all recordings."""
        self._letters = {s.recording_id: s.letter for s in states}
        self.grid.set_tiles(states)
        self.composite.set_states(states)

    def set_tile(self, state: TileState) -> None:
        """Change one recording's words."""
        self.grid.set_tile(state)
        self.composite.set_states(tuple(t.state for t in self.grid.tiles.values()))

    def show_frame(self, recording_id: str, frame: Frame, rate: float | None) -> None:
        """Show a picture where its recording is shown."""
        self.grid.show_frame(recording_id, frame, rate)
        self.composite.show_frame(recording_id, frame, rate)

    def set_counterpart(self, recording_id: str, has_counterpart: bool) -> None:
        """Dim a recording, or not."""
        self.grid.set_counterpart(recording_id, has_counterpart)
        self.composite.set_counterpart(recording_id, has_counterpart)

    def picture_size(self, recording_id: str) -> tuple[int, int]:
        """Device pixels a recording's picture covers; small where it is not shown."""
        if not self._look.is_composite:
            return self.grid.picture_size(recording_id)
        if recording_id in (self._look.first, self._look.second):
            return self.composite.picture_size(recording_id)
        return 160, 120

    def set_zoom(self, zoom: Zoom) -> None:
        """Show this part of every picture."""
        self.grid.set_zoom(zoom)
        self.composite.set_zoom(zoom)
        self.refresh_wanted.emit()

    def zoom_of(self, recording_id: str) -> Zoom:
        """Return which part of a recording's picture is seen."""
        if self._look.is_composite:
            return self.composite.zooming.zoom
        return self.grid.zoom_of(recording_id)

    def set_zoom_linked(self, is_linked: bool) -> None:
        """Zoom all tiles together, or each alone."""
        self.grid.is_zoom_linked = is_linked

    def _on_grid_zoomed(self, zoom: Zoom) -> None:
        self.composite.set_zoom(zoom)
        self.refresh_wanted.emit()

    def _on_moved(self, share: float) -> None:
        if self._look.mode is Mode.OVERLAY:
            self._change(opacity=share)
        elif self._look.mode is Mode.DIFFERENCE:
            self._change(gain=1.0 + 15.0 * share)
        elif self._look.mode is Mode.WIPE:
            self._change(wipe=share)

    def _change(
        self, *, opacity: float | None = None, gain: float | None = None, wipe: float | None = None
    ) -> None:
        look = self._look
        changed = Look(
            look.mode,
            look.first,
            look.second,
            look.opacity if opacity is None else opacity,
            look.gain if gain is None else gain,
            look.wipe if wipe is None else wipe,
        )
        self.set_look(changed)
        self.look_changed.emit(changed)
