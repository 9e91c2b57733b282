"""What is searched for: a moment, a stretch or a picture, and the vectors that stand for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.retrieval.retriever import Query
from carl_core.video.image import read_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from carl_core.arrays import Bool, Float32, Float64, UInt8
    from carl_core.video.recording import Recording


@dataclass(frozen=True, slots=True)
class RangeQuery:
    """Search for what a recording shows from ``start_s`` to ``end_s`` (equal = one frame)."""

    recording: Recording
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class ImageQuery:
    """Search for what a picture shows: uint8 (H, W, 3) RGB."""

    pixels: UInt8
    name: str = "image"


def image_query(path: Path) -> ImageQuery:
    """Read a picture file as a query. Raises ``MediaError`` when it is not a picture."""
    return ImageQuery(read_image(path), name=path.name)


def samples_inside(item: RangeQuery, times_s: Float64) -> Bool:
    """Which samples lie in the range; where none does, the nearest to its start."""
    inside: Bool = (times_s >= item.start_s) & (times_s <= item.end_s)
    if not inside.any():
        inside[int(np.argmin(np.abs(times_s - item.start_s)))] = True
    return inside


def query_of(vectors: Sequence[Float32], wanted: int) -> Query:
    """Make a query of the rows of each item: ``wanted`` are looked for, the rest is unlike.

    Several are averaged; of one the rows stay in order.
    """
    means = np.stack([v.mean(axis=0) for v in vectors])
    first = vectors[0] if wanted == 1 else means[:wanted].mean(axis=0, keepdims=True)
    return Query(first, unlike=means[wanted:] if len(vectors) > wanted else None)
