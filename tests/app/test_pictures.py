"""What is tried with the graphics card decides what tiles ask for and show, and failing is no loss.

The card's answer (`Probe`) and what would draw on it (`Surface`) are stand-ins; the program around
them is the real one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from app import settings as keys
from app.models.looking import Look, Mode
from app.settings import Settings
from app.views import tile as tile_module
from app.views.surface import Probe
from carl_core.video import hardware
from carl_core.video.frame import MovingFrame
from carl_core.video.planes import Making
from tests.app.conftest import wait_settled
from tests.app.test_surface import FakeSurface
from tests.app.test_views import painted
from tests.helpers.card import Card
from tests.helpers.videos import read_number

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from app.views.tile import Tile
    from carl_core.arrays import UInt8
    from carl_core.video.planes import Planes

CARD = Probe("NVIDIA GeForce RTX 3060/PCIe/SSE2", is_hardware=True, problem="", picture_ms=0.6)
SOFTWARE = Probe("llvmpipe (LLVM 15)", is_hardware=False, problem="", picture_ms=2.0)
SLOW = Probe("Mesa Intel HD 3000", is_hardware=True, problem="", picture_ms=9.0)
WRONG = Probe("Old card", is_hardware=True, problem="its colours are 40 levels off")
NONE = Probe("", is_hardware=False, problem="no OpenGL context can be made")


@pytest.fixture
def make_with(
    make_program: Callable[..., Program],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    qtbot: QtBot,
    videos: list[Path],
) -> Callable[..., Program]:
    """Make a program whose card answers so, which shows a recording or two."""
    monkeypatch.setattr(tile_module, "Surface", FakeSurface)
    monkeypatch.setattr("app.views.grid.QOpenGLWidget", QWidget)

    def make(found: Probe, wanted: str = "auto", recordings: int = 1) -> Program:
        monkeypatch.setattr("app.bootstrap.pictures.probe", lambda: found)
        settings = Settings(tmp_path / "window.ini")
        settings.set(keys.PICTURES, wanted)
        settings.sync()
        program = make_program()
        program.opening.add_paths(videos[:recordings])
        wait_settled(qtbot, program, recordings)
        qtbot.waitUntil(lambda: program.player.is_up_to_date, timeout=60_000)
        program.player.set_looping(True)  # what plays stays in motion
        return program

    return make


def tiles_of(program: Program) -> list[Tile]:
    return list(program.window.stage.grid.tiles.values())


def surface_of(tile: Tile) -> FakeSurface | None:
    return tile.findChild(FakeSurface)


def number_in(planes: Planes) -> int:
    """Read the number of the frame that the card was given."""
    width, height = planes.size
    grey: UInt8 = np.repeat(planes.luma[:height, :width, None], 3, axis=2)
    return read_number(grey)


def number_on(tile: Tile) -> int:
    """Read the number of the frame that is painted on the screen."""
    rect = tile._picture_rect().toRect()
    image = painted(tile).copy(rect).convertToFormat(QImage.Format.Format_RGB888)
    lines = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return read_number(lines[:, : 3 * image.width()].reshape(image.height(), image.width(), 3))


@pytest.mark.parametrize(
    ("found", "wanted", "is_drawn", "said"),
    [
        (CARD, "auto", True, "drawn with OpenGL; NVIDIA GeForce RTX 3060"),
        (CARD, "card", True, "drawn with OpenGL"),
        (SOFTWARE, "auto", False, "painted (no graphics card stands behind it); llvmpipe"),
        (SOFTWARE, "card", True, "drawn with OpenGL; llvmpipe"),
        (SLOW, "auto", False, "painted (painting is quicker)"),
        (SLOW, "card", True, "9.0 ms a picture"),
        (WRONG, "auto", False, "painted (its colours are 40 levels off)"),
        (WRONG, "card", False, "painted (its colours are 40 levels off)"),
        (NONE, "auto", False, "painted (no OpenGL context can be made); none"),
        (CARD, "painted", False, ""),
    ],
)
def test_the_card_decides_what_moving_pictures_are(
    make_with: Callable[..., Program],
    qtbot: QtBot,
    caplog: pytest.LogCaptureFixture,
    found: Probe,
    wanted: str,
    is_drawn: bool,
    said: str,
) -> None:
    with caplog.at_level(logging.INFO, "carl.play"):
        program = make_with(found, wanted)
    assert said in caplog.text
    assert program.settings.get(keys.TRYING_OPENGL) is False
    assert program.frames.motion is (Making.PLANES if is_drawn else Making.QUICK)
    (tile,) = tiles_of(program)
    surface = surface_of(tile)
    assert (surface is not None) is is_drawn

    program.player.play()
    qtbot.waitUntil(lambda: tile.frame is not None and tile.frame.index > 5, timeout=20_000)
    moving = tile.frame
    assert moving is not None
    assert isinstance(moving, MovingFrame) is is_drawn
    if surface is not None:
        assert surface.planes is not None
        assert number_in(surface.planes) == moving.index
        assert isinstance(moving, MovingFrame)
        assert moving._pixels is None, "pixels were made though the card shows planes"
    else:
        number = number_on(tile)  # which lets frames come before it looks
        assert tile.frame is not None
        assert number == tile.frame.index

    # At rest every picture is exact, made by the one transform, card or no card.
    program.player.pause()
    program.player.seek(0.8)
    qtbot.waitUntil(lambda: tile.frame is not None and tile.frame.index == 20, timeout=20_000)
    assert tile.frame is not None
    assert not isinstance(tile.frame, MovingFrame)
    assert read_number(tile.frame.pixels) == 20
    assert surface is None or surface.planes is None


@pytest.mark.parametrize("is_playing", [True, False])
def test_a_card_that_fails_at_work_loses_no_frame(
    make_with: Callable[..., Program],
    qtbot: QtBot,
    caplog: pytest.LogCaptureFixture,
    is_playing: bool,
) -> None:
    program = make_with(CARD, recordings=2)
    first, second = tiles_of(program)
    program.player.play()
    for tile in (first, second):
        qtbot.waitUntil(lambda tile=tile: isinstance(tile.frame, MovingFrame), timeout=20_000)
    if not is_playing:
        program.player.pause()
        qtbot.waitUntil(
            lambda: not any(isinstance(t.frame, MovingFrame) for t in (first, second)),
            timeout=20_000,
        )
    surface = surface_of(second)
    assert surface is not None
    shown: dict[Tile, int] = {}

    def check(reason: str) -> None:
        """Run before anything else is decoded: what was on the screen still is."""
        assert reason == "out of memory"
        for tile in (first, second):
            assert tile.frame is not None
            shown[tile] = number_on(tile)
            assert shown[tile] == tile.frame.index

    grid = program.window.stage.grid
    grid.surfaces_failed.connect(check)
    with caplog.at_level(logging.WARNING, "carl.play"), qtbot.waitSignal(grid.surfaces_failed):
        surface.failed.emit("out of memory")
    assert len(shown) == 2
    assert "OpenGL does not draw (out of memory); pictures are painted from now on" in caplog.text
    assert program.frames.motion is Making.QUICK
    for tile in (first, second):
        qtbot.waitUntil(lambda tile=tile: surface_of(tile) is None)
    program.player.seek(0.2)
    program.player.play()
    for tile in (first, second):
        qtbot.waitUntil(
            lambda tile=tile: (
                tile.frame is not None
                and tile.frame.index > 8
                and not isinstance(tile.frame, MovingFrame)
            ),
            timeout=20_000,
        )
        assert tile.frame is not None
        assert number_on(tile) == tile.frame.index
    program.player.pause()
    # A recording that comes later is painted, too.
    program.window.stage.refresh_wanted.emit()
    assert program.frames.motion is Making.QUICK


def test_two_recordings_in_one_picture_are_pixels_even_with_a_card(
    make_with: Callable[..., Program], qtbot: QtBot
) -> None:
    program = make_with(CARD, recordings=2)
    stage = program.window.stage
    first, second = stage.grid.tiles
    stage.set_look(Look(Mode.OVERLAY, first, second))
    assert program.frames.motion is Making.QUICK
    stage.set_look(Look())
    assert program.frames.motion is Making.PLANES


def test_what_a_card_decodes_goes_to_the_card_as_planes(
    make_with: Callable[..., Program], monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    decoding = Card(monkeypatch)
    program = make_with(CARD)
    recording = next(iter(program.session.entries)).recording
    assert hardware.device_for(recording) == "cuda"
    (tile,) = tiles_of(program)
    surface = surface_of(tile)
    assert surface is not None
    given = decoding.given
    program.player.play()
    qtbot.waitUntil(lambda: tile.frame is not None and tile.frame.index > 5, timeout=20_000)
    assert decoding.given > given
    assert tile.frame is not None
    assert surface.planes is not None
    assert number_in(surface.planes) == tile.frame.index
    program.player.pause()
