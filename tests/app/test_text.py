from __future__ import annotations

import pytest

from app.resources.text import (
    format_left,
    format_match,
    format_rate,
    format_time,
    letter_of,
)
from app.resources.theme import DARK, LIGHT, RECORDING_COLOURS, Colours


@pytest.mark.parametrize(
    ("time_s", "decimals", "text"),
    [
        (0.0, 3, "0:00.000"),
        (12.345, 3, "0:12.345"),
        (59.9996, 3, "1:00.000"),
        (3725.5, 1, "1:02:05.5"),
        (-2.5, 1, "-0:02.5"),
        (float("nan"), 3, "–"),
    ],
)
def test_times(time_s: float, decimals: int, text: str) -> None:
    assert format_time(time_s, decimals=decimals) == text


def test_rates_and_rests() -> None:
    assert format_rate(0.841) == "×0.84"
    assert format_rate(None) == ""
    assert format_left(79.2) == "1:20 left"
    assert format_left(None) == ""


def test_match_is_never_rounded_up() -> None:
    assert format_match(0.9999) == "99 %"
    assert format_match(1.0) == "100 %"
    assert format_match(0.001) == "<1 %"


def test_letters() -> None:
    assert [letter_of(i) for i in (0, 1, 25, 26)] == ["A", "B", "Z", "A2"]


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(first: str, second: str) -> float:
    bright, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])
def test_text_has_enough_contrast(colours: Colours) -> None:
    for text in (colours.text, colours.dim, colours.warning, colours.error, colours.good):
        for ground in (colours.window, colours.surface, colours.raised):
            assert _contrast(text, ground) >= 4.5, (text, ground)
    assert _contrast(colours.on_accent, colours.accent) >= 4.5


def test_letters_stand_out_on_every_recording_colour() -> None:
    assert all(_contrast("#101216", colour) >= 4.5 for colour in RECORDING_COLOURS)
