"""The views of the pictures: grid, overlay, difference, wipe; zoom; one recording alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace
from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication

from app.actions import ActionId
from app.bootstrap.parts import Feature
from app.models.looking import Look, Mode, Zoom
from app.presenters.likeness import LikenessPresenter
from app.views.zooming import STEP

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.bootstrap.parts import Handlers, Parts
    from carl_core.project.project import ViewMode

HOLD_MS = 300
_MODES: dict[ActionId, Mode] = {
    ActionId.VIEW_GRID: Mode.GRID,
    ActionId.VIEW_OVERLAY: Mode.OVERLAY,
    ActionId.VIEW_DIFFERENCE: Mode.DIFFERENCE,
    ActionId.VIEW_WIPE: Mode.WIPE,
}
_NAMES: dict[Mode, ViewMode] = {
    Mode.GRID: "grid",
    Mode.OVERLAY: "overlay",
    Mode.DIFFERENCE: "difference",
    Mode.WIPE: "wipe",
}


class ViewingFeature(Feature):
    """Keeps stage, actions and the project's view the same."""

    needs_recordings = (*_MODES, ActionId.SOLO, ActionId.ZOOM_FIT)

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parts, parent)
        stage = parts.window.stage
        self._held: int | None = None
        self._hold = QTimer(self)
        self._hold.setSingleShot(True)
        self._hold.setInterval(HOLD_MS)
        self._hold.timeout.connect(self._on_held)
        self._likeness = LikenessPresenter(
            parts.session, parts.player, parts.frames, stage.grid, self
        )
        stage.look_changed.connect(self._keep)
        stage.refresh_wanted.connect(parts.player.refresh)
        stage.grid.tile_doubled.connect(self._on_doubled)
        parts.session.active_changed.connect(lambda _id: self.on_project())
        parts.session.recordings_changed.connect(self.on_project)
        parts.actions[ActionId.ZOOM_LINK].setChecked(True)
        self.on_project()

    def handlers(self) -> Handlers:
        """Return views, zoom and the digits."""
        stage, actions = self.parts.window.stage, self.parts.actions
        handlers: dict[ActionId, Callable[[], None]] = {
            ActionId.SOLO: self._toggle_solo,
            ActionId.ZOOM_FIT: lambda: stage.set_zoom(Zoom()),
            ActionId.ZOOM_IN: lambda: self._zoom(STEP),
            ActionId.ZOOM_OUT: lambda: self._zoom(1 / STEP),
            ActionId.ZOOM_LINK: lambda: stage.set_zoom_linked(
                actions[ActionId.ZOOM_LINK].isChecked()
            ),
        }
        for which, mode in _MODES.items():
            handlers[which] = partial(self._set_mode, mode)
        for number in range(9):
            which = ActionId(f"tile-{number + 1}")
            handlers[which] = partial(self._press, number)
        return handlers

    def on_project(self) -> None:
        """Show the project's view of the reference and the active recording."""
        view = self.parts.project.project.view
        mode = next(m for m, name in _NAMES.items() if name == view.mode)
        first, second = self._pair()
        look = Look(mode, first, second, view.opacity, view.gain, view.wipe)
        self.parts.window.stage.set_look(look)
        for which, one in _MODES.items():
            if one is mode:
                self.parts.actions[which].setChecked(True)
            self.parts.actions[which].setEnabled(bool(first) and (bool(second) or one is Mode.GRID))
        solo = self.parts.window.grid.solo
        self.parts.actions[ActionId.SOLO].setChecked(bool(solo))

    def close(self) -> None:
        """Stop waiting for a key."""
        self._end_hold()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Notice that a held digit is let go."""
        if event.type() == QEvent.Type.KeyRelease and isinstance(event, QKeyEvent):
            if not event.isAutoRepeat() and event.key() == self._held:
                self._end_hold()
        elif event.type() == QEvent.Type.ApplicationDeactivate:
            self._end_hold()
        return False

    # Modes -------------------------------------------------------------------------------------

    def _pair(self) -> tuple[str, str]:
        session = self.parts.session
        others = [e.id for e in session.others]
        active = session.active_id
        second = active if active in others else next(iter(others), "")
        return session.reference_id, second

    def _set_mode(self, mode: Mode) -> None:
        view = self.parts.project.project.view
        self.parts.project.set_view(replace(view, mode=_NAMES[mode]))
        self.on_project()

    def _keep(self, look: Look) -> None:
        self.parts.project.set_view(
            replace(
                self.parts.project.project.view,
                opacity=look.opacity,
                gain=look.gain,
                wipe=look.wipe,
            )
        )

    def _zoom(self, factor: float) -> None:
        stage = self.parts.window.stage
        zoom = stage.composite.zooming.zoom
        stage.set_zoom(zoom.at(zoom.factor * factor, zoom.x, zoom.y))

    # One alone ---------------------------------------------------------------------------------

    def _toggle_solo(self) -> None:
        grid = self.parts.window.grid
        grid.set_solo("" if grid.solo else self.parts.session.active_id)
        self.parts.actions[ActionId.SOLO].setChecked(bool(grid.solo))
        self.parts.player.refresh()

    def _on_doubled(self, recording_id: str) -> None:
        self.parts.session.set_active(recording_id)
        self._toggle_solo()

    def _press(self, number: int) -> None:
        """Choose a recording; while its digit is held, show it alone."""
        entries = self.parts.session.entries
        if number >= len(entries):
            return
        self.parts.session.set_active(entries[number].id)
        self._end_hold()
        self._held = int(Qt.Key.Key_1) + number
        app = QApplication.instance()
        if app is not None:
            app.installEventFilter(self)
        self._hold.start()

    def _on_held(self) -> None:
        self.parts.window.grid.set_solo(self.parts.session.active_id)
        self.parts.player.refresh()

    def _end_hold(self) -> None:
        if self._held is None:
            return
        self._held = None
        was_waiting = self._hold.isActive()
        self._hold.stop()
        app = QApplication.instance()
        if app is not None:
            app.removeEventFilter(self)
        if not was_waiting:
            self.parts.window.grid.set_solo("")
            self.parts.player.refresh()
