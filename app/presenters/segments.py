"""The stretch between two pins: played round and round, locked, or made straight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.faults.messages import Message, Reporter, Severity
from carl_core.project import edits
from carl_core.project.project import Anchor, Loop, Moment, Project

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.models.session import Entry, SessionModel
    from app.presenters.playback import PlaybackPresenter
    from app.presenters.project_files import ProjectFiles
    from carl_core.arrays import Float64

EVERY_S = 0.5
MOST_PINS = 40
"""A locked or straight stretch gets a pin every half second, at most so many."""


class SegmentPresenter(QObject):
    """Works on the stretch of the shown pair around the playhead.

    Signals
    -------
    chosen(tuple | None) : this stretch of the reference is meant, seconds
    """

    chosen = Signal(object)

    def __init__(
        self,
        session: SessionModel,
        player: PlaybackPresenter,
        files: ProjectFiles,
        project: Callable[[], Project],
        other: Callable[[], str],
        reporter: Reporter,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._player = player
        self._files = files
        self._project = project
        self._other = other
        self._reporter = reporter

    def choose(self, reference_s: float | None) -> None:
        """Light up the stretch around a second of the reference; None = none."""
        self.chosen.emit(None if reference_s is None else self._around(reference_s))

    def loop(self) -> bool:
        """Play only this stretch; return whether there is one."""
        found = self._segment()
        if found is None:
            return False
        _, _, (start_s, end_s) = found
        self._files.edit(
            self.tr("set the range"),
            lambda p: edits.set_loop(p, Loop(start_s=start_s, end_s=end_s)),
        )
        self._player.seek_own(self._session.reference_id, start_s)
        return True

    def lock(self) -> None:
        """Pin the path as it is now, so that edits elsewhere cannot move it."""
        found = self._segment()
        if found is None:
            return
        reference, other, (start_s, end_s) = found
        assert other.alignment is not None
        times_s = _places(start_s, end_s)
        self._pin(self.tr("lock"), reference, other, times_s, other.alignment.time_map(times_s))

    def straighten(self) -> None:
        """Let the other recording run evenly over the stretch."""
        found = self._segment()
        if found is None:
            return
        reference, other, (start_s, end_s) = found
        assert other.alignment is not None
        ends = other.alignment.time_map(np.asarray([start_s, end_s]))
        times_s = _places(start_s, end_s)
        straight_s = np.interp(times_s, [start_s, end_s], ends)
        self._pin(self.tr("straighten"), reference, other, times_s, straight_s)

    def _segment(self) -> tuple[Entry, Entry, tuple[float, float]] | None:
        reference = self._session.entry(self._session.reference_id)
        other = self._session.entry(self._other())
        here = self._player.own_times_s.get(self._session.reference_id)
        stretch_s = None if here is None else self._around(here)
        if reference is None or other is None or stretch_s is None:
            self._reporter.report(
                Message(
                    self.tr(
                        "There is no aligned stretch here. Move the playhead to where both "
                        "recordings show the same."
                    ),
                    Severity.INFO,
                    topic="segment",
                )
            )
            return None
        return reference, other, stretch_s

    def _around(self, here_s: float) -> tuple[float, float] | None:
        """From the pin before to the pin after; the run without gaps where there is none."""
        one, other = self._session.reference_id, self._session.entry(self._other())
        if other is None or other.alignment is None or not other.is_mapped:
            return None
        alignment = other.alignment
        known = np.isfinite(alignment.other_s)
        if not known.any():
            return None
        at = int(np.abs(alignment.reference_s - here_s).argmin())
        if not known[at]:
            return None
        gaps = np.flatnonzero(~known)
        before, after = gaps[gaps < at], gaps[gaps > at]
        first = int(before[-1]) + 1 if len(before) else 0
        last = int(after[0]) - 1 if len(after) else len(known) - 1
        low, high = float(alignment.reference_s[first]), float(alignment.reference_s[last])
        pairs = [a.between(one, other.id) for a in self._project().anchors]
        pins = [pair[0].time_s for pair in pairs if pair is not None]
        low = max([low, *(p for p in pins if p <= here_s)])
        high = min([high, *(p for p in pins if p > here_s)])
        return (low, high) if high - low > 1e-3 else None

    def _pin(
        self, text: str, reference: Entry, other: Entry, times_s: Float64, others_s: Float64
    ) -> None:
        """Add pins where there is none yet, one step of undo."""
        anchors = []
        for reference_s, other_s in zip(times_s.tolist(), others_s.tolist(), strict=True):
            if not np.isfinite(other_s):
                continue
            anchors.append(
                Anchor(first=_moment(reference, reference_s), second=_moment(other, other_s))
            )

        def add(project: Project) -> Project:
            there = [a.between(reference.id, other.id) for a in project.anchors]
            pairs = [(p[0].pts, p[1].pts) for p in there if p is not None]
            for anchor in anchors:
                one, two = anchor.first.pts, anchor.second.pts
                if all((one < a and two < b) or (one > a and two > b) for a, b in pairs):
                    project = edits.add_anchor(project, anchor)
                    pairs.append((one, two))
            return project

        self._files.edit(text, add)


def _places(start_s: float, end_s: float) -> Float64:
    count = int(np.clip(round((end_s - start_s) / EVERY_S) + 1, 3, MOST_PINS))
    return np.linspace(start_s, end_s, count)


def _moment(entry: Entry, time_s: float) -> Moment:
    index = entry.recording.index
    frame = int(index.nearest_frames([time_s])[0])
    return Moment(recording=entry.id, pts=int(index.pts[frame]), time_s=index.time_of(frame))
