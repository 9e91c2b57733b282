from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QLabel, QMenu, QSlider, QToolButton, QWidget, QWidgetAction

from app import settings as keys
from app.audio.output import Trouble
from app.audio.player import AudioPlayer
from app.models.session import SessionModel
from app.models.sound import REFERENCE, SoundChoice, SoundState
from app.presenters.playback import PlaybackPresenter
from app.presenters.sound import SoundPresenter, gain_of
from app.settings import Settings
from app.views.volume import VolumeControl
from carl_core.video.reader import Frame
from tests.app.fake_sound import SCALE, FakeOutput, FakeSource
from tests.app.test_playback import FakeFrames, FakeView
from tests.app.test_session import make_alignment
from tests.helpers.recordings import fake_recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from carl_core.video.recording import Recording


def with_sound(recording: Recording) -> Recording:
    return replace(recording, info=replace(recording.info, audio="aac"))


class View:
    def __init__(self) -> None:
        self.state = SoundState()

    def set_sound(self, state: SoundState) -> None:
        self.state = state


class Bench:
    """The reference a (40 s) and b (60 s), which runs one second ahead; c is silent."""

    def __init__(self, settings: Settings, trouble: Trouble | None = None) -> None:
        self.now = 100.0
        self.session = SessionModel()
        self.player = PlaybackPresenter(
            self.session, FakeFrames(), FakeView(), now=lambda: self.now
        )
        self.output = FakeOutput(trouble=trouble)
        self.sources: dict[str, FakeSource] = {}
        self.audio = AudioPlayer(
            output=self.output, now=lambda: self.now, open_source=self._open_source
        )
        self.settings = settings
        self.view = View()
        self.sound = SoundPresenter(self.session, self.player, self.audio, settings, self.view)
        self.session.add(with_sound(fake_recording("a", 1000)))
        self.session.add(with_sound(fake_recording("b", 1500)))
        self.session.add(fake_recording("c", 1500))
        self.session.set_alignment("b", make_alignment(end_s=30.0))

    def _open_source(self, recording: Recording, rate: int) -> FakeSource:
        return self.sources.setdefault(recording.id, FakeSource(recording, rate))

    def close(self) -> None:
        self.player.pause()
        self.audio.close()

    def play(self, qtbot: QtBot, recording_id: str) -> None:
        self.player.play()
        qtbot.waitUntil(lambda: self.audio.state.is_open and recording_id in self.sources)

    def heard_s(self, seconds: float = 0.5) -> float | None:
        """Let the device run; which moment of a recording is heard last, None = silence."""
        for _ in range(round(seconds * 50)):
            piece = self.output.streams[-1].ask(960, 0.02)
            self.now += 0.02
            self.player.refresh()
        if piece[-1, 1] == 0:
            return None
        return float(piece[-1, 0] / piece[-1, 1] * 0.5 / SCALE / 48000)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "window.ini")


@pytest.fixture
def bench(qtbot: QtBot, settings: Settings) -> Iterator[Bench]:
    bench = Bench(settings)
    yield bench
    bench.close()


def test_the_reference_is_heard_until_another_is_chosen(bench: Bench, qtbot: QtBot) -> None:
    assert bench.view.state.letter == "A"
    assert bench.view.state.choices == (
        SoundChoice(REFERENCE, "The reference (A)", True),
        SoundChoice("a", "A  a.mp4", True),
        SoundChoice("b", "B  b.mp4", True),
        SoundChoice("c", "C  c.mp4", False),
    )
    bench.play(qtbot, "a")
    assert bench.heard_s() == pytest.approx(bench.player.clock.time_s, abs=0.04)
    bench.session.set_active("b")
    bench.sound.choose_active()
    assert bench.view.state.chosen == "b"
    assert bench.view.state.letter == "B"
    qtbot.waitUntil(lambda: "b" in bench.sources)
    own_s = bench.heard_s()
    assert own_s == pytest.approx(bench.player.own_times_s["b"], abs=0.04)
    assert own_s == pytest.approx(bench.player.clock.time_s + 1.0, abs=0.04)
    bench.session.set_active("a")
    bench.sound.choose_active()
    assert bench.view.state.chosen == REFERENCE


def test_a_nudged_recording_is_heard_as_it_is_shown(bench: Bench, qtbot: QtBot) -> None:
    bench.sound.choose("b")
    bench.play(qtbot, "b")
    bench.player.nudge("b", 10)  # 0.4 s
    assert bench.heard_s() == pytest.approx(bench.player.clock.time_s + 1.4, abs=0.04)
    bench.player.clear_nudge("b")
    assert bench.heard_s() == pytest.approx(bench.player.clock.time_s + 1.0, abs=0.04)


def test_a_recording_that_stands_still_is_not_heard(bench: Bench, qtbot: QtBot) -> None:
    bench.sound.choose("b")
    bench.play(qtbot, "b")
    assert bench.heard_s() is not None
    bench.player.pause()
    bench.player.set_synced(False)  # only the active one runs
    bench.player.seek(5.0)
    bench.player.on_frame_ready("b", Frame(3, 3, 0.12, np.zeros((2, 2, 3), np.uint8)))
    bench.player.play()
    assert bench.player.shift_of("b") is None
    assert bench.heard_s() is None


def test_at_other_speeds_it_is_silent_and_says_so(bench: Bench, qtbot: QtBot) -> None:
    bench.play(qtbot, "a")
    assert bench.view.state.note == ""
    for rate in (4.0, -1.0, 0.25):
        bench.player.play(rate)
        assert bench.heard_s() is None
        assert "from half to twice the speed" in bench.view.state.note
    bench.player.play(1.0)
    assert bench.heard_s() is not None
    assert bench.view.state.note == ""


def test_volume_and_mute(bench: Bench, qtbot: QtBot, settings: Settings) -> None:
    assert (bench.view.state.volume, bench.view.state.is_muted) == (80, False)
    bench.play(qtbot, "a")
    bench.sound.set_volume(50)
    bench.heard_s(0.1)
    assert bench.output.streams[-1].ask(10, 0.02)[-1, 1] == pytest.approx(0.5 * 0.125)
    bench.sound.toggle_mute()
    assert bench.view.state.is_muted
    assert bench.heard_s() is None
    assert settings.get(keys.MUTED)
    bench.sound.change_volume(1)
    assert (bench.view.state.volume, bench.view.state.is_muted) == (55, False)
    bench.sound.set_volume(-7)
    assert (bench.view.state.volume, bench.view.state.is_muted) == (0, True)
    bench.sound.toggle_mute()
    assert (bench.view.state.volume, bench.view.state.is_muted) == (5, False)
    assert settings.get(keys.VOLUME) == 5


def test_volume_is_remembered(qtbot: QtBot, settings: Settings) -> None:
    settings.set(keys.VOLUME, 30)
    settings.set(keys.MUTED, True)
    bench = Bench(settings)
    assert (bench.view.state.volume, bench.view.state.is_muted) == (30, True)
    bench.close()


def test_loudness_is_heard_in_even_steps() -> None:
    assert gain_of(0) == 0.0
    assert gain_of(100) == 1.0
    # 20 log10: half of the way is 18 dB down.
    assert 20 * np.log10(gain_of(50)) == pytest.approx(-18, abs=0.1)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (Trouble.NO_LIBRARY, 'pip install "carl-align[audio]"'),
        (Trouble.NO_PORTAUDIO, "libportaudio2"),
        (Trouble.NO_DEVICE, "no sound device"),
        (Trouble.REFUSED, "another program"),
    ],
)
def test_without_sound_there_is_a_sentence_and_no_fault(
    qtbot: QtBot, settings: Settings, trouble: Trouble, words: str
) -> None:
    bench = Bench(settings, trouble)
    qtbot.waitUntil(lambda: words in bench.view.state.note)
    bench.player.play()
    bench.now += 1.0
    bench.player.refresh()
    assert bench.player.clock.time_s == pytest.approx(1.0)
    bench.close()


def test_an_unplugged_device_is_said(bench: Bench, qtbot: QtBot) -> None:
    bench.play(qtbot, "a")
    bench.output.streams[-1].ended()
    qtbot.waitUntil(lambda: "has gone away" in bench.view.state.note)
    bench.player.pause()
    bench.sources.clear()
    bench.play(qtbot, "a")
    qtbot.waitUntil(lambda: bench.view.state.note == "")
    assert bench.heard_s() is not None


def test_a_recording_without_sound_says_so(bench: Bench) -> None:
    bench.sound.choose("c")
    assert "c.mp4 has no sound" in bench.view.state.note


def test_when_the_chosen_one_goes_the_reference_is_heard(bench: Bench) -> None:
    bench.sound.choose("b")
    bench.session.remove("b")
    assert bench.view.state.chosen == REFERENCE
    assert bench.view.state.letter == "A"
    bench.session.remove("a")
    bench.session.remove("c")
    assert bench.view.state == SoundState(volume=80)


def test_without_any_sound_the_device_is_not_even_looked_for(
    qtbot: QtBot, settings: Settings
) -> None:
    bench = Bench(settings)
    for recording_id in ("a", "b"):
        bench.session.remove(recording_id)
    checks = bench.output.checks
    bench.player.play()
    qtbot.wait(20)
    assert bench.output.checks == checks
    bench.close()


# The control itself ------------------------------------------------------------------------------

CHOICES = (
    SoundChoice(REFERENCE, "The reference (A)", True),
    SoundChoice("a", "A  a.mp4", True),
    SoundChoice("b", "B  salt & pepper.mp4", True),
    SoundChoice("c", "C  c.mp4", False),
)


@pytest.fixture
def control(qtbot: QtBot) -> VolumeControl:
    control = VolumeControl()
    qtbot.addWidget(control)
    control.set_sound(SoundState(volume=60, letter="A", choices=CHOICES))
    return control


def part(control: VolumeControl, kind: type[QWidget], name: str) -> QWidget:
    found = control.findChild(kind, name)
    assert found is not None
    return found


def test_every_part_has_a_name_and_a_tip(control: VolumeControl) -> None:
    for kind, name in ((QToolButton, "mute"), (QSlider, "volume"), (QToolButton, "sound-source")):
        widget = part(control, kind, name)
        assert widget.accessibleName()
        assert widget.toolTip()
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_what_is_done_to_it_is_told(control: VolumeControl, qtbot: QtBot) -> None:
    with qtbot.waitSignal(control.mute_toggled):
        part(control, QToolButton, "mute").click()
    slider = part(control, QSlider, "volume")
    with qtbot.waitSignal(control.volume_chosen) as told:
        slider.setValue(35)
    assert told.args == [35]
    menu = control.findChild(QMenu)
    with qtbot.waitSignal(control.source_chosen) as told:
        next(a for a in menu.actions() if "salt && pepper" in a.text()).trigger()
    assert told.args == ["b"]


def test_showing_a_state_tells_nobody(control: VolumeControl, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(control.volume_chosen):
        control.set_sound(SoundState(volume=10, letter="B", chosen="b", choices=CHOICES))
    menu = control.findChild(QMenu)
    assert [a.text() for a in menu.actions() if a.isChecked()] == ["B  salt && pepper.mp4"]
    off = [a.text() for a in menu.actions() if not a.isEnabled()]
    assert off == ["C  c.mp4 – no sound"]


def test_why_it_is_silent_can_be_read(control: VolumeControl) -> None:
    control.set_sound(SoundState(volume=60, letter="A", choices=CHOICES, note="No device."))
    mute = part(control, QToolButton, "mute")
    assert "No device." in mute.toolTip()
    assert mute.accessibleDescription() == "No device."
    note = part(control, QLabel, "sound-note")
    assert isinstance(note, QLabel)
    assert note.text() == "No device."


def test_both_sliders_show_the_volume_and_one_is_always_there(
    control: VolumeControl, qtbot: QtBot
) -> None:
    control.set_compact(True)
    assert part(control, QSlider, "volume").isHidden()
    in_menu = next(
        slider
        for action in control.findChild(QMenu).actions()
        if isinstance(action, QWidgetAction)
        for slider in action.defaultWidget().findChildren(QSlider)
    )
    assert in_menu.value() == 60
    with qtbot.waitSignal(control.volume_chosen) as told:
        in_menu.setValue(20)
    assert told.args == [20]
    control.set_compact(False)
    assert not part(control, QSlider, "volume").isHidden()


def test_with_the_focus_its_keys_are_its_own(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    control = VolumeControl(window)
    control.set_sound(SoundState(volume=60, letter="A", choices=CHOICES))
    pressed = []
    shortcut = QShortcut(QKeySequence("Right"), window)
    shortcut.activated.connect(lambda: pressed.append(True))
    window.show()
    qtbot.waitExposed(window)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    slider = part(control, QSlider, "volume")
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert slider.value() == 65
    assert not pressed
    part(control, QToolButton, "mute").setFocus()
    qtbot.keyClick(part(control, QToolButton, "mute"), Qt.Key.Key_Right)
    assert pressed


def test_without_recordings_it_is_off(control: VolumeControl) -> None:
    control.set_sound(SoundState(volume=60))
    assert not control.isEnabled()
