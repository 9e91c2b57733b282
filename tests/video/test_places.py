"""Files at difficult places: drives that stall, files that grow, paths no encoding knows."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from carl_core import paths, waiting
from carl_core.errors import UnreadableMediaError
from carl_core.video import recording as module
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from carl_core.video.watch import FileWatch
from tests.helpers.videos import make_video, read_number

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.video.conftest import MakeKind


@pytest.fixture
def stalled(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A drive that answers only when the test is over."""
    answers = threading.Event()

    def never(path: object) -> object:
        answers.wait()
        raise FileNotFoundError(path)

    monkeypatch.setattr(module, "check_file", never)
    monkeypatch.setattr(paths.os.path, "isfile", never)
    monkeypatch.setattr(waiting, "ANSWER_S", 0.2)
    yield answers
    answers.set()


def test_a_drive_that_does_not_answer_is_given_up(stalled: threading.Event, tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError, match="its drive does not answer"):
        open_recording(tmp_path / "far.mp4")
    assert not paths.is_there(tmp_path / "far.mp4")


def test_what_a_question_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        waiting.answered(lambda: 1 / 0)
    assert waiting.answered(lambda: 7) == 7


def grow(path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Append to a file while ``open_recording`` waits whether somebody does."""

    def write(_seconds: float) -> None:
        with path.open("ab") as file:
            file.write(content)

    monkeypatch.setattr(module.time, "sleep", write)


def test_a_file_that_is_still_written_is_used_so_far_and_says_so(
    kind: MakeKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = kind("stream.ts").read_bytes()
    path = tmp_path / "growing.ts"
    path.write_bytes(content[: len(content) // 2])
    grow(path, content[len(content) // 2 :], monkeypatch)
    recording = open_recording(path)
    assert any("still being written" in problem for problem in recording.info.problems)
    with FrameReader(recording, size=(96, 64)) as reader:
        assert read_number(reader.frame_at(10).pixels) == 10
    monkeypatch.undo()
    os.utime(path, (0, 0))
    whole = open_recording(path)
    assert len(whole.index) > len(recording.index)
    assert not any("still being written" in problem for problem in whole.info.problems)


@pytest.mark.parametrize("name", ["stream.ts", "no_b_frames.mkv"])
def test_what_is_only_added_to_is_the_same_up_to_there_and_what_is_written_over_is_not(
    kind: MakeKind, tmp_path: Path, name: str
) -> None:
    content = kind(name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: 2 * len(content) // 3])
    recording = open_recording(path)
    watch, late = FileWatch(recording), FileWatch(recording)
    with path.open("ab") as file:
        file.write(content[2 * len(content) // 3 :])
    watch.check()
    assert open_recording(path).fingerprint != recording.fingerprint
    with FrameReader(recording, size=(96, 64)) as reader:
        for frame in (0, len(recording.index) - 4, 3):
            assert read_number(reader.frame_at(frame).pixels) == frame
    with path.open("r+b") as file:
        file.seek(len(content) // 2)
        file.write(b"another")
    for one in (watch, late):
        with pytest.raises(UnreadableMediaError, match="was replaced or changed"):
            one.check()


def test_a_file_that_was_cut_shorter_is_another(kind: MakeKind, tmp_path: Path) -> None:
    content = kind("stream.ts").read_bytes()
    path = tmp_path / "a.ts"
    path.write_bytes(content)
    watch = FileWatch(open_recording(path))
    path.write_bytes(content[:-188])
    with pytest.raises(UnreadableMediaError, match="was replaced or changed"):
        watch.check()


def test_a_file_that_cannot_be_read_before_it_is_done_says_so(
    kind: MakeKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = kind("constant.mp4").read_bytes()  # its index comes last
    path = tmp_path / "growing.mp4"
    path.write_bytes(content[: len(content) // 2])
    grow(path, content[len(content) // 2 :], monkeypatch)
    with pytest.raises(UnreadableMediaError, match="is still being written"):
        open_recording(path)
    assert len(open_recording(path).index) == 30


def test_a_file_of_yesterday_is_not_waited_for(
    kind: MakeKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kind("constant.mp4")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    monkeypatch.setattr(module.time, "sleep", lambda _: pytest.fail("waited"))
    assert open_recording(path).info.problems == ()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs a setting for such paths")
def test_paths_of_more_than_260_characters(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(5):
        folder /= "größe " * 12
    folder.mkdir(parents=True)
    path = make_video(tmp_path / "a.mp4", frames=3).rename(folder / "一.mp4")
    assert len(str(path)) > 360
    with FrameReader(open_recording(path), size=(96, 64)) as reader:
        assert read_number(reader.frame_at(2).pixels) == 2


@pytest.mark.parametrize("name", ["\ud800.mp4", "a\0b.mp4", "x" * 5000])
def test_names_that_no_file_can_have_are_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableMediaError) as caught:
        open_recording(tmp_path / name)
    str(caught.value).encode("utf-8")
