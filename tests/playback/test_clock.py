from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carl_core.playback.clock import PlaybackClock


class FakeNow:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def now() -> FakeNow:
    return FakeNow()


@pytest.fixture
def clock(now: FakeNow) -> PlaybackClock:
    clock = PlaybackClock(now=now)
    clock.set_limits(0.0, 10.0)
    return clock


def test_time_stands_still_until_played(clock: PlaybackClock, now: FakeNow) -> None:
    now.at += 5
    assert clock.time_s == 0.0
    clock.play()
    now.at += 2
    assert clock.time_s == pytest.approx(2.0)


def test_a_change_of_rate_does_not_jump(clock: PlaybackClock, now: FakeNow) -> None:
    clock.play()
    now.at += 4
    clock.set_rate(0.25)
    assert clock.time_s == pytest.approx(4.0)
    now.at += 4
    assert clock.time_s == pytest.approx(5.0)
    clock.set_rate(-1)
    now.at += 3
    assert clock.time_s == pytest.approx(2.0)


def test_it_stops_by_itself_at_the_end_and_starts_over(clock: PlaybackClock, now: FakeNow) -> None:
    clock.play()
    now.at += 30
    assert clock.time_s == 10.0
    assert not clock.is_playing
    clock.play()
    assert clock.is_playing
    assert clock.time_s == 0.0


def test_backwards_it_stops_at_the_start(clock: PlaybackClock, now: FakeNow) -> None:
    clock.seek(3.0)
    clock.set_rate(-2)
    clock.play()
    now.at += 10
    assert clock.time_s == 0.0
    assert not clock.is_playing


def test_a_loop_repeats_in_both_directions(clock: PlaybackClock, now: FakeNow) -> None:
    clock.set_loop((2.0, 4.0))
    clock.seek(2.0)
    clock.play()
    now.at += 3.5
    assert clock.time_s == pytest.approx(3.5)
    assert clock.is_playing
    clock.seek(4.0)
    clock.set_rate(-1)
    now.at += 2.5
    assert clock.time_s == pytest.approx(3.5)


def test_seeking_is_confined_to_the_limits(clock: PlaybackClock) -> None:
    clock.seek(99)
    assert clock.time_s == 10.0
    clock.seek(-1)
    assert clock.time_s == 0.0


def test_new_limits_keep_the_place_where_they_can(clock: PlaybackClock) -> None:
    clock.seek(8.0)
    clock.set_limits(0, 20)
    assert clock.time_s == 8.0
    clock.set_limits(0, 5)
    assert clock.time_s == 5.0


@pytest.mark.parametrize("call", [lambda c: c.set_rate(0), lambda c: c.set_limits(2, 1)])
def test_nonsense_is_refused(clock: PlaybackClock, call: object) -> None:
    with pytest.raises(ValueError, match="must"):
        call(clock)  # type: ignore[operator]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["play", "pause", "rate", "seek", "wait", "loop"]),
            st.floats(-12, 12, allow_nan=False),
        ),
        max_size=30,
    )
)
def test_time_never_leaves_the_limits(steps: list[tuple[str, float]]) -> None:
    now = FakeNow()
    clock = PlaybackClock(now=now)
    clock.set_limits(1.0, 7.0)
    for what, value in steps:
        if what == "play":
            clock.play()
        elif what == "pause":
            clock.pause()
        elif what == "rate" and value:
            clock.set_rate(value)
        elif what == "seek":
            clock.seek(value)
        elif what == "wait":
            now.at += abs(value)
        elif what == "loop":
            clock.set_loop((2.0, 3.0) if value > 0 else None)
        assert 1.0 <= clock.time_s <= 7.0


def test_a_course_tells_times_to_come(clock: PlaybackClock, now: FakeNow) -> None:
    clock.set_loop((2.0, 4.0))
    clock.seek(3.0)
    clock.play()
    course = clock.course
    ahead = [course.time_at(now.at + seconds) for seconds in (0.0, 0.5, 1.0, 1.5, 3.25)]
    assert ahead == pytest.approx([3.0, 3.5, 2.0, 2.5, 2.25])
    now.at += 0.5
    assert clock.course is course  # nobody touched the clock
    clock.set_rate(2.0)
    assert clock.course is not course
    assert clock.course.time_at(now.at + 0.1) == pytest.approx(3.7)


def test_a_course_ends_at_the_limit(clock: PlaybackClock, now: FakeNow) -> None:
    clock.seek(9.0)
    clock.play()
    course = clock.course
    assert not course.is_over(now.at + 0.9)
    assert course.is_over(now.at + 1.1)
    assert course.time_at(now.at + 1.1) == 10.0
    now.at += 2
    assert not clock.course.is_playing
