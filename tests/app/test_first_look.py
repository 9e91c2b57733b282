"""Long recordings: a first look, a coarse map to play along, then the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.models.session import Stage
from app.presenters.verdicts import verdict_on
from carl_core.playback.schedule import TimeBase
from tests.app.conftest import wait_settled
from tests.app.fakes import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program


@pytest.fixture
def engine() -> FakeEngine:
    """Finds every recording long; embedding in full waits for its gate."""
    return FakeEngine(is_long=True, is_gated=True)


@pytest.fixture
def looked_at(
    engine: FakeEngine,
    make_program: Callable[..., Program],
    videos: list[Path],
    qtbot: QtBot,
) -> Program:
    """A program with a coarse map of two recordings; the first is being embedded in full."""
    program = make_program(engine)
    program.opening.add_paths(videos[:2])
    qtbot.waitUntil(
        lambda: (
            len(program.session.entries) == 2
            and program.session.entries[0].stage is Stage.REFINING
            and program.session.entries[1].is_mapped
        ),
        timeout=60_000,
    )
    qtbot.waitUntil(lambda: program.player.is_up_to_date, timeout=60_000)
    return program


def chips(program: Program, number: int) -> tuple[str, ...]:
    recording_id = program.session.entries[number].id
    return program.window.grid.tiles[recording_id].state.chips


def test_a_first_look_plays_and_the_whole_replaces_it_in_place(
    looked_at: Program, engine: FakeEngine, qtbot: QtBot
) -> None:
    program = looked_at
    first, second = program.session.entries
    assert second.is_coarsely_aligned
    assert second.alignment is not None
    assert second.alignment.other_s[0] == 0
    assert (first.coarse, second.coarse) == ("2/1", "2/1")
    facts = verdict_on(first, second).facts
    assert "first look" in facts[0]
    program.player.seek(0.8)
    qtbot.waitUntil(lambda: program.player.is_up_to_date, timeout=60_000)
    at_s, shown = program.player.clock.time_s, program.player.shown[first.id].index
    coarse = second.alignment

    engine.is_gated = False
    wait_settled(qtbot, program, 2)
    qtbot.waitUntil(lambda: program.player.is_up_to_date, timeout=60_000)
    first, second = program.session.entries
    assert second.alignment is not coarse
    assert len(second.alignment.reference_s) > len(coarse.reference_s)
    assert not second.is_coarsely_aligned
    assert (first.coarse, second.coarse) == ("", "")
    assert second.aligned == (first.embeddings, second.embeddings)
    assert program.player.clock.time_s == at_s
    assert program.player.shown[first.id].index == shown
    assert verdict_on(first, second).facts[0].startswith("match")
    # Each was looked at once and embedded in full once.
    assert len(engine.aligned) == 2


def test_with_the_mean_of_all_the_picture_stays_when_the_map_changes(
    looked_at: Program, engine: FakeEngine, qtbot: QtBot
) -> None:
    program = looked_at
    program.session.set_base(TimeBase.MEAN)
    program.player.seek(1.3)
    qtbot.waitUntil(lambda: program.player.is_up_to_date, timeout=60_000)
    schedule = program.session.schedule
    assert schedule is not None
    reference_s = schedule.reference_time_at(program.player.clock.time_s)
    engine.is_gated = False
    wait_settled(qtbot, program, 2)
    after = program.session.schedule
    assert after is not None
    assert after is not schedule
    assert after.reference_time_at(program.player.clock.time_s) == pytest.approx(
        reference_s, abs=0.01
    )


def test_cancelling_keeps_the_first_look_and_aligning_again_goes_on(
    looked_at: Program, engine: FakeEngine, qtbot: QtBot
) -> None:
    program = looked_at
    program.loading.cancel()
    wait_settled(qtbot, program, 2)
    assert [e.stage for e in program.session.entries] == [Stage.CANCELLED, Stage.CANCELLED]
    assert program.session.entries[1].is_mapped
    engine.is_gated = False
    program.loading.align_again()
    wait_settled(qtbot, program, 2)
    assert [e.coarse for e in program.session.entries] == ["", ""]
    assert not program.session.entries[1].is_coarsely_aligned


def test_a_tile_says_quietly_what_is_going_on(
    looked_at: Program, engine: FakeEngine, qtbot: QtBot
) -> None:
    program = looked_at
    assert chips(program, 0) == ("refining 0%",)
    assert chips(program, 1) == ("to be refined",)
    engine.is_gated = False
    wait_settled(qtbot, program, 2)
    assert chips(program, 0) == chips(program, 1) == ()


def test_a_new_alignment_meanwhile_counts_in_the_same_samples(
    looked_at: Program, engine: FakeEngine, qtbot: QtBot
) -> None:
    program = looked_at
    second = program.session.entries[1]
    before = second.alignment
    program.loading.realign(second.id)
    qtbot.waitUntil(lambda: program.session.entries[1].alignment is not before, timeout=60_000)
    second = program.session.entries[1]
    assert second.is_coarsely_aligned
    assert second.aligned is not None
    assert second.aligned[0].key.sampling == "2/1"
    assert program.session.entries[0].stage is Stage.REFINING
    engine.is_gated = False
    wait_settled(qtbot, program, 2)
    assert not program.session.entries[1].is_coarsely_aligned


def test_a_recording_that_comes_meanwhile_goes_first(
    looked_at: Program, engine: FakeEngine, videos: list[Path], qtbot: QtBot
) -> None:
    program = looked_at
    program.opening.add_paths(videos[2:3])
    qtbot.waitUntil(
        lambda: len(program.session.entries) == 3 and program.session.entries[2].is_mapped,
        timeout=60_000,
    )
    assert program.session.entries[2].is_coarsely_aligned
    qtbot.waitUntil(lambda: program.session.entries[0].stage is Stage.REFINING, timeout=60_000)
    engine.is_gated = False
    wait_settled(qtbot, program, 3)
    assert [e.coarse for e in program.session.entries] == ["", "", ""]
    assert not any(e.is_coarsely_aligned for e in program.session.entries)
