"""The queue of places where the alignment is uncertain: counted, visited, pinned as they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PySide6.QtCore import QObject

from app.faults.messages import Choice, Message, Reporter, Severity
from app.presenters.timers import single_shot
from app.resources.text import format_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.models.session import SessionModel
    from app.presenters.handwork import HandworkPresenter
    from app.presenters.playback import PlaybackPresenter
    from carl_core.alignment.alignment import Alignment
    from carl_core.project.project import Project

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


@lru_cache(maxsize=8)  # asked for at each step of a pin that is dragged
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


class ReviewView(Protocol):
    """The bar of the queue, as this presenter sees it."""

    def set_queue(self, text: str) -> None:
        """Say what is uncertain; "" = nothing is."""
        ...


class ReviewPresenter(QObject):
    """Lists the uncertain places of all recordings and goes through them.

    A place with a pin in it has been looked at: it is not in the queue any more.

    Parameters
    ----------
    is_busy : whether recordings are still being aligned: the places are told when all are there
    """

    def __init__(
        self,
        session: SessionModel,
        player: PlaybackPresenter,
        hand: HandworkPresenter,
        project: Callable[[], Project],
        is_busy: Callable[[], bool],
        reporter: Reporter,
        view: ReviewView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._player = player
        self._hand = hand
        self._project = project
        self._is_busy = is_busy
        self._reporter = reporter
        self._view = view
        self._places: tuple[Place, ...] = ()
        self._visited: Place | None = None
        self._told: set[tuple[str, str]] = set()
        self._later = single_shot(self, 0, self.refresh)
        session.entry_changed.connect(lambda _id: self._later.start())
        session.recordings_changed.connect(self._later.start)
        session.active_changed.connect(lambda _id: self._show())
        player.time_changed.connect(lambda _time_s: self._show())

    @property
    def places(self) -> tuple[Place, ...]:
        """All uncertain places that were not looked at, in the reference's time."""
        found = []
        for entry in self._session.others:
            if entry.alignment is None or not entry.is_mapped:
                continue
            pins = [ours.time_s for ours, _ in self._project().anchors_of(entry.id)]
            for start_s, end_s in uncertain_places(entry.alignment):
                if not any(start_s - _HERE_S <= pin <= end_s + _HERE_S for pin in pins):
                    found.append(Place(entry.id, entry.letter, start_s, end_s))
        return tuple(sorted(found, key=lambda p: (p.start_s, p.letter)))

    def refresh(self) -> None:
        """Count again: an alignment or a pin changed."""
        self._places = self.places
        self._tell()
        self._show()

    def go(self, direction: int) -> None:
        """Show the next (1) or the previous (-1) uncertain place, around the end."""
        places = self._places = self.places
        if not places:
            self._say(self.tr("No place of the alignment is uncertain."))
            return
        here = self._here()
        visited = self._visited
        if visited in places and visited is not None and abs(here - visited.start_s) <= _HERE_S:
            # Places of two recordings may begin together.
            found = places[(places.index(visited) + direction) % len(places)]
        elif direction > 0:
            found = next((p for p in places if p.start_s > here + _HERE_S), places[0])
        else:
            before = [p for p in places if p.start_s < here - _HERE_S]
            found = before[-1] if before else places[-1]
        self._visited = found
        self._session.set_active(found.recording)
        self._player.seek_own(self._session.reference_id, found.start_s)
        self._show()

    def accept(self) -> None:
        """Pin the place shown as it is, in its middle, and go to the next one."""
        place = self._shown()
        entry = self._session.entry(place.recording) if place is not None else None
        if place is None or entry is None or entry.alignment is None:
            self.go(1)  # the one after the next press is then clear
            return
        middle_s = (place.start_s + place.end_s) / 2
        other_s = float(entry.alignment.time_map(np.asarray([middle_s]))[0])
        if np.isfinite(other_s):
            self._hand.link(self._session.reference_id, middle_s, place.recording, other_s)
        self.refresh()
        if self._places:
            self.go(1)

    def _here(self) -> float:
        return self._player.own_times_s.get(self._session.reference_id) or 0.0

    def _shown(self) -> Place | None:
        """Return the place under the playhead; of several, the active recording's."""
        here = self._here()
        inside = [p for p in self._places if p.start_s - _HERE_S <= here <= p.end_s + _HERE_S]
        active = self._session.active_id
        return next((p for p in inside if p.recording == active), inside[0] if inside else None)

    def _show(self) -> None:
        count = len(self._places)
        place = self._shown()
        if not count:
            self._view.set_queue("")
        elif place is None:
            self._view.set_queue(self._counted(count))
        else:
            self._view.set_queue(
                self.tr("Uncertain {number} of {count}: {letter}, {start} – {end}").format(
                    number=self._places.index(place) + 1,
                    count=count,
                    letter=place.letter,
                    start=format_time(place.start_s, decimals=1),
                    end=format_time(place.end_s, decimals=1),
                )
            )

    def _tell(self) -> None:
        """Say how many places there are once all is aligned, and again with another reference."""
        if self._is_busy():
            return
        reference_id = self._session.reference_id
        aligned = {(reference_id, e.id) for e in self._session.others if e.is_mapped}
        is_new = bool(aligned - self._told)  # later changes are the user's own: the queue has them
        self._told = aligned if self._places else self._told & aligned
        if not self._places:
            self._reporter.withdraw("review")
        elif is_new:
            choice = Choice(self.tr("Review"), lambda: self.go(1))
            text = self._counted(len(self._places))
            self._reporter.report(Message(text, Severity.INFO, choices=(choice,), topic="review"))

    def _counted(self, count: int) -> str:
        text = self.tr("1 uncertain place") if count == 1 else self.tr("{n} uncertain places")
        return text.format(n=count)

    def _say(self, text: str) -> None:
        self._reporter.report(Message(text, Severity.INFO, topic="review"))
