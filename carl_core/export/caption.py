"""Text and colours for pictures made without a screen."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from carl_core.arrays import read_only

if TYPE_CHECKING:
    from collections.abc import Callable

    from carl_core.arrays import UInt8

BACKGROUND = (18, 19, 23)
TEXT = (232, 234, 240)
QUIET_TEXT = (150, 155, 168)
ACCENT = (255, 176, 64)

_LEAST_FONT = 9  # pixels; smaller letters cannot be read

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
    for sign, instead in (("×", "x"), ("…", "..."), ("←", "<-")):
        text = text.replace(sign, instead)
    plain = unicodedata.normalize("NFKD", text)
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
    width: int,
    height: int,
    left: str,
    right: str,
    *,
    lines: int = 1,
    colour: tuple[int, int, int] = TEXT,
) -> UInt8:
    """Draw ``left`` and ``right`` in one line, or below one another.

    What is too long on the left loses its middle, for names often differ at the end; on the right
    nothing is left out, its letters become smaller.

    Parameters
    ----------
    width, height : pixels of the whole bar
    lines : 1 or 2

    Returns
    -------
    uint8 (height, width, 3), read-only
    """
    left, right = drawable(left), drawable(right)
    image = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(image)
    row = height / lines
    size, pad = caption_font_size(row), _padding(row)
    face = quiet_face = font(size)
    room = width - 2 * pad
    while size > _LEAST_FONT and draw.textlength(right, font=quiet_face) > room:
        size -= 1
        quiet_face = font(size)
    if lines == 1:
        room = int(room - draw.textlength(right, font=quiet_face) - pad)
    left = shortened(left, lambda text: draw.textlength(text, font=face) <= room)
    draw.text((pad, row / 2), left, font=face, fill=colour, anchor="lm")
    at = (width - pad, row / 2) if lines == 1 else (pad, 1.5 * row)
    draw.text(at, right, font=quiet_face, fill=QUIET_TEXT, anchor="rm" if lines == 1 else "lm")
    return read_only(np.asarray(image, dtype=np.uint8))


def fits_in_one_line(width: int, height: int, left: str, right: str) -> bool:
    """Whether ``caption_bar`` of this size holds both texts whole in one line."""
    face = font(caption_font_size(height))
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    texts = draw.textlength(drawable(left), font=face) + draw.textlength(drawable(right), font=face)
    return bool(texts + 3 * _padding(height) <= width)


def caption_font_size(row: float) -> int:
    """Pixels of the letters in a line ``row`` pixels high."""
    return max(_LEAST_FONT + 1, int(row * 0.58))


def shortened(text: str, fits: Callable[[str], bool]) -> str:
    """Return ``text``, or as much of its beginning and end as fits; "" where nothing does."""
    ellipsis = drawable("…")
    if fits(text):
        return text
    for kept in range(len(text) - 1, 1, -1):
        head = -(-kept // 2)
        short = text[:head].rstrip() + ellipsis + text[len(text) - (kept - head) :].lstrip()
        if fits(short):
            return short
    return ""


def _padding(row: float) -> int:
    return max(4, int(row) // 4)


def stamp(pixels: UInt8, text: str, *, size: int = 18, is_low: bool = False) -> UInt8:
    """Return a copy of ``pixels`` (H, W, 3) with ``text`` on a dark plate in the middle, or low.

    Letters become smaller where the picture is narrow, then the middle of the text is left out.
    """
    text = drawable(text)
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    edge = max(3, size // 2)
    room = image.width - 2 * edge - 2
    while size > _LEAST_FONT and draw.textlength(text, font=font(size)) > room:
        size -= 1
    face = font(size)
    text = shortened(text, lambda part: draw.textlength(part, font=face) <= room)
    if not text:
        return np.asarray(image, dtype=np.uint8)
    above = edge + size * 0.7 if is_low else image.height / 2
    centre = (image.width / 2, image.height - above if is_low else above)
    left, top, right, bottom = draw.textbbox(centre, text, font=face, anchor="mm")
    plate = (left - edge, top - edge * 0.8, right + edge, bottom + edge * 0.8)
    draw.rectangle(plate, fill=BACKGROUND)
    draw.text(centre, text, font=face, fill=TEXT, anchor="mm")
    return np.asarray(image, dtype=np.uint8)
