"""Colours of the window, dark and light, and how they reach Qt. The only place with colours."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory


@dataclass(frozen=True, slots=True)
class Colours:
    """One theme. Text on ``window``, ``surface`` and ``raised`` has a contrast of 4.5:1."""

    window: str
    surface: str
    raised: str
    hover: str
    line: str
    text: str
    dim: str
    accent: str
    on_accent: str
    warning: str
    error: str
    good: str
    picture: str
    is_dark: bool


DARK = Colours(
    window="#16181c",
    surface="#1d2025",
    raised="#282c33",
    hover="#333943",
    line="#363c46",
    text="#e9ebee",
    dim="#a3acb8",
    accent="#5cabff",
    on_accent="#07182a",
    warning="#f3bb52",
    error="#ff8078",
    good="#63cf95",
    picture="#0b0c0e",
    is_dark=True,
)

LIGHT = Colours(
    window="#eef0f3",
    surface="#ffffff",
    raised="#f6f7f9",
    hover="#e3e7ec",
    line="#cdd3db",
    text="#1a1e24",
    dim="#56606c",
    accent="#1463b8",
    on_accent="#ffffff",
    warning="#8a5800",
    error="#b3261e",
    good="#17744a",
    picture="#15171b",
    is_dark=False,
)

# Okabe and Ito's palette, safe for colour-blind readers; each recording also has its letter.
RECORDING_COLOURS = (
    "#56b4e9",
    "#e69f00",
    "#2fbf91",
    "#e58fc0",
    "#f0e442",
    "#ff7f4d",
    "#9fb4ff",
    "#c0c0c0",
    "#b98b5e",
)

PLAYHEAD = "#ff4d5e"


def recording_colour(position: int) -> QColor:
    """Colour of the recording at ``position`` in the comparison."""
    return QColor(RECORDING_COLOURS[position % len(RECORDING_COLOURS)])


class Theme:
    """The colours in force. Widgets ask when they paint."""

    def __init__(self) -> None:
        self.colours = DARK

    def apply(self, app: QApplication, wanted: str = "system") -> None:
        """Put Fusion, palette and style sheet in force: "dark", "light" or "system".

        A system that does not say gets the dark theme: pictures stand out on it.
        """
        scheme = QGuiApplication.styleHints().colorScheme()
        is_light = wanted == "light" or (
            wanted == "system" and scheme is Qt.ColorScheme.Light and not _is_headless()
        )
        self.colours = LIGHT if is_light else DARK
        app.setStyle(QStyleFactory.create("Fusion"))
        app.setPalette(palette_of(self.colours))
        app.setStyleSheet(style_sheet(self.colours))


def _is_headless() -> bool:
    # The offscreen platform knows no desktop and calls everything light.
    return QGuiApplication.platformName() in ("offscreen", "minimal")


def palette_of(colours: Colours) -> QPalette:
    """Return the palette Fusion draws with."""
    role = QPalette.ColorRole
    table = {
        role.Window: colours.window,
        role.WindowText: colours.text,
        role.Base: colours.surface,
        role.AlternateBase: colours.raised,
        role.Text: colours.text,
        role.PlaceholderText: colours.dim,
        role.Button: colours.raised,
        role.ButtonText: colours.text,
        role.BrightText: colours.error,
        role.ToolTipBase: colours.raised,
        role.ToolTipText: colours.text,
        role.Highlight: colours.accent,
        role.HighlightedText: colours.on_accent,
        role.Link: colours.accent,
        role.LinkVisited: colours.accent,
        role.Light: colours.hover,
        role.Midlight: colours.raised,
        role.Mid: colours.line,
        role.Dark: colours.line,
        role.Shadow: "#000000",
        role.Accent: colours.accent,
    }
    palette = QPalette()
    for which, colour in table.items():
        palette.setColor(which, QColor(colour))
    for which in (role.WindowText, role.Text, role.ButtonText):
        faded = QColor(colours.dim)
        faded.setAlpha(130)
        palette.setColor(QPalette.ColorGroup.Disabled, which, faded)
    return palette


def style_sheet(colours: Colours) -> str:
    """``theme.qss`` with ``@names`` replaced by this theme's colours."""
    folder = Path(__file__).parent
    text = (folder / "theme.qss").read_text(encoding="utf-8")
    values = {name: str(value) for name, value in asdict(colours).items()}
    chevron = folder / f"chevron-{'light' if colours.is_dark else 'dark'}.svg"
    values["chevron"] = chevron.as_posix()
    values["tick"] = (folder / f"check-{'dark' if colours.is_dark else 'light'}.svg").as_posix()
    return re.sub(r"@([a-z_]+)", lambda match: values[match.group(1)], text)


THEME = Theme()
"""The theme of this process; set by ``bootstrap``, read by views when they paint."""
