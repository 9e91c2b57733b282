"""Recordings that end early, grow or were changed, in the window: used up to there, and told."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from carl_core.embeddings.store import EmbeddingStore
from carl_core.pipeline import Engine
from carl_core.video import recording as module
from carl_core.video.reader import FrameReader
from tests.app.conftest import wait_settled
from tests.app.test_project import pin
from tests.faults.test_disk import WAIT_MS, save_at, wait_message
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.videos import make_video, read_number

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from tests.faults.conftest import Recorded

FRAMES = 90


@pytest.fixture
def real_engine(tmp_path: Path) -> Engine:
    model = make_tiny_encoder(tmp_path / "tiny.onnx")
    return Engine(model, device="cpu", store=EmbeddingStore(tmp_path / "store"))


def part_of(path: Path, share: float) -> tuple[bytes, bytes]:
    """Make a film, and cut its bytes in two."""
    content = make_video(path, frames=FRAMES, fps=25, size=(160, 120), gop=10).read_bytes()
    at = round(share * len(content))
    return content[:at], content[at:]


def shows(program: Program, qtbot: QtBot, frame: int) -> None:
    program.player.seek(frame / 25)
    qtbot.waitUntil(lambda: program.player.is_up_to_date, timeout=WAIT_MS)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_film_that_was_cut_off_is_used_up_to_there(
    make_program: Callable[..., Program],
    videos: list[Path],
    qtbot: QtBot,
    tmp_path: Path,
    real_engine: Engine,
    recorded: Recorded,
    suffix: str,
) -> None:
    options = {"container_options": {"movflags": "faststart"}} if suffix == "mp4" else {}
    path = tmp_path / f"cut.{suffix}"
    whole = make_video(tmp_path / f"w.{suffix}", frames=FRAMES, size=(160, 120), gop=10, **options)
    content = whole.read_bytes()
    path.write_bytes(content[: round(0.6 * len(content))])
    program = make_program(real_engine)
    program.opening.add_paths([videos[0], path])
    said = wait_message(qtbot, program, "cut off")
    wait_settled(qtbot, program, 2)
    entry = program.session.entries[1]
    count = len(entry.recording.index)
    assert FRAMES // 4 < count < FRAMES
    assert entry.embeddings is not None
    assert entry.embeddings.frames[-1] >= count - 4
    assert entry.alignment is not None
    shows(program, qtbot, count - 5)
    with FrameReader(entry.recording) as reader:
        assert read_number(reader.frame_at(count - 5).pixels) == count - 5
    recorded(
        f"a recording was cut off ({suffix.upper()})",
        sees=said,
        then="It is shown, embedded and aligned up to there.",
    )


@pytest.mark.parametrize("suffix", ["ts", "mkv"])
def test_a_film_that_is_still_being_written_is_used_so_far_and_goes_on_being_used(
    make_program: Callable[..., Program],
    videos: list[Path],
    qtbot: QtBot,
    tmp_path: Path,
    real_engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    recorded: Recorded,
    suffix: str,
) -> None:
    start, rest = part_of(tmp_path / f"whole.{suffix}", 0.6)
    path = tmp_path / f"growing.{suffix}"
    path.write_bytes(start)
    pieces = [rest[at : at + 500] for at in range(0, len(rest), 500)]

    def more(_settle_s: float = 0.0) -> None:
        if pieces:
            with path.open("ab") as file:
                file.write(pieces.pop(0))

    program = make_program(real_engine)
    with monkeypatch.context() as patch:
        patch.setattr(module.time, "sleep", more)  # each look at a new file finds more of it
        program.opening.add_paths([videos[0], path])
        said = wait_message(qtbot, program, "still being written")
        wait_settled(qtbot, program, 2)
    entry = program.session.entries[1]
    count = len(entry.recording.index)
    assert count < FRAMES
    assert entry.alignment is not None
    while pieces:  # it is all there now
        more()
    shows(program, qtbot, count - 5)
    shows(program, qtbot, 3)
    texts = [message.text for message in program.window.banner.messages]
    assert not [text for text in texts if "was replaced" in text or "cannot be" in text], texts
    save_at(qtbot, program, tmp_path / "p.carl")
    pin(program.project, 0.4, 0.5)
    program.files.save()
    qtbot.waitUntil(lambda: program.project.is_in_file, timeout=WAIT_MS)

    program.files.new()
    qtbot.waitUntil(lambda: not program.session.entries, timeout=WAIT_MS)
    past = time.time() - 3600
    os.utime(path, (past, past))
    program.files.open(tmp_path / "p.carl")
    later = wait_message(qtbot, program, "has grown since the project was made")
    wait_settled(qtbot, program, 2)
    assert len(program.session.entries[1].recording.index) > count
    assert len(program.project.project.anchors) == 1
    recorded(
        f"a recording is still being written ({suffix.upper()})",
        sees=said,
        then=f"It is shown, embedded and aligned up to there, while it grows, too. A project with "
        f"it says later: “{later}”",
    )
