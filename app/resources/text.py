"""How times, rates and counts are written."""

from __future__ import annotations

import math


def format_time(time_s: float, *, decimals: int = 3) -> str:
    """Write seconds as ``m:ss.mmm``, with hours where there are some."""
    if not math.isfinite(time_s):
        return "–"
    sign = "-" if time_s < 0 else ""
    scale = 10**decimals
    ticks = round(abs(time_s) * scale)
    whole, fraction = divmod(ticks, scale)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    tail = f".{fraction:0{decimals}d}" if decimals else ""
    if hours:
        return f"{sign}{hours}:{minutes:02d}:{seconds:02d}{tail}"
    return f"{sign}{minutes}:{seconds:02d}{tail}"


def format_rate(rate: float | None) -> str:
    """Write a momentary rate as ``×0.84``; nothing where there is none."""
    return "" if rate is None or not math.isfinite(rate) else f"×{rate:.2f}"


def format_left(seconds: float | None) -> str:
    """Write remaining time as ``1:20 left``; nothing while it is unknown."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    return f"{format_time(max(0.0, math.ceil(seconds)), decimals=0)} left"


def format_match(match: float) -> str:
    """Write a share of null maps that are worse as a percentage, never rounded up to 100."""
    if not math.isfinite(match):
        return "–"
    percent = math.floor(match * 100)
    return f"{percent} %" if match >= 0.01 or match <= 0 else "<1 %"


def letter_of(position: int) -> str:
    """Name recordings A, B, … Z, A2, B2, … by their position."""
    return chr(ord("A") + position % 26) + ("" if position < 26 else str(position // 26 + 1))
