"""Words over exported pictures stay readable in narrow ones."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from carl_core.export.caption import (
    BACKGROUND,
    caption_bar,
    fits_in_one_line,
    font,
    shortened,
    stamp,
)

RIGHT = "×0.84  00:12.345  f370"


@pytest.mark.parametrize("width", [130, 154, 202, 304, 960])
@pytest.mark.parametrize("lines", [1, 2])
def test_the_readout_is_never_touched_by_the_name(width: int, lines: int) -> None:
    height = 18 * lines
    long = caption_bar(width, height, "REF  20260612_183045_left.mp4", RIGHT, lines=lines)
    alone = caption_bar(width, height, "", RIGHT, lines=lines)
    ink = np.argwhere((alone != BACKGROUND).any(axis=2))
    top, left = ink.min(axis=0)
    bottom, right = ink.max(axis=0)
    assert right < width - 3  # whole, with a margin
    region = slice(top, bottom + 1), slice(left, right + 1)
    assert (long[region] == alone[region]).all()


def test_the_name_stands_above_where_there_is_no_room_beside() -> None:
    bar = caption_bar(154, 36, "REF  20260612_183045_left.mp4", RIGHT, lines=2)
    assert (bar[:18] != BACKGROUND).any()
    assert not fits_in_one_line(154, 18, "REF  20260612_183045_left.mp4", RIGHT)
    assert fits_in_one_line(960, 32, "REF  20260612_183045_left.mp4", RIGHT)


def test_what_is_too_long_loses_its_middle() -> None:
    assert shortened("clip_left.mp4", lambda text: len(text) <= 9) in ("clip….mp4", "clip...mp4")
    assert shortened("clip", lambda text: True) == "clip"
    assert shortened("clip", lambda text: False) == ""


@pytest.mark.parametrize("width", [60, 120, 400])
def test_a_stamp_stays_within_the_picture(width: int) -> None:
    grey = np.full((90, width, 3), 128, dtype=np.uint8)
    done = stamp(grey, "impact of the club on the ball", is_low=True)
    changed = np.argwhere((done != grey).any(axis=2))
    assert changed.min(axis=0)[1] > 0
    assert changed.max(axis=0)[1] < width - 1
    assert changed.max(axis=0)[0] < 89
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    assert draw.textlength("impact", font=font(9)) < 60
