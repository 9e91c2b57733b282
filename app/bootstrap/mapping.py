"""The similarity panel: the map, pins and masks on it, the stretch between pins, linked zoom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.actions import ActionId
from app.bootstrap.parts import Feature
from app.faults.messages import Message, Severity
from app.presenters.heatmap import HeatmapPresenter
from app.presenters.heatmap_cursor import CursorPresenter
from app.presenters.heatmap_pairs import PreviewsPresenter
from app.presenters.pinning import PinningPresenter
from app.presenters.segments import SegmentPresenter
from app.views.menus import pop_up

if TYPE_CHECKING:
    from PySide6.QtCore import QObject, QPoint

    from app.bootstrap.parts import Handlers, Parts

Range = tuple[float, float]
_SEGMENT = (ActionId.SEGMENT_LOOP, ActionId.SEGMENT_LOCK, ActionId.SEGMENT_STRAIGHT)


class MappingFeature(Feature):
    """Connects the panel's gestures to what they mean."""

    needs_recordings = _SEGMENT

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parts, parent)
        session, jobs, panel = parts.session, parts.jobs, parts.window.heatmap
        self._is_following = False
        self.heatmap = HeatmapPresenter(session, jobs, parts.player, panel, self)
        panel.pair_clicked.connect(self.heatmap.seek)
        panel.range_changed.connect(self.heatmap.show_range)
        panel.pair_chosen.connect(self.heatmap.choose_pair)
        panel.picture_chosen.connect(self.heatmap.choose_picture)
        self._cursor = CursorPresenter(session, jobs, self.heatmap, panel, self)
        panel.hovered.connect(self._cursor.hover)
        panel.left.connect(self._cursor.leave)
        self._previews = PreviewsPresenter(session, jobs, self.heatmap, panel, self)
        self.pinning = PinningPresenter(
            session, parts.project, parts.files, lambda: self.heatmap.other_id, panel.pins, self
        )
        self.segments = SegmentPresenter(
            session,
            parts.player,
            parts.files,
            lambda: parts.project.project,
            lambda: self.heatmap.other_id,
            parts.reporter,
            self,
        )
        self.segments.chosen.connect(panel.set_segment)
        self._connect_layer()
        self.heatmap.pair_changed.connect(self._on_pair)
        panel.range_changed.connect(self._on_map_range)
        panel.linked.toggled.connect(lambda _on: self._follow_lanes())
        parts.window.timeline.view_changed.connect(self._follow_lanes)

    def handlers(self) -> Handlers:
        """Return what can be done with the stretch between two pins."""
        return {
            ActionId.SEGMENT_LOOP: self._loop,
            ActionId.SEGMENT_LOCK: self.segments.lock,
            ActionId.SEGMENT_STRAIGHT: self.segments.straighten,
            ActionId.NO_COUNTERPART: self._drop_range,
            ActionId.CLEAR_MASKS: self.pinning.clear_patches,
        }

    def on_project(self) -> None:
        """Show the project's pins and masks."""
        self.pinning.refresh()

    def _connect_layer(self) -> None:
        layer, player = self.parts.window.heatmap.pins, self.parts.player
        layer.pin_wanted.connect(self.pinning.add)
        layer.drag_begun.connect(self.heatmap.begin_edit)
        layer.drag_begun.connect(self.pinning.begin_drag)
        layer.dragged.connect(self.pinning.drag)
        layer.dragged.connect(self._show_held)
        layer.drag_ended.connect(self._stay_at_pin)
        layer.drag_ended.connect(self.pinning.end_drag)
        layer.drag_ended.connect(self.heatmap.end_edit)
        layer.pin_removed.connect(self.pinning.remove_pin)
        layer.patch_removed.connect(self.pinning.remove_patch)
        layer.patch_wanted.connect(self.pinning.add_patch)
        layer.cursor_moved.connect(self._show_cursor)
        layer.path_held.connect(player.begin_scrub)
        layer.path_dragged.connect(self.heatmap.seek_path)
        layer.path_let_go.connect(player.end_scrub)
        layer.path_doubled.connect(self._on_path_doubled)

    def _on_pair(self) -> None:
        """Show the pins of the pair; let the cursor move by their frames."""
        session = self.parts.session
        entries = [session.entry(i) for i in (session.reference_id, self.heatmap.other_id)]
        steps = [
            e.recording.index.duration_s / len(e.recording.index) for e in entries if e is not None
        ]
        if len(steps) == 2:
            self.parts.window.heatmap.pins.steps_s = (steps[0], steps[1])
        self.segments.choose(None)
        self.pinning.refresh()

    def _show_held(self) -> None:
        """Show the two frames that the dragged pin would join."""
        held_s = self.pinning.held_s
        if held_s is not None:
            self.parts.player.show_pair(held_s[0], self.heatmap.other_id, held_s[1])

    def _stay_at_pin(self) -> None:
        """Let go of a pin: the playhead stays where the two frames are."""
        held_s = self.pinning.held_s
        if held_s is not None:
            self.heatmap.seek_path(held_s[0])

    def _show_cursor(self, reference_s: float, other_s: float) -> None:
        """Show the two frames under the keyboard cursor."""
        self.parts.player.show_pair(reference_s, self.heatmap.other_id, other_s)

    def _loop(self) -> None:
        if self.segments.loop():
            loop = self.parts.actions[ActionId.LOOP]
            if not loop.isChecked():
                loop.trigger()

    def _drop_range(self) -> None:
        loop = self.parts.project.project.loop
        if loop is None:
            text = self.tr("Set in and out around what has no counterpart first (I and O).")
            self.parts.reporter.report(Message(text, Severity.INFO, topic="range"))
        else:
            self.pinning.drop_stretch((loop.start_s, loop.end_s))

    # Menus -------------------------------------------------------------------------------------

    def _on_path_doubled(self, reference_s: float, at: QPoint) -> None:
        """Choose the stretch between two pins, and offer what can be done with it."""
        self.heatmap.seek_path(reference_s)
        self.segments.choose(reference_s)
        commands = [self.parts.actions[which] for which in _SEGMENT]
        menu = pop_up(self.parts.window, "segment-menu", commands, at)
        if menu is not None:
            menu.aboutToHide.connect(lambda: self.segments.choose(None))

    # Zoom --------------------------------------------------------------------------------------

    def _follow_lanes(self) -> None:
        """Show in the map what the lanes show."""
        panel, timeline = self.parts.window.heatmap, self.parts.window.timeline
        if self._is_following or not panel.linked.isChecked() or not self.heatmap.kind.is_pair:
            return
        self._is_following = True
        if timeline.axis.is_fit:
            if not panel.is_whole:
                panel.fit()
        else:
            ids = [lane.recording_id for lane in timeline.lanes]
            if self.heatmap.other_id in ids:
                row = ids.index(self.heatmap.other_id)
                panel.show_ranges(timeline.axis.visible_s(0), timeline.axis.visible_s(row))
        self._is_following = False

    def _on_map_range(self, columns_s: Range, _rows_s: Range) -> None:
        """Show in the lanes what the map shows."""
        panel, timeline = self.parts.window.heatmap, self.parts.window.timeline
        if self._is_following or not panel.linked.isChecked() or not self.heatmap.kind.is_pair:
            return
        self._is_following = True
        if panel.is_whole:
            timeline.fit()
        else:
            timeline.show_stretch(*columns_s)
        self._is_following = False
