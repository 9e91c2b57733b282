"""Pins and masks on the heatmap: by mouse and by keys, dragged, refused, undone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt

from app.actions import ActionId
from app.models.pinning import Pin, Wall
from tests.app.conftest import wait_settled
from tests.app.fakes import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from app.views.heatmap.pin_layer import PinLayer
    from carl_core.alignment.alignment import Alignment, Anchor
    from carl_core.progress import Monitor
    from carl_core.video.recording import Recording

ALT = Qt.KeyboardModifier.AltModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def shown(aligned: Program, qtbot: QtBot) -> Program:
    """The heatmap of the pair is drawn."""
    qtbot.waitUntil(lambda: not aligned.jobs.is_active("heatmap"), timeout=20_000)
    qtbot.waitUntil(lambda: aligned.window.heatmap.plot.isVisible())
    return aligned


def layer(program: Program) -> PinLayer:
    return program.window.heatmap.pins


def test_a_pin_that_is_dragged_on_and_on_leaves_no_pictures_of_itself(
    shown: Program, qtbot: QtBot
) -> None:
    pins, plot = layer(shown), shown.window.heatmap.plot
    for k in range(30):
        pins.set_pins((Pin(0.5 + k / 100, 0.5),), ())
        plot.grab()
    assert 1 <= len(pins._spots.fragmentAtlas) <= 2


def at(program: Program, first_s: float, second_s: float) -> QPoint:
    """Return where on the plot a pair lies."""
    plot = program.window.heatmap.plot
    box = plot.getPlotItem().getViewBox()
    place: QPoint = plot.mapFromScene(box.mapViewToScene(QPointF(first_s, second_s)))
    return place


def drag(
    program: Program, qtbot: QtBot, start: QPoint, end: QPoint, modifiers: Qt.KeyboardModifier
) -> None:
    view = program.window.heatmap.plot.viewport()
    qtbot.mousePress(view, LEFT, modifiers, start)
    middle = (start + end) / 2
    for place in (middle, end):
        qtbot.mouseMove(view, place)
    qtbot.mouseRelease(view, LEFT, modifiers, end)


def pairs(program: Program) -> list[tuple[float, float]]:
    return [(a.first.time_s, a.second.time_s) for a in program.project.project.anchors]


NONE = Qt.KeyboardModifier.NoModifier


def test_shift_click_pins_and_the_map_goes_through_it(shown: Program, qtbot: QtBot) -> None:
    qtbot.mouseClick(shown.window.heatmap.plot.viewport(), LEFT, SHIFT, at(shown, 1.0, 1.2))
    ((first_s, second_s),) = pairs(shown)
    assert first_s == pytest.approx(1.0, abs=0.06)
    assert second_s == pytest.approx(1.2, abs=0.06)
    wait_settled(qtbot, shown, 2)
    alignment = shown.session.others[0].alignment
    assert alignment is not None
    assert alignment.time_map(first_s) == pytest.approx(second_s, abs=0.05)
    shown.actions[ActionId.UNDO].trigger()
    assert not pairs(shown)


def test_a_pin_is_dragged_in_one_step_and_removed(shown: Program, qtbot: QtBot) -> None:
    presenter = shown.mapping.pinning
    presenter.add(1.0, 1.2)
    steps = shown.project.stack.count()
    drag(shown, qtbot, at(shown, 1.0, 1.2), at(shown, 1.0, 1.8), NONE)
    ((_, second_s),) = pairs(shown)
    assert second_s == pytest.approx(1.8, abs=0.08)
    assert shown.project.stack.count() == steps + 1
    assert layer(shown).selected == ("pin", 0)
    shown.window.heatmap.plot.setFocus()
    qtbot.keyClick(shown.window.heatmap.plot, Qt.Key.Key_Delete)
    assert not pairs(shown)
    shown.actions[ActionId.UNDO].trigger()
    shown.actions[ActionId.UNDO].trigger()
    assert pairs(shown)[0][1] == pytest.approx(1.2, abs=0.05)


def test_what_a_dragged_pin_joins_is_shown_while_it_is_dragged(
    shown: Program, qtbot: QtBot
) -> None:
    shown.mapping.pinning.add(1.0, 1.2)
    wait_settled(qtbot, shown, 2)
    view, player = shown.window.heatmap.plot.viewport(), shown.player
    qtbot.mousePress(view, LEFT, NONE, at(shown, 1.0, 1.2))
    qtbot.mouseMove(view, at(shown, 1.0, 1.8))
    ((first_s, second_s),) = pairs(shown)
    reference, other = shown.session.entries
    indices = [e.recording.index for e in (reference, other)]
    due = [player.frame_due(e.id) for e in (reference, other)]
    assert due == [
        index.frame_shown_at(time_s)
        for index, time_s in zip(indices, (first_s, second_s), strict=True)
    ]
    qtbot.mouseRelease(view, LEFT, NONE, at(shown, 1.0, 1.8))
    wait_settled(qtbot, shown, 2)
    assert player.frame_due(reference.id) == due[0]


class SlowNearEngine(FakeEngine):
    """Solves around pins in some hundredths of a second, as for long recordings."""

    def align_near(
        self,
        previous: Alignment,
        reference: Recording,
        other: Recording,
        anchors: Sequence[Anchor],
        *,
        sampling: str | None = None,
        monitor: Monitor | None = None,
    ) -> Alignment | None:
        time.sleep(0.03)
        return FakeEngine().align(reference, other, anchors=anchors, monitor=monitor)


def test_the_map_follows_a_pin_that_is_dragged_without_a_rest(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    engine = SlowNearEngine()
    program = make_program(engine)
    program.opening.add_paths(videos[:2])
    wait_settled(qtbot, program, 2)
    pinning = program.mapping.pinning
    pinning.add(1.0, 1.2)
    wait_settled(qtbot, program, 2)
    solved_whole = len(engine.aligned)
    seen = set()
    pinning.begin_drag(0)
    for step in range(1, 2000):  # it never rests for as long as a solution takes
        pinning.drag(1.0, 1.2 + 0.04 * (step % 10))
        qtbot.wait(5)
        alignment = program.session.others[0].alignment
        assert alignment is not None
        seen.add(alignment.anchors)
        if len(seen) == 4:
            break
    assert len(seen) == 4
    pinning.end_drag()
    wait_settled(qtbot, program, 2)
    alignment = program.session.others[0].alignment
    assert alignment is not None
    ((_, second_s),) = pairs(program)
    assert alignment.anchors[0].other_s == pytest.approx(second_s)
    assert len(engine.aligned) == solved_whole  # nothing else was searched anew


def test_a_pin_stops_at_its_neighbour_and_the_wall_is_shown(
    shown: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    presenter = shown.mapping.pinning
    presenter.add(0.4, 0.6)
    presenter.add(1.2, 1.8)
    walls: list[Wall] = []
    monkeypatch.setattr(layer(shown), "set_wall", walls.append)
    presenter.begin_drag(1)
    presenter.drag(0.1, 0.2)  # beyond the first pin in both recordings
    presenter.end_drag()
    found = sorted(pairs(shown))
    assert found[0] == pytest.approx((0.4, 0.6), abs=0.05)
    assert found[1][0] > found[0][0]
    assert found[1][1] > found[0][1]
    assert walls[0].reference_s is not None
    assert walls[0].other_s is not None
    assert walls[-1] == Wall()


def test_alt_drag_makes_a_mask_and_control_a_corridor(shown: Program, qtbot: QtBot) -> None:
    start, end = at(shown, 0.4, 1.8), at(shown, 1.0, 2.4)
    drag(shown, qtbot, start, end, ALT)
    (mask,) = shown.project.project.masks
    assert mask.kind == "apart"
    assert (mask.first.start_s, mask.second.end_s) == pytest.approx((0.4, 2.4), abs=0.06)
    drag(shown, qtbot, at(shown, 1.2, 1.0), at(shown, 1.6, 2.0), ALT | CONTROL)
    assert [m.kind for m in shown.project.project.masks] == ["apart", "together"]
    qtbot.mouseClick(shown.window.heatmap.plot.viewport(), LEFT, NONE, at(shown, 0.7, 2.1))
    assert layer(shown).selected == ("patch", 0)
    shown.window.heatmap.plot.setFocus()
    qtbot.keyClick(shown.window.heatmap.plot, Qt.Key.Key_Delete)
    assert [m.kind for m in shown.project.project.masks] == ["together"]
    shown.actions[ActionId.UNDO].trigger()
    assert len(shown.project.project.masks) == 2


def test_a_mask_that_nearly_reaches_the_edge_reaches_it(shown: Program, qtbot: QtBot) -> None:
    height_s = shown.session.others[0].recording.index.duration_s
    shown.mapping.pinning.add_patch((0.4, 0.8), (0.02, height_s - 0.02), False)
    (mask,) = shown.project.project.masks
    assert (mask.second.start_s, mask.second.end_s) == (0.0, height_s)
    wait_settled(qtbot, shown, 2)


def test_what_lies_before_or_between_is_said_to_have_no_counterpart(
    shown: Program, qtbot: QtBot
) -> None:
    lengths = [e.recording.index.duration_s for e in shown.session.entries]
    shown.mapping.pinning.begin_at(0.5, 0.7)
    spans = [
        (m.first.start_s, m.first.end_s, m.second.start_s, m.second.end_s)
        for m in shown.project.project.masks
    ]
    assert spans == [(0.0, 0.5, 0.0, lengths[1]), (0.0, lengths[0], 0.0, 0.7)]
    shown.actions[ActionId.UNDO].trigger()
    assert not shown.project.project.masks
    shown.actions[ActionId.NO_COUNTERPART].trigger()
    assert "in and out" in shown.window.banner.messages[0].text
    shown.player.seek(0.4)
    shown.actions[ActionId.IN].trigger()
    shown.player.seek(0.8)
    shown.actions[ActionId.OUT].trigger()
    shown.actions[ActionId.NO_COUNTERPART].trigger()
    (mask,) = shown.project.project.masks
    assert (mask.first.start_s, mask.first.end_s) == pytest.approx((0.4, 0.84), abs=0.001)
    assert (mask.second.start_s, mask.second.end_s) == (0.0, lengths[1])
    shown.actions[ActionId.CLEAR_MASKS].trigger()
    assert not shown.project.project.masks
    wait_settled(qtbot, shown, 2)


def test_delete_takes_out_what_is_at_the_keyboards_cursor(shown: Program, qtbot: QtBot) -> None:
    shown.player.seek(0.8)
    qtbot.waitUntil(lambda: shown.window.heatmap._playhead[0] is not None)
    plot = shown.window.heatmap.plot
    plot.setFocus()
    qtbot.keyClick(plot, Qt.Key.Key_Up)
    qtbot.keyClick(plot, Qt.Key.Key_Return)
    assert len(pairs(shown)) == 1
    assert layer(shown).selected is None  # nothing was chosen with the mouse
    qtbot.keyClick(plot, Qt.Key.Key_Delete)
    assert not pairs(shown)
    wait_settled(qtbot, shown, 2)


def test_the_keyboard_has_a_cursor_that_pins(shown: Program, qtbot: QtBot) -> None:
    shown.player.seek(0.8)
    plot = shown.window.heatmap.plot
    qtbot.waitUntil(lambda: shown.window.heatmap._playhead[0] is not None)
    start = shown.window.heatmap._playhead
    plot.setFocus()
    assert start[0] is not None
    assert start[1] is not None
    qtbot.keyClick(plot, Qt.Key.Key_Up, SHIFT)
    qtbot.keyClick(plot, Qt.Key.Key_Right)
    other = shown.session.others[0]
    due = shown.player.frame_due(other.id)
    assert due == other.recording.index.frame_shown_at(start[1] + 0.4)
    qtbot.keyClick(plot, Qt.Key.Key_Return)
    ((first_s, second_s),) = pairs(shown)
    assert first_s == pytest.approx(start[0] + 0.04, abs=0.041)
    assert second_s == pytest.approx(start[1] + 0.4, abs=0.041)
    qtbot.keyClick(plot, Qt.Key.Key_Escape)
    before = shown.player.clock.time_s
    shown.window.grid.setFocus()
    qtbot.keyClick(shown.window, Qt.Key.Key_Right)  # the window's again
    assert shown.player.clock.time_s > before
