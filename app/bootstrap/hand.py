"""Alignment by hand: pins, nudges, kinds of map, the range that is played."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.actions import ActionId
from app.bootstrap.parts import Feature
from app.presenters.handwork import HandworkPresenter
from app.presenters.review import ReviewPresenter

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from app.bootstrap.parts import Handlers, Parts

_MAPS = {
    ActionId.MAP_AUTO: "auto",
    ActionId.MAP_OFFSET: "offset",
    ActionId.MAP_LINEAR: "linear",
    ActionId.MAP_PINS: "anchors",
}


class HandFeature(Feature):
    """Commands of ``HandworkPresenter``."""

    needs_recordings = (ActionId.PIN, ActionId.IN, ActionId.OUT)

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parts, parent)
        self.handwork = HandworkPresenter(
            parts.session,
            parts.player,
            parts.files,
            lambda: parts.project.project,
            parts.reporter,
            self,
        )
        self.review = ReviewPresenter(
            parts.session,
            parts.player,
            self.handwork,
            lambda: parts.project.project,
            lambda: parts.loading.is_busy,
            parts.reporter,
            parts.window.review,
            self,
        )
        parts.loading.settled.connect(self.review.refresh)
        parts.session.active_changed.connect(lambda _id: self.on_project())
        parts.session.recordings_changed.connect(self._show_whose)

    def handlers(self) -> Handlers:
        """Return pins, nudges, maps and range."""
        hand = self.handwork
        return {
            ActionId.PIN: hand.pin,
            ActionId.UNPIN: hand.unpin,
            ActionId.CLEAR_PINS: hand.clear,
            ActionId.NEAREST_PIN: hand.jump,
            ActionId.SYNC: self._set_synced,
            ActionId.UNCERTAIN_NEXT: lambda: self.review.go(1),
            ActionId.UNCERTAIN_PREVIOUS: lambda: self.review.go(-1),
            ActionId.UNCERTAIN_RIGHT: self.review.accept,
            ActionId.NUDGE_BACK: lambda: hand.nudge(-1),
            ActionId.NUDGE_FORWARD: lambda: hand.nudge(1),
            ActionId.NUDGE_BACK_TEN: lambda: hand.nudge(-10),
            ActionId.NUDGE_FORWARD_TEN: lambda: hand.nudge(10),
            ActionId.NUDGE_BACK_HUNDRED: lambda: hand.nudge(-100),
            ActionId.NUDGE_FORWARD_HUNDRED: lambda: hand.nudge(100),
            ActionId.MAP_AUTO: lambda: hand.set_map("auto"),
            ActionId.MAP_OFFSET: lambda: hand.set_map("offset"),
            ActionId.MAP_LINEAR: lambda: hand.set_map("linear"),
            ActionId.MAP_PINS: lambda: hand.set_map("anchors"),
            ActionId.IN: lambda: hand.set_range(is_start=True),
            ActionId.OUT: lambda: hand.set_range(is_start=False),
            ActionId.CLEAR_RANGE: hand.clear_range,
        }

    def on_project(self) -> None:
        """Check the kind of map of the active recording; play the project's range."""
        project = self.parts.project.project
        kind = project.maps.get(self.parts.session.active_id, "auto")
        for which, name in _MAPS.items():
            if name == kind:
                self.parts.actions[which].setChecked(True)
        loop = project.loop
        range_s = None if loop is None else (loop.start_s, loop.end_s)
        self.parts.player.set_range(range_s)
        pins: dict[str, tuple[float, ...]] = {}
        for anchor in project.anchors:
            for moment in (anchor.first, anchor.second):
                pins[moment.recording] = (*pins.get(moment.recording, ()), moment.time_s)
        self.parts.timeline.set_pins(pins, range_s)
        self._show_whose()
        self.review.refresh()

    def _show_whose(self) -> None:
        session = self.parts.session
        active = session.entry(session.active_id)
        is_one = active is not None and active.id != session.reference_id
        self.parts.window.hand.set_recording(active.letter if active and is_one else "")

    def _set_synced(self) -> None:
        self.parts.player.set_synced(self.parts.actions[ActionId.SYNC].isChecked())
