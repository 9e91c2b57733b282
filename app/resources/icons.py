"""Icons, drawn by us on a 24-pixel grid and coloured by the theme."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPixmap, QPixmapCache
from PySide6.QtSvg import QSvgRenderer

_LINE = (
    'fill="none" stroke="{colour}" stroke-width="1.8" '
    'stroke-linecap="round" stroke-linejoin="round"'
)
_FILL = 'fill="{colour}"'


def _frame(x: float, y: float, width: float, height: float, radius: float) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"/>'


def _path(data: str) -> str:
    return f'<path d="{data}"/>'


def _circle(x: float, y: float, radius: float) -> str:
    return f'<circle cx="{x}" cy="{y}" r="{radius}"/>'


# name: (how it is drawn, shapes)
_SHAPES = {
    "add": (_LINE, _frame(3, 5, 18, 14, 2.5) + _path("M12 8.5v7M8.5 12h7")),
    "align": (_LINE, _path("M4 4v16M20 4v16M4 8l16 2M4 13h16M4 17l16-1.5")),
    "search": (_LINE, _circle(10.5, 10.5, 6) + _path("M15 15l5.5 5.5")),
    "image": (
        _LINE,
        _frame(3, 4.5, 18, 15, 2.5)
        + _circle(8.5, 9.5, 1.6)
        + _path("M4 17l5-4.5 4 3.2 3-2.7 4.5 4"),
    ),
    "export": (
        _LINE,
        _path("M12 15V3.5M7.5 8L12 3.5 16.5 8M4 14v4.5a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V14"),
    ),
    "view-grid": (_LINE, _frame(3, 5, 8, 14, 1.5) + _frame(13, 5, 8, 14, 1.5)),
    "view-overlay": (_LINE, _frame(3, 4, 13, 11, 1.5) + _frame(8, 9, 13, 11, 1.5)),
    "view-difference": (_LINE, _circle(9, 12, 6) + _circle(15, 12, 6)),
    "view-wipe": (_LINE, _frame(3, 5, 18, 14, 1.5) + _path("M12 3v18M15 9l3 3-3 3M9 9l-3 3 3 3")),
    "play": (_FILL, _path("M7 4.5v15l12.5-7.5z")),
    "pause": (_FILL, _frame(6, 4.5, 4.2, 15, 1) + _frame(13.8, 4.5, 4.2, 15, 1)),
    "reverse": (_FILL, _path("M17 4.5v15L4.5 12z")),
    "step-back": (_FILL, _path("M14 5v14L4.5 12z") + _frame(16, 5, 3, 14, 1)),
    "step-forward": (_FILL, _path("M10 5v14l9.5-7z") + _frame(5, 5, 3, 14, 1)),
    "start": (_FILL, _frame(3.5, 5, 2.6, 14, 1) + _path("M13 5v14l-6.5-7zM20.5 5v14L14 12z")),
    "end": (_FILL, _frame(17.9, 5, 2.6, 14, 1) + _path("M11 5v14l6.5-7zM3.5 5v14L10 12z")),
    "loop": (
        _LINE,
        _path(
            "M5 12V9.5a3 3 0 0 1 3-3h10M15 3.5l3 3-3 3M19 12v2.5a3 3 0 0 1-3 3H6M9 20.5l-3-3 3-3"
        ),
    ),
    "speaker": (
        _LINE,
        _path("M4 9.5v5h3.5l5 4v-13l-5 4z")
        + _path("M15.8 9a4.2 4.2 0 0 1 0 6M18.4 6.4a8 8 0 0 1 0 11.2"),
    ),
    "speaker-low": (
        _LINE,
        _path("M4 9.5v5h3.5l5 4v-13l-5 4z") + _path("M15.8 9a4.2 4.2 0 0 1 0 6"),
    ),
    "speaker-off": (_LINE, _path("M4 9.5v5h3.5l5 4v-13l-5 4zM15.5 9.5l5 5M20.5 9.5l-5 5")),
    "speaker-none": (_LINE, _path("M4 9.5v5h3.5l5 4v-13l-5 4zM18 6.5v7M18 17.2v.1")),
    "close": (_LINE, _path("M6 6l12 12M18 6L6 18")),
    "stop": (_FILL, _frame(6, 6, 12, 12, 1.5)),
    "copy": (
        _LINE,
        _frame(8.5, 8.5, 11.5, 11.5, 2)
        + _path("M15.5 8.5V6a2 2 0 0 0-2-2H6a2 2 0 0 0-2 2v7.5a2 2 0 0 0 2 2h2.5"),
    ),
    "info": (_LINE, _circle(12, 12, 8.5) + _path("M12 11v5.5M12 7.6v.1")),
    "warning": (_LINE, _path("M12 4L2.8 19.5h18.4zM12 10v4.5M12 17v.1")),
    "error": (_LINE, _circle(12, 12, 8.5) + _path("M12 7v6M12 16.4v.1")),
    "film": (
        _LINE,
        _frame(2.5, 5, 19, 14, 2.5)
        + _path("M7 5v14M17 5v14M2.5 9.7H7M2.5 14.3H7M17 9.7h4.5M17 14.3h4.5"),
    ),
}

ICON_NAMES = tuple(_SHAPES)


def pixmap(name: str, colour: str, size: int, *, ratio: float = 1.0) -> QPixmap:
    """Return one icon, drawn once: ``size`` is its side in logical pixels."""
    key = f"carl:{name}:{QColor(colour).name()}:{size}:{ratio:g}"
    picture = QPixmap()
    if not QPixmapCache.find(key, picture):
        picture = _drawn(name, colour, size, ratio)
        QPixmapCache.insert(key, picture)
    return picture


def _drawn(name: str, colour: str, size: int, ratio: float) -> QPixmap:
    style, shapes = _SHAPES[name]
    style = style.format(colour=QColor(colour).name())
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><g {style}>{shapes}</g></svg>'
    )
    side = max(1, round(size * ratio))
    picture = QPixmap(QSize(side, side))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(0, 0, side, side))
    painter.end()
    picture.setDevicePixelRatio(ratio)
    return picture


def icon(name: str, colour: str, faded: str) -> QIcon:
    """Make an icon for buttons and menus; ``faded`` is used where it is disabled."""
    result = QIcon()
    ratios = {1.0, 2.0, float(QGuiApplication.primaryScreen().devicePixelRatio())}
    for ratio in sorted(ratios):
        for size in (16, 20, 24):
            result.addPixmap(pixmap(name, colour, size, ratio=ratio), QIcon.Mode.Normal)
            result.addPixmap(pixmap(name, faded, size, ratio=ratio), QIcon.Mode.Disabled)
    return result
