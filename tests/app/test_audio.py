from __future__ import annotations

import importlib
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from app.audio import player as player_module
from app.audio.output import LATENCY_S, PortAudioOutput, SoundUnavailable, Trouble
from app.audio.player import AudioPlayer
from carl_core.playback.clock import PlaybackClock
from tests.app.fake_sound import SCALE, FakeOutput, FakeSource
from tests.helpers.recordings import fake_recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

    from carl_core.video.recording import Recording


@dataclass
class Stage:
    """A player on a fake device, with a clock that moves when told."""

    output: FakeOutput = field(default_factory=FakeOutput)
    at: float = 500.0
    sources: list[FakeSource] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = PlaybackClock(now=lambda: self.at)
        self.clock.set_limits(0.0, 100.0)
        self.player = AudioPlayer(
            output=self.output, now=lambda: self.at, open_source=self._open_source
        )
        self.recording = fake_recording("a", 2500)

    def _open_source(self, recording: Recording, rate: int) -> FakeSource:
        self.sources.append(FakeSource(recording, rate))
        return self.sources[-1]

    def start(self) -> None:
        self.player.play(self.recording, lambda time_s: time_s)
        self.clock.play()
        self.player.follow(self.clock.course)

    def listen(self, seconds: float, size: int = 960) -> np.ndarray:
        """Let the device run; it is heard 60 ms after it asks."""
        made = []
        for _ in range(round(seconds * self.output.rate / size)):
            self.player.follow(self.clock.course)
            made.append(self.output.streams[-1].ask(size, 0.06))
            self.at += size / self.output.rate
        return np.concatenate(made)


@pytest.fixture
def stage(qtbot: QtBot) -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.player.close()


def open_now(qtbot: QtBot, stage: Stage) -> None:
    qtbot.waitUntil(lambda: stage.player.state.is_open and bool(stage.sources))


def test_it_plays_in_step_and_says_how_well(stage: Stage, qtbot: QtBot) -> None:
    assert stage.player.sync_error_s is None
    stage.start()
    open_now(qtbot, stage)
    heard = stage.listen(10.0)
    seconds = heard[-1, 0] / heard[-1, 1] * 0.5 / SCALE / 48000
    # What was asked for last is heard in 60 ms less a piece.
    assert seconds == pytest.approx(stage.clock.time_s + 0.06, abs=0.01)
    assert stage.player.sync_error_s is not None
    assert abs(stage.player.sync_error_s) < 0.04
    assert stage.player.gaps == 0
    stage.clock.seek(50.0)
    stage.clock.set_rate(1.5)
    heard = stage.listen(2.0)
    seconds = heard[-1, 0] / heard[-1, 1] * 0.5 / SCALE / 48000
    assert seconds == pytest.approx(stage.clock.time_s + 0.06 * 1.5, abs=0.04)
    stage.clock.pause()
    assert not stage.listen(0.1)[-1000:].any()
    assert stage.player.sync_error_s is None


def test_muted_the_device_is_left_alone(stage: Stage, qtbot: QtBot) -> None:
    stage.player.set_gain(0.0)
    stage.start()
    stage.player.check()
    qtbot.waitUntil(lambda: stage.player.state.is_known)
    assert not stage.output.streams
    stage.player.set_gain(0.5)
    open_now(qtbot, stage)
    assert stage.listen(0.5)[-1, 1] == 0.25


def test_where_there_is_no_sound_device_that_is_said(stage: Stage, qtbot: QtBot) -> None:
    stage.output.trouble = Trouble.NO_DEVICE
    with qtbot.waitSignal(stage.player.state_changed):
        stage.player.check()
    assert stage.player.state.trouble is Trouble.NO_DEVICE
    stage.start()
    qtbot.waitUntil(lambda: stage.output.checks == 2)
    # It is tried again when the user plays again, not all the time.
    stage.output.trouble = None
    stage.player.set_gain(0.7)
    stage.clock.set_rate(1.5)
    stage.player.follow(stage.clock.course)
    stage.clock.pause()
    stage.player.follow(stage.clock.course)
    assert stage.output.checks == 2
    stage.clock.play()
    stage.player.follow(stage.clock.course)
    open_now(qtbot, stage)
    assert stage.player.state.trouble is None


def test_a_missing_library_is_not_looked_for_again(stage: Stage, qtbot: QtBot) -> None:
    stage.output.trouble = Trouble.NO_LIBRARY
    stage.start()
    qtbot.waitUntil(lambda: stage.player.state.trouble is Trouble.NO_LIBRARY)
    for _ in range(3):
        stage.clock.pause()
        stage.player.follow(stage.clock.course)
        stage.clock.play()
        stage.player.follow(stage.clock.course)
    qtbot.wait(30)
    assert stage.output.checks == 1


def test_a_device_that_is_unplugged_is_a_state_and_can_come_back(
    stage: Stage, qtbot: QtBot
) -> None:
    stage.start()
    open_now(qtbot, stage)
    stage.listen(0.5)
    stage.output.streams[-1].ended()
    qtbot.waitUntil(lambda: stage.player.state.trouble is Trouble.LOST)
    assert stage.output.streams[-1].is_closed
    assert stage.sources[-1].is_closed
    assert not stage.player.state.is_open
    assert stage.player.sync_error_s is None
    stage.clock.pause()
    stage.player.follow(stage.clock.course)
    stage.start()
    qtbot.waitUntil(lambda: stage.output.is_open and stage.player.state.is_open)
    qtbot.waitUntil(lambda: len(stage.sources) == 2)
    assert stage.listen(0.5)[-1, 1] == 0.5


def test_a_device_that_asks_for_nothing_any_more_is_gone(
    stage: Stage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_module, "LOOK_S", 0.01)
    stage.start()
    open_now(qtbot, stage)
    monkeypatch.setattr(player_module, "STALL_S", 0.05)
    qtbot.waitUntil(lambda: stage.player.state.trouble is Trouble.LOST)


def test_it_lets_go_of_a_device_it_does_not_need(
    stage: Stage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_module, "LOOK_S", 0.01)
    monkeypatch.setattr(player_module, "LINGER_S", 0.05)
    stage.start()
    open_now(qtbot, stage)
    stage.clock.pause()
    stage.player.follow(stage.clock.course)
    qtbot.waitUntil(lambda: not stage.player.state.is_open)
    assert stage.player.state.trouble is None
    assert not stage.output.is_open


def test_a_fault_in_making_sound_is_silence(
    stage: Stage, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    stage.start()
    open_now(qtbot, stage)
    stage.listen(0.2)
    stage.sources[-1].is_broken = True
    piece = stage.output.streams[-1].ask(4800, 0.06)
    assert not piece[-960:].any()
    assert np.isfinite(piece).all()
    qtbot.waitUntil(lambda: stage.player.state.trouble is Trouble.LOST)
    assert "no sound could be made" in caplog.text


def test_another_recording_is_heard_when_it_is_chosen(stage: Stage, qtbot: QtBot) -> None:
    stage.start()
    open_now(qtbot, stage)
    stage.listen(0.2)
    other = fake_recording("b", 2500)
    stage.player.play(other, lambda time_s: time_s + 5.0)
    qtbot.waitUntil(lambda: len(stage.sources) == 2 and stage.sources[0].is_closed)
    heard = stage.listen(0.5)
    assert stage.sources[-1].recording is other
    seconds = heard[-1, 0] / SCALE / 48000
    assert seconds == pytest.approx(stage.clock.time_s + 5.06, abs=0.02)
    stage.player.play(None, lambda time_s: time_s)
    assert not stage.listen(0.2)[-960:].any()


def test_sound_that_cannot_be_read_is_said(
    stage: Stage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_module, "LOOK_S", 0.01)
    stage.start()
    open_now(qtbot, stage)
    stage.sources[-1].failure = OSError("gone")
    qtbot.waitUntil(lambda: stage.player.state.unreadable_id == "a")


# The real door to PortAudio, with and without a library behind it --------------------------------


class PortAudioError(Exception):
    pass


@dataclass
class Library:
    """What we use of ``sounddevice``."""

    rates: tuple[int, ...] = (48000,)
    default_rate: int = 48000
    has_device: bool = True
    starts: int = 0
    streams: list[Any] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def module(self) -> types.ModuleType:
        library = self

        class OutputStream:
            latency = 0.033

            def __init__(self, **options: Any) -> None:
                if options["samplerate"] not in library.rates:
                    raise PortAudioError("Invalid sample rate")
                self.options = options
                library.streams.append(self)

            def start(self) -> None:
                library.calls.append("start")

            def abort(self, ignore_errors: bool) -> None:
                library.calls.append("abort")
                self.options["finished_callback"]()

            def close(self, ignore_errors: bool) -> None:
                library.calls.append("close")

        def query_devices(kind: str) -> dict[str, float]:
            if not library.has_device:
                raise PortAudioError("Error querying device -1")
            return {"default_samplerate": float(library.default_rate)}

        module = types.ModuleType("sounddevice")
        vars(module).update(
            PortAudioError=PortAudioError,
            OutputStream=OutputStream,
            query_devices=query_devices,
            _terminate=lambda: library.calls.append("terminate"),
            _initialize=lambda: library.calls.append("initialize"),
        )
        return module


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library()
    module = library.module()
    monkeypatch.setattr(importlib, "import_module", lambda name: module)
    return library


def test_when_it_is_heard_comes_from_the_device(library: Library) -> None:
    ahead, ended = [], []
    stream = PortAudioOutput().open(lambda out, s: ahead.append(s), lambda: ended.append(True))
    options = library.streams[0].options
    assert stream.rate == 48000
    assert options["channels"] == 2
    assert options["latency"] == LATENCY_S
    out = np.zeros((8, 2), np.float32)
    for current, dac in ((10.0, 10.05), (10.0, 0.0), (10.0, 9.0)):
        times = types.SimpleNamespace(currentTime=current, outputBufferDacTime=dac)
        options["callback"](out, 8, times, None)
    # Where the device does not say, its reported latency stands in.
    assert ahead == pytest.approx([0.05, 0.033, 0.033])
    options["finished_callback"]()
    assert ended == [True]
    stream.close()
    assert ended == [True]  # that we closed it is no news
    assert library.calls == ["start", "abort", "close"]


def test_a_device_of_another_rate_is_used_at_its_own(library: Library) -> None:
    library.rates = (44100,)
    library.default_rate = 44100
    assert PortAudioOutput().open(lambda out, s: None, lambda: None).rate == 44100


def test_devices_are_listed_anew_after_there_was_none(library: Library) -> None:
    library.has_device = False
    output = PortAudioOutput()
    for _ in range(2):
        with pytest.raises(SoundUnavailable) as caught:
            output.check()
        assert caught.value.trouble is Trouble.NO_DEVICE
    library.has_device = True
    output.check()
    output.check()
    assert library.calls == ["terminate", "initialize"] * 2


def test_each_time_it_is_opened_the_present_device_is_used(library: Library) -> None:
    output = PortAudioOutput()
    for _ in range(2):
        output.open(lambda out, s: None, lambda: None).close()
    opened = ["start", "abort", "close"]
    assert library.calls == [*opened, "terminate", "initialize", *opened]


def test_a_device_that_refuses_is_a_reason(library: Library) -> None:
    library.rates = ()
    library.default_rate = 44100
    with pytest.raises(SoundUnavailable, match="Invalid sample rate") as caught:
        PortAudioOutput().open(lambda out, s: None, lambda: None)
    assert caught.value.trouble is Trouble.REFUSED


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (ModuleNotFoundError("No module named 'sounddevice'"), Trouble.NO_LIBRARY),
        (OSError("PortAudio library not found"), Trouble.NO_PORTAUDIO),
    ],
)
def test_without_the_library_there_is_a_reason(
    monkeypatch: pytest.MonkeyPatch, error: Exception, trouble: Trouble
) -> None:
    def refuse(name: str) -> None:
        raise error

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(SoundUnavailable) as caught:
        PortAudioOutput().check()
    assert caught.value.trouble is trouble
    assert not trouble.may_pass


def test_looking_at_this_machine_is_no_fault(qtbot: QtBot) -> None:
    player = AudioPlayer()
    with qtbot.waitSignal(player.state_changed, timeout=20_000):
        player.check()  # whether there is a device, a library, or neither
    assert player.state.is_known
    assert not player.state.is_open
    player.close()
