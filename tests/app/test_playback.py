from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from app.models.session import SessionModel
from app.models.viewstate import Transport
from app.presenters.playback import PlaybackPresenter
from carl_core.video.reader import Frame
from tests.app.test_session import make_alignment
from tests.helpers.recordings import fake_recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

PIXELS = np.zeros((2, 2, 3), dtype=np.uint8)


class FakeFrames:
    def __init__(self) -> None:
        self.wanted: dict[str, tuple[int, ...]] = {}

    def want(self, recording_id: str, plan: tuple[int, ...], size: tuple[int, int]) -> None:
        self.wanted[recording_id] = plan


class FakeView:
    def __init__(self) -> None:
        self.counterparts: dict[str, bool] = {}
        self.transport = Transport()
        self.rates: dict[str, float | None] = {}

    def show_frame(self, recording_id: str, frame: Frame, rate: float | None) -> None:
        self.rates[recording_id] = rate

    def set_counterpart(self, recording_id: str, has_counterpart: bool) -> None:
        self.counterparts[recording_id] = has_counterpart

    def picture_size(self, recording_id: str) -> tuple[int, int]:
        return (64, 48)

    def set_transport(self, transport: Transport) -> None:
        self.transport = transport


class Bench:
    """A player over made-up recordings: a (4 s) is the reference, b (6 s) runs one second ahead."""

    def __init__(self) -> None:
        self.now = 0.0
        self.session = SessionModel()
        self.frames = FakeFrames()
        self.view = FakeView()
        self.player = PlaybackPresenter(self.session, self.frames, self.view, now=lambda: self.now)
        self.session.add(fake_recording("a", 100))
        self.session.add(fake_recording("b", 150))
        self.session.set_alignment("b", make_alignment(end_s=3.0))

    def first(self, recording_id: str) -> int:
        return self.frames.wanted[recording_id][0]

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.player.refresh()


@pytest.fixture
def bench(qtbot: QtBot) -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.player.pause()


def test_a_seek_asks_for_the_frames_shown_then(bench: Bench) -> None:
    bench.player.seek(1.0)
    assert bench.frames.wanted == {"a": (25,), "b": (50,)}
    assert bench.view.transport.time_s == 1.0
    assert bench.view.transport.frame == 25


def test_playing_is_a_function_of_the_clock(bench: Bench) -> None:
    bench.player.play()
    for _ in range(10):
        bench.pass_time(0.1)
    assert bench.first("a") == 25
    assert bench.first("b") == 50
    assert len(bench.frames.wanted["a"]) > 2, "no frames were asked for ahead"
    bench.player.pause()
    bench.pass_time(5.0)
    assert bench.frames.wanted["a"] == (25,)


def test_playing_faster_looks_further_ahead(bench: Bench) -> None:
    bench.player.play(4.0)
    ahead = bench.frames.wanted["a"]
    assert max(np.diff(ahead)) >= 1
    assert ahead[-1] >= 10
    assert bench.view.transport.rate == 4.0


def test_playing_backwards_plans_backwards(bench: Bench) -> None:
    bench.player.seek(2.0)
    bench.player.shuttle(-1)
    plan = bench.frames.wanted["a"]
    assert list(plan) == sorted(plan, reverse=True)
    bench.pass_time(1.0)
    assert bench.first("a") == 25


def test_shuttle_gets_faster_and_turns(bench: Bench) -> None:
    rates = []
    for direction in (1, 1, 1, 1, 1, -1, -1):
        bench.player.shuttle(direction)
        rates.append(bench.player.clock.rate)
    assert rates == [1, 2, 4, 8, 8, -1, -2]


def test_running_into_the_end_stops(bench: Bench) -> None:
    bench.player.seek(3.9)
    bench.player.play()
    bench.pass_time(1.0)
    assert not bench.player.clock.is_playing
    assert not bench.view.transport.is_playing
    assert bench.player.clock.time_s == pytest.approx(4.0)


def test_looping_begins_again(bench: Bench) -> None:
    bench.player.set_looping(True)
    bench.player.seek(3.9)
    bench.player.play()
    bench.pass_time(0.2)
    assert bench.player.clock.is_playing
    assert bench.player.clock.time_s == pytest.approx(0.1)


@pytest.mark.parametrize("active", ["a", "b"])
def test_a_step_is_one_frame_of_the_active_tile_both_ways(bench: Bench, active: str) -> None:
    bench.session.set_active(active)
    bench.player.seek(1.0)
    start = bench.first(active)
    for count in range(1, 20):
        bench.player.step(1)
        assert bench.first(active) == start + count
    for count in range(18, -30, -1):
        bench.player.step(-1)
        expected = max(start + count, 0 if active == "a" else 25)
        if start + count >= expected:
            assert bench.first(active) == start + count


def test_a_step_stops_at_the_ends(bench: Bench) -> None:
    bench.player.step(-1)
    assert bench.first("a") == 0
    bench.player.seek_end(is_end=True)
    assert bench.first("a") == 99
    bench.player.step(1)
    assert bench.first("a") == 99


def test_a_tile_without_counterpart_is_dimmed_and_comes_back(bench: Bench) -> None:
    bench.player.seek(3.5)
    assert bench.view.counterparts["b"] is False
    bench.player.seek(1.0)
    assert bench.view.counterparts["b"] is True


def test_stepping_beyond_the_aligned_part_moves_one_recording_alone(bench: Bench) -> None:
    bench.session.set_active("b")
    bench.player.seek_own("b", 5.5)
    assert bench.first("b") == 137
    before = bench.player.clock.time_s
    bench.player.step(1)
    assert bench.first("b") == 138
    assert bench.player.clock.time_s == before
    assert bench.view.counterparts["b"] is True


def test_a_pair_off_the_path_is_shown_until_the_next_move(bench: Bench) -> None:
    bench.player.show_pair(1.0, "b", 5.0)
    assert (bench.first("a"), bench.first("b")) == (25, 125)
    assert bench.player.own_times_s["b"] == pytest.approx(5.0)
    bench.player.seek(1.0)
    assert (bench.first("a"), bench.first("b")) == (25, 50)


def test_scrubbing_pauses_and_resumes(bench: Bench) -> None:
    bench.player.play(2.0)
    bench.player.begin_scrub()
    assert not bench.player.clock.is_playing
    bench.player.seek_own("a", 1.0)
    bench.player.end_scrub()
    assert bench.player.clock.is_playing
    assert bench.player.clock.rate == 2.0


def test_speed_steps_and_goes_back_to_normal(bench: Bench) -> None:
    bench.player.change_speed(-1)
    assert bench.view.transport.rate == 0.75
    bench.player.change_speed(-1)
    assert bench.view.transport.rate == 0.5
    bench.player.change_speed(0)
    assert bench.view.transport.rate == 1.0
    for _ in range(20):
        bench.player.change_speed(1)
    assert bench.view.transport.rate == 8.0


def test_late_frames_are_counted_and_others_are_not(bench: Bench) -> None:
    bench.player.play()
    bench.pass_time(1.0)
    for index, is_late in ((25, False), (26, False), (20, True)):
        before = bench.player.figures["a"].late if "a" in bench.player.figures else 0
        bench.player.on_frame_ready("a", Frame(index, index * 10, index / 25, PIXELS))
        assert bench.player.figures["a"].late - before == int(is_late), index
    assert bench.player.figures["a"].shown == 3
    assert bench.view.rates["a"] == pytest.approx(1.0)


def test_without_recordings_nothing_happens(bench: Bench) -> None:
    bench.session.remove("a")
    bench.session.remove("b")
    bench.player.toggle()
    bench.player.step(1)
    bench.player.seek(3.0)
    bench.player.seek_end(is_end=True)
    assert not bench.view.transport.is_enabled
    assert not bench.player.clock.is_playing
