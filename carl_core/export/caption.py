"""Text and colours for pictures made without a screen."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from carl_core.arrays import read_only

if TYPE_CHECKING:
    from carl_core.arrays import UInt8

BACKGROUND = (18, 19, 23)
TEXT = (232, 234, 240)
QUIET_TEXT = (150, 155, 168)
ACCENT = (255, 176, 64)

# Fonts that cover more scripts than the one inside Pillow, by the names font folders use.
_WIDE_FONTS = ("NotoSans-Regular.ttf", "DejaVuSans.ttf", "Arial.ttf", "arial.ttf", "Helvetica.ttc")


@lru_cache(maxsize=16)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a sans-serif font of ``size`` pixels: a system font, or the one Pillow carries."""
    for name in _WIDE_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def drawable(text: str) -> str:
    """Return ``text`` as the font can draw it: Pillow's own font knows only ASCII.

    Accents are dropped and other signs become ``?``; with a system font nothing changes.
    """
    if _has_wide_font():
        return text
    plain = unicodedata.normalize("NFKD", text.replace("×", "x").replace("…", "..."))
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return plain.encode("ascii", "replace").decode("ascii")


@lru_cache(maxsize=1)
def _has_wide_font() -> bool:
    for name in _WIDE_FONTS:
        try:
            ImageFont.truetype(name, 12)
        except OSError:
            continue
        return True
    return False


def clock_text(time_s: float) -> str:
    """Return seconds as ``mm:ss.mmm``, with hours in front where there are any."""
    total_ms = round(abs(time_s) * 1000)
    hours, rest = divmod(total_ms, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    seconds, millis = divmod(rest, 1000)
    text = f"{minutes:02d}:{seconds:02d}.{millis:03d}"
    return ("-" if time_s < 0 else "") + (f"{hours}:{text}" if hours else text)


def caption_bar(
    width: int, height: int, left: str, right: str, *, colour: tuple[int, int, int] = TEXT
) -> UInt8:
    """Draw one line of text, ``left`` cut with an ellipsis so that ``right`` always fits.

    Returns
    -------
    uint8 (height, width, 3), read-only
    """
    left, right = drawable(left), drawable(right)
    image = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(image)
    face = font(max(10, int(height * 0.52)))
    ellipsis = drawable("…")
    pad = max(4, height // 4)
    right_width = draw.textlength(right, font=face)
    room = width - right_width - 3 * pad
    while left and draw.textlength(left, font=face) > room:
        kept = left.removesuffix(ellipsis)[:-1].rstrip()
        left = kept + ellipsis if kept else ""
    middle = height / 2
    draw.text((pad, middle), left, font=face, fill=colour, anchor="lm")
    draw.text((width - pad, middle), right, font=face, fill=QUIET_TEXT, anchor="rm")
    return read_only(np.asarray(image, dtype=np.uint8))


def stamp(pixels: UInt8, text: str, *, size: int = 18, is_low: bool = False) -> UInt8:
    """Return a copy of ``pixels`` (H, W, 3) with ``text`` on a dark plate in the middle, or low."""
    text = drawable(text)
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    face = font(size)
    centre = (image.width / 2, image.height - size * 1.2 if is_low else image.height / 2)
    left, top, right, bottom = draw.textbbox(centre, text, font=face, anchor="mm")
    draw.rectangle((left - 10, top - 8, right + 10, bottom + 8), fill=BACKGROUND)
    draw.text(centre, text, font=face, fill=TEXT, anchor="mm")
    return np.asarray(image, dtype=np.uint8)
