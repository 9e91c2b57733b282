"""What is at a place of the timeline, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QCoreApplication

from app.resources.text import format_time

if TYPE_CHECKING:
    from app.models.viewstate import Lane
    from app.views.timeline.scene import Scene

_REACH = 5.0
"""Pixels within which a mark, a pin or a hit is meant."""


def text_at(scene: Scene, position: int, x: float) -> str:
    """Return what lane ``position`` shows at ``x``, one line each; "" = beyond its length."""
    lane = scene.lanes[position]
    time_s = scene.axis.time_of(x, position)
    if not 0 <= time_s <= lane.duration_s:
        return ""
    reach_s = _REACH / scene.axis.scale
    lines = [_moment(lane, time_s), *_marks(lane, time_s, reach_s)]
    if any(abs(time_s - hit_s) <= reach_s for hit_s in lane.hits):
        lines.append(_tr("a match of the last search"))
    if any(abs(time_s - pin_s) <= reach_s for pin_s in lane.pins):
        lines.append(_tr("pinned here"))
    lines += _alignment(lane, time_s)
    return "\n".join(lines)


def description(scene: Scene) -> str:
    """Return what is shown, for screen readers."""
    lanes = "; ".join(
        f"{lane.letter} {lane.name}, {format_time(lane.duration_s, decimals=0)}"
        for lane in scene.lanes
    )
    axis = scene.axis
    if axis.is_fit or not lanes:
        return lanes
    shown = _tr("showing {start} to {end}").format(
        start=format_time(axis.start_s, decimals=1), end=format_time(axis.end_s, decimals=1)
    )
    return f"{lanes}; {shown}"


def _moment(lane: Lane, time_s: float) -> str:
    text = f"{lane.letter}  {format_time(time_s)}"
    if len(lane.frame_times_s):
        frame = max(0, int(np.searchsorted(lane.frame_times_s, time_s, side="right")) - 1)
        text += "  ·  " + _tr("frame {number}").format(number=frame)
    return text


def _marks(lane: Lane, time_s: float, reach_s: float) -> list[str]:
    found = []
    for mark in lane.marks:
        end_s = mark.start_s if mark.end_s is None else mark.end_s
        if mark.start_s - reach_s <= time_s <= end_s + reach_s:
            name = mark.name or _tr("marker")
            found.append(
                _tr("{name} (carried over)").format(name=name) if mark.is_derived else name
            )
    return found[:4]


def _alignment(lane: Lane, time_s: float) -> list[str]:
    if lane.confidence is None or not len(lane.confidence):
        return []
    if not any(start_s <= time_s <= end_s for start_s, end_s in lane.mapped):
        return [_tr("no counterpart")]
    value = float(np.interp(time_s, lane.confidence[:, 0], lane.confidence[:, 1]))
    lines = [_tr("confidence {percent} %").format(percent=round(value * 100))]
    if any(start_s <= time_s <= end_s for start_s, end_s in lane.uncertain):
        lines.append(_tr("uncertain: worth a look"))
    return lines


def _tr(text: str) -> str:
    return QCoreApplication.translate("Timeline", text)
