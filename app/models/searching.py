"""What is looked for and what was found, as the panel shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from app.models.viewstate import Thumbnail
    from carl_core.arrays import UInt8

SCRUB_S = (-1.0, -0.67, -0.33, 0.0, 0.33, 0.67, 1.0)
"""Seconds from a match at which it has pictures."""

MIDDLE = SCRUB_S.index(0.0)


class Role(Enum):
    """What a picture or frame is to a search."""

    ONLY = "only"
    ALSO = "also"
    NOT = "not"


@dataclass(frozen=True, slots=True, eq=False)
class QueryChip:
    """One thing that is looked for; ``is_unlike``: that is not wanted."""

    text: str
    picture: UInt8 | None = None
    is_unlike: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """One moment a search found.

    Attributes
    ----------
    score : similarity, at most 1
    share : where that lies between what is usual here (0) and the same picture (1)
    margin : how much better it is than the next of its recording, None = there is none
    strip : pictures at ``SCRUB_S``, None where there is none (yet)
    path : of a recording that is not open here: its file; it has no letter then
    """

    recording_id: str
    letter: str
    position: int
    name: str
    frame: int
    time_s: float
    score: float
    margin: float | None = None
    share: float = 0.0
    strip: tuple[Thumbnail | None, ...] = (None,) * len(SCRUB_S)
    path: Path | None = None

    @property
    def picture(self) -> Thumbnail | None:
        """The moment itself."""
        return self.strip[MIDDLE]

    @property
    def before(self) -> Thumbnail | None:
        """A second before it."""
        return self.strip[0]

    @property
    def after(self) -> Thumbnail | None:
        """A second after it."""
        return self.strip[-1]


@dataclass(frozen=True, slots=True, eq=False)
class MatchGroup:
    """The moments of one recording, best first.

    Attributes
    ----------
    is_good : whether its best moment convinces
    reason : a sentence on that
    """

    letter: str
    position: int
    name: str
    matches: tuple[Match, ...]
    is_good: bool
    reason: str = ""
