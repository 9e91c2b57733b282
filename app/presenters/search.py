"""Find frames, stretches and pictures in the recordings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from PySide6.QtCore import QObject, Signal

from app.faults.messages import Message, Reporter, Severity, describe
from app.models.engine import FrameQuery, PictureQuery, SearchQuery, StretchQuery
from app.models.searching import Match, QueryChip, Role
from app.presenters.arrival import Arrival
from app.presenters.everywhere import Everywhere
from app.presenters.found import curves_of, groups_of, groups_of_everything, moments_of
from app.presenters.match_pictures import MatchPicture, send_pictures
from app.resources.text import format_time

if TYPE_CHECKING:
    from pathlib import Path

    from app.jobs import Job, JobRunner
    from app.models.engine import EngineHandle
    from app.models.searching import MatchGroup
    from app.models.session import Entry, SessionModel
    from app.models.viewstate import Thumbnail
    from app.presenters.playback import PlaybackPresenter
    from carl_core.arrays import UInt8
    from carl_core.retrieval.everywhere import LibraryResult
    from carl_core.retrieval.retriever import SearchResult
    from carl_core.video.recording import Recording

MATCHES = 12


class SearchView(Protocol):
    """The panel of matches, as this presenter sees it."""

    def set_query(self, chips: tuple[QueryChip, ...]) -> None:
        """Show what is looked for."""
        ...

    def set_busy(self, text: str) -> None:
        """Say that it is being looked for; "" = no longer."""
        ...

    def set_matches(self, groups: tuple[MatchGroup, ...], *, convincing: bool, reason: str) -> None:
        """Show what was found."""
        ...

    def set_match_picture(self, position: int, part: int, thumbnail: Thumbnail) -> None:
        """Add one picture of a moment's strip."""
        ...

    def clear(self) -> None:
        """Show how to search."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """One part of what is looked for."""

    query: SearchQuery
    chip: QueryChip


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A picture file of the query, read."""

    number: int
    pixels: UInt8


class SearchPresenter(QObject):
    """Runs searches in the background. Several frames are averaged; others may be unwanted.

    Signals
    -------
    started() : the panel should come to the front
    found(dict) : recording id -> times of the moments found
    curves_found(dict) : recording id -> (time, similarity 0 to 1), float64 (T, 2)
    link_wanted(str, float, str, float) : these moments of two recordings are the same
    file_wanted(Path) : a moment of a recording that is not open was chosen: open it
    index_wanted() : searching everything would be faster with an index
    """

    started = Signal()
    found = Signal(object)
    curves_found = Signal(object)
    link_wanted = Signal(str, float, str, float)
    file_wanted = Signal(object)
    index_wanted = Signal()

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
        self._items: tuple[_Item, ...] = ()
        self._is_convincing = False
        self._is_everywhere = False
        self._arrival = Arrival(session, player, self)
        session.recordings_changed.connect(self._on_recordings_changed)

    # What is looked for ------------------------------------------------------------------------

    def find_active_frame(self, role: Role = Role.ONLY) -> None:
        """Find what the active tile shows."""
        self.find_shown_frame(self._session.active_id, role)

    def find_shown_frame(self, recording_id: str, role: Role = Role.ONLY) -> None:
        """Find what a tile shows in the other recordings, or in itself when it is alone."""
        entry = self._session.entry(recording_id)
        frame = self._player.shown.get(recording_id)
        if entry is None or frame is None:
            self._say(self.tr("There is no picture to look for yet. Add a recording first."))
            return
        query = FrameQuery(entry.recording, frame.index, frame.time_s)
        self._add(query, _at(entry, frame.time_s), frame.pixels, role)

    def find_stretch(self, recording_id: str, start_s: float, end_s: float) -> None:
        """Find a stretch of a recording, frame on frame, in the others, or in itself when alone."""
        entry = self._session.entry(recording_id)
        if entry is None:
            return
        frame = self._player.shown.get(recording_id)
        text = self.tr("{letter} from {start} to {end}").format(
            letter=entry.letter, start=format_time(start_s), end=format_time(end_s)
        )
        pixels = frame.pixels if frame is not None else None
        self._add(StretchQuery(entry.recording, start_s, end_s), text, pixels, Role.ONLY)

    def find_image_file(self, path: Path, role: Role = Role.ONLY) -> None:
        """Find what a picture file shows."""
        if not self._session.entries and not self._is_everywhere:
            self._say(
                self.tr(
                    "“{name}” is a picture, and there is nothing to find it in. Add a recording "
                    "first, then drop the picture again."
                ).format(name=path.name)
            )
            return
        self._add(PictureQuery(path.name, path=path), path.name, None, role)

    def find_pixels(self, name: str, pixels: UInt8, role: Role = Role.ONLY) -> None:
        """Find what a pasted picture shows."""
        if not self._session.entries and not self._is_everywhere:
            self._say(self.tr("There is nothing to find the picture in. Add a recording first."))
            return
        self._add(PictureQuery(name, pixels=pixels), name, pixels, role)

    def add_match(self, position: int, role: Role) -> None:
        """Look for a moment that was found too, or for nothing like it."""
        if not 0 <= position < len(self._matches):
            return
        match = self._matches[position]
        entry = self._session.entry(match.recording_id)
        if entry is None:
            self._say_closed()
        else:
            query = FrameQuery(entry.recording, match.frame, match.time_s)
            pixels = match.picture.pixels if match.picture is not None else None
            self._add(query, _at(entry, match.time_s), pixels, role)

    def remove_item(self, number: int) -> None:
        """Look for the rest alone."""
        if 0 <= number < len(self._items):
            self._items = (*self._items[:number], *self._items[number + 1 :])
            self._run()

    def set_everywhere(self, *, on: bool) -> None:
        """Search all that was ever embedded, or the recordings shown here."""
        self._is_everywhere = on
        if self._items:
            self._run()

    # What was found ----------------------------------------------------------------------------

    def link(self, position: int) -> None:
        """Pin a match to the frame that was looked for."""
        if not 0 <= position < len(self._matches):
            return
        match = self._matches[position]
        if self._session.entry(match.recording_id) is None:
            self._say_closed()
            return
        asked = [i.query for i in self._items if not i.chip.is_unlike]
        frames = [
            q for q in asked if isinstance(q, FrameQuery) and q.recording.id != match.recording_id
        ]
        if not frames:
            self._say(
                self.tr(
                    "Only a moment of another recording that a frame was looked for in can be "
                    "pinned. Press F on a frame first."
                )
            )
            return
        one = frames[0]
        self.link_wanted.emit(one.recording.id, one.time_s, match.recording_id, match.time_s)

    def show_hits(self, positions: tuple[int, ...]) -> None:
        """Mark these matches on the lanes, if they convince: the others are hidden in the list."""
        times: dict[str, tuple[float, ...]] = {}
        for position in positions:
            if not self._is_convincing or position >= len(self._matches):
                break
            match = self._matches[position]
            times[match.recording_id] = (*times.get(match.recording_id, ()), match.time_s)
        self.found.emit(times)

    def open_match(self, position: int) -> None:
        """Jump to a match, all recordings in step; a recording that is not open is opened."""
        if 0 <= position < len(self._matches):
            match = self._matches[position]
            if self._is_opened_for(match):
                return
            self._session.set_active(match.recording_id)
            self._player.seek_own(match.recording_id, match.time_s)

    def open_alone(self, position: int) -> None:
        """Show a match in its recording, the others as they are."""
        if 0 <= position < len(self._matches):
            match = self._matches[position]
            if self._is_opened_for(match):
                return
            self._session.set_active(match.recording_id)
            self._player.show_alone(match.recording_id, match.time_s)

    def _is_opened_for(self, match: Match) -> bool:
        """Have the recording of a match opened that is not; true when there is nothing else to do.

        It goes to the moment as soon as it is there.
        """
        if self._session.entry(match.recording_id) is not None:
            return False
        if match.path is None:
            self._say(self.tr("Nothing is known of where this recording lies."))
            return True
        self._arrival.wait_for(match)
        self.file_wanted.emit(match.path)
        return True

    # Searching ---------------------------------------------------------------------------------

    def _add(self, query: SearchQuery, text: str, picture: UInt8 | None, role: Role) -> None:
        item = _Item(query, QueryChip(text, picture, is_unlike=role is Role.NOT))
        if role is Role.NOT and not self._items:
            self._say(self.tr("Look for something first (F); then say what is not meant."))
            return
        if self._items and role is not Role.ONLY:
            # One stretch is laid over the recordings in order; with more it counts as its mean.
            self._items = (*self._items, item)
        else:
            self._items = (item,)
        self._run()

    def _searched(self) -> list[Recording]:
        """All recordings but those that frames were taken from, unless that leaves none."""
        own = {
            i.query.recording.id
            for i in self._items
            if not i.chip.is_unlike and not isinstance(i.query, PictureQuery)
        }
        others = [e.recording for e in self._session.entries if e.id not in own]
        return others or list(self._session.recordings)

    def _run(self) -> None:
        self._matches = ()
        items, recordings, shown = self._items, self._searched(), self._session.recordings
        has_where = self._is_everywhere or bool(recordings)
        if not has_where or all(item.chip.is_unlike for item in items):
            self._clear()
            return
        self._view.set_query(tuple(item.chip for item in items))
        self._view.set_busy(self.tr("Searching…"))
        self.started.emit()

        def work_everywhere(job: Job[None]) -> None:
            Everywhere(self._engine, MATCHES).run(job, _read(job, items), shown)

        def work(job: Job[None]) -> None:
            asked = _read(job, items)
            result = self._engine.search(
                [query for query, is_unlike in asked if not is_unlike],
                recordings,
                unlike=[query for query, is_unlike in asked if is_unlike],
                k=MATCHES,
                monitor=job.monitor,
            )
            job.send(result)
            send_pictures(job, moments_of(result, recordings), recordings)

        self._jobs.submit(
            work_everywhere if self._is_everywhere else work,
            key="search",
            title=self.tr("Searching for {what}").format(what=items[0].chip.text),
            received=lambda value: self._on_received(value, recordings),
            failed=self._on_failed,
            cancelled=lambda: self._view.set_busy(""),
        )

    def _on_received(self, value: object, recordings: list[Recording]) -> None:
        if isinstance(value, MatchPicture):
            self._view.set_match_picture(value.position, value.part, value.thumbnail)
        elif isinstance(value, _Read):
            item = self._items[value.number]
            chip = QueryChip(item.chip.text, value.pixels, item.chip.is_unlike)
            query = PictureQuery(chip.text, pixels=value.pixels)
            self._items = (
                *self._items[: value.number],
                _Item(query, chip),
                *self._items[value.number + 1 :],
            )
            self._view.set_query(tuple(i.chip for i in self._items))
        elif hasattr(value, "verdicts"):
            self._on_result(cast("SearchResult", value), recordings)
        else:
            self._on_everything(cast("LibraryResult", value))

    def _on_result(self, result: SearchResult, recordings: list[Recording]) -> None:
        groups = groups_of(result, recordings, self._session)
        self._show(groups, convincing=result.convincing, reason=result.reason)
        self.curves_found.emit(curves_of(result, self._session))

    def _on_everything(self, result: LibraryResult) -> None:
        searched = self.tr("Searched {n} recordings.").format(n=result.recordings)
        if result.left_out:
            gone = self.tr("{n} more are no longer in the cache, where pictures are looked for.")
            searched = f"{searched} {gone.format(n=result.left_out)}"
        if result.lacks_index:
            until = self.tr("No index yet: every frame was looked at.")
            searched = f"{searched} {until}"
            self.index_wanted.emit()
        groups = groups_of_everything(result, self._session)
        reason = f"{result.reason} {searched}".strip()
        self._show(groups, convincing=result.convincing, reason=reason)
        self.curves_found.emit({})

    def _show(self, groups: tuple[MatchGroup, ...], *, convincing: bool, reason: str) -> None:
        self._matches = tuple(match for group in groups for match in group.matches)
        self._view.set_busy("")
        self._view.set_matches(groups, convincing=convincing, reason=reason)
        self._is_convincing = convincing
        self.show_hits(tuple(range(len(self._matches))))

    def _on_failed(self, error: Exception) -> None:
        self._clear()
        self._reporter.report(describe(error))

    def _on_recordings_changed(self) -> None:
        present = {e.id for e in self._session.entries}
        of_query = {
            i.query.recording.id for i in self._items if not isinstance(i.query, PictureQuery)
        }
        of_matches = {m.recording_id for m in self._matches if m.path is None}
        is_gone = not of_matches | of_query <= present
        if is_gone or not present:
            self._jobs.cancel("search")
            self._clear()

    def _say_closed(self) -> None:
        self._say(self.tr("This recording is not open yet. Press Return on the moment first."))

    def _clear(self) -> None:
        self._matches, self._items = (), ()
        self._view.clear()
        self.found.emit({})
        self.curves_found.emit({})

    def _say(self, text: str) -> None:
        self._reporter.report(Message(text, Severity.INFO, topic="search"))


def _read(job: Job[None], items: tuple[_Item, ...]) -> list[tuple[SearchQuery, bool]]:
    """Return what is asked and whether it is unwanted; pictures are read, and sent to be shown."""
    asked: list[tuple[SearchQuery, bool]] = []
    for number, item in enumerate(items):
        query = item.query
        if isinstance(query, PictureQuery) and query.pixels is None and query.path:
            # heavy border: PyAV reads the picture
            from carl_core.video.image import read_image

            pixels = read_image(query.path)
            job.send(_Read(number, pixels))
            query = PictureQuery(query.name, pixels=pixels)
        asked.append((query, item.chip.is_unlike))
    return asked


def _at(entry: Entry, time_s: float) -> str:
    return f"{entry.letter} · {format_time(time_s)}"
