"""What recordings are aligned by, and which recordings lack it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from carl_core.video.recording import Recording


class Method(Enum):
    """What to align by; the values are the project's names."""

    PICTURES = "pictures"
    SOUND = "sound"
    TIMECODE = "timecode"


def lacking(method: Method, recordings: Iterable[Recording]) -> tuple[str, ...]:
    """Return the names of the recordings that have nothing to be aligned by in this way."""
    if method is Method.SOUND:
        return tuple(r.name for r in recordings if r.info.audio is None)
    if method is Method.TIMECODE:
        return tuple(r.name for r in recordings if r.info.timecode is None)
    return ()
