"""Nothing holds the event loop, with two recordings of 100,000 frames either."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt

from app.actions import ActionId
from app.faults.watchdog import LoopWatchdog
from app.models.exporting import ExportChoice
from app.views.timeline.items import frame_width
from tests.app.conftest import wait_settled
from tests.helpers.long_pair import FRAMES, LongEngine, make_long_video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program

pytestmark = [pytest.mark.slow, pytest.mark.alone]


@pytest.fixture(scope="module")
def long_videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("long")
    return [
        make_long_video(folder / "first.mp4"),
        make_long_video(folder / "second.mp4", frames=FRAMES * 9 // 10, shade=40),
    ]


@pytest.fixture
def watchdog() -> Iterator[LoopWatchdog]:
    """Watch from the first file on; at the end nothing may have been held."""
    watchdog = LoopWatchdog()
    watchdog.start()
    yield watchdog
    watchdog.stop()


def test_the_watchdog_sees_a_hold(qtbot: QtBot) -> None:
    watchdog = LoopWatchdog()
    watchdog.start()
    qtbot.wait(50)
    time.sleep(0.7)
    qtbot.wait(50)
    watchdog.stop()
    assert len(watchdog.stalls) == 1
    assert "test_the_watchdog_sees_a_hold" in watchdog.stalls[0].stack


def test_a_long_pair_is_worked_on_without_a_hold(
    make_program: Callable[..., Program],
    long_videos: list[Path],
    qtbot: QtBot,
    tmp_path: Path,
    watchdog: LoopWatchdog,
) -> None:
    program = make_program(LongEngine.make())
    program.opening.add_paths(long_videos)
    wait_settled(qtbot, program, 2)
    session, player, timeline = program.session, program.player, program.window.timeline
    (other,) = session.others
    assert other.alignment is not None
    assert len(other.alignment.reference_s) > 30_000
    player.play()
    qtbot.wait(400)
    player.pause()
    work_on_lanes(program, qtbot)
    drag_a_pin(program, qtbot)
    drag_by_mouse(program, qtbot)
    for _ in range(2):
        program.actions[ActionId.UNDO].trigger()
        qtbot.wait(10)
    player.seek(1700.0)
    qtbot.waitUntil(lambda: player.is_up_to_date, timeout=20_000)
    program.actions[ActionId.FIND_FRAME].trigger()
    qtbot.waitUntil(lambda: not program.jobs.is_active("search"), timeout=60_000)
    assert program.window.search.model.matches
    assert any(lane.curve is not None for lane in timeline.lanes)
    program.actions[ActionId.MARK_PHASE].trigger()
    program.project.set_path(tmp_path / "long.carl")
    program.files.save()
    qtbot.waitUntil(lambda: program.project.is_saved, timeout=20_000)
    exporting = program.exporting.exporting
    exporting.write(ExportChoice(height=120), tmp_path / "long.mp4")
    qtbot.wait(500)
    program.close()  # while it is written
    assert not watchdog.stalls, watchdog.stalls[0].stack
    assert len(watchdog.delays_s) > 100


def work_on_lanes(program: Program, qtbot: QtBot) -> None:
    """Zoom from the whole to single frames and back, map and lanes together."""
    timeline, panel = program.window.timeline, program.window.heatmap
    qtbot.waitUntil(lambda: program.mapping.heatmap._map is not None, timeout=30_000)
    for _ in range(8):
        timeline.zoom(4.0)
        qtbot.wait(30)
        timeline._bar.setValue(timeline._bar.value() + timeline._bar.pageStep() // 3)
        qtbot.wait(30)
    assert frame_width(timeline.lanes[0], timeline.axis) > 100
    timeline.fit()
    panel.plot.box.setRange(xRange=(1000, 1100), yRange=(900, 1000), padding=0)
    qtbot.wait(300)
    panel.fit()


def drag_a_pin(program: Program, qtbot: QtBot) -> None:
    """Move a pin in steps; the map between its neighbours is solved anew each time."""
    pinning, session = program.mapping.pinning, program.session
    (other,) = session.others
    assert other.alignment is not None
    middle_s = 1500.0
    other_s = float(other.alignment.time_map(middle_s))
    pinning.add(middle_s, other_s)
    wait_settled(qtbot, program, 2)
    program.mapping.heatmap.begin_edit()
    pinning.begin_drag(0)
    for step in range(12):
        pinning.drag(middle_s, other_s + step)
        qtbot.wait(25)
    pinning.end_drag()
    program.mapping.heatmap.end_edit()
    wait_settled(qtbot, program, 2)
    alignment = session.others[0].alignment
    assert alignment is not None
    assert alignment.time_map(middle_s) == pytest.approx(other_s + 11, abs=0.05)


def drag_by_mouse(program: Program, qtbot: QtBot) -> None:
    """Take hold of the path and of the lanes."""
    plot, timeline = program.window.heatmap.plot, program.window.timeline
    view = plot.viewport()
    alignment = program.session.others[0].alignment
    assert alignment is not None

    def at(reference_s: float) -> QPoint:
        point = QPointF(reference_s, float(alignment.time_map(reference_s)))
        return plot.mapFromScene(plot.box.mapViewToScene(point))

    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=at(600.0))
    for step in range(10):
        qtbot.mouseMove(view, pos=at(600.0 + 60 * step))
        qtbot.wait(10)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=at(1200.0))
    y = round(timeline.lane_rect(1).center().y())
    qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=QPoint(300, y))
    for x in range(300, 600, 25):
        qtbot.mouseMove(timeline, pos=QPoint(x, y))
        qtbot.wait(10)
    qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton, pos=QPoint(600, y))
