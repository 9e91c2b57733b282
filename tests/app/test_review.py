"""Uncertain places, and what a lane shows of markers, pins and the range."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtWidgets import QLabel, QPushButton

from app.actions import ActionId
from app.presenters.review import uncertain_places
from tests.app.conftest import wait_settled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program


def test_stretches_of_little_confidence_are_found(aligned: Program) -> None:
    alignment = aligned.session.others[0].alignment
    assert alignment is not None
    times = alignment.reference_s
    confidence = np.ones(len(times))
    confidence[(times > 0.5) & (times < 1.1)] = 0.2
    confidence[np.argmin(np.abs(times - 1.6))] = 0.1  # too short to stop for
    found = uncertain_places(replace(alignment, confidence=confidence))
    assert len(found) == 1
    assert found[0] == pytest.approx((0.5, 1.1), abs=0.13)


def make_uncertain(program: Program, *stretches_s: tuple[float, float]) -> None:
    other = program.session.others[0]
    assert other.alignment is not None
    times = other.alignment.reference_s
    confidence = np.ones(len(times))
    for start_s, end_s in stretches_s:
        confidence[(times > start_s) & (times < end_s)] = 0.2
    program.session.set_alignment(other.id, replace(other.alignment, confidence=confidence))


def queue_of(program: Program) -> str:
    label = program.window.review.findChild(QLabel, "review-text")
    assert label is not None
    return label.text() if program.window.review.isVisibleTo(program.window) else ""


def test_they_are_told_with_a_button_that_goes_through_them(aligned: Program, qtbot: QtBot) -> None:
    make_uncertain(aligned, (0.3, 0.8), (1.1, 1.6))
    banner = aligned.window.banner
    qtbot.waitUntil(lambda: "2 uncertain places" in [m.text for m in banner.messages])
    assert queue_of(aligned) == "2 uncertain places"
    review = banner.findChild(QPushButton, "message-choice-0")
    assert review is not None
    review.click()
    assert aligned.player.clock.time_s == pytest.approx(0.35, abs=0.1)
    assert aligned.session.active_id == aligned.session.others[0].id
    assert queue_of(aligned).startswith("Uncertain 1 of 2: B")
    aligned.actions[ActionId.UNCERTAIN_NEXT].trigger()
    assert queue_of(aligned).startswith("Uncertain 2 of 2: B")
    aligned.actions[ActionId.UNCERTAIN_NEXT].trigger()
    assert queue_of(aligned).startswith("Uncertain 1 of 2: B")


def test_a_place_that_is_correct_is_pinned_and_leaves_the_queue(
    aligned: Program, qtbot: QtBot
) -> None:
    make_uncertain(aligned, (0.3, 0.8), (1.1, 1.6))
    other = aligned.session.others[0]
    assert other.alignment is not None
    map_before = other.alignment.time_map
    aligned.actions[ActionId.UNCERTAIN_NEXT].trigger()
    aligned.actions[ActionId.UNCERTAIN_RIGHT].trigger()
    ((ours, theirs),) = aligned.project.project.anchors_of(other.id)
    assert 0.3 < ours.time_s < 0.8
    frame_s = 1 / 25
    assert theirs.time_s == pytest.approx(float(map_before(ours.time_s)), abs=2 * frame_s)
    assert queue_of(aligned).startswith("Uncertain 1 of 1: B")
    aligned.actions[ActionId.UNDO].trigger()
    assert "of 2" in queue_of(aligned)
    qtbot.waitUntil(lambda: not aligned.loading.is_busy, timeout=20_000)


def test_two_places_that_begin_together_are_both_visited(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot
) -> None:
    program = make_program()
    program.opening.add_paths(videos)
    wait_settled(qtbot, program, 3)
    for entry in program.session.others:
        assert entry.alignment is not None
        times = entry.alignment.reference_s
        confidence = np.where((times > 0.5) & (times < 1.0), 0.2, 1.0)
        program.session.set_alignment(entry.id, replace(entry.alignment, confidence=confidence))
    visited = []
    for _ in range(2):
        program.actions[ActionId.UNCERTAIN_NEXT].trigger()
        visited.append(program.session.active_id)
    assert visited == [e.id for e in program.session.others]


def test_without_uncertain_places_the_queue_is_out_of_the_way(
    aligned: Program, qtbot: QtBot
) -> None:
    make_uncertain(aligned, (0.3, 0.8))
    qtbot.waitUntil(lambda: queue_of(aligned) != "")
    make_uncertain(aligned)
    qtbot.waitUntil(lambda: queue_of(aligned) == "")
    assert not [m for m in aligned.window.banner.messages if "uncertain" in m.text]


def test_lanes_show_markers_pins_and_range(aligned: Program) -> None:
    for time_s, which in ((0.4, ActionId.IN), (1.2, ActionId.OUT)):
        aligned.player.seek(time_s)
        aligned.actions[which].trigger()
    aligned.actions[ActionId.MARK_PHASE].trigger()
    aligned.actions[ActionId.PIN].trigger()
    first, second = aligned.window.timeline.lanes
    assert first.range_s is not None
    assert first.range_s[0] == pytest.approx(0.4, abs=0.05)
    assert second.range_s is None
    assert [m.is_derived for m in (*first.marks, *second.marks)] == [False, True]
    assert len(first.pins) == len(second.pins) == 1
    before = aligned.window.timeline.grab().toImage()
    aligned.actions[ActionId.UNDO].trigger()
    aligned.actions[ActionId.UNDO].trigger()
    aligned.actions[ActionId.CLEAR_RANGE].trigger()
    first, second = aligned.window.timeline.lanes
    assert not first.marks
    assert not second.pins
    assert first.range_s is None
    assert aligned.window.timeline.grab().toImage() != before
