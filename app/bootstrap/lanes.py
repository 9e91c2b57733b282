"""The lanes: going there, the part in view, in and out by mouse, the menu of a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import settings as keys
from app.actions import ActionId
from app.bootstrap.parts import Feature
from app.faults.messages import Message, Severity
from app.models.place import Place, PlaceKind
from app.views.goto_dialog import GotoDialog
from app.views.menus import pop_up
from app.views.transport import READOUTS
from carl_core.project import edits
from carl_core.project.project import Loop

if TYPE_CHECKING:
    from PySide6.QtCore import QObject, QPoint

    from app.bootstrap.parts import Handlers, Parts

ZOOM_STEP = 1.5
_MENU = (
    ActionId.PIN,
    ActionId.MARK,
    ActionId.MARK_PHASE,
    ActionId.FIND_FRAME,
    None,
    ActionId.IN,
    ActionId.OUT,
    ActionId.CLEAR_RANGE,
    None,
    ActionId.LANES_FIT,
    ActionId.LANES_RANGE,
)


class LanesFeature(Feature):
    """Connects the timeline to the player and the project."""

    needs_recordings = (
        ActionId.GO_TO,
        ActionId.LANES_IN,
        ActionId.LANES_OUT,
        ActionId.LANES_FIT,
        ActionId.LANES_RANGE,
    )

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parts, parent)
        timeline, player = parts.window.timeline, parts.player
        timeline.seek_requested.connect(player.seek_own)
        timeline.scrub_started.connect(player.begin_scrub)
        timeline.scrub_ended.connect(player.end_scrub)
        timeline.lane_pressed.connect(parts.session.set_active)
        timeline.range_wanted.connect(self._set_range)
        timeline.pictures_wanted.connect(parts.timeline.want_pictures)
        timeline.menu_requested.connect(self._show_menu)
        parts.window.transport.readout_pressed.connect(self._next_readout)
        parts.window.transport.set_readout(parts.settings.get(keys.READOUT))

    def handlers(self) -> Handlers:
        """Return zoom, places and how they are written."""
        timeline = self.parts.window.timeline
        return {
            ActionId.GO_TO: self._ask_place,
            ActionId.READOUT: self._next_readout,
            ActionId.LANES_IN: lambda: timeline.zoom(ZOOM_STEP),
            ActionId.LANES_OUT: lambda: timeline.zoom(1 / ZOOM_STEP),
            ActionId.LANES_FIT: self._fit,
            ActionId.LANES_RANGE: self._show_range,
        }

    def _fit(self) -> None:
        self.parts.window.timeline.fit()
        self.parts.window.heatmap.fit()

    def _show_range(self) -> None:
        loop = self.parts.project.project.loop
        if loop is None:
            self._say(self.tr("Set in and out first (I and O, or Shift+drag on the time ruler)."))
        else:
            self.parts.window.timeline.show_stretch(loop.start_s, loop.end_s)

    def _set_range(self, start_s: float, end_s: float) -> None:
        """Let whole frames of the reference be played."""
        reference = self.parts.session.entry(self.parts.session.reference_id)
        if reference is None:
            return
        index = reference.recording.index
        first = index.frame_shown_at(start_s)
        after = index.frame_shown_at(max(start_s, end_s - 1e-6)) + 1
        loop = Loop(
            start_s=float(index.time_of(first)),
            end_s=index.duration_s if after >= len(index) else float(index.time_of(after)),
        )
        self.parts.files.edit(self.tr("set the range"), lambda p: edits.set_loop(p, loop))

    def _show_menu(self, at: QPoint) -> None:
        commands = [None if which is None else self.parts.actions[which] for which in _MENU]
        pop_up(self.parts.window, "lanes-menu", commands, at)

    def _next_readout(self) -> None:
        transport = self.parts.window.transport
        following = READOUTS[(READOUTS.index(transport.readout) + 1) % len(READOUTS)]
        transport.set_readout(following)
        self.parts.settings.set(keys.READOUT, following)

    # Going to a place --------------------------------------------------------------------------

    def _ask_place(self) -> None:
        session = self.parts.session
        active = session.entry(session.active_id)
        if active is None:
            return
        dialog = GotoDialog(active.letter, len(active.recording.index), self.parts.window)
        dialog.place_chosen.connect(self.go)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def go(self, place: Place) -> None:
        """Go to a time or share of what is played, or to a frame of the active recording."""
        player, session = self.parts.player, self.parts.session
        active, schedule = session.entry(session.active_id), session.schedule
        if active is None or schedule is None:
            return
        if place.kind is PlaceKind.FRAME:
            if place.is_step:
                player.step(int(place.value))
            elif place.value >= len(active.recording.index):
                self._say(
                    self.tr("{letter} has {count} frames, 0 to {last}.").format(
                        letter=active.letter,
                        count=len(active.recording.index),
                        last=len(active.recording.index) - 1,
                    )
                )
            else:
                player.seek_own(active.id, active.recording.index.time_of(int(place.value)))
            return
        seconds = place.value
        if place.kind is PlaceKind.SHARE:
            seconds *= schedule.duration_s
        if place.is_step:
            seconds += player.clock.time_s
        player.seek(min(max(seconds, 0.0), max(0.0, schedule.duration_s - 1e-3)))

    def _say(self, text: str) -> None:
        self.parts.reporter.report(Message(text, Severity.INFO, topic="lanes"))
