"""A tile's picture drawn by the graphics card, and whether there is one that can."""

from __future__ import annotations

import logging
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QGuiApplication,
    QImage,
    QOffscreenSurface,
    QOpenGLContext,
    QPainter,
)
from PySide6.QtOpenGL import QOpenGLFramebufferObject
from PySide6.QtOpenGLWidgets import QOpenGLWidget

from app.resources.theme import THEME
from app.views.yuv import ShaderError, YuvPainter
from carl_core.video.display import Geometry
from carl_core.video.planes import Planes

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtWidgets import QWidget

    from carl_core.arrays import Float64, UInt8

log = logging.getLogger("carl.play")

_NO_GL = frozenset({"offscreen", "minimal", "vnc", "linuxfb", "minimalegl"})
_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "software", "basic render", "warp")
_RENDERER, _COLOUR_BIT = 0x1F01, 0x4000
_TOLERANCE = 2
_SLOW_MS = 4.0
"""A picture of 1920 x 1080 that takes longer is better painted: four must fit into 16 ms."""

_TIMED = 5


@dataclass(frozen=True, slots=True)
class Probe:
    """What trying the graphics card gave.

    Attributes
    ----------
    renderer : its name, "" when there is none
    is_hardware : whether it is more than the processor in disguise
    problem : why it cannot be used, "" when it draws what it should
    picture_ms : to upload and draw a picture of 1920 x 1080
    """

    renderer: str
    is_hardware: bool
    problem: str
    picture_ms: float = 0.0

    @property
    def is_quick(self) -> bool:
        """Whether it keeps up."""
        return self.picture_ms <= _SLOW_MS


def probe() -> Probe:
    """Draw a small picture with the graphics card and compare it with what it must be."""
    platform = QGuiApplication.platformName()
    if platform in _NO_GL:
        return Probe("", False, f"the platform {platform} has no OpenGL")
    context = QOpenGLContext()
    surface = QOffscreenSurface()
    if not context.create():
        return Probe("", False, "no OpenGL context can be made")
    surface.setFormat(context.format())
    surface.create()
    if not context.makeCurrent(surface):
        return Probe("", False, "the OpenGL context cannot be used")
    try:
        renderer = str(context.functions().glGetString(_RENDERER) or "")
        is_hardware = not any(name in renderer.lower() for name in _SOFTWARE)
        return Probe(renderer, is_hardware, _problem(context), _picture_ms(context))
    except (ShaderError, RuntimeError, TypeError, ValueError, AttributeError) as exc:
        return Probe("", False, str(exc))
    finally:
        context.doneCurrent()


def _problem(context: QOpenGLContext) -> str:
    planes, wanted = _test_picture()
    shown = drawn(context, planes, planes.size)
    # The middles of the four fields; between them the colours run into each other.
    off = np.abs(shown[8::16, 8::16].astype(float) - wanted)
    return "" if off.max() <= _TOLERANCE else f"its colours are {off.max():.0f} levels off"


def _picture_ms(context: QOpenGLContext) -> float:
    """Return what a large picture takes, the median of a few."""
    luma = np.zeros((1080, 1920), dtype=np.uint8)
    chroma = np.zeros((540, 960), dtype=np.uint8)
    planes = Planes(luma, chroma, chroma, (1920, 1080), Geometry(), "bt709", False)
    target = QOpenGLFramebufferObject(960, 540)
    target.bind()
    context.functions().glViewport(0, 0, 960, 540)
    painter = YuvPainter()
    taken = []
    for _ in range(_TIMED + 1):  # the first makes the textures
        begun = time.perf_counter()
        painter.draw(planes, QRectF(0, 0, 960, 540), (960, 540))
        context.functions().glFinish()
        taken.append(1000 * (time.perf_counter() - begun))
    painter.close()
    target.release()
    return statistics.median(taken[1:])


def drawn(context: QOpenGLContext, planes: Planes, size: tuple[int, int]) -> UInt8:
    """Return what the shader makes of ``planes`` in ``size``, uint8 (H, W, 3)."""
    width, height = size
    target = QOpenGLFramebufferObject(width, height)
    target.bind()
    context.functions().glViewport(0, 0, width, height)
    painter = YuvPainter()
    painter.draw(planes, QRectF(0, 0, width, height), size)
    target.release()
    painter.close()
    image = target.toImage().convertToFormat(QImage.Format.Format_RGB888)
    lines = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(height, image.bytesPerLine())
    return lines[:, : width * 3].reshape(height, width, 3).copy()


def _test_picture() -> tuple[Planes, Float64]:
    """Four plain fields of 16 x 16, and their colours by the formula: float64 (2, 2, 3)."""
    values = np.asarray([[(60, 90, 200), (120, 128, 128)], [(200, 60, 110), (35, 140, 120)]])
    light = np.repeat(np.repeat(values[..., 0], 16, axis=0), 16, axis=1)
    blue, red = (np.repeat(np.repeat(values[..., k], 8, axis=0), 8, axis=1) for k in (1, 2))
    luma, first, second = (np.ascontiguousarray(p, dtype=np.uint8) for p in (light, blue, red))
    planes = Planes(luma, first, second, (32, 32), Geometry(), "bt709", False)
    matrix, offset = planes.to_rgb()
    return planes, np.clip((values / 255 - offset) @ matrix.T, 0, 1) * 255


class Surface(QOpenGLWidget):
    """Lies over a tile and draws its picture; the mouse goes through it.

    Parameters
    ----------
    picture : where the picture lies and which part of it is seen, in logical pixels and 0..1
    paint_over : draws everything that is not the picture
    paint_pixels : draws the picture when there are no planes of it

    Signals
    -------
    failed(str) : the graphics card does not do it; draw without this from now on
    """

    failed = Signal(str)

    def __init__(
        self,
        parent: QWidget,
        *,
        picture: Callable[[], tuple[QRectF, QRectF]],
        paint_pixels: Callable[[QPainter], None],
        paint_over: Callable[[QPainter], None],
    ) -> None:
        super().__init__(parent)
        self._picture = picture
        self._paint_pixels = paint_pixels
        self._paint_over = paint_over
        self._painter: YuvPainter | None = None
        self.planes: Planes | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setGeometry(parent.rect())

    def release(self) -> None:
        """Give back what the graphics card keeps of the picture; before the widget goes.

        The window's contexts share it, so that it would stay until the window goes.
        """
        if self._painter is not None:
            self.makeCurrent()
            self._painter.close()
            self._painter = None
            self.doneCurrent()

    def initializeGL(self) -> None:
        """Prepare the shader; called again when the widget came to another window."""
        self._painter = None
        try:
            self._painter = YuvPainter()
        except ShaderError as exc:
            self.failed.emit(str(exc))
            return
        self.context().aboutToBeDestroyed.connect(self.release)

    def paintGL(self) -> None:
        """Draw the picture, then everything over it."""
        functions = self.context().functions()
        background = QColor(THEME.colours.picture)
        functions.glClearColor(background.redF(), background.greenF(), background.blueF(), 1.0)
        functions.glClear(_COLOUR_BIT)
        if self.planes is not None and self._painter is not None:
            ratio = self.devicePixelRatioF()
            rect, seen = self._picture()
            scaled = QRectF(rect.topLeft() * ratio, rect.size() * ratio)
            size = (self.width() * ratio, self.height() * ratio)
            try:
                self._painter.draw(self.planes, scaled, size, seen)
            except (RuntimeError, TypeError, ValueError) as exc:
                self.planes = None
                self.failed.emit(str(exc))
        painter = QPainter(self)
        if self.planes is None:
            self._paint_pixels(painter)
        self._paint_over(painter)
        painter.end()
