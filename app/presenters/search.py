"""Find a frame or a picture in the recordings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.faults.messages import Message, Reporter, Severity, describe
from app.models.engine import FrameQuery, PictureQuery, SearchQuery, StretchQuery
from app.models.viewstate import Match, Thumbnail
from app.resources.text import format_time
from carl_core.video.reader import FrameReader

if TYPE_CHECKING:
    from pathlib import Path

    from app.jobs import Job, JobRunner
    from app.models.engine import EngineHandle
    from app.models.session import SessionModel
    from app.presenters.playback import PlaybackPresenter
    from carl_core.arrays import UInt8
    from carl_core.retrieval.retriever import Hit, SearchResult
    from carl_core.video.recording import Recording

MATCHES = 12
PICTURE_HEIGHT = 160
BESIDE_S = 1.0
"""How far before and after a match the pictures beside it are."""


class SearchView(Protocol):
    """The panel of matches, as this presenter sees it."""

    def set_query(self, text: str, picture: UInt8 | None) -> None:
        """Show what is looked for."""
        ...

    def set_busy(self, text: str) -> None:
        """Say that it is being looked for; "" = no longer."""
        ...

    def set_matches(self, matches: tuple[Match, ...], *, convincing: bool, reason: str) -> None:
        """Show what was found."""
        ...

    def set_match_picture(self, position: int, part: str, thumbnail: Thumbnail) -> None:
        """Add the picture of one match: "picture", "before" or "after"."""
        ...

    def clear(self) -> None:
        """Show how to search."""
        ...


@dataclass(frozen=True, slots=True)
class _MatchPicture:
    position: int
    part: str
    thumbnail: Thumbnail


class SearchPresenter(QObject):
    """Runs searches in the background.

    Signals
    -------
    started() : the panel should come to the front
    found(dict) : recording id -> times of the moments found
    link_wanted(str, float, str, float) : these moments of two recordings are the same
    """

    started = Signal()
    found = Signal(object)
    link_wanted = Signal(str, float, str, float)

    def __init__(
        self,
        session: SessionModel,
        jobs: JobRunner,
        engine: EngineHandle,
        player: PlaybackPresenter,
        reporter: Reporter,
        view: SearchView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._jobs = jobs
        self._engine = engine
        self._player = player
        self._reporter = reporter
        self._view = view
        self._matches: tuple[Match, ...] = ()
        self._asked: SearchQuery | None = None
        session.recordings_changed.connect(self._on_recordings_changed)

    def find_active_frame(self) -> None:
        """Find what the active tile shows."""
        self.find_shown_frame(self._session.active_id)

    def find_shown_frame(self, recording_id: str) -> None:
        """Find what a tile shows in the other recordings, or in itself when it is alone."""
        entry = self._session.entry(recording_id)
        frame = self._player.shown.get(recording_id)
        if entry is None or frame is None:
            self._say(self.tr("There is no picture to look for yet. Add a recording first."))
            return
        others = [e.recording for e in self._session.entries if e.id != recording_id]
        query = FrameQuery(entry.recording, frame.index, frame.time_s)
        text = self.tr("{letter} at {time}").format(
            letter=entry.letter, time=format_time(frame.time_s)
        )
        self._search(query, others or [entry.recording], text, frame.pixels)

    def find_stretch(self, recording_id: str, start_s: float, end_s: float) -> None:
        """Find a stretch of a recording, frame on frame, in the others, or in itself when alone."""
        entry = self._session.entry(recording_id)
        if entry is None:
            return
        others = [e.recording for e in self._session.entries if e.id != recording_id]
        frame = self._player.shown.get(recording_id)
        text = self.tr("{letter} from {start} to {end}").format(
            letter=entry.letter, start=format_time(start_s), end=format_time(end_s)
        )
        self._search(
            StretchQuery(entry.recording, start_s, end_s),
            others or [entry.recording],
            text,
            frame.pixels if frame is not None else None,
        )

    def link(self, position: int) -> None:
        """Pin a match to the frame that was looked for."""
        asked = self._asked
        if not 0 <= position < len(self._matches):
            return
        match = self._matches[position]
        if not isinstance(asked, FrameQuery) or asked.recording.id == match.recording_id:
            self._say(
                self.tr(
                    "Only a moment of another recording that a frame was looked for in can be "
                    "pinned. Press F on a frame first."
                )
            )
            return
        self.link_wanted.emit(asked.recording.id, asked.time_s, match.recording_id, match.time_s)

    def find_image_file(self, path: Path) -> None:
        """Find what a picture file shows."""
        if not self._session.entries:
            self._say(
                self.tr(
                    "“{name}” is a picture, and there is nothing to find it in. Add a recording "
                    "first, then drop the picture again."
                ).format(name=path.name)
            )
            return
        query = PictureQuery(path.name, path=path)
        self._search(query, list(self._session.recordings), path.name, None)

    def find_pixels(self, name: str, pixels: UInt8) -> None:
        """Find what a pasted picture shows."""
        if not self._session.entries:
            self._say(self.tr("There is nothing to find the picture in. Add a recording first."))
            return
        query = PictureQuery(name, pixels=pixels)
        self._search(query, list(self._session.recordings), name, pixels)

    def open_match(self, position: int) -> None:
        """Jump to a match."""
        if 0 <= position < len(self._matches):
            match = self._matches[position]
            self._session.set_active(match.recording_id)
            self._player.seek_own(match.recording_id, match.time_s)

    def _search(
        self, query: SearchQuery, recordings: list[Recording], text: str, picture: UInt8 | None
    ) -> None:
        self._matches = ()
        self._asked = query
        self._view.set_query(text, picture)
        self._view.set_busy(self.tr("Searching…"))
        self.started.emit()

        def work(job: Job[None]) -> None:
            if isinstance(query, PictureQuery) and query.pixels is None and query.path is not None:
                # heavy border: PyAV reads the picture
                from carl_core.video.image import read_image

                pixels = read_image(query.path)
                job.send(pixels)
                asked: SearchQuery = PictureQuery(query.name, pixels=pixels)
            else:
                asked = query
            result = self._engine.search(asked, recordings, k=MATCHES, monitor=job.monitor)
            job.send(result)
            _send_pictures(job, result.hits, recordings)

        self._jobs.submit(
            work,
            key="search",
            title=self.tr("Searching for {what}").format(what=text),
            received=lambda value: self._on_received(value, text),
            failed=self._on_failed,
            cancelled=lambda: self._view.set_busy(""),
        )

    def _on_received(self, value: object, text: str) -> None:
        if isinstance(value, _MatchPicture):
            self._view.set_match_picture(value.position, value.part, value.thumbnail)
        elif isinstance(value, np.ndarray):  # the picture that is looked for
            self._view.set_query(text, value)
        else:
            self._on_result(cast("SearchResult", value))

    def _on_result(self, result: SearchResult) -> None:
        matches = []
        for hit in result.hits:
            entry = self._session.entry(hit.recording)
            if entry is not None:
                matches.append(
                    Match(
                        entry.id,
                        entry.letter,
                        entry.position,
                        entry.recording.name,
                        hit.frame,
                        hit.time_s,
                        hit.score,
                    )
                )
        self._matches = tuple(matches)
        self._view.set_busy("")
        self._view.set_matches(self._matches, convincing=result.convincing, reason=result.reason)
        times: dict[str, tuple[float, ...]] = {}
        if result.convincing:
            for match in matches:
                times[match.recording_id] = (*times.get(match.recording_id, ()), match.time_s)
        self.found.emit(times)

    def _on_failed(self, error: Exception) -> None:
        self._view.clear()
        self._reporter.report(describe(error))

    def _on_recordings_changed(self) -> None:
        present = {e.id for e in self._session.entries}
        if not all(m.recording_id in present for m in self._matches) or not present:
            self._jobs.cancel("search")
            self._matches = ()
            self._view.clear()
            self.found.emit({})

    def _say(self, text: str) -> None:
        self._reporter.report(Message(text, Severity.INFO, topic="search"))


def _send_pictures(job: Job[None], hits: tuple[Hit, ...], recordings: list[Recording]) -> None:
    """Decode each hit's picture and those a second before and after, in ascending order."""
    for recording in recordings:
        index = recording.index
        wanted: dict[int, list[tuple[int, str]]] = {}
        for position, hit in enumerate(hits):
            if hit.recording != recording.id:
                continue
            wanted.setdefault(hit.frame, []).append((position, "picture"))
            for part, time_s in (
                ("before", hit.time_s - BESIDE_S),
                ("after", hit.time_s + BESIDE_S),
            ):
                if 0 <= time_s < index.duration_s:
                    frame = index.frame_shown_at(time_s)
                    wanted.setdefault(frame, []).append((position, part))
        if not wanted:
            continue
        width = max(2, round(PICTURE_HEIGHT * recording.info.width / recording.info.height))
        with FrameReader(recording, size=(width, PICTURE_HEIGHT), threads=1) as reader:
            for found in reader.frames_at(sorted(wanted)):
                for position, part in wanted[found.index]:
                    job.send(_MatchPicture(position, part, Thumbnail(found.time_s, found.pixels)))
