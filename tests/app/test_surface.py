"""Pictures drawn by the graphics card: right where there is OpenGL, painted where there is none."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app import settings as keys
from app.bootstrap.pictures import PicturesFeature
from app.views import tile as tile_module
from app.views.grid import TileGrid
from app.views.surface import probe
from carl_core.video.frame import MovingFrame
from carl_core.video.planes import Making, Planes
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.app.test_views import painted, tile_state
from tests.helpers.videos import make_video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program

ROOT = Path(__file__).parents[2]
SIZE = (320, 240)


def draw_smooth(number: int, size: tuple[int, int]) -> np.ndarray:
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    channels = [40 + 170 * x / width, 40 + 170 * y / height, 200 - 120 * (x + y) / (width + height)]
    return np.stack(channels, axis=-1).astype(np.uint8)


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A display without a screen, for OpenGL in software."""
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("needs Xvfb")
    read, write = os.pipe()
    command = [server, "-displayfd", str(write), "-screen", "0", "640x480x24"]
    running = subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as said:
            number = said.readline().strip()
        if not number:
            pytest.skip("Xvfb does not start")
        yield f":{number}"
    finally:
        running.terminate()
        running.wait()


def test_the_shader_draws_what_swscale_makes(display: str, tmp_path: Path) -> None:
    kinds: dict[str, dict[str, object]] = {
        "unmarked": {},
        "bt709": {"matrix": "bt709"},
        "bt601": {"matrix": "bt601"},
        "bt709_full": {"matrix": "bt709", "full_range": True},
        "bt601_full": {"matrix": "bt601", "full_range": True},
        "turned": {"rotation": 90},
        "upside_down": {"rotation": 180},
        "turned_mirrored": {"rotation": 270, "mirrored": True},
        "mirrored": {"mirrored": True},
        "odd_lines": {"size": (318, 238)},
    }
    paths = []
    for name, kind in kinds.items():
        options: dict[str, object] = {"size": SIZE, "frames": 2, "draw": draw_smooth} | kind
        paths.append(make_video(tmp_path / f"{name}.mp4", **options))  # type: ignore[arg-type]
    assert_is_drawn(display, paths)


def test_the_shader_draws_what_a_card_decoded(display: str, tmp_path: Path) -> None:
    vp9 = {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}
    kinds: dict[str, dict[str, object]] = {
        "bt709_full.mp4": {"matrix": "bt709", "full_range": True},
        "turned.mp4": {"rotation": 90},
        "odd.webm": vp9 | {"size": (319, 239)},
    }
    paths = []
    for name, kind in kinds.items():
        options: dict[str, object] = {"size": SIZE, "frames": 2, "draw": draw_smooth} | kind
        paths.append(make_video(tmp_path / name, **options))  # type: ignore[arg-type]
    assert_is_drawn(display, paths, "--card")


def run_with(display: str, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the helpers with a display and OpenGL in software."""
    environment = os.environ | {
        "DISPLAY": display,
        "QT_QPA_PLATFORM": "xcb",
        "PYTHONPATH": str(ROOT),
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }
    child = [sys.executable, str(ROOT / "tests/helpers" / script), *arguments]
    done = subprocess.run(child, capture_output=True, text=True, env=environment)
    if "could not be loaded" in done.stderr or "Could not load the Qt platform" in done.stderr:
        pytest.skip("Qt has no libraries for a display here")
    assert done.returncode == 0, done.stderr
    return done


def test_a_driver_that_fails_while_the_program_plays_loses_nothing_on_the_screen(
    display: str, tmp_path: Path
) -> None:
    video = make_video(tmp_path / "v.mp4", frames=75, size=(320, 240))
    done = run_with(display, "gl_program.py", str(video), str(tmp_path))
    found = json.loads(done.stdout.splitlines()[-1])
    if not found["renderer_works"]:
        pytest.skip("no OpenGL here")
    assert set(found) == {"renderer_works", "drawn", "failed", "painted"}
    for moment in ("drawn", "failed", "painted"):
        on_screen, said = found[moment]
        assert (said - on_screen) % 75 <= 4, moment  # frames may be on their way to the screen
    assert "Texture has not been destroyed" not in done.stderr


def assert_is_drawn(display: str, paths: list[Path], *flags: str) -> None:
    """Have videos drawn where there is OpenGL, and compare what comes with swscale's pictures."""
    done = run_with(display, "gl_child.py", *flags, *map(str, paths))
    found = json.loads(done.stdout.splitlines()[-1])
    if not found["renderer"]:
        pytest.skip(f"no OpenGL: {found['problem']}")
    assert found["problem"] == ""
    assert set(found["videos"]) == {path.stem for path in paths}
    for name, (usual, worst) in found["videos"].items():
        assert usual <= 2, name
        # swscale rounds its own way where colours change from one stored element to the next.
        assert worst <= 6, name


def test_without_opengl_pictures_are_painted_and_diagnostics_say_so(
    make_program: Callable[..., Program], caplog: pytest.LogCaptureFixture
) -> None:
    program = make_program()
    assert "offscreen" in probe().problem
    program.settings.set(keys.PICTURES, "card")
    part = next(f for f in program.features if isinstance(f, PicturesFeature))
    with caplog.at_level(logging.INFO, "carl.play"):
        again = PicturesFeature(part.parts, program)
    assert "painted (the platform offscreen has no OpenGL)" in caplog.text
    assert program.frames.motion is Making.QUICK
    again.deleteLater()


def test_a_driver_that_ends_the_program_does_it_once(
    make_program: Callable[..., Program],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = make_program()
    settings = program.settings
    assert settings.get(keys.TRYING_OPENGL) is False
    part = next(f for f in program.features if isinstance(f, PicturesFeature))

    def end() -> None:
        assert settings.get(keys.TRYING_OPENGL) is True, "what is tried must be on the disk"
        raise SystemExit

    monkeypatch.setattr("app.bootstrap.pictures.probe", end)
    with pytest.raises(SystemExit):
        PicturesFeature(part.parts, program)
    with caplog.at_level(logging.WARNING, "carl.play"):
        again = PicturesFeature(part.parts, program)
    assert "ended the program at its last start" in caplog.text
    assert program.frames.motion is Making.QUICK
    assert settings.get(keys.PICTURES) == "painted"
    again.deleteLater()


class FakeSurface(QWidget):
    """Stands for what draws on the graphics card: keeps what it is given."""

    failed = Signal(str)

    def __init__(self, parent: QWidget, **_how: object) -> None:
        super().__init__(parent)
        self.planes: Planes | None = None
        self.is_released = False

    def release(self) -> None:
        self.is_released = True


def test_a_surface_that_fails_gives_way_to_painting(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, videos: list[Path]
) -> None:
    monkeypatch.setattr(tile_module, "Surface", FakeSurface)
    monkeypatch.setattr("app.views.grid.QOpenGLWidget", QWidget)
    grid = TileGrid()
    qtbot.addWidget(grid)
    grid.resize(400, 300)
    grid.show()
    grid.set_surfaces(True)
    grid.set_tiles((tile_state("a"), tile_state("b", 1)))
    with FrameReader(open_recording(videos[0])) as reader:
        reader.making = Making.PLANES
        frame = reader.frame_at(3)
    assert isinstance(frame, MovingFrame)
    for name in "ab":
        grid.show_frame(name, frame, None)
    surface = grid.tiles["b"].findChild(FakeSurface)
    assert surface is not None
    assert surface.planes is frame.planes
    assert frame._pixels is None, "pixels were made though nobody needs them"
    with qtbot.waitSignal(grid.surfaces_failed) as blocker:
        surface.failed.emit("out of memory")
    assert blocker.args == ["out of memory"]
    centre = grid.tiles["a"].rect().center()
    assert painted(grid.tiles["a"]).pixelColor(centre).lightness() > 30
    assert surface.is_released
    qtbot.waitUntil(lambda: grid.tiles["a"].findChild(FakeSurface) is None)


def test_a_tile_that_goes_gives_back_what_the_card_keeps(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tile_module, "Surface", FakeSurface)
    monkeypatch.setattr("app.views.grid.QOpenGLWidget", QWidget)
    grid = TileGrid()
    qtbot.addWidget(grid)
    grid.set_surfaces(True)
    grid.set_tiles((tile_state("a"), tile_state("b", 1)))
    surfaces = [tile.findChild(FakeSurface) for tile in grid.tiles.values()]
    grid.set_tiles((tile_state("a"),))
    assert [surface is not None and surface.is_released for surface in surfaces] == [False, True]
