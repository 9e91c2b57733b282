"""Alignment by hand: nudge, pin, kinds of map, the range that is played."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QToolButton

from app.actions import ActionId
from tests.app.conftest import wait_settled
from tests.app.fakes import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program


def trigger(program: Program, *which: ActionId) -> None:
    for one in which:
        program.actions[one].trigger()


def frames(program: Program, qtbot: QtBot) -> list[int]:
    """Frames the tiles show, when they show what is due."""
    ids = [e.id for e in program.session.entries]
    qtbot.waitUntil(
        lambda: all(
            i in program.player.shown
            and program.player.shown[i].index == program.player.frame_due(i)
            for i in ids
        ),
        timeout=20_000,
    )
    return [program.player.shown[i].index for i in ids]


def activate(program: Program, number: int) -> str:
    entry = program.session.entries[number]
    program.session.set_active(entry.id)
    return entry.id


def test_a_nudge_moves_one_and_a_pin_keeps_it(aligned: Program, qtbot: QtBot) -> None:
    other = activate(aligned, 1)
    aligned.player.seek(1.0)
    ours, theirs = frames(aligned, qtbot)
    trigger(aligned, ActionId.NUDGE_FORWARD_TEN, ActionId.NUDGE_BACK)
    assert frames(aligned, qtbot) == [ours, theirs + 9]
    assert aligned.player.nudges == {other: 9}
    # Elsewhere it is beside its place by as much.
    aligned.player.seek(0.4)
    at = aligned.session.schedule.frames_at(0.4)[other]  # type: ignore[union-attr]
    assert frames(aligned, qtbot)[1] == at + 9  # type: ignore[operator]
    aligned.player.seek(1.0)
    trigger(aligned, ActionId.PIN)
    wait_settled(qtbot, aligned, 2)
    assert aligned.player.nudges == {}
    assert frames(aligned, qtbot) == [ours, theirs + 9]
    (anchor,) = aligned.project.project.anchors
    assert (anchor.first.pts, anchor.second.pts) == (
        aligned.session.entries[0].recording.index.pts[ours],
        aligned.session.entries[1].recording.index.pts[theirs + 9],
    )
    assert anchor.made
    trigger(aligned, ActionId.UNDO)
    wait_settled(qtbot, aligned, 2)
    assert frames(aligned, qtbot) == [ours, theirs]


def test_without_sync_lock_steps_move_the_active_one_alone(aligned: Program, qtbot: QtBot) -> None:
    activate(aligned, 1)
    aligned.player.seek(1.0)
    ours, theirs = frames(aligned, qtbot)
    trigger(aligned, ActionId.SYNC, ActionId.FRAME_FORWARD, ActionId.FRAMES_FORWARD)
    assert frames(aligned, qtbot) == [ours, theirs + 11]
    trigger(aligned, ActionId.PIN)
    wait_settled(qtbot, aligned, 2)
    trigger(aligned, ActionId.SYNC)
    assert frames(aligned, qtbot) == [ours, theirs + 11]


def test_with_the_reference_active_all_are_pinned(
    make_program,
    videos,
    qtbot: QtBot,  # type: ignore[no-untyped-def]
) -> None:
    program = make_program()
    program.opening.add_paths(videos)
    wait_settled(qtbot, program, 3)
    activate(program, 0)
    program.player.seek(1.0)
    frames(program, qtbot)
    trigger(program, ActionId.PIN)
    assert len(program.project.project.anchors) == 2
    assert program.project.stack.undoText() == "pin"
    trigger(program, ActionId.CLEAR_PINS)
    assert program.project.project.anchors == ()
    wait_settled(qtbot, program, 3)


def test_pins_that_cross_are_refused_with_a_sentence(aligned: Program, qtbot: QtBot) -> None:
    activate(aligned, 1)
    aligned.player.seek(1.0)
    frames(aligned, qtbot)
    trigger(aligned, ActionId.PIN)
    wait_settled(qtbot, aligned, 2)
    aligned.player.seek(0.6)
    frames(aligned, qtbot)
    trigger(aligned, *[ActionId.NUDGE_FORWARD_TEN] * 4, ActionId.PIN)
    assert len(aligned.project.project.anchors) == 1
    assert any("keep their order" in m.text for m in aligned.window.banner.messages)


def test_jump_to_pins_and_take_one_out(aligned: Program, qtbot: QtBot) -> None:
    activate(aligned, 1)
    for at in (0.4, 1.2):
        aligned.player.seek(at)
        frames(aligned, qtbot)
        trigger(aligned, ActionId.PIN)
        wait_settled(qtbot, aligned, 2)
    trigger(aligned, ActionId.NEAREST_PIN)
    assert aligned.player.clock.time_s == pytest.approx(0.4, abs=0.021)
    trigger(aligned, ActionId.UNPIN)
    (left,) = aligned.project.project.anchors
    assert left.first.time_s == pytest.approx(1.2, abs=0.021)
    wait_settled(qtbot, aligned, 2)


@pytest.mark.parametrize(
    ("which", "kind", "method"),
    [
        (ActionId.MAP_OFFSET, "offset", "offset"),
        (ActionId.MAP_LINEAR, "linear", "linear"),
        (ActionId.MAP_PINS, "anchors", "anchors"),
    ],
)
def test_the_kind_of_map_is_one_click_and_undone(
    aligned: Program, qtbot: QtBot, which: ActionId, kind: str, method: str
) -> None:
    other = activate(aligned, 1)
    assert aligned.actions[ActionId.MAP_AUTO].isChecked()
    trigger(aligned, which)
    wait_settled(qtbot, aligned, 2)
    assert aligned.project.project.maps == {other: kind}
    assert aligned.session.others[0].alignment.method == method  # type: ignore[union-attr]
    trigger(aligned, ActionId.UNDO)
    wait_settled(qtbot, aligned, 2)
    assert aligned.actions[ActionId.MAP_AUTO].isChecked()
    assert aligned.session.others[0].alignment.method == "dtw"  # type: ignore[union-attr]


def test_method_map_nudge_and_pin_are_visible_buttons(aligned: Program, qtbot: QtBot) -> None:
    hand = aligned.window.hand
    label = hand.findChild(QLabel, "hand-bar-map")
    assert label is not None
    assert label.text() == "All maps"  # the reference is active
    other = activate(aligned, 1)
    assert label.text() == "Map of B"

    def button(which: ActionId) -> QToolButton:
        found = hand.findChild(QToolButton, f"hand-action-{which.value}")
        assert found is not None
        assert found.isVisible()
        assert found.visibleRegion().boundingRect().size() == found.size()  # nothing clipped
        return found

    qtbot.mouseClick(button(ActionId.MAP_OFFSET), Qt.MouseButton.LeftButton)
    wait_settled(qtbot, aligned, 2)
    assert aligned.project.project.maps == {other: "offset"}
    assert button(ActionId.MAP_OFFSET).isChecked()
    qtbot.mouseClick(button(ActionId.NUDGE_FORWARD), Qt.MouseButton.LeftButton)
    assert aligned.player.nudges == {other: 1}
    qtbot.mouseClick(button(ActionId.PIN), Qt.MouseButton.LeftButton)
    assert len(aligned.project.project.anchors_of(other)) == 1
    for which in (ActionId.METHOD_PICTURES, ActionId.METHOD_SOUND, ActionId.METHOD_TIMECODE):
        assert button(which).action is aligned.actions[which]
    assert not button(ActionId.METHOD_SOUND).isEnabled()  # these recordings have none
    assert "no sound" in button(ActionId.METHOD_SOUND).toolTip()
    wait_settled(qtbot, aligned, 2)


def test_a_map_chosen_by_hand_is_played_and_not_complained_about(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    engine = FakeEngine()
    program = make_program(engine)
    program.opening.add_paths(videos[:2])
    wait_settled(qtbot, program, 2)
    engine.verdict = "none"
    activate(program, 1)
    trigger(program, ActionId.ALIGN)
    program.loading.realign_all()
    wait_settled(qtbot, program, 2)
    complaint = "no convincing alignment"
    texts = [m.text for m in program.window.banner.messages]
    assert any(complaint in text for text in texts)
    trigger(program, ActionId.MAP_LINEAR)
    wait_settled(qtbot, program, 2)
    assert program.session.others[0].is_mapped
    assert not [m for m in program.window.banner.messages if complaint in m.text]
    assert program.window.heatmap.verdict.title.text() == "Aligned by hand"


def test_in_and_out_bound_what_is_played(aligned: Program, qtbot: QtBot) -> None:
    player = aligned.player
    player.seek(0.4)
    trigger(aligned, ActionId.IN)
    player.seek(0.6)
    trigger(aligned, ActionId.OUT)
    loop = aligned.project.project.loop
    assert loop is not None
    assert (loop.start_s, loop.end_s) == pytest.approx((0.4, 0.64), abs=0.001)
    player.seek(0.3)
    player.play()
    qtbot.waitUntil(lambda: not player.clock.is_playing, timeout=10_000)
    assert player.clock.time_s == pytest.approx(0.64, abs=0.01)
    assert frames(aligned, qtbot)[0] == 15  # the last frame of the range
    player.play()  # begins again
    assert player.clock.time_s < 0.6
    player.pause()
    aligned.actions[ActionId.LOOP].trigger()
    assert player.clock.loop_s == pytest.approx((0.4, 0.64), abs=0.001)
    trigger(aligned, ActionId.CLEAR_RANGE)
    assert aligned.project.project.loop is None
    assert player.clock.loop_s == pytest.approx((0.0, 2.0), abs=0.05)
