"""Small maps of the reference with every other recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from PySide6.QtCore import QObject

from app.models.similaritymap import SimilarityMap
from app.models.viewstate import PairPreview
from app.presenters.timers import single_shot
from app.resources.text import format_match

if TYPE_CHECKING:
    from app.jobs import Job, JobRunner
    from app.models.session import Entry, SessionModel
    from app.presenters.heatmap import HeatmapPresenter
    from carl_core.arrays import Float64, UInt8
    from carl_core.embeddings.embeddings import Embeddings

SIDE = 128
"""Longest side of a small map, samples."""

KEY = "heatmap-previews"
REST_MS = 300


class PreviewsView(Protocol):
    """The heatmap panel, as this presenter sees it."""

    def set_previews(self, previews: tuple[PairPreview, ...], current: str) -> None:
        """Show small maps of all pairs."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """A small map, and what it was made from."""

    recording_id: str
    columns: Embeddings
    rows: Embeddings
    values: UInt8


class PreviewsPresenter(QObject):
    """Computes a small map for each pair when there are two or more of them."""

    def __init__(
        self,
        session: SessionModel,
        jobs: JobRunner,
        heatmap: HeatmapPresenter,
        view: PreviewsView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._jobs = jobs
        self._heatmap = heatmap
        self._view = view
        self._made: dict[str, _Made] = {}
        self._timer = single_shot(self, REST_MS, self._compute)
        session.recordings_changed.connect(self._timer.start)
        session.entry_changed.connect(lambda _id: self._timer.start())
        session.schedule_changed.connect(self._timer.start)
        heatmap.pair_changed.connect(self._show)

    def _compute(self) -> None:
        self._show()
        reference = self._session.entry(self._session.reference_id)
        if len(self._session.others) < 2 or reference is None or reference.embeddings is None:
            return
        columns = reference.embeddings
        wanted = {
            e.id: e.embeddings
            for e in self._session.others
            if e.embeddings is not None and self._values(reference, e) is None
        }
        if not wanted:
            return

        def work(job: Job[None]) -> None:
            for recording_id, rows in wanted.items():
                job.monitor.check()
                small = SimilarityMap(columns=columns, rows=rows)
                picture = small.picture(*small.whole_s, side=SIDE, check=job.monitor.check)
                job.send(_Made(recording_id, columns, rows, picture.values))

        def received(value: object) -> None:
            made = cast("_Made", value)
            self._made[made.recording_id] = made
            self._show()

        self._jobs.submit(work, key=KEY, received=received)

    def _values(self, reference: Entry, entry: Entry) -> UInt8 | None:
        made = self._made.get(entry.id)
        if made is None:
            return None
        is_present = made.columns is reference.embeddings and made.rows is entry.embeddings
        return made.values if is_present else None

    def _show(self) -> None:
        reference = self._session.entry(self._session.reference_id)
        present = {e.id for e in self._session.entries}
        self._made = {k: v for k, v in self._made.items() if k in present}
        previews = []
        for entry in self._session.others if reference is not None else ():
            assert reference is not None
            text = f"{reference.letter} – {entry.letter}  {entry.recording.name}"
            if entry.alignment is not None:
                match = format_match(entry.alignment.match)
                text += self.tr(", match {share}").format(share=match)
            previews.append(
                PairPreview(
                    entry.id,
                    entry.letter,
                    entry.position,
                    text,
                    self._values(reference, entry),
                    _path(reference, entry),
                )
            )
        self._view.set_previews(tuple(previews), self._heatmap.other_id)


def _path(reference: Entry, entry: Entry) -> Float64:
    """Return the path in shares of both lengths, at most some hundred points."""
    alignment = entry.alignment
    if alignment is None or not entry.is_mapped:
        return np.empty((0, 2))
    known = np.flatnonzero(np.isfinite(alignment.other_s))
    known = known[:: max(1, len(known) // 200)]
    lengths = (reference.recording.index.duration_s, entry.recording.index.duration_s)
    return np.stack(
        [alignment.reference_s[known] / lengths[0], alignment.other_s[known] / lengths[1]], axis=1
    )
