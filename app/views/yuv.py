"""Draws stored pictures with the graphics card: colours, turning and scaling in a shader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QMatrix3x3, QOpenGLContext, QSurfaceFormat, QVector2D, QVector3D
from PySide6.QtOpenGL import (
    QOpenGLBuffer,
    QOpenGLPixelTransferOptions,
    QOpenGLShader,
    QOpenGLShaderProgram,
    QOpenGLTexture,
)

if TYPE_CHECKING:
    from PySide6.QtGui import QOpenGLFunctions

    from carl_core.arrays import Float64, UInt8
    from carl_core.video.display import Geometry
    from carl_core.video.planes import Planes

_VERTEX = """
attribute highp vec2 corner;
uniform highp vec2 low, high, seen_low, seen_size;
uniform highp vec3 across, down;
varying highp vec2 place;
void main() {
    highp vec3 shown = vec3(seen_low + corner * seen_size, 1.0);
    place = vec2(dot(across, shown), dot(down, shown));
    gl_Position = vec4(mix(low, high, corner), 0.0, 1.0);
}
"""
_FRAGMENT = """
uniform sampler2D luma, blue, red;
uniform highp vec2 luma_share, luma_end, chroma_share, chroma_end;
uniform highp mat3 matrix;
uniform highp vec3 offset;
varying highp vec2 place;
void main() {
    highp vec2 at = min(place * luma_share, luma_end);
    highp vec2 beside = min(place * chroma_share, chroma_end);
    highp vec3 stored = vec3(
        texture2D(luma, at).r, texture2D(blue, beside).r, texture2D(red, beside).r);
    gl_FragColor = vec4(clamp(matrix * (stored - offset), 0.0, 1.0), 1.0);
}
"""
_UNIFORMS = (
    *("low", "high", "seen_low", "seen_size", "across", "down", "matrix", "offset"),
    *("luma", "blue", "red", "luma_share", "luma_end", "chroma_share", "chroma_end"),
)
_STRIP = np.asarray([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=np.float32)
_TRIANGLE_STRIP, _FLOAT, _FIRST_UNIT = 0x0005, 0x1406, 0x84C0
_DEPTH_TEST, _BLEND = 0x0B71, 0x0BE2


class ShaderError(Exception):
    """The graphics card does not take what we give it."""


class YuvPainter:
    """Draws `Planes` into the current OpenGL context, which must be current for every call.

    Raises
    ------
    ShaderError
        When the shader does not compile.
    """

    def __init__(self) -> None:
        context = QOpenGLContext.currentContext()
        if context is None:
            raise ShaderError("no OpenGL context is current")
        self._functions: QOpenGLFunctions = context.functions()
        is_core = context.format().profile() is QSurfaceFormat.OpenGLContextProfile.CoreProfile
        is_new = is_core and not context.isOpenGLES()
        texture = QOpenGLTexture
        self._format = (
            texture.TextureFormat.R8_UNorm if is_new else texture.TextureFormat.LuminanceFormat
        )
        self._source = texture.PixelFormat.Red if is_new else texture.PixelFormat.Luminance
        self._program = QOpenGLShaderProgram()
        for kind, source in (
            (QOpenGLShader.ShaderTypeBit.Vertex, _VERTEX),
            (QOpenGLShader.ShaderTypeBit.Fragment, _FRAGMENT),
        ):
            if not self._program.addShaderFromSourceCode(kind, source):
                raise ShaderError(self._program.log().strip() or "the shader does not compile")
        if not self._program.link():
            raise ShaderError(self._program.log().strip() or "the shader does not link")
        # By place, not by name: PySide6's stubs want bytes for that, PySide6 itself text.
        self._uniforms = {name: int(self._program.uniformLocation(name)) for name in _UNIFORMS}
        self._corner = int(self._program.attributeLocation("corner"))
        self._corners = QOpenGLBuffer(QOpenGLBuffer.Type.VertexBuffer)
        self._corners.create()
        self._corners.bind()
        self._corners.allocate(_STRIP.tobytes(), _STRIP.nbytes)
        self._corners.release()
        self._textures: list[QOpenGLTexture] = []
        self._options = QOpenGLPixelTransferOptions()
        self._options.setAlignment(1)

    def draw(
        self,
        planes: Planes,
        rect: QRectF,
        size: tuple[float, float],
        seen: QRectF = QRectF(0, 0, 1, 1),  # noqa: B008
    ) -> None:
        """Draw into ``rect`` of a target of ``size``, y downwards; ``seen`` is the part shown."""
        self._upload(planes)
        program, (width, height) = self._program, size
        program.bind()

        def put(name: str, value: QVector2D | QVector3D | QMatrix3x3) -> None:
            program.setUniformValue(self._uniforms[name], value)

        put("low", QVector2D(2 * rect.left() / width - 1, 1 - 2 * rect.top() / height))
        put("high", QVector2D(2 * rect.right() / width - 1, 1 - 2 * rect.bottom() / height))
        put("seen_low", QVector2D(seen.x(), seen.y()))
        put("seen_size", QVector2D(seen.width(), seen.height()))
        across, down = _stored_from_shown(planes.geometry)
        put("across", QVector3D(*across))
        put("down", QVector3D(*down))
        matrix, offset = planes.to_rgb()
        put("matrix", QMatrix3x3(matrix.ravel().tolist()))
        put("offset", QVector3D(*offset.tolist()))
        chroma = (-(-planes.size[0] // 2), -(-planes.size[1] // 2))
        for name, lines, shown in (
            ("luma", planes.luma, planes.size),
            ("chroma", planes.blue, chroma),
        ):
            share = shown[0] / lines.shape[1]
            put(f"{name}_share", QVector2D(share, 1.0))
            # The last picture element's middle: beyond it lies what pads the line.
            end = (shown[0] - 0.5) / lines.shape[1]
            put(f"{name}_end", QVector2D(end, 1 - 0.5 / lines.shape[0]))
        for unit, (name, texture) in enumerate(
            zip(("luma", "blue", "red"), self._textures, strict=True)
        ):
            texture.bind(unit)
            program.setUniformValue1i(self._uniforms[name], unit)
        functions = self._functions
        functions.glDisable(_DEPTH_TEST)
        functions.glDisable(_BLEND)
        self._corners.bind()
        program.enableAttributeArray(self._corner)
        program.setAttributeBuffer(self._corner, _FLOAT, 0, 2)
        functions.glDrawArrays(_TRIANGLE_STRIP, 0, 4)
        program.disableAttributeArray(self._corner)
        self._corners.release()
        for unit, texture in enumerate(self._textures):
            texture.release(unit)
        functions.glActiveTexture(_FIRST_UNIT)  # what QPainter takes for granted
        program.release()

    def close(self) -> None:
        """Give the textures back."""
        for texture in self._textures:
            texture.destroy()
        self._textures = []

    def _upload(self, planes: Planes) -> None:
        lines = (planes.luma, planes.blue, planes.red)
        sizes = [(t.width(), t.height()) for t in self._textures]
        if sizes != [(one.shape[1], one.shape[0]) for one in lines]:
            self.close()
            self._textures = [self._texture(one) for one in lines]
        for texture, one in zip(self._textures, lines, strict=True):
            # WORKAROUND: PySide6's stubs know only int; any buffer is taken.
            data: int = one.data  # type: ignore[assignment]
            texture.setData(self._source, QOpenGLTexture.PixelType.UInt8, data, self._options)

    def _texture(self, lines: UInt8) -> QOpenGLTexture:
        texture = QOpenGLTexture(QOpenGLTexture.Target.Target2D)
        texture.setSize(lines.shape[1], lines.shape[0])
        texture.setFormat(self._format)
        texture.setMipLevels(1)
        texture.allocateStorage(self._source, QOpenGLTexture.PixelType.UInt8)
        texture.setMinMagFilters(QOpenGLTexture.Filter.Linear, QOpenGLTexture.Filter.Linear)
        texture.setWrapMode(QOpenGLTexture.WrapMode.ClampToEdge)
        return texture


def _stored_from_shown(geometry: Geometry) -> tuple[list[float], list[float]]:
    """Return rows (a, b, c): stored x and y, 0..1, of a shown place (x, y, 1)."""
    turn: dict[int, Float64] = {
        0: np.asarray([[1.0, 0, 0], [0, 1, 0]]),
        90: np.asarray([[0.0, 1, 0], [-1, 0, 1]]),
        180: np.asarray([[-1.0, 0, 1], [0, -1, 1]]),
        270: np.asarray([[0.0, -1, 1], [1, 0, 0]]),
    }
    rows = turn[geometry.rotation]
    across = rows[0]
    if geometry.mirrored:  # first mirrored, then turned: undone in the other order
        across = np.asarray([0.0, 0, 1]) - across
    return across.tolist(), rows[1].tolist()
