"""Faults under an open window: a sentence, nothing lost, and the work goes on."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PySide6.QtWidgets import QMessageBox

from app import frames
from app.models.engine import EngineHandle
from app.models.session import SessionModel
from app.presenters.adaptation import AdaptationPresenter
from app.trainer import CRASHED, TrainerProcess
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder.providers import CPU, CUDA
from carl_core.pipeline import Engine
from carl_core.playback.clock import PlaybackClock
from carl_core.project import files
from tests.app.conftest import wait_settled
from tests.app.test_adaptation import EngineAt
from tests.app.test_adaptation import Recorded as Panel
from tests.app.test_project import pin
from tests.encoder.test_sessions import on_gpu
from tests.faults.test_disk import WAIT_MS, save_at, wait_message
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.recordings import fake_recording
from tests.helpers.videos import make_video

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from carl_core.video.recording import Recording
    from tests.faults.conftest import Recorded


def no_dialog(program: Program) -> bool:
    return not any(box.isVisible() for box in program.window.findChildren(QMessageBox))


def copies(videos: list[Path], folder: Path) -> list[Path]:
    return [shutil.copy2(video, folder / video.name) for video in videos[:2]]


def shows(program: Program, time_s: float) -> Callable[[], bool]:
    """Whether all tiles show what belongs to ``time_s``."""
    program.player.seek(time_s)
    return lambda: program.player.is_up_to_date


# The device ------------------------------------------------------------------------------------


def real_engine(tmp_path: Path) -> Engine:
    return Engine(make_tiny_encoder(tmp_path / "tiny.onnx"), device="cpu", store=None)


@pytest.mark.parametrize(
    ("fault", "how", "part", "provider"),
    [
        ("the GPU fails", {"error": "CUDA failure 719"}, "goes on on the CPU", CPU),
        ("the GPU has little memory left", {"most": 3}, "fewer frames at a time", CUDA),
        ("the GPU has no memory left", {"most": 0}, "goes on on the CPU", CPU),
    ],
)
def test_a_gpu_that_fails_is_a_note_and_no_dialog(
    make_program: Callable[..., Program],
    videos: list[Path],
    qtbot: QtBot,
    tmp_path: Path,
    recorded: Recorded,
    fault: str,
    how: dict[str, Any],
    part: str,
    provider: str,
) -> None:
    engine = real_engine(tmp_path)
    on_gpu(engine.encoder, **how)
    program = make_program(engine)
    program.opening.add_paths(videos[:2])
    said = wait_message(qtbot, program, part)
    wait_settled(qtbot, program, 2)
    assert program.session.others[0].alignment is not None
    assert no_dialog(program)
    assert program.engine_state is not None
    assert program.engine_state.provider == provider
    recorded(fault, sees=said, then="Recordings are embedded and aligned all the same.")


# Files -----------------------------------------------------------------------------------------


def test_a_file_that_vanishes_is_told_and_shown_again_when_it_is_back(
    make_program: Callable[..., Program],
    videos: list[Path],
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recorded: Recorded,
) -> None:
    monkeypatch.setattr(frames, "RETRY_S", 0.2)
    program = make_program()
    paths = copies(videos, tmp_path)
    real = program.frames._open_reader

    class Reader:
        """Of a disk that can be unplugged; open files give errors then."""

        def __init__(self, recording: Recording, *rest: Any) -> None:
            self._path = recording.path
            self._reader = real(recording, *rest)

        def approach(self, index: int) -> Any:
            if not self._path.exists():
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(self._path))
            return self._reader.approach(index)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._reader, name)

    program.frames._open_reader = Reader
    program.opening.add_paths(paths)
    wait_settled(qtbot, program, 2)
    qtbot.waitUntil(shows(program, 0.0), timeout=WAIT_MS)
    away = tmp_path / "away.mp4"
    paths[1].rename(away)
    program.player.seek(1.2)
    said = wait_message(qtbot, program, str(paths[1]))
    away.rename(paths[1])
    times = itertools.cycle((0.4, 0.8, 1.2))

    def is_back() -> bool:
        program.player.seek(next(times))
        qtbot.wait(250)
        return program.player.is_up_to_date

    qtbot.waitUntil(is_back, timeout=WAIT_MS)
    assert len(program.session.entries) == 2
    recorded(
        "a recording vanishes while it is shown (a disk is unplugged)",
        sees=said.replace(str(tmp_path), "FOLDER"),
        then="The others go on; its pictures come back when the file does.",
    )


def test_a_file_that_is_replaced_while_open_is_told_and_not_mixed_with_the_old(
    make_program: Callable[..., Program],
    videos: list[Path],
    qtbot: QtBot,
    tmp_path: Path,
    recorded: Recorded,
) -> None:
    model = make_tiny_encoder(tmp_path / "tiny.onnx")
    store = EmbeddingStore(tmp_path / "store")
    program = make_program(Engine(model, device="cpu", store=store))
    paths = copies(videos, tmp_path)
    program.opening.add_paths(paths)
    wait_settled(qtbot, program, 2)
    make_video(paths[1], frames=60, fps=25, size=(160, 120), numbers=range(100, 160))
    program.loading.use_engine(lambda: Engine(model, device="cpu", store=store))
    said = wait_message(qtbot, program, "was replaced or changed since it was opened")
    qtbot.waitUntil(lambda: not program.loading.is_busy, timeout=WAIT_MS)
    recorded(
        "a recording is replaced while it is open",
        sees=said,
        then="Nothing is computed for it until it is opened again; the others work on.",
    )


def test_a_replaced_recording_of_a_project_is_told_and_embedded_anew(
    make_program: Callable[..., Program],
    videos: list[Path],
    qtbot: QtBot,
    tmp_path: Path,
    recorded: Recorded,
) -> None:
    model = make_tiny_encoder(tmp_path / "tiny.onnx")
    store = EmbeddingStore(tmp_path / "store")
    program = make_program(Engine(model, device="cpu", store=store))
    paths = copies(videos, tmp_path)
    program.opening.add_paths(paths)
    wait_settled(qtbot, program, 2)
    before = program.session.entries[1].embeddings
    save_at(qtbot, program, tmp_path / "swing.carl")
    program.files.new()
    make_video(paths[1], frames=60, fps=25, size=(160, 120), numbers=range(100, 160))
    program.files.open(tmp_path / "swing.carl")
    said = wait_message(qtbot, program, "is not the file the project was made with")
    wait_settled(qtbot, program, 2)
    after = program.session.entries[1].embeddings
    assert before is not None
    assert after is not None
    assert after.key.fingerprint != before.key.fingerprint
    assert len(program.session.entries[1].recording.index) == 60
    recorded(
        "a recording of a project was replaced by another of the same name",
        sees=said,
        then="Its embeddings are computed anew; the old ones are not used.",
    )


# Threads and processes -------------------------------------------------------------------------


def test_a_decoder_that_raises_anything_is_told_and_goes_on(
    make_program: Callable[..., Program],
    videos: list[Path],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    recorded: Recorded,
) -> None:
    monkeypatch.setattr(frames, "RETRY_S", 0.2)
    program = make_program()
    real, failures = program.frames._open_reader, [3]

    class Reader:
        def __init__(self, *arguments: Any) -> None:
            self._reader = real(*arguments)

        def approach(self, index: int) -> Any:
            if failures[0] > 0:
                failures[0] -= 1
                raise RuntimeError("the decoder broke")
            return self._reader.approach(index)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._reader, name)

    program.frames._open_reader = Reader
    program.opening.add_paths(videos[:2])
    said = wait_message(qtbot, program, "Something went wrong inside the program (RuntimeError)")
    wait_settled(qtbot, program, 2)
    for time_s in (0.8, 1.2, 0.4):
        qtbot.waitUntil(shows(program, time_s), timeout=WAIT_MS)
    recorded(
        "a decoder's thread meets an error nobody knows",
        sees=said,
        then="It goes on with the next frame; the others never stop.",
    )


def test_a_learning_process_that_is_killed_is_told_and_can_be_begun_again(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: Recorded
) -> None:
    from app.jobs import JobRunner

    monkeypatch.setenv("CARL_MODELS", str(tmp_path / "models"))
    process = TrainerProcess(program=[sys.executable, "-c", "import time; time.sleep(60)"])
    session, jobs, view = SessionModel(), JobRunner(), Panel()
    presenter = AdaptationPresenter(
        session,
        jobs,
        EngineHandle(EngineAt),  # type: ignore[arg-type]
        process,
        view,
        is_installed=lambda: True,
    )
    session.add(fake_recording("one", 50))
    try:
        for _ in range(2):
            presenter.start()
            qtbot.waitUntil(lambda: process.is_running, timeout=WAIT_MS)
            inside = process._process
            assert inside is not None
            qtbot.waitUntil(lambda: inside.processId() > 0, timeout=WAIT_MS)  # noqa: B023
            with qtbot.waitSignal(process.ended, timeout=WAIT_MS) as ended:
                os.kill(inside.processId(), signal.SIGKILL)
            assert ended.args[0] == CRASHED
            said = view.states[-1].text
    finally:
        process.close()
        jobs.close()
    assert "untouched" in said
    recorded(
        "the process that learns is killed",
        sees=said,
        then="The encoder in use stays; learning can be begun again.",
    )


# Two windows -----------------------------------------------------------------------------------


def test_the_second_window_on_a_project_is_told_and_neither_loses_work(
    make_program: Callable[..., Program],
    videos: list[Path],
    qtbot: QtBot,
    tmp_path: Path,
    recorded: Recorded,
) -> None:
    path = tmp_path / "swing.carl"
    first = make_program()
    first.opening.add_paths(videos[:2])
    wait_settled(qtbot, first, 2)
    save_at(qtbot, first, path)
    second = make_program()
    second.files.open(path)
    told = wait_message(qtbot, second, "is open in another window, too")
    wait_settled(qtbot, second, 2)
    assert not any("another window" in m.text for m in first.window.banner.messages)

    pin(first.project, 1.0, 1.2)
    first.files.save()
    qtbot.waitUntil(lambda: first.project.is_in_file, timeout=WAIT_MS)
    firsts = files.read_project(path)
    assert len(firsts.anchors) == 1
    second.files.save()
    pin(second.project, 0.5, 0.6)
    own = files.autosave_path(None, tmp_path / "state" / "unsaved")
    qtbot.waitUntil(own.is_file, timeout=WAIT_MS)  # not beside the project: that place is taken
    second.files.save()
    said = wait_message(qtbot, second, "had been changed by another window or program")
    qtbot.waitUntil(lambda: second.project.is_in_file, timeout=WAIT_MS)
    backups = [files.read_project(p) for p in tmp_path.glob("swing.carl.[0-9]")]
    assert firsts.anchors in [backup.anchors for backup in backups]
    recorded("two windows open one project", sees=told, then=f"The second saves: “{said}”")

    first.close()
    second.close()
    assert not list(tmp_path.glob(".swing.carl.lock"))
    third = make_program()
    third.files.open(path)
    wait_settled(qtbot, third, 2)
    assert not any("another window" in m.text for m in third.window.banner.messages)


# Clocks ----------------------------------------------------------------------------------------


def test_a_clock_that_jumps_moves_nothing_outside_the_recordings(recorded: Recorded) -> None:
    now = [1000.0]
    clock = PlaybackClock(now=lambda: now[0])
    clock.set_limits(0.0, 10.0)
    for jump in (-5000.0, 1e9, -1e12, 3600.0):
        clock.seek(5.0)
        clock.play()
        now[0] += 0.5
        assert clock.time_s == pytest.approx(5.5)
        now[0] += jump
        assert 0.0 <= clock.time_s <= 10.0
        clock.seek(2.0)
        clock.play()
        now[0] += 1.0
        assert clock.time_s == pytest.approx(3.0)
    recorded(
        "the clock of the machine jumps (sleep, another battery)",
        sees="nothing",
        then="Playing stops at an end of the recordings at most, and starts again.",
    )


@pytest.mark.parametrize("wall_s", [0.0, 4e9])
def test_a_calendar_that_is_wrong_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: Recorded, wall_s: float
) -> None:
    from carl_core.embeddings.embeddings import EmbeddingKey
    from carl_core.project.project import Media, Project

    store = EmbeddingStore(tmp_path / "store")
    project = Project(recordings=(Media(id="a", path="/a.mp4"),), reference="a")
    path = tmp_path / "p.carl"
    files.write_project(path, project)
    monkeypatch.setattr(time, "time", lambda: wall_s)
    key = EmbeddingKey("f" * 32, "e" * 16, "native")
    numbers = np.arange(4)
    writer = store.open_writer(
        key, frames=numbers, pts=numbers, times_s=numbers / 10, channels=3, dim=2
    )
    assert writer is not None
    with writer:
        writer.append(np.ones((4, 3), dtype=np.float16))
        writer.finish([np.tile(np.float32([0.6, 0.8]), (4, 1))])
    assert store.prune() == 0
    assert store.load(key) is not None
    files.write_project(path, project)
    assert files.read_project(path) == project
    assert files.read_project(path.with_name("p.carl.1")) == project
    recorded(
        f"the calendar says {'1970' if wall_s == 0 else '2096'}",
        sees="nothing",
        then="Projects, backups and the cache are written and read as ever.",
    )
