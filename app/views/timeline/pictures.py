"""Thumbnails of the lanes: kept, scaled once, and chosen for the places on the screen."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap

from app.models.viewstate import PicturesWish
from app.views.painting import image_over
from app.views.timeline.items import frame_width, frames_in_view

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.models.viewstate import Lane, Thumbnail
    from app.views.timeline.axis import Axis

MOST = 200
"""Pictures kept per lane; those farthest from what is shown go first."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one picture: own seconds [start, end) and x."""

    start_s: float
    end_s: float
    x: float
    width: float


class Pictures:
    """The thumbnails of all lanes."""

    def __init__(self) -> None:
        self._of: dict[str, list[tuple[float, QPixmap]]] = {}
        self._scaled: dict[tuple[str, float, int], QPixmap] = {}

    def keep_only(self, recording_ids: Iterable[str]) -> None:
        """Forget lanes that are gone."""
        ids = set(recording_ids)
        self._of = {k: v for k, v in self._of.items() if k in ids}
        self._scaled = {k: v for k, v in self._scaled.items() if k[0] in ids}

    def add(self, recording_id: str, thumbnail: Thumbnail, centre_s: float) -> None:
        """Keep a picture; ``centre_s`` is the own time in the middle of the screen."""
        kept = self._of.setdefault(recording_id, [])
        at = bisect_left(kept, thumbnail.time_s, key=_time)
        if at < len(kept) and kept[at][0] == thumbnail.time_s:
            return
        insort(kept, (thumbnail.time_s, QPixmap.fromImage(image_over(thumbnail.pixels))), key=_time)
        if len(kept) > MOST:
            gone = kept.pop(0 if centre_s - kept[0][0] > kept[-1][0] - centre_s else -1)
            for key in [k for k in self._scaled if k[:2] == (recording_id, gone[0])]:
                del self._scaled[key]

    def count(self, recording_id: str) -> int:
        """Pictures a lane has."""
        return len(self._of.get(recording_id, ()))

    def forget_scaled(self) -> None:
        """Let pictures be scaled anew: lanes have another height."""
        self._scaled.clear()

    def width(self, recording_id: str, height: float) -> float:
        """Width of a lane's pictures at this height; of a usual one while there is none."""
        kept = self._of.get(recording_id)
        if not kept:
            return height * 16 / 9
        return max(4.0, height * kept[0][1].width() / kept[0][1].height())

    def nearest(
        self, recording_id: str, slot: Slot, height: float, ratio: float
    ) -> tuple[QPixmap, bool] | None:
        """Return the scaled picture next to the middle of a slot, and whether it lies in it.

        One inside goes before one outside that is as near: a frame's place is as long as the
        frame, and its own picture stands at its very beginning.
        """
        kept = self._of.get(recording_id)
        if not kept:
            return None
        centre_s = (slot.start_s + slot.end_s) / 2
        first = bisect_left(kept, slot.start_s - 1e-6, key=_time)
        after = bisect_left(kept, slot.end_s - 1e-6, key=_time)
        is_inside = first < after
        if not is_inside:
            first, after = max(0, first - 1), after + 1
        near = min(kept[first:after], key=lambda p: abs(p[0] - centre_s))
        pixels = round(height * ratio)
        key = (recording_id, near[0], pixels)
        scaled = self._scaled.get(key)
        if scaled is None:
            scaled = near[1].scaledToHeight(pixels, Qt.TransformationMode.SmoothTransformation)
            scaled.setDevicePixelRatio(ratio)
            self._scaled[key] = scaled
        return scaled, is_inside

    def slots(self, lane: Lane, axis: Axis, position: int, height: float) -> list[Slot]:
        """Return the places on the screen, left to right.

        Places lie at multiples of their length, so that pictures stay at their time when the lane
        is scrolled; where a frame is wide enough for a picture, each frame is a place.
        """
        width = self.width(lane.recording_id, height)
        if frame_width(lane, axis) >= width * 0.9:
            frames = frames_in_view(lane, axis, position)
            times = lane.frame_times_s
            ends = np.append(times[1:], lane.duration_s)[frames]
            return [
                Slot(start, end, axis.x_of(start, position), (end - start) * axis.scale)
                for start, end in zip(times[frames].tolist(), ends.tolist(), strict=True)
            ]
        step_s = width / axis.scale
        start_s, end_s = axis.visible_s(position)
        first = int(np.floor(max(0.0, start_s) / step_s))
        last = int(np.ceil(min(lane.duration_s, end_s) / step_s))
        return [
            Slot(n * step_s, (n + 1) * step_s, axis.x_of(n * step_s, position), width)
            for n in range(first, last)
        ]

    def wish(self, lane: Lane, axis: Axis, position: int, height: float) -> PicturesWish | None:
        """Return the places on the screen without a picture of their own, the middle first."""
        slots = self.slots(lane, axis, position, height)
        kept = self._of.get(lane.recording_id, [])
        missing = []
        for slot in slots:
            at = bisect_left(kept, slot.start_s - 1e-6, key=_time)
            if at >= len(kept) or kept[at][0] >= slot.end_s - 1e-6:
                missing.append((slot.start_s + min(slot.end_s, lane.duration_s)) / 2)
        if not missing:
            return None
        middle_s = sum(axis.visible_s(position)) / 2
        missing.sort(key=lambda t: abs(t - middle_s))
        return PicturesWish(
            lane.recording_id, tuple(missing), max(s.end_s - s.start_s for s in slots)
        )


def _time(kept: tuple[float, QPixmap]) -> float:
    return kept[0]
