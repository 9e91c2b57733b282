"""What the map can show."""

from __future__ import annotations

from enum import Enum


class MapPicture(Enum):
    """One way to look at a pair."""

    SIMILARITY = "similarity"
    COST = "cost"
    SELF_REFERENCE = "self-reference"
    SELF_OTHER = "self-other"

    @property
    def is_pair(self) -> bool:
        """Whether the two axes are the two recordings."""
        return self in (MapPicture.SIMILARITY, MapPicture.COST)
