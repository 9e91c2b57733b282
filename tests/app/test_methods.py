from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from app.actions import ActionId
from app.models.methods import Method, lacking
from tests.helpers.recordings import fake_recording
from tests.helpers.sounds import make_sound_video, scene_sound

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program


def test_what_recordings_lack_is_named() -> None:
    mute = fake_recording("mute", 10)
    loud = replace(mute, info=replace(mute.info, audio="aac"))
    coded = replace(mute, info=replace(mute.info, timecode="10:00:00:00"))
    assert lacking(Method.SOUND, [mute, loud]) == ("mute.mp4",)
    assert lacking(Method.TIMECODE, [coded, mute, loud]) == ("mute.mp4", "mute.mp4")
    assert lacking(Method.PICTURES, [mute]) == ()


@pytest.fixture
def cameras(tmp_path: Path) -> list[Path]:
    return [
        make_sound_video(tmp_path / f"{seed}.mov", scene_sound(2, 48000, seed), seconds=2)
        for seed in (1, 2)
    ]


def test_choosing_the_sound_aligns_anew_by_it(
    make_program: Callable[..., Program], cameras: list[Path], qtbot: QtBot
) -> None:
    program = make_program()
    program.opening.add_paths(cameras)

    def method() -> str:
        found = program.session.others[0].alignment if program.session.others else None
        return found.method if found is not None else ""

    qtbot.waitUntil(lambda: method() == "dtw", timeout=60_000)
    assert program.actions[ActionId.METHOD_PICTURES].isChecked()
    assert program.actions[ActionId.METHOD_SOUND].isEnabled()
    program.actions[ActionId.METHOD_SOUND].trigger()
    qtbot.waitUntil(lambda: method() == "audio", timeout=60_000)
    assert program.actions[ActionId.METHOD_SOUND].isChecked()
    program.actions[ActionId.METHOD_PICTURES].trigger()
    qtbot.waitUntil(lambda: method() == "dtw", timeout=60_000)


def test_a_method_that_a_recording_does_not_allow_says_why(
    make_program: Callable[..., Program], cameras: list[Path], qtbot: QtBot
) -> None:
    program = make_program()
    program.opening.add_paths(cameras)
    qtbot.waitUntil(lambda: len(program.session.entries) == 2, timeout=60_000)
    action = program.actions[ActionId.METHOD_TIMECODE]
    assert not action.isEnabled()
    assert action.toolTip() == "Not possible: no timecode in 1.mov, 2.mov."
