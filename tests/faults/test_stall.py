"""A drive that stalls while a recording is read: a sentence in time, and nothing hangs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from app import frames
from carl_core import waiting
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder.embed import embed_recording
from carl_core.errors import Cancelled, UnreadableMediaError
from carl_core.pipeline import Engine
from carl_core.progress import Monitor
from carl_core.video import drive
from carl_core.video.drive import DriveFile
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from carl_core.video.sound_ahead import SoundAhead
from tests.app.conftest import wait_settled
from tests.faults.test_disk import WAIT_MS, wait_message
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.faults import StallingDrive
from tests.helpers.videos import draw_frame, make_video, read_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from carl_core.arrays import Float32, UInt8
    from tests.faults.conftest import Recorded
    from tests.helpers.videos import Pixels

SENTENCE = "its drive does not answer"
LONG_S = 40.0
"""A limit that no test waits for: what ends before it was cancelled."""


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording that is read in many pieces."""
    path = tmp_path_factory.mktemp("film") / "far.mp4"
    make_video(
        path,
        frames=120,
        options={"crf": "18"},
        audio_rate=48000,
        draw=_grainy,
        container_options={"movflags": "faststart"},  # its table is not what stalls
    )
    assert path.stat().st_size > 400_000
    return path


def _grainy(number: int, size: tuple[int, int]) -> Pixels:
    grain = np.random.default_rng(number).integers(-20, 20, (size[1], size[0], 1))
    return np.clip(draw_frame(number, size) + grain, 0, 255).astype(np.uint8)


@pytest.fixture
def far(film: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StallingDrive]:
    monkeypatch.setattr(waiting, "ANSWER_S", 0.3)
    monkeypatch.setattr(drive, "_MOST_BYTES", 32 * 1024)
    made = StallingDrive(film, monkeypatch)
    yield made
    made.answer()
    until = time.monotonic() + 5.0
    while any(t.name == "asking-a-drive" for t in threading.enumerate()):
        assert time.monotonic() < until, "a thread was left behind for good"
        time.sleep(0.01)


def half(path: Path) -> int:
    return path.stat().st_size // 2


def cancelled_soon(work: Callable[[], object], far: StallingDrive) -> None:
    """Do what reads the drive; it is cancelled once it waits for it."""
    monitor = Monitor()

    def cancel() -> None:
        while not far.waiting:
            time.sleep(0.005)
        monitor.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(Cancelled), waiting.given_up_when(lambda: monitor.is_cancelled):
        work()
    canceller.join()


# Reading ---------------------------------------------------------------------------------------


def test_what_is_read_is_what_the_file_holds(film: Path) -> None:
    content = film.read_bytes()
    random = np.random.default_rng(1)
    with DriveFile(film) as file:
        for _ in range(200):
            place, size = (int(n) for n in random.integers(0, [len(content) + 10, 50_000]))
            assert file.seek(place) == file.tell() == place
            assert file.read(size) == content[place : place + size]
        assert file.seek(-10, 2) == len(content) - 10
        assert file.read() == content[-10:]
        assert file.read(5) == b""


@pytest.mark.parametrize(
    "read",
    [
        lambda reader: reader.frame_at(119),
        lambda reader: [reader.frame_at(number) for number in (30, 100, 20, 110)],
        lambda reader: list(reader.frames_at(range(120), ahead=True)),
    ],
    ids=["one frame", "jumps", "all, ahead"],
)
def test_reading_frames_ends_with_a_sentence(
    far: StallingDrive, read: Callable[[FrameReader], object]
) -> None:
    recording = open_recording(far.path)
    with FrameReader(recording, size=(160, 120)) as reader:
        assert read_number(reader.frame_at(0).pixels) == 0
        far.stall(half(far.path))
        for _ in range(2):  # it is no end of the file that is met then
            with pytest.raises(UnreadableMediaError, match=SENTENCE):
                read(reader)
    far.answer()
    far.settle()
    with FrameReader(recording, size=(160, 120)) as reader:
        assert read_number(reader.frame_at(119).pixels) == 119


def test_opening_ends_with_a_sentence(far: StallingDrive, film: Path, recorded: Recorded) -> None:
    far.stall(half(film))
    with pytest.raises(UnreadableMediaError, match=SENTENCE) as told:
        open_recording(film)
    far.answer()
    assert len(open_recording(film).index) == 120
    recorded(
        "a network drive stalls while a recording is opened",
        sees=str(told.value).replace(str(film.parent), "FOLDER"),
        then="Nothing else waits; the recording can be opened again.",
    )


def test_a_drive_that_stays_away_is_asked_by_one_thread_only(far: StallingDrive) -> None:
    recording = open_recording(far.path)
    far.stall()
    for _ in range(5):
        with pytest.raises(UnreadableMediaError, match=SENTENCE):
            FrameReader(recording, size=(160, 120))
    assert far.waiting == 1
    assert sum(t.name == "asking-a-drive" for t in threading.enumerate()) == 1


def test_an_interrupt_while_a_drive_stalls_stops_the_work(
    far: StallingDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = open_recording(far.path)

    def interrupted(*_args: object) -> object:
        raise KeyboardInterrupt

    with FrameReader(recording, size=(160, 120)) as reader:
        monkeypatch.setattr(waiting.Questions, "_next", interrupted)
        with pytest.raises(Cancelled):
            reader.frame_at(119)
        monkeypatch.undo()


# Cancelling ------------------------------------------------------------------------------------


def test_work_on_a_drive_that_stalls_can_be_cancelled(
    far: StallingDrive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "ANSWER_S", LONG_S)
    recording = open_recording(far.path)
    encoder = Engine(make_tiny_encoder(tmp_path / "tiny.onnx"), device="cpu", store=None).encoder
    far.stall(half(far.path))
    cancelled_soon(lambda: open_recording(far.path), far)
    far.answer()
    far.stall(half(far.path))
    cancelled_soon(lambda: embed_recording(recording, encoder, sampling="native"), far)
    far.answer()
    with FrameReader(recording, size=(32, 32)) as reader:
        far.stall(half(far.path))
        cancelled_soon(lambda: list(reader.frames_at(range(120), ahead=True)), far)


def test_sound_of_a_drive_that_stalls_can_be_closed(
    far: StallingDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "ANSWER_S", LONG_S)
    recording = open_recording(far.path)
    far.stall()
    sound = SoundAhead(recording)
    until = time.monotonic() + 10.0
    while not far.waiting:
        assert time.monotonic() < until
        time.sleep(0.005)
    sound.close()
    assert not sound._thread.is_alive()


# Work ------------------------------------------------------------------------------------------


def test_embedding_goes_on_where_the_drive_stalled(
    far: StallingDrive, tmp_path: Path, recorded: Recorded
) -> None:
    engine = Engine(make_tiny_encoder(tmp_path / "tiny.onnx"), device="cpu", store=None)
    encoder, store = engine.encoder, EmbeddingStore(tmp_path / "store")
    recording = open_recording(far.path)
    whole = embed_recording(recording, encoder, sampling="native")
    seen: list[int] = []
    real = encoder.features

    def features(pixels: UInt8) -> Float32:
        if not seen:
            far.stall(half(far.path))
        seen.append(len(pixels))
        return real(pixels)

    encoder.features = features  # type: ignore[method-assign, assignment]
    with pytest.raises(UnreadableMediaError, match=SENTENCE) as told:
        embed_recording(recording, encoder, sampling="native", store=store, batch=4)
    far.answer()
    assert 0 < sum(seen) < 120
    again = embed_recording(recording, encoder, sampling="native", store=store, batch=4)
    assert sum(seen) == 120  # what was there is not computed again
    assert np.allclose(again.vectors, whole.vectors, atol=1e-3)
    recorded(
        "a network drive stalls while a recording is embedded",
        sees=str(told.value).replace(str(far.path.parent), "FOLDER"),
        then="What was embedded is kept, and the next run goes on there.",
    )


# The window ------------------------------------------------------------------------------------


def test_the_window_tells_plays_on_and_shows_the_pictures_again(
    far: StallingDrive,
    make_program: Callable[..., Program],
    videos: list[Path],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    recorded: Recorded,
) -> None:
    monkeypatch.setattr(frames, "RETRY_S", 0.2)
    program = make_program()
    program.opening.add_paths([far.path, videos[0]])
    wait_settled(qtbot, program, 2)
    shown: list[str] = []
    program.frames.frame_ready.connect(lambda which, _frame: shown.append(which))
    far.stall()
    program.player.seek(4.0)
    said = wait_message(qtbot, program, SENTENCE)
    other = program.session.entries[1].id
    shown.clear()
    program.player.seek(0.5)
    qtbot.waitUntil(lambda: other in shown, timeout=WAIT_MS)
    far.answer()

    def is_back() -> bool:
        program.player.seek(4.0)
        qtbot.wait(100)
        return program.player.is_up_to_date

    qtbot.waitUntil(is_back, timeout=WAIT_MS)
    recorded(
        "a network drive stalls while a recording is shown",
        sees=said.replace(str(far.path.parent), "FOLDER"),
        then="The other recordings play on; its pictures come back when the drive does.",
    )


@pytest.mark.parametrize("doing", ["showing", "embedding"])
def test_the_window_can_be_closed_while_a_drive_stalls(
    far: StallingDrive,
    make_program: Callable[..., Program],
    tmp_path: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    recorded: Recorded,
    doing: str,
) -> None:
    engine = Engine(make_tiny_encoder(tmp_path / "tiny.onnx"), device="cpu", store=None)
    program = make_program(engine)
    monkeypatch.setattr(waiting, "ANSWER_S", LONG_S)
    if doing == "embedding":
        real = engine.embed

        def embed(*arguments: object, **options: object) -> object:
            far.stall()
            return real(*arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(engine, "embed", embed)
    program.opening.add_paths([far.path])
    if doing == "showing":
        wait_settled(qtbot, program, 1)
        far.stall()
        program.player.seek(4.0)
    qtbot.waitUntil(lambda: far.waiting > 0, timeout=WAIT_MS)
    begin_s = time.monotonic()
    program.close()
    assert time.monotonic() - begin_s < LONG_S / 20  # not a timing: waiting would be the limit
    assert not program.jobs.is_stuck
    recorded(
        f"the window is closed while a network drive stalls ({doing})",
        sees="nothing",
        then="It closes at once.",
    )
