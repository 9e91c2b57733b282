from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from app.models.session import SessionModel, Stage
from carl_core.alignment.alignment import Alignment
from carl_core.playback.schedule import TimeBase
from tests.helpers.recordings import fake_recording

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


def make_alignment(verdict: str = "aligned", end_s: float = 3.0) -> Alignment:
    times = np.arange(0.0, 4.0, 0.1)
    others = np.where(times < end_s, times + 1.0, np.nan)
    return Alignment(
        method="dtw",
        cost=0.1,
        match=0.99,
        verdict=verdict,  # type: ignore[arg-type]
        reason="Made up.",
        reference_s=times,
        other_s=others if verdict != "none" else np.full_like(times, np.nan),
        confidence=np.ones_like(times),
        gaps=(),
        anchors=(),
        raw_reference=np.arange(len(times)),
        raw_other=np.arange(len(times)),
    )


@pytest.fixture
def session(qtbot: QtBot) -> SessionModel:
    session = SessionModel()
    for name in "abc":
        session.add(fake_recording(name, 100))
    return session


def test_first_recording_is_reference_and_active(session: SessionModel) -> None:
    assert session.reference_id == "a"
    assert session.active_id == "a"
    assert [e.letter for e in session.entries] == ["A", "B", "C"]


def test_an_alignment_changes_what_plays_together(session: SessionModel, qtbot: QtBot) -> None:
    assert session.schedule is not None
    assert session.schedule.times_at(1.0)["b"] == pytest.approx(1.0)
    with qtbot.waitSignal(session.schedule_changed):
        session.set_alignment("b", make_alignment())
    assert session.schedule.times_at(1.0)["b"] == pytest.approx(2.0)
    assert session.schedule.times_at(1.0)["c"] == pytest.approx(1.0)


def test_an_unconvincing_alignment_is_not_played(session: SessionModel) -> None:
    session.set_alignment("b", make_alignment("none"))
    assert session.schedule is not None
    assert session.schedule.times_at(1.0)["b"] == pytest.approx(1.0)


def test_another_reference_forgets_alignments(session: SessionModel) -> None:
    session.set_alignment("b", make_alignment())
    session.set_reference("b")
    assert all(e.alignment is None for e in session.entries)
    assert session.schedule is not None
    assert session.schedule.reference.id == "b"


def test_removing_the_reference_makes_another_one(session: SessionModel) -> None:
    session.set_alignment("b", make_alignment())
    session.remove("a")
    assert session.reference_id == "b"
    assert session.active_id == "b"
    assert [e.letter for e in session.entries] == ["A", "B"]
    assert all(e.alignment is None for e in session.entries)


def test_removing_everything_leaves_nothing(session: SessionModel) -> None:
    for name in "abc":
        session.remove(name)
    assert session.schedule is None
    assert session.reference_id == ""
    assert session.active_id == ""


def test_neighbours_go_around(session: SessionModel) -> None:
    seen = []
    for _ in range(4):
        session.activate_neighbour(1)
        seen.append(session.active_id)
    assert seen == ["b", "c", "a", "b"]
    session.activate_neighbour(-1)
    assert session.active_id == "a"


def test_time_base_is_part_of_the_schedule(session: SessionModel) -> None:
    session.set_alignment("b", make_alignment())
    session.set_base(TimeBase.NATIVE)
    assert session.schedule is not None
    assert session.schedule.base is TimeBase.NATIVE


def test_late_news_of_removed_recordings_is_ignored(session: SessionModel) -> None:
    session.remove("b")
    session.set_stage("b", Stage.EMBEDDING)
    session.set_alignment("b", make_alignment())
    assert session.entry("b") is None
