"""Places where the alignment is uncertain: counted after aligning, visited one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject

from app.faults.messages import Message, Reporter, Severity

if TYPE_CHECKING:
    from app.models.session import SessionModel
    from app.presenters.playback import PlaybackPresenter
    from carl_core.alignment.alignment import Alignment

UNCERTAIN = 0.5
"""Confidence below which a place is worth a look: as good as half of the maps of strangers."""

SHORTEST_S = 0.3
"""A stretch shorter than this is not worth a stop."""

_HERE_S = 0.05


@dataclass(frozen=True, slots=True)
class Place:
    """One uncertain stretch, seconds of the reference; ``letter`` of the other recording."""

    recording: str
    letter: str
    start_s: float
    end_s: float


def uncertain_places(alignment: Alignment) -> tuple[tuple[float, float], ...]:
    """Return stretches of the reference (start, end) with little confidence, in seconds."""
    times = np.asarray(alignment.reference_s, dtype=np.float64)
    is_low = np.isfinite(alignment.other_s) & (np.asarray(alignment.confidence) < UNCERTAIN)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_low, [False]]).astype(np.int8)))
    found = []
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        start_s, end_s = float(times[first]), float(times[after - 1])
        if end_s - start_s >= SHORTEST_S:
            found.append((start_s, end_s))
    return tuple(found)


class ReviewPresenter(QObject):
    """Lists the uncertain places of all recordings and goes through them."""

    def __init__(
        self,
        session: SessionModel,
        player: PlaybackPresenter,
        reporter: Reporter,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._player = player
        self._reporter = reporter
        self._told: set[int] = set()
        session.entry_changed.connect(self._on_entry)

    @property
    def places(self) -> tuple[Place, ...]:
        """All uncertain places, in the reference's time."""
        places = [
            Place(entry.id, entry.letter, start_s, end_s)
            for entry in self._session.others
            if entry.alignment is not None and entry.is_mapped
            for start_s, end_s in uncertain_places(entry.alignment)
        ]
        return tuple(sorted(places, key=lambda p: (p.start_s, p.letter)))

    def go(self, direction: int) -> None:
        """Show the next (1) or the previous (-1) uncertain place, around the end."""
        places = self.places
        if not places:
            self._say(self.tr("No place of the alignment is uncertain."))
            return
        here = self._player.own_times_s.get(self._session.reference_id) or 0.0
        if direction > 0:
            found = next((p for p in places if p.start_s > here + _HERE_S), places[0])
        else:
            before = [p for p in places if p.start_s < here - _HERE_S]
            found = before[-1] if before else places[-1]
        self._session.set_active(found.recording)
        self._player.seek_own(self._session.reference_id, found.start_s)

    def _on_entry(self, recording_id: str) -> None:
        entry = self._session.entry(recording_id)
        if entry is None or entry.alignment is None or not entry.is_mapped:
            return
        if id(entry.alignment) in self._told:
            return
        self._told.add(id(entry.alignment))
        if entry.alignment.anchors or not (found := uncertain_places(entry.alignment)):
            return
        count = len(found)
        text = self.tr("1 uncertain place") if count == 1 else self.tr("{n} uncertain places")
        self._reporter.report(
            Message(
                f"{entry.letter}: {text.format(n=count)}. "
                + self.tr("Align > Next uncertain place goes through them."),
                Severity.INFO,
                topic=f"review:{recording_id}",
            )
        )

    def _say(self, text: str) -> None:
        self._reporter.report(Message(text, Severity.INFO, topic="review"))
