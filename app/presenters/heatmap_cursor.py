"""Both frames under the cursor of the map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject

from app.models.mapkind import MapPicture
from app.models.viewstate import CursorFrame, CursorFrames, Thumbnail
from app.presenters.timers import single_shot
from app.resources.text import format_time
from carl_core.video.reader import FrameReader

if TYPE_CHECKING:
    from app.jobs import Job, JobRunner
    from app.models.session import Entry, SessionModel
    from app.presenters.heatmap import HeatmapPresenter
    from carl_core.video.recording import Recording

REST_MS = 90
HEIGHT = 168
"""Pixels of a decoded picture: twice as many as shown, for dense screens."""

KEY = "heatmap-frames"


class CursorView(Protocol):
    """The heatmap panel, as this presenter sees it."""

    def set_cursor_frames(self, frames: CursorFrames | None) -> None:
        """Show both beside the cursor, or none."""
        ...


class CursorPresenter(QObject):
    """Decodes two frames when the cursor rests."""

    def __init__(
        self,
        session: SessionModel,
        jobs: JobRunner,
        heatmap: HeatmapPresenter,
        view: CursorView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._jobs = jobs
        self._heatmap = heatmap
        self._view = view
        self._at_s: tuple[float, float] | None = None
        self._timer = single_shot(self, REST_MS, self._decode)

    def hover(self, column_s: float, row_s: float) -> None:
        """Decode what is here when the cursor rests."""
        self._at_s = (column_s, row_s)
        self._timer.start()

    def leave(self) -> None:
        """Show nothing: the cursor is elsewhere."""
        self._at_s = None
        self._timer.stop()
        self._jobs.cancel(KEY)
        self._view.set_cursor_frames(None)

    def _decode(self) -> None:
        at_s, entries = self._at_s, self._axes()
        if at_s is None or entries is None:
            return
        frames = [
            entry.recording.index.frame_shown_at(min(time_s, entry.recording.index.duration_s))
            for entry, time_s in zip(entries, at_s, strict=True)
        ]
        recordings = [entry.recording for entry in entries]
        texts = [
            f"{format_time(e.recording.index.time_of(f), decimals=2)}  f {f}"
            for e, f in zip(entries, frames, strict=True)
        ]

        def show(pictures: list[Thumbnail]) -> None:
            if self._at_s is None:
                return
            sides = [
                CursorFrame(entry.letter, entry.position, text, picture)
                for entry, text, picture in zip(entries, texts, pictures, strict=True)
            ]
            self._view.set_cursor_frames(CursorFrames(at_s, sides[0], sides[1]))

        def fail(_error: Exception) -> None:
            self._view.set_cursor_frames(None)  # the tile says what is wrong with the file

        self._jobs.submit(
            lambda job: decode(job, recordings, frames), key=KEY, done=show, failed=fail
        )

    def _axes(self) -> tuple[Entry, Entry] | None:
        reference = self._session.entry(self._session.reference_id)
        other = self._session.entry(self._heatmap.other_id)
        if reference is None or other is None:
            return None
        kind = self._heatmap.kind
        return (
            other if kind is MapPicture.SELF_OTHER else reference,
            reference if kind is MapPicture.SELF_REFERENCE else other,
        )


def decode(
    job: Job[list[Thumbnail]], recordings: list[Recording], frames: list[int]
) -> list[Thumbnail]:
    """Decode one small frame of each recording. For a worker's thread."""
    pictures = []
    for recording, number in zip(recordings, frames, strict=True):
        job.monitor.check()
        width = max(2, round(HEIGHT * recording.info.width / recording.info.height))
        with FrameReader(recording, size=(width, HEIGHT), threads=1) as reader:
            frame = reader.frame_at(number)
        pictures.append(Thumbnail(frame.time_s, frame.pixels))
    return pictures
