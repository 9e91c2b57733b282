"""Long files are seen at once by their own table of frames; what is exact takes its place."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import av
import pytest

from carl_core.video import index as index_module
from carl_core.video.recording import open_recording
from tests.app.conftest import wait_settled
from tests.app.fakes import FakeEngine
from tests.helpers.videos import make_video, read_number

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from carl_core.progress import Monitor
    from carl_core.video.recording import Recording


class SlowDisk(FakeEngine):
    """Reads files whole only once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_read = threading.Event()

    def open(
        self, path: Path, *, monitor: Monitor | None = None, provisional: bool = False
    ) -> Recording:
        while not provisional and not self.may_read.wait(0.01):
            if monitor is not None:
                monitor.check()
        return open_recording(path, monitor=monitor, provisional=provisional)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> SlowDisk:
    monkeypatch.setattr(index_module, "_LISTED_HEAD_PIXELS", 1)  # so that short files are long ones
    return SlowDisk()


def test_recordings_are_seen_before_they_are_read_and_the_playhead_stays(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot, engine: SlowDisk
) -> None:
    program = make_program(engine)
    program.opening.add_paths(videos[:2])
    qtbot.waitUntil(lambda: len(program.session.entries) == 2)
    qtbot.waitUntil(lambda: len(program.player.shown) == 2)
    program.player.seek(1.2)
    qtbot.waitUntil(lambda: program.player.is_up_to_date)
    shown = {i: frame.pts for i, frame in program.player.shown.items()}
    assert [e.recording.is_exact for e in program.session.entries] == [False, False]
    assert engine.embedded == []
    engine.may_read.set()
    wait_settled(qtbot, program, 2)
    assert [e.recording.is_exact for e in program.session.entries] == [True, True]
    assert set(engine.embedded) == {"first.mp4", "second.mp4"}
    assert program.player.clock.time_s == 1.2
    reference = program.session.reference_id
    assert program.player.shown[reference].pts == shown[reference]


def test_what_only_reading_shows_is_taken_over_and_said(
    make_program: Callable[..., Program], tmp_path: Path, qtbot: QtBot, engine: SlowDisk
) -> None:
    path = make_video(tmp_path / "hole.mp4", frames=80, gop=10, size=(320, 240))
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        victim = [p for p in container.demux(video=0) if p.size][29]
        content[victim.pos : victim.pos + victim.size] = bytes(victim.size)
    path.write_bytes(content)
    program = make_program(engine)
    program.opening.add_paths([path])
    qtbot.waitUntil(lambda: len(program.player.shown) == 1)
    entry = program.session.entries[0]
    assert len(entry.recording.index) == 80
    program.player.seek(2.0)
    qtbot.waitUntil(lambda: program.player.is_up_to_date)
    assert read_number(program.player.shown[entry.id].pixels) == 50
    engine.may_read.set()
    wait_settled(qtbot, program, 1)
    assert len(program.session.entries[0].recording.index) == 79
    assert program.opening.opened(entry.id) is program.session.entries[0].recording
    qtbot.waitUntil(lambda: program.player.is_up_to_date)
    assert program.player.clock.time_s == 2.0
    assert read_number(program.player.shown[entry.id].pixels) == 50


def test_reading_can_be_cancelled_and_begun_again(
    make_program: Callable[..., Program], videos: list[Path], qtbot: QtBot, engine: SlowDisk
) -> None:
    program = make_program(engine)
    program.opening.add_paths(videos[:1])
    qtbot.waitUntil(lambda: len(program.player.shown) == 1)
    program.loading.cancel()
    wait_settled(qtbot, program, 1)
    assert engine.embedded == []
    engine.may_read.set()
    program.loading.align_again()
    wait_settled(qtbot, program, 1)
    assert engine.embedded == ["first.mp4"]
