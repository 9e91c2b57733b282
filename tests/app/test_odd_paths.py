"""Recordings at paths that are no text are opened, saved and exported by the window."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from app.models.exporting import ExportChoice, Kind
from carl_core.project import files
from tests.app.conftest import wait_settled
from tests.helpers.videos import make_video
from tests.video.conftest import odd_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program

pytestmark = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="paths are text there")


def test_a_path_that_is_no_text_is_opened_saved_and_found_again(
    make_program: Callable[..., Program], tmp_path: Path, qtbot: QtBot
) -> None:
    one = make_video(tmp_path / "a.mp4", frames=40).rename(odd_path(tmp_path))
    two = make_video(tmp_path / "two.mp4", frames=50)
    program = make_program()
    told: list[str] = []
    program.reporter.reported.connect(lambda message: told.append(message.text))
    program.opening.add_paths([one, two])
    wait_settled(qtbot, program, 2)
    assert program.session.entries[0].recording.name == "caf\ufffd \ufffd.mp4"
    qtbot.waitUntil(lambda: program.player.is_up_to_date, timeout=60_000)
    target = odd_path(tmp_path).with_suffix(".carl")
    program.files._write(target, None)
    qtbot.waitUntil(lambda: target.exists() and program.project.is_saved)
    assert [os.fsencode(m.path) for m in files.read_project(target).recordings] == [
        os.fsencode(one),
        os.fsencode(two),
    ]
    before = {path.name for path in tmp_path.iterdir()}
    for kind in Kind:
        out = odd_path(tmp_path).with_suffix(f".{kind.value}")
        program.exporting.exporting.write(ExportChoice(kind, height=120), out)
        qtbot.waitUntil(lambda: not program.jobs.is_active("export"), timeout=60_000)
        assert out.is_file(), (kind, told)
    made = {p.name for p in tmp_path.iterdir() if not p.name.startswith(".")} - before
    assert all(os.fsencode(name).startswith(os.fsencode(target.stem)) for name in made), made
    program.files.new()
    qtbot.waitUntil(lambda: not program.session.entries)
    program.files.open(target)
    wait_settled(qtbot, program, 2)
    assert not any("wrong" in text or "cannot" in text for text in told), told
    for text in told:
        text.encode("utf-8")  # what is shown is text
    program.help.diagnostics().encode("utf-8")
