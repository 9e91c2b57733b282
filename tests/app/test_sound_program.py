"""The whole program on a sound device that runs in real time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from app.actions import ActionId
from tests.app.conftest import wait_settled
from tests.app.fake_sound import FakeOutput
from tests.helpers.sounds import make_sound_video, scene_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program

AHEAD_S = 0.08


class RunningOutput(FakeOutput):
    """Asks every 20 ms, as a sound card does."""

    def __init__(self) -> None:
        super().__init__()
        self.loudness: list[float] = []
        self._is_over = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over:
            time.sleep(0.02)
            if self.is_open:
                self.loudness.append(float(np.abs(self.streams[-1].ask(960, AHEAD_S)).max()))

    def stop(self) -> None:
        self._is_over = True
        self._thread.join()


@pytest.fixture
def output() -> Iterator[RunningOutput]:
    output = RunningOutput()
    yield output
    output.stop()


@pytest.fixture
def program(
    make_program: Callable[..., Program], output: RunningOutput, tmp_path: Path, qtbot: QtBot
) -> Iterator[Program]:
    program = make_program(sound_output=output)
    program.opening.add_paths(
        [
            make_sound_video(tmp_path / f"{k}.mp4", scene_sound(8, 48000, k), seconds=8)
            for k in range(2)
        ]
    )
    wait_settled(qtbot, program, 2)
    yield program
    output.stop()


def test_it_is_heard_in_step_and_can_be_muted(
    program: Program, output: RunningOutput, qtbot: QtBot
) -> None:
    program.player.play()
    qtbot.waitUntil(lambda: any(x > 0.01 for x in output.loudness), timeout=20_000)
    error_s = program.sounding.audio.sync_error_s
    assert error_s is not None
    assert abs(error_s) < 0.04
    program.actions[ActionId.MUTE].trigger()
    qtbot.waitUntil(lambda: output.loudness[-1] == 0.0)
    program.actions[ActionId.LOUDER].trigger()
    program.actions[ActionId.NEXT_TILE].trigger()
    program.actions[ActionId.HEAR_ACTIVE].trigger()
    program.player.seek(1.0)
    count = len(output.loudness)
    qtbot.waitUntil(lambda: any(x > 0.01 for x in output.loudness[count:]), timeout=20_000)
    assert program.player.clock.is_playing
