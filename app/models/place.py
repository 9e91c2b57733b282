"""A place in a recording as people write it: a time, a frame number or a share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class PlaceKind(Enum):
    """What a number counts."""

    SECONDS = "seconds"
    FRAME = "frame"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Place:
    """Where to go; ``value`` in seconds, frames, or 0 to 1. ``is_step`` = from here, signed."""

    kind: PlaceKind
    value: float
    is_step: bool = False


_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d*)?|[.,]\d+)\s*s?")
_FRAME = re.compile(r"(?:f(?:rame)?|#)\s*(\d+)", re.IGNORECASE)
_SHARE = re.compile(r"(\d+(?:[.,]\d+)?)\s*%")


def parse_place(text: str) -> Place | None:
    """Read ``1:02.5``, ``62.5``, ``f370`` or ``25 %``, with + or - before it for a step; else None.

    Minutes and seconds behind a colon must be below 60.
    """
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    is_step = text[:1] in ("+", "-")
    sign = -1.0 if text[:1] == "-" else 1.0
    if is_step:
        text = text[1:].strip()
    if found := _FRAME.fullmatch(text):
        return Place(PlaceKind.FRAME, sign * int(found[1]), is_step)
    if found := _SHARE.fullmatch(text):
        share = _number(found[1]) / 100
        return Place(PlaceKind.SHARE, sign * share, is_step) if share <= 1 else None
    if found := _TIME.fullmatch(text):
        hours, minutes, seconds = found[1], found[2], _number(found[3])
        if (minutes is not None and seconds >= 60) or (hours is not None and int(minutes) >= 60):
            return None
        total = int(hours or 0) * 3600 + int(minutes or 0) * 60 + seconds
        return Place(PlaceKind.SECONDS, sign * total, is_step)
    return None


def _number(text: str) -> float:
    return float(text.replace(",", "."))
