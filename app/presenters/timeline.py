"""One lane per recording: pictures, what is aligned, where we are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PySide6.QtCore import QObject

from app.models.viewstate import Lane, LaneMark, PicturesWish, Thumbnail
from app.presenters.review import uncertain_places
from carl_core.video.reader import FrameReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.jobs import Job, JobRunner
    from app.models.session import Entry, SessionModel
    from app.presenters.playback import PlaybackPresenter
    from carl_core.alignment.alignment import Alignment
    from carl_core.arrays import Float64
    from carl_core.timebase import FrameIndex
    from carl_core.video.recording import Recording

    _Stretches = tuple[tuple[float, float], ...]

THUMBNAILS = 32
THUMBNAIL_HEIGHT = 96
"""Pixels; lanes are half as high, so that they stay sharp on dense screens."""

THUMBNAILS_KEY = "thumbnails"


class TimelineView(Protocol):
    """The lanes, as this presenter sees them."""

    def set_lanes(self, lanes: tuple[Lane, ...]) -> None:
        """Show these lanes; thumbnails of those that stay are kept."""
        ...

    def set_pins(self, pins: Mapping[str, tuple[float, ...]]) -> None:
        """Show what is pinned, by recording; all else stays."""
        ...

    def add_thumbnail(self, recording_id: str, thumbnail: Thumbnail) -> None:
        """Add a picture to a lane."""
        ...

    def set_playheads(self, times_s: Mapping[str, float | None]) -> None:
        """Show each recording's own time."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Followed:
    """What a lane shows of its alignment, in its own seconds: long to gather, so kept."""

    alignment: Alignment
    confidence: Float64
    mapped: _Stretches
    uncertain: _Stretches

    @staticmethod
    def of(alignment: Alignment) -> _Followed:
        time_map, known = alignment.time_map, np.isfinite(alignment.other_s)
        return _Followed(
            alignment,
            np.stack([alignment.other_s[known], alignment.confidence[known]], axis=1),
            _stretches(alignment.other_s),
            tuple(
                (float(time_map(start_s)), float(time_map(end_s)))
                for start_s, end_s in uncertain_places(alignment)
            ),
        )


class TimelinePresenter(QObject):
    """Keeps the lanes up to date."""

    def __init__(
        self,
        session: SessionModel,
        jobs: JobRunner,
        player: PlaybackPresenter,
        view: TimelineView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._jobs = jobs
        self._player = player
        self._view = view
        self._pictured: set[str] = set()
        self._waiting: list[Recording] = []
        self._wishes: list[PicturesWish] = []
        self._is_wish = False
        self._taken_of = ""
        self._hits: dict[str, tuple[float, ...]] = {}
        self._curves: dict[str, Float64] = {}
        self._marks: dict[str, tuple[LaneMark, ...]] = {}
        self._pins: dict[str, tuple[float, ...]] = {}
        self._range_s: tuple[float, float] | None = None
        self._followed: dict[str, _Followed] = {}
        self._mapped_of: tuple[tuple[Alignment, ...], _Stretches] = ((), ())
        session.recordings_changed.connect(self._on_recordings_changed)
        session.schedule_changed.connect(self._show_lanes)
        session.active_changed.connect(lambda _id: self._show_lanes())
        player.time_changed.connect(self._on_time_changed)

    def set_hits(self, hits: Mapping[str, tuple[float, ...]]) -> None:
        """Mark the moments of the last search."""
        self._hits = dict(hits)
        self._show_lanes()

    def set_curves(self, curves: Mapping[str, Float64]) -> None:
        """Show how alike each moment is to what was looked for: (time, 0 to 1) by recording."""
        self._curves = dict(curves)
        self._show_lanes()

    def want_pictures(self, wishes: tuple[PicturesWish, ...]) -> None:
        """Take pictures of the places in view; earlier wishes are forgotten."""
        self._wishes = list(wishes)
        if self._is_wish:
            self._jobs.cancel(THUMBNAILS_KEY)
        self._take_next()

    def set_marks(self, marks: Mapping[str, tuple[LaneMark, ...]]) -> None:
        """Show markers and phases, by recording."""
        if marks != self._marks:
            self._marks = dict(marks)
            self._show_lanes()

    def set_pins(
        self, pins: Mapping[str, tuple[float, ...]], range_s: tuple[float, float] | None
    ) -> None:
        """Show what is pinned, and in and out of the reference."""
        is_other_range = range_s != self._range_s
        is_other_pins = pins != self._pins
        self._pins, self._range_s = dict(pins), range_s
        if is_other_range:
            self._show_lanes()
        elif is_other_pins:  # at each step of a pin that is dragged: nothing else is laid anew
            self._view.set_pins(self._pins)

    def _on_recordings_changed(self) -> None:
        self._show_lanes()
        present = {e.id for e in self._session.entries}
        if self._taken_of and self._taken_of not in present:
            self._jobs.cancel(THUMBNAILS_KEY)
        self._pictured &= present
        for entry in self._session.entries:
            if entry.id not in self._pictured:
                self._pictured.add(entry.id)
                self._waiting.append(entry.recording)
        self._take_next()

    def _take_next(self) -> None:
        """One recording at a time: opening and embedding must not wait for pictures.

        First some of every recording, then those that are wanted; none of these while playing.
        """
        if self._jobs.is_active(THUMBNAILS_KEY):
            return
        self._waiting = [r for r in self._waiting if self._session.entry(r.id) is not None]
        if self._waiting:
            recording = self._waiting.pop(0)
            self._take(recording, thumbnail_frames(recording.index, THUMBNAILS), is_wish=False)
        elif self._wishes and not self._player.clock.is_playing:
            wish = self._wishes.pop(0)
            entry = self._session.entry(wish.recording_id)
            if entry is None:
                self._take_next()
                return
            self._take(entry.recording, wished_frames(entry.recording.index, wish), is_wish=True)

    def _take(self, recording: Recording, frames: list[int], *, is_wish: bool) -> None:
        def over(_value: object = None) -> None:
            self._taken_of = ""
            self._is_wish = False
            self._take_next()

        self._taken_of, self._is_wish = recording.id, is_wish
        self._jobs.submit(
            lambda job: take_thumbnails(job, recording, frames),
            key=THUMBNAILS_KEY,
            received=lambda thumbnail: self._view.add_thumbnail(recording.id, thumbnail),
            done=over,
            failed=over,  # the tile says what is wrong with the file
            cancelled=over,
        )

    def _show_lanes(self) -> None:
        ids = {e.id for e in self._session.entries}
        self._followed = {k: v for k, v in self._followed.items() if k in ids}
        self._view.set_lanes(tuple(self._lane(entry) for entry in self._ordered()))
        self._view.set_playheads(self._player.own_times_s)

    def _ordered(self) -> list[Entry]:
        reference_id = self._session.reference_id
        return sorted(self._session.entries, key=lambda e: e.id != reference_id)

    def _lane(self, entry: Entry) -> Lane:
        is_reference = entry.id == self._session.reference_id
        alignment = entry.alignment if entry.is_mapped and not is_reference else None
        followed = None if alignment is None else self._followed.get(entry.id)
        if alignment is not None and (followed is None or followed.alignment is not alignment):
            followed = self._followed[entry.id] = _Followed.of(alignment)
        mapped = () if followed is None else followed.mapped
        return Lane(
            recording_id=entry.id,
            letter=entry.letter,
            position=entry.position,
            name=entry.recording.name,
            duration_s=entry.recording.index.duration_s,
            is_reference=is_reference,
            is_active=entry.id == self._session.active_id,
            frame_times_s=entry.recording.index.times_s,
            time_map=None if alignment is None else alignment.time_map,
            confidence=None if followed is None else followed.confidence,
            mapped=self._reference_mapped() if is_reference else mapped,
            uncertain=() if followed is None else followed.uncertain,
            hits=self._hits.get(entry.id, ()),
            curve=self._curves.get(entry.id),
            marks=self._marks.get(entry.id, ()),
            pins=self._pins.get(entry.id, ()),
            range_s=self._range_s if is_reference else None,
        )

    def _reference_mapped(self) -> _Stretches:
        """Return the stretches of the reference where any other recording has a counterpart."""
        maps = tuple(e.alignment for e in self._session.others if e.alignment and e.is_mapped)
        if not maps:
            return ()
        before, stretches = self._mapped_of
        if len(before) == len(maps) and all(a is b for a, b in zip(before, maps, strict=True)):
            return stretches
        times = maps[0].reference_s
        known = np.zeros(len(times), dtype=bool)
        for alignment in maps:
            if alignment.reference_s.shape == times.shape:
                known |= np.isfinite(alignment.other_s)
        stretches = _stretches(np.where(known, times, np.nan))
        self._mapped_of = maps, stretches
        return stretches

    def _on_time_changed(self, _time_s: float) -> None:
        self._view.set_playheads(self._player.own_times_s)
        if self._wishes:
            self._take_next()


def _stretches(times_s: Float64) -> _Stretches:
    """Return (first, last) of each run of finite times."""
    known = np.isfinite(times_s)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    return tuple(
        (float(times_s[start]), float(times_s[end - 1]))
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    )


def thumbnail_frames(index: FrameIndex, count: int) -> list[int]:
    """Choose up to ``count`` frames spread over the recording, key frames where one is near.

    A key frame is decoded alone; any other costs everything since the last key frame.
    """
    count = min(count, len(index))
    step_s = index.duration_s / count
    centres = (np.arange(count) + 0.5) * step_s
    frames = index.nearest_frames(centres)
    keys = np.flatnonzero(index.is_key)
    if len(keys):
        key_times = index.times_s[keys]
        nearest = np.abs(key_times[None, :] - centres[:, None]).argmin(axis=1)
        is_near = np.abs(key_times[nearest] - centres) <= step_s / 2
        frames = np.where(is_near, keys[nearest], frames)
    return sorted({int(f) for f in frames})


def wished_frames(index: FrameIndex, wish: PicturesWish) -> list[int]:
    """Return a frame for each place: a key frame in it where there is one, else the middle one."""
    centres = np.asarray(wish.centres_s, dtype=np.float64)
    frames = index.frames_shown_at(centres)
    keys = np.flatnonzero(index.is_key)
    if len(keys):
        key_times = index.times_s[keys]
        after = np.clip(np.searchsorted(key_times, centres), 1, max(1, len(keys) - 1))
        before = np.maximum(after - 1, 0)
        after = np.minimum(after, len(keys) - 1)
        is_before = np.abs(key_times[before] - centres) <= np.abs(key_times[after] - centres)
        nearest = np.where(is_before, before, after)
        is_near = np.abs(key_times[nearest] - centres) < wish.step_s / 2
        frames = np.where(is_near, keys[nearest], frames)
    return sorted({int(f) for f in frames})


def take_thumbnails(job: Job[None], recording: Recording, frames: list[int]) -> None:
    """Send small pictures of these frames. For a worker's thread."""
    width = max(2, round(THUMBNAIL_HEIGHT * recording.info.width / recording.info.height))
    with FrameReader(recording, size=(width, THUMBNAIL_HEIGHT), threads=1) as reader:
        for frame in reader.frames_at(frames):
            job.send(Thumbnail(frame.time_s, frame.pixels))
