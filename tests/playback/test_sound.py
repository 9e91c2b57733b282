"""Sound in step with the clock, on a simulated device: 60 s of it take a fraction of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.playback.clock import Course, PlaybackClock
from carl_core.playback.sound import SoundPlan, SyncedSound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RATE = 48000
SCALE = 2.0**-23
IN_STEP_S = 0.04


class Ramp:
    """A sound whose samples say their own number, on the left, beside a constant on the right."""

    def __init__(self) -> None:
        self.missing: Callable[[int, int], bool] = lambda first, count: False
        self.wanted: list[int] = []
        self.then: int | None = None

    def want(self, sample: int, then: int | None = None) -> None:
        self.wanted.append(sample)
        self.then = then

    def has(self, first: int, count: int) -> bool:
        return not self.missing(first, count)

    def copy(self, first: int, out: np.ndarray) -> None:
        out[:, 0] = np.arange(first, first + len(out)) * SCALE
        out[:, 1] = 0.5


@dataclass
class Device:
    """A sound card whose quartz is off, that asks for pieces of any size at any moment.

    Attributes
    ----------
    drift : how much faster its quartz is than the computer's
    latency_s : between the moment it asks and the moment it is heard
    """

    drift: float = 0.0
    latency_s: float = 0.06
    late_s: float = 0.004
    wrong_s: float = 0.002
    sizes: tuple[int, int] = (64, 2048)
    now: float = 1000.0
    heard: list[np.ndarray] = field(default_factory=list)
    times: list[np.ndarray] = field(default_factory=list)

    def run(
        self,
        sound: SyncedSound,
        clock: PlaybackClock,
        events: Sequence[tuple[float, Callable[[], object]]],
        seconds: float,
        *,
        own_time: Callable[[float], float | None] = lambda time_s: time_s,
        source: Ramp | None = None,
    ) -> list[Course]:
        """Play ``seconds``; ``events`` are (seconds from now, what to do); return all courses."""
        chance = np.random.default_rng(0)
        source = source or Ramp()
        start, made = self.now, 0
        rate = RATE * (1 + self.drift)
        todo = sorted(((start + at, do) for at, do in events), key=lambda event: event[0])
        courses = [clock.course]
        while self.now < start + seconds:
            heard_at = start + self.latency_s + made / rate
            asked = heard_at - self.latency_s + chance.uniform(0, self.late_s)
            while todo and todo[0][0] <= asked:
                self.now = todo[0][0]
                todo.pop(0)[1]()
                courses.append(clock.course)
            self.now = max(self.now, asked)
            sound.plan = SoundPlan(source, own_time, clock.course)
            courses.append(clock.course)
            piece = np.full((int(chance.integers(*self.sizes)), 2), np.nan, np.float32)
            sound.fill(piece, heard_at + chance.uniform(-self.wrong_s, self.wrong_s))
            self.heard.append(piece)
            self.times.append(heard_at + np.arange(len(piece)) / rate)
            made += len(piece)
        return [c for k, c in enumerate(courses) if k == 0 or c is not courses[k - 1]]

    def errors(
        self,
        courses: Sequence[Course],
        own_time: Callable[[float], float | None] = lambda time_s: time_s,
    ) -> tuple[np.ndarray, np.ndarray]:
        """(when heard, seconds ahead of the clock) every 5 ms; NaN = silent.

        What was under way to the loudspeaker when somebody touched the clock is left out.
        """
        heard, times = np.concatenate(self.heard)[::240], np.concatenate(self.times)[::240]
        assert np.isfinite(heard).all()
        changes = np.array([c.from_now for c in courses])
        errors = np.full(len(times), np.nan)
        for k, at in enumerate(times.tolist()):
            course = courses[int(np.searchsorted(changes, at, side="right")) - 1]
            since = at - changes[(changes <= at)]
            # One piece may be in the making, and a segment of the one before is played to its end.
            settling_s = self.latency_s + self.late_s + 2048 / RATE + 0.03
            if heard[k, 1] < 1e-3 or (since < settling_s).any():
                continue
            own_s = own_time(course.time_at(at))
            errors[k] = np.inf if own_s is None else heard[k, 0] / heard[k, 1] * 0.5 / SCALE / RATE
            errors[k] -= own_s or 0.0
        return times, errors


@pytest.fixture
def device() -> Device:
    return Device()


def clock_of(device: Device, end_s: float = 200.0) -> PlaybackClock:
    clock = PlaybackClock(now=lambda: device.now)
    clock.set_limits(0.0, end_s)
    return clock


@pytest.mark.parametrize("drift", [0.0, 3e-4, -1e-3])
def test_a_minute_of_everything_stays_in_step(drift: float) -> None:
    device = Device(drift=drift)
    clock = clock_of(device)
    sound = SyncedSound(rate=RATE)
    events = [
        (0.5, clock.play),
        (6.0, lambda: clock.set_rate(0.5)),
        (11.0, lambda: clock.set_rate(2.0)),
        (15.0, lambda: clock.seek(80.0)),
        (18.3, lambda: clock.set_rate(1.0)),
        (24.0, clock.pause),
        (25.0, lambda: clock.seek(7.7)),
        (26.0, clock.play),
        (30.0, lambda: clock.set_rate(0.75)),
        (36.0, lambda: clock.seek(60.0)),
        (36.3, lambda: clock.seek(61.0)),
        (40.0, lambda: clock.set_rate(1.5)),
        (44.0, lambda: clock.set_rate(1.0)),
        (44.1, lambda: clock.set_loop((120.0, 122.0))),
        (44.1, lambda: clock.seek(120.0)),
    ]
    courses = device.run(sound, clock, events, 60.0)
    times, errors = device.errors(courses)
    # At the end of the loop one segment is played to its end and fades into the next round.
    rounds = (times - 1044.1) % 2.0
    turns = (times > 1044.3) & ((rounds < 0.045) | (rounds > 1.995))
    errors[turns] = np.nan
    heard = np.isfinite(errors)
    assert np.nanmax(np.abs(errors)) < IN_STEP_S
    # At normal speed, once it runs, much less.
    steady = heard & (times > 1002) & (times < 1006)
    assert np.abs(errors[steady]).max() < 0.015
    # It is heard nearly always while the clock runs (57.5 s without the pause).
    assert heard.sum() * 0.005 > 54
    assert sound.gaps == 0


def test_a_wrong_quartz_is_made_up_for(device: Device) -> None:
    device.drift = 2e-3
    clock = clock_of(device)
    courses = device.run(SyncedSound(rate=RATE), clock, [(0.0, clock.play)], 60.0)
    _, errors = device.errors(courses)
    assert np.nanmax(np.abs(errors)) < 0.02  # uncorrected it would be 0.12 s


def test_it_follows_a_map_that_bends(device: Device) -> None:
    clock = clock_of(device, 60.0)

    def own_time(time_s: float) -> float | None:
        if 10 < time_s < 12:
            return None
        return time_s + 3 + 1.2 * float(np.sin(time_s / 2))  # speeds from 0.4 to 1.6

    device.run(SyncedSound(rate=RATE), clock, [], 0.01)
    device.heard.clear()
    device.times.clear()
    courses = device.run(
        SyncedSound(rate=RATE), clock, [(0.0, clock.play)], 30.0, own_time=own_time
    )
    _, errors = device.errors(courses, own_time)
    finite = errors[np.isfinite(errors)]
    assert np.abs(finite).max() < IN_STEP_S
    assert len(finite) * 0.005 > 27
    # Where there is no counterpart it fades out within a block.
    assert np.isinf(errors).sum() * 0.005 < 0.03


@pytest.mark.parametrize("rate", [-1.0, 0.25, 0.49, 2.01, 8.0])
def test_outside_the_heard_speeds_it_is_silent(device: Device, rate: float) -> None:
    clock = clock_of(device)
    clock.seek(50.0)
    clock.set_rate(rate)
    device.run(SyncedSound(rate=RATE), clock, [(0.0, clock.play)], 2.0)
    assert not np.concatenate(device.heard).any()


def test_paused_it_is_silent_and_fades_without_a_click(device: Device) -> None:
    clock = clock_of(device)
    sound = SyncedSound(rate=RATE)
    events = [(0.0, clock.play), (1.0, clock.pause), (2.0, clock.play)]
    device.run(sound, clock, events, 3.0)
    constant = np.concatenate(device.heard)[:, 1]
    assert np.abs(np.diff(constant)).max() < 0.5 / 60  # the shortest piece has 64 samples
    times = np.concatenate(device.times) - 1000
    assert not constant[(times > 1.2) & (times < 2.0)].any()
    assert constant[(times > 2.2)].min() == 0.5


def test_volume_is_a_ramp_and_mute_is_silence(device: Device) -> None:
    clock = clock_of(device)
    sound = SyncedSound(rate=RATE)

    def gain(value: float) -> Callable[[], None]:
        return lambda: setattr(sound, "gain", value)

    events = [(0.0, clock.play), (1.0, gain(0.25)), (2.0, gain(0.0)), (3.0, gain(1.0))]
    device.run(sound, clock, events, 4.0)
    constant = np.concatenate(device.heard)[:, 1]
    times = np.concatenate(device.times) - 1000
    assert np.abs(np.diff(constant)).max() < 0.5 / 60
    for at_s, level in ((0.9, 0.5), (1.9, 0.125), (2.9, 0.0), (3.9, 0.5)):
        assert constant[np.searchsorted(times, at_s)] == pytest.approx(level)


def test_sound_that_is_not_decoded_yet_is_a_gap_and_comes_back_in_step(device: Device) -> None:
    clock = clock_of(device)
    sound = SyncedSound(rate=RATE)
    ramp = Ramp()
    ramp.missing = lambda first, count: first < 3 * RATE and first + count > 2 * RATE
    courses = device.run(sound, clock, [(0.0, clock.play)], 5.0, source=ramp)
    times, errors = device.errors(courses)
    assert sound.gaps == 1
    assert np.nanmax(np.abs(errors)) < IN_STEP_S
    silent = np.isnan(errors) & (times > 1001)
    assert 0.9 < silent.sum() * 0.005 < 1.5
    assert ramp.wanted[-1] > 4 * RATE


def test_where_a_loop_begins_is_made_ready_in_time(device: Device) -> None:
    clock = clock_of(device)
    clock.seek(21.0)
    ramp = Ramp()
    sound = SyncedSound(rate=RATE)
    events = [(0.0, clock.play), (0.5, lambda: clock.set_loop((20.0, 22.0)))]
    device.run(sound, clock, events, 1.0, own_time=lambda time_s: time_s + 3, source=ramp)
    assert ramp.then == 23 * RATE
    device.run(sound, clock, [(0.1, lambda: clock.set_loop(None))], 1.0, source=ramp)
    assert ramp.then is None


def test_one_wrong_report_of_the_device_makes_no_jump(device: Device) -> None:
    clock = clock_of(device)
    clock.play()
    sound = SyncedSound(rate=RATE)
    sound.plan = SoundPlan(Ramp(), lambda time_s: time_s, clock.course)
    made = []
    for k in range(100):
        piece = np.empty((480, 2), np.float32)
        sound.fill(piece, 1000.06 + k * 0.01 + (0.5 if k == 50 else 0.0))
        made.append(piece)
    numbers = np.concatenate(made)[2400:, 0] / SCALE
    assert np.diff(numbers) == pytest.approx(1.0)


def test_another_sound_comes_after_the_first_has_faded_out(device: Device) -> None:
    clock = clock_of(device)
    clock.play()
    sound = SyncedSound(rate=RATE)
    made = []
    sources = [Ramp(), Ramp()]
    for k in range(100):
        sound.plan = SoundPlan(sources[k >= 50], lambda time_s: time_s, clock.course)
        piece = np.empty((480, 2), np.float32)
        sound.fill(piece, 1000.06 + k * 0.01)
        made.append(piece)
    constant = np.concatenate(made)[:, 1]
    assert np.abs(np.diff(constant)).max() < 0.5 / 400
    assert constant[50 * 480 + 479] == pytest.approx(0.0, abs=1e-6)
    assert constant[-1] == 0.5
    assert len(sources[0].wanted) < 60


def test_with_nothing_to_play_it_is_silent() -> None:
    sound = SyncedSound(rate=RATE)
    piece = np.ones((100, 2), np.float32)
    sound.fill(piece, 5.0)
    assert not piece.any()
    assert np.isnan(sound.sync_error_s)
