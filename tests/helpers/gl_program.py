"""Run with a display: the real program plays a recording with OpenGL, whose driver then fails.

``python gl_program.py VIDEO FOLDER`` prints an object: ``renderer_works`` (whether there is
OpenGL), and for three moments (``drawn`` by OpenGL, ``failed`` just now, ``painted`` after it) the
frame number read from the screen and the one the tile says it shows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QEventLoop, QPoint, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from app import settings as keys
from app.bootstrap.program import Program
from app.resources.theme import THEME
from app.settings import Settings
from app.views import yuv
from carl_core.video.frame import MovingFrame
from carl_core.video.planes import Making
from tests.app.fakes import FakeEngine
from tests.helpers.videos import read_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.views.tile import Tile

LIMIT_MS = 30_000


def wait(is_over: Callable[[], bool], limit_ms: int = LIMIT_MS) -> None:
    loop, timer = QEventLoop(), QTimer()
    timer.setInterval(10)
    timer.timeout.connect(lambda: loop.quit() if is_over() else None)
    timer.start()
    QTimer.singleShot(limit_ms, loop.quit)
    loop.exec()
    timer.stop()


def on_screen(tile: Tile) -> list[int]:
    """Read the number on the screen itself, not of what a widget would paint."""
    assert tile.frame is not None
    rect = tile._picture_rect().toRect()
    at = tile.mapToGlobal(QPoint(rect.x(), rect.y()))
    picture = tile.screen().grabWindow(0, at.x(), at.y(), rect.width(), rect.height())
    image = picture.toImage().convertToFormat(QImage.Format.Format_RGB888)
    lines = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    pixels = lines[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)
    return [read_number(pixels), tile.frame.index]


def fail(*_: object, **__: object) -> None:
    raise RuntimeError("glTexSubImage2D: out of memory")


def main() -> None:
    app = QApplication([])
    THEME.apply(app, "dark")
    folder = Path(sys.argv[2])
    settings = Settings(folder / "window.ini")
    settings.set(keys.PICTURES, "card")
    settings.sync()
    engine: Any = FakeEngine()
    program = Program(make_engine=lambda: engine, settings=settings, state=folder / "state")
    program.window.resize(1000, 700)
    program.show()
    found: dict[str, Any] = {"renderer_works": program.frames.motion is Making.PLANES}
    if found["renderer_works"]:
        program.opening.add_paths([Path(sys.argv[1])])
        wait(lambda: len(program.session.entries) == 1 and not program.loading.is_busy)
        (tile,) = program.window.stage.grid.tiles.values()
        program.player.set_looping(True)
        program.player.play()

        def is_drawn() -> bool:
            return isinstance(tile.frame, MovingFrame) and tile.frame.index > 5

        wait(is_drawn)
        assert is_drawn()
        assert tile._surface is not None
        found["drawn"] = on_screen(tile)
        yuv.YuvPainter.draw = fail  # type: ignore[method-assign]
        wait(lambda: tile._surface is None)
        assert tile._surface is None
        tile.repaint()
        wait(lambda: False, 30)
        found["failed"] = on_screen(tile)
        wait(lambda: not isinstance(tile.frame, MovingFrame))
        wait(lambda: False, 200)
        assert not isinstance(tile.frame, MovingFrame)
        found["painted"] = on_screen(tile)
        program.player.pause()
    program.close()
    program.window.deleteLater()
    program.deleteLater()
    wait(lambda: False, 100)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
