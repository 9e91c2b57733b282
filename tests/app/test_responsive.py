"""Nothing holds the event loop, closing included: the watchdog trips at 500 ms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.actions import ActionId
from app.faults.watchdog import LoopWatchdog
from app.models.engine import engine_maker
from app.models.exporting import ExportChoice
from app.models.session import Stage
from tests.app.conftest import wait_settled
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.videos import make_video

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program

pytestmark = pytest.mark.alone


def test_nothing_blocks_while_embedding_aligning_playing_searching_exporting_and_closing(
    make_program: Callable[..., Program], qtbot: QtBot, tmp_path: Path
) -> None:
    first = make_video(tmp_path / "first.mp4", frames=240, fps=30, size=(320, 240))
    second = make_video(
        tmp_path / "second.mp4", frames=200, fps=30, size=(320, 240), numbers=range(20, 220)
    )
    model = make_tiny_encoder(tmp_path / "tiny.onnx")
    program = make_program(engine_maker(model)())
    watchdog = LoopWatchdog()
    watchdog.start()
    try:
        program.opening.add_paths([first, second])
        qtbot.waitUntil(lambda: bool(program.session.entries), timeout=60_000)
        program.player.play()  # while it is embedded
        wait_settled(qtbot, program, 2)
        program.player.seek(1.0)
        program.player.play()
        qtbot.wait(600)
        program.actions[ActionId.FIND_FRAME].trigger()
        qtbot.waitUntil(lambda: not program.jobs.is_active("search"), timeout=60_000)
        for step in range(40):
            program.player.seek(step / 10)
            qtbot.wait(5)
        program.player.pause()
        program.exporting.exporting.write(ExportChoice(height=120), tmp_path / "out.mp4")
        qtbot.waitUntil(lambda: not program.jobs.is_active("export"), timeout=60_000)
        program.close()
        qtbot.wait(20)  # a hold at the very end is seen by the next beat
    finally:
        watchdog.stop()
    assert not watchdog.stalls, watchdog.stalls[0].stack
    assert len(watchdog.delays_s) > 50


@pytest.mark.parametrize("stage", [Stage.EMBEDDING, Stage.ALIGNING])
def test_closing_in_the_middle_of_work_does_not_hold_the_loop(
    make_program: Callable[..., Program], qtbot: QtBot, stage: Stage
) -> None:
    """With the bundled encoder: what a user closes on is a batch of it, or the real aligner."""
    program = make_program(engine_maker()())
    program.open_demo()
    qtbot.waitUntil(lambda: any(e.stage is stage for e in program.session.entries), timeout=120_000)
    watchdog = LoopWatchdog()
    watchdog.start()
    try:
        qtbot.wait(30)
        program.close()
        qtbot.wait(20)
    finally:
        watchdog.stop()
    assert not watchdog.stalls, watchdog.stalls[0].stack
