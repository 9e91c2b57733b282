"""The similarity of reference and one other recording, the path through it, and the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.models.session import Entry, SessionModel, Stage
from app.models.viewstate import HeatmapPicture, PairChoice, Verdict
from app.resources.text import format_match, format_time
from carl_core.similarity.pyramid import SimilarityPyramid

if TYPE_CHECKING:
    from app.jobs import Job, JobRunner
    from app.presenters.playback import PlaybackPresenter
    from carl_core.alignment.alignment import Alignment
    from carl_core.arrays import Float32, Float64, UInt8
    from carl_core.embeddings.embeddings import Embeddings

BASE_SIDE = 1024
"""Longest side of the whole map as first shown, samples."""

DETAIL_SIDE = 1024
DETAIL_DELAY_MS = 120
PLAYHEAD_INTERVAL_MS = 80
NEAR_PATH_SHARE = 0.02
"""A click nearer to the path than this share of the picture's diagonal means the path."""

Range = tuple[float, float]


class HeatmapView(Protocol):
    """The heatmap panel, as this presenter sees it."""

    def set_pairs(self, pairs: tuple[PairChoice, ...], current: str) -> None:
        """Offer the pairs that can be shown."""
        ...

    def set_names(self, column: str, row: str) -> None:
        """Name the axes."""
        ...

    def set_picture(self, picture: HeatmapPicture | None) -> None:
        """Show the whole map, or that there is nothing yet."""
        ...

    def set_detail(self, picture: HeatmapPicture | None) -> None:
        """Show a finer part over the whole map, or nothing."""
        ...

    def set_path(self, reference_s: Float64, other_s: Float64, *, is_played: bool) -> None:
        """Draw the map; NaN breaks the line. One that is not played along looks different."""
        ...

    def set_playhead(self, reference_s: float | None, other_s: float | None) -> None:
        """Move the crosshair."""
        ...

    def set_verdict(self, verdict: Verdict) -> None:
        """Say how good the alignment is."""
        ...


class HeatmapPresenter(QObject):
    """Computes maps in the background and follows the playhead.

    Signals
    -------
    pair_changed() : another pair is shown
    """

    pair_changed = Signal()

    def __init__(
        self,
        session: SessionModel,
        jobs: JobRunner,
        player: PlaybackPresenter,
        view: HeatmapView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._jobs = jobs
        self._player = player
        self._view = view
        self._other_id = ""
        self._shown_for: tuple[Embeddings, Embeddings] | None = None
        self._map: SimilarityMap | None = None
        self._wanted_range: tuple[Range, Range] | None = None
        self._detail_timer = _single_shot(self, DETAIL_DELAY_MS, self._compute_detail)
        self._playhead_timer = _single_shot(self, PLAYHEAD_INTERVAL_MS, self._show_playhead)
        session.recordings_changed.connect(self._on_recordings_changed)
        session.entry_changed.connect(self._on_entry_changed)
        session.schedule_changed.connect(self._show_alignment)
        player.time_changed.connect(self._on_time_changed)

    # What the user asks for --------------------------------------------------------------------

    @property
    def other_id(self) -> str:
        """Recording shown against the reference, "" = none."""
        return self._other_id

    def choose_pair(self, recording_id: str) -> None:
        """Show the map of the reference and this recording."""
        if recording_id and recording_id != self._other_id:
            self._other_id = recording_id
            self._refresh()
            self.pair_changed.emit()

    def seek(self, reference_s: float, other_s: float) -> None:
        """Go to a clicked pair: along the path when it is near, else to just these two moments."""
        reference, other = self._pair()
        if reference is None or other is None:
            return
        reference_s = min(max(reference_s, 0.0), reference.recording.index.duration_s)
        other_s = min(max(other_s, 0.0), other.recording.index.duration_s)
        on_path_s = self._nearest_on_path(reference_s, other_s)
        if on_path_s is not None:
            self._player.seek_own(reference.id, on_path_s)
        else:
            self._player.show_pair(reference_s, other.id, other_s)

    def show_range(self, columns_s: Range, rows_s: Range) -> None:
        """Refine what is in view."""
        self._wanted_range = (columns_s, rows_s)
        self._detail_timer.start()

    # Keeping up --------------------------------------------------------------------------------

    def _on_recordings_changed(self) -> None:
        ids = [e.id for e in self._session.others]
        if self._other_id not in ids:
            self._other_id = ids[0] if ids else ""
        self._refresh()
        self.pair_changed.emit()

    def _on_entry_changed(self, recording_id: str) -> None:
        if recording_id in (self._session.reference_id, self._other_id):
            self._compute()
            self._show_verdict()

    def _refresh(self) -> None:
        reference, other = self._pair()
        if reference is not None:
            pairs = tuple(
                PairChoice(e.id, f"{reference.letter} – {e.letter}  {e.recording.name}")
                for e in self._session.others
            )
            self._view.set_pairs(pairs, self._other_id)
            if other is not None:
                self._view.set_names(
                    f"{reference.letter} · {reference.recording.name}",
                    f"{other.letter} · {other.recording.name}",
                )
        else:
            self._view.set_pairs((), "")
        self._compute()
        self._show_alignment()
        self._show_verdict()

    def _pair(self) -> tuple[Entry | None, Entry | None]:
        return self._session.entry(self._session.reference_id), self._session.entry(self._other_id)

    def _compute(self) -> None:
        reference, other = self._pair()
        if (
            reference is None
            or other is None
            or reference.embeddings is None
            or other.embeddings is None
        ):
            if self._shown_for is not None or other is None:
                self._shown_for = None
                self._map = None
                self._view.set_picture(None)
            return
        pair = (reference.embeddings, other.embeddings)
        if self._shown_for is not None and all(
            a is b for a, b in zip(self._shown_for, pair, strict=True)
        ):
            return
        self._shown_for = pair
        self._jobs.submit(
            lambda _job: _whole_map(SimilarityMap(columns=pair[0], rows=pair[1])),
            key="heatmap",
            title=self.tr("Drawing the heatmap"),
            done=self._on_map,
        )

    def _on_map(self, made: tuple[SimilarityMap, HeatmapPicture]) -> None:
        self._map, picture = made
        self._view.set_detail(None)
        self._view.set_picture(picture)
        self._show_alignment()

    def _compute_detail(self) -> None:
        similarity_map = self._map
        if similarity_map is None or self._wanted_range is None:
            return
        columns_s, rows_s = self._wanted_range
        if similarity_map.is_base_enough(columns_s, rows_s):
            self._jobs.cancel("heatmap-detail")
            self._view.set_detail(None)
            return
        self._jobs.submit(
            lambda job: similarity_map.picture(columns_s, rows_s, side=DETAIL_SIDE, job=job),
            key="heatmap-detail",
            done=self._view.set_detail,
        )

    def _show_alignment(self) -> None:
        _, other = self._pair()
        alignment = other.alignment if other is not None else None
        if alignment is None:
            empty = np.zeros(0)
            self._view.set_path(empty, empty, is_played=False)
        else:
            self._view.set_path(
                alignment.reference_s,
                alignment.other_s,
                is_played=other is not None and other.is_mapped,
            )
        self._show_playhead()
        self._show_verdict()

    def _on_time_changed(self, _time_s: float) -> None:
        # Repainting the map costs more than a tile: the crosshair may lag a little.
        if not self._player.clock.is_playing:
            self._playhead_timer.stop()
            self._show_playhead()
        elif not self._playhead_timer.isActive():
            self._playhead_timer.start()

    def _show_playhead(self) -> None:
        schedule = self._session.schedule
        if schedule is None or not self._other_id:
            self._view.set_playhead(None, None)
            return
        times = self._player.own_times_s
        self._view.set_playhead(times.get(schedule.reference.id), times.get(self._other_id))

    def _nearest_on_path(self, reference_s: float, other_s: float) -> float | None:
        reference, other = self._pair()
        if reference is None or other is None or other.alignment is None or not other.is_mapped:
            return None
        alignment = other.alignment
        width = reference.recording.index.duration_s
        height = other.recording.index.duration_s
        distance = np.hypot(
            (alignment.reference_s - reference_s) / width, (alignment.other_s - other_s) / height
        )
        if not np.isfinite(distance).any():
            return None
        nearest = int(np.nanargmin(distance))
        if distance[nearest] > NEAR_PATH_SHARE:
            return None
        return float(alignment.reference_s[nearest])

    def _show_verdict(self) -> None:
        reference, other = self._pair()
        self._view.set_verdict(self._verdict(reference, other))

    def _verdict(self, reference: Entry | None, other: Entry | None) -> Verdict:
        if reference is None or other is None:
            return Verdict(
                "busy",
                self.tr("Nothing to compare yet"),
                self.tr("Add a second recording: the two are aligned at once."),
            )
        alignment = other.alignment
        if alignment is not None:
            return self._verdict_of(alignment)
        stages = {reference.stage, other.stage}
        if Stage.FAILED in stages or Stage.CANCELLED in stages:
            return Verdict(
                "warning",
                self.tr("Not aligned"),
                self.tr("Choose Align again (Ctrl+R) to go on where it stopped."),
            )
        if other.stage is Stage.ALIGNING:
            return Verdict("busy", self.tr("Aligning…"), "")
        return Verdict(
            "busy",
            self.tr("Embedding…"),
            self.tr("Frames are turned into vectors; then the two are aligned."),
        )

    def _verdict_of(self, alignment: Alignment) -> Verdict:
        kind, title = {
            "aligned": ("good", self.tr("Aligned")),
            "uncertain": ("warning", self.tr("Uncertain alignment")),
            "none": ("error", self.tr("No convincing alignment")),
        }[alignment.verdict]
        start_s, end_s = alignment.time_map.domain
        facts = [
            self.tr("match {share}").format(share=format_match(alignment.match)),
            self.tr("method {name}").format(name=alignment.method),
        ]
        if alignment.verdict != "none":
            facts.append(
                self.tr("reference {start} – {end}").format(
                    start=format_time(start_s, decimals=1), end=format_time(end_s, decimals=1)
                )
            )
        if alignment.gaps:
            count = len(alignment.gaps)
            facts.append(self.tr("1 gap") if count == 1 else self.tr("{n} gaps").format(n=count))
        return Verdict(kind, title, alignment.reason, tuple(facts))


class SimilarityMap:
    """Similarity of two recordings over regular time, any part at any detail.

    Safe from any thread once made. Samples are laid on a regular grid by nearest time, so that a
    recording with varying frame intervals keeps true seconds on its axis.
    """

    def __init__(self, *, columns: Embeddings, rows: Embeddings) -> None:
        self._column_vectors, self._column_step_s = _regular(columns)
        self._row_vectors, self._row_step_s = _regular(rows)
        self._pyramid = SimilarityPyramid(self._row_vectors, self._column_vectors)

    @property
    def whole_s(self) -> tuple[Range, Range]:
        """Outer edges in seconds: columns, rows."""
        return (
            (-self._column_step_s / 2, (len(self._column_vectors) - 0.5) * self._column_step_s),
            (-self._row_step_s / 2, (len(self._row_vectors) - 0.5) * self._row_step_s),
        )

    def level_for(self, cells: int, side: int) -> int:
        """Finest level at which ``cells`` samples of level 0 fit into ``side``."""
        level = 0
        while cells > side and level < self._pyramid.n_levels - 1:
            level += 1
            cells = (cells + 1) // 2
        return level

    def is_base_enough(self, columns_s: Range, rows_s: Range) -> bool:
        """Whether the whole map as first shown has all the detail of this part."""
        base = self.level_for(max(self._pyramid.shape(0)), BASE_SIDE)
        return base == 0 or self.level_for(self._cells(columns_s, rows_s), DETAIL_SIDE) >= base

    def picture(
        self, columns_s: Range, rows_s: Range, *, side: int, job: Job[HeatmapPicture] | None = None
    ) -> HeatmapPicture:
        """Compute one part."""
        level = self.level_for(self._cells(columns_s, rows_s), side)
        n_rows, n_columns = self._pyramid.shape(level)
        first_row, last_row = _span(rows_s, self._row_step_s * 2**level, n_rows)
        first_column, last_column = _span(columns_s, self._column_step_s * 2**level, n_columns)
        size = self._pyramid.tile_size
        out: UInt8 = np.zeros((last_row - first_row, last_column - first_column), dtype=np.uint8)
        for r in range(first_row // size, (last_row - 1) // size + 1):
            for c in range(first_column // size, (last_column - 1) // size + 1):
                if job is not None:
                    job.monitor.check()
                tile = self._pyramid.tile(level, r, c)
                top, left = r * size - first_row, c * size - first_column
                from_row, from_column = max(0, -top), max(0, -left)
                part = tile[
                    from_row : min(tile.shape[0], out.shape[0] - top),
                    from_column : min(tile.shape[1], out.shape[1] - left),
                ]
                at_row, at_column = top + from_row, left + from_column
                out[at_row : at_row + part.shape[0], at_column : at_column + part.shape[1]] = part
        low, high = np.percentile(out, [2, 99.5])
        row_step, column_step = self._row_step_s * 2**level, self._column_step_s * 2**level
        half_row, half_column = self._row_step_s / 2, self._column_step_s / 2
        return HeatmapPicture(
            values=out,
            column_range_s=(
                first_column * column_step - half_column,
                last_column * column_step - half_column,
            ),
            row_range_s=(first_row * row_step - half_row, last_row * row_step - half_row),
            levels=(float(low), float(max(high, low + 1))),
        )

    def _cells(self, columns_s: Range, rows_s: Range) -> int:
        return max(
            int((columns_s[1] - columns_s[0]) / self._column_step_s),
            int((rows_s[1] - rows_s[0]) / self._row_step_s),
            1,
        )


def _whole_map(similarity_map: SimilarityMap) -> tuple[SimilarityMap, HeatmapPicture]:
    columns_s, rows_s = similarity_map.whole_s
    return similarity_map, similarity_map.picture(columns_s, rows_s, side=BASE_SIDE)


def _span(range_s: Range, step_s: float, count: int) -> tuple[int, int]:
    first = min(max(int(np.floor(range_s[0] / step_s)), 0), count - 1)
    last = min(max(int(np.ceil(range_s[1] / step_s)) + 1, first + 1), count)
    return first, last


def _regular(embeddings: Embeddings) -> tuple[Float32, float]:
    """Vectors at regular times from 0, and their step in seconds."""
    times = embeddings.times_s
    if len(times) < 2:
        return embeddings.vectors, 1.0
    step_s = float(np.median(np.diff(times)))
    grid = np.arange(round(float(times[-1]) / step_s) + 1) * step_s
    after = np.clip(np.searchsorted(times, grid), 1, len(times) - 1)
    is_before = grid - times[after - 1] <= times[after] - grid
    return embeddings.vectors[np.where(is_before, after - 1, after)], step_s


def _single_shot(parent: QObject, delay_ms: int, slot: object) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setTimerType(Qt.TimerType.CoarseTimer)
    timer.setInterval(delay_ms)
    timer.timeout.connect(slot)
    return timer
