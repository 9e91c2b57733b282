"""Uncertain places, and what a lane shows of markers, pins and the range."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from app.actions import ActionId
from app.presenters.review import uncertain_places

if TYPE_CHECKING:
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


def test_they_are_told_and_visited(aligned: Program, qtbot: QtBot) -> None:
    session = aligned.session
    other = session.others[0]
    assert other.alignment is not None
    times = other.alignment.reference_s
    confidence = np.where((times > 0.5) & (times < 1.0), 0.2, 1.0)
    session.set_alignment(other.id, replace(other.alignment, confidence=confidence))
    assert "1 uncertain place" in "\n".join(m.text for m in aligned.window.banner.messages)
    aligned.actions[ActionId.UNCERTAIN_NEXT].trigger()
    assert aligned.player.clock.time_s == pytest.approx(0.55, abs=0.1)
    assert session.active_id == other.id


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
