"""The map of reference and one other recording: similarity, cost of a path, or one with itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.models.mapkind import MapPicture
from app.models.similaritymap import BASE_SIDE, DETAIL_SIDE, Range, SimilarityMap
from app.models.viewstate import HeatmapPicture, PairChoice, Verdict
from app.presenters.timers import single_shot
from app.presenters.verdicts import verdict_on
from carl_core.similarity.through import excess_cost

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.jobs import JobRunner
    from app.models.session import Entry, SessionModel
    from app.presenters.playback import PlaybackPresenter
    from carl_core.alignment.alignment import Alignment
    from carl_core.arrays import Float64, UInt8
    from carl_core.embeddings.embeddings import Embeddings

DETAIL_DELAY_MS = 120
PLAYHEAD_INTERVAL_MS = 80
NEAR_PATH_SHARE = 0.02
"""A click nearer to the path than this share of the picture's diagonal means the path."""


class HeatmapView(Protocol):
    """The heatmap panel, as this presenter sees it."""

    def set_pairs(self, pairs: tuple[PairChoice, ...], current: str) -> None:
        """Offer the pairs that can be shown."""
        ...

    def set_pictures(
        self, choices: tuple[tuple[MapPicture, str], ...], current: MapPicture
    ) -> None:
        """Offer what can be shown of the pair."""
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

    def set_ghost(self, reference_s: Float64, other_s: Float64) -> None:
        """Keep the path of before the last edit."""
        ...

    def set_confidence(self, reference_s: Float64, values: Float64) -> None:
        """Show confidence 0 to 1 along the reference."""
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
        self._kind = MapPicture.SIMILARITY
        self._shown_for: tuple[MapPicture, Embeddings, Embeddings] | None = None
        self._map: SimilarityMap | None = None
        self._wanted_range: tuple[Range, Range] | None = None
        self._drawn: Alignment | None = None
        self._is_editing = False
        self._detail_timer = single_shot(self, DETAIL_DELAY_MS, self._compute_detail)
        self._playhead_timer = single_shot(self, PLAYHEAD_INTERVAL_MS, self._show_playhead)
        session.recordings_changed.connect(self._on_recordings_changed)
        session.entry_changed.connect(self._on_entry_changed)
        session.schedule_changed.connect(self._show_alignment)
        session.active_changed.connect(self._on_active)
        player.time_changed.connect(self._on_time_changed)

    # What the user asks for --------------------------------------------------------------------

    @property
    def other_id(self) -> str:
        """Recording shown against the reference, "" = none."""
        return self._other_id

    @property
    def kind(self) -> MapPicture:
        """What is shown."""
        return self._kind

    def choose_pair(self, recording_id: str) -> None:
        """Show the map of the reference and this recording."""
        if recording_id and recording_id != self._other_id:
            self._other_id = recording_id
            self._refresh()
            self.pair_changed.emit()
        if recording_id:
            self._session.set_active(recording_id)  # keys and map are about the same recording

    def choose_picture(self, kind: MapPicture) -> None:
        """Show something else of the pair."""
        if kind is not self._kind:
            self._kind = kind
            self._refresh()

    def seek(self, column_s: float, row_s: float) -> None:
        """Go to a clicked pair: along the path when it is near, else to just these two moments.

        In a map of one recording with itself: to the moment below.
        """
        reference, other = self._pair()
        if reference is None or other is None:
            return
        if not self._kind.is_pair:
            alone = reference if self._kind is MapPicture.SELF_REFERENCE else other
            self._player.seek_own(alone.id, _within(column_s, alone))
            return
        reference_s, other_s = _within(column_s, reference), _within(row_s, other)
        on_path_s = self._nearest_on_path(reference_s, other_s)
        if on_path_s is not None:
            self._player.seek_own(reference.id, on_path_s)
        else:
            self._player.show_pair(reference_s, other.id, other_s)

    def seek_path(self, reference_s: float) -> None:
        """Go along the path to a second of the reference."""
        self._player.seek_own(self._session.reference_id, reference_s)

    def show_range(self, columns_s: Range, rows_s: Range) -> None:
        """Refine what is in view."""
        self._wanted_range = (columns_s, rows_s)
        self._detail_timer.start()

    def begin_edit(self) -> None:
        """Keep the path as it is now as the one before, through all changes until the end."""
        self._keep_ghost()
        self._is_editing = True

    def end_edit(self) -> None:
        """Let the next change be compared with what is there then."""
        self._is_editing = False

    # Keeping up --------------------------------------------------------------------------------

    def _on_recordings_changed(self) -> None:
        ids = [e.id for e in self._session.others]
        if self._other_id not in ids:
            self._other_id = ids[0] if ids else ""
        self._refresh()
        self.pair_changed.emit()

    def _on_active(self, recording_id: str) -> None:
        if any(e.id == recording_id for e in self._session.others):
            self.choose_pair(recording_id)

    def _on_entry_changed(self, recording_id: str) -> None:
        if recording_id in (self._session.reference_id, self._other_id):
            self._compute()
            self._view.set_verdict(verdict_on(*self._pair()))

    def _refresh(self) -> None:
        self._drawn = None
        self._view.set_ghost(np.zeros(0), np.zeros(0))
        reference, other = self._pair()
        if reference is None:
            self._view.set_pairs((), "")
        else:
            pairs = tuple(
                PairChoice(e.id, f"{reference.letter} – {e.letter}  {e.recording.name}")
                for e in self._session.others
            )
            self._view.set_pairs(pairs, self._other_id)
        if reference is not None and other is not None:
            self._view.set_pictures(self._pictures(reference, other), self._kind)
            column, row = self._axes(reference, other)
            self._view.set_names(
                f"{column.letter} · {column.recording.name}", f"{row.letter} · {row.recording.name}"
            )
        self._compute()
        self._show_alignment()

    def _pictures(self, reference: Entry, other: Entry) -> tuple[tuple[MapPicture, str], ...]:
        alone = self.tr("{letter} with itself")
        return (
            (MapPicture.SIMILARITY, self.tr("Similarity")),
            (MapPicture.COST, self.tr("Accumulated cost")),
            (MapPicture.SELF_REFERENCE, alone.format(letter=reference.letter)),
            (MapPicture.SELF_OTHER, alone.format(letter=other.letter)),
        )

    def _axes(self, reference: Entry, other: Entry) -> tuple[Entry, Entry]:
        column = other if self._kind is MapPicture.SELF_OTHER else reference
        row = reference if self._kind is MapPicture.SELF_REFERENCE else other
        return column, row

    def _pair(self) -> tuple[Entry | None, Entry | None]:
        return self._session.entry(self._session.reference_id), self._session.entry(self._other_id)

    def _compute(self) -> None:
        reference, other = self._pair()
        columns = rows = None
        if reference is not None and other is not None:
            column, row = self._axes(reference, other)
            columns, rows = column.embeddings, row.embeddings
        if columns is None or rows is None:
            if self._shown_for is not None or other is None:
                self._shown_for = None
                self._map = None
                self._view.set_picture(None)
            return
        wanted = (self._kind, columns, rows)
        if self._shown_for is not None and all(
            a is b for a, b in zip(self._shown_for, wanted, strict=True)
        ):
            return
        self._shown_for = wanted
        is_cost = self._kind is MapPicture.COST
        self._jobs.submit(
            lambda _job: _whole_map(SimilarityMap(columns=columns, rows=rows), is_cost=is_cost),
            key="heatmap",
            title=self.tr("Drawing the heatmap"),
            done=self._on_map,
        )

    def _on_map(self, made: tuple[SimilarityMap, HeatmapPicture]) -> None:
        self._map, picture = made
        self._view.set_detail(None)
        self._view.set_picture(picture)
        self._show_alignment()
        self._look_for_peaks(*self._map.whole_s, side=BASE_SIDE, shown=self._view.set_picture)

    def _compute_detail(self) -> None:
        similarity_map = self._map
        if similarity_map is None or self._wanted_range is None:
            return
        columns_s, rows_s = self._wanted_range
        is_enough = similarity_map.is_base_enough(columns_s, rows_s)
        if is_enough or self._kind is MapPicture.COST:
            self._jobs.cancel("heatmap-detail")
            self._view.set_detail(None)
            return
        self._jobs.submit(
            lambda job: similarity_map.picture(
                columns_s, rows_s, side=DETAIL_SIDE, check=job.monitor.check
            ),
            key="heatmap-detail",
            done=lambda picture: self._on_detail(picture, columns_s, rows_s),
        )

    def _on_detail(self, picture: HeatmapPicture, columns_s: Range, rows_s: Range) -> None:
        self._view.set_detail(picture)
        self._look_for_peaks(columns_s, rows_s, side=DETAIL_SIDE, shown=self._view.set_detail)

    def _look_for_peaks(
        self,
        columns_s: Range,
        rows_s: Range,
        *,
        side: int,
        shown: Callable[[HeatmapPicture], None],
    ) -> None:
        """Replace means by the best of each cell: a thin diagonal must not vanish."""
        similarity_map = self._map
        if similarity_map is None or self._kind is MapPicture.COST:
            return
        if not similarity_map.has_finer(columns_s, rows_s, side=side):
            return

        def done(picture: HeatmapPicture) -> None:
            if self._map is similarity_map:
                shown(picture)

        self._jobs.submit(
            lambda job: similarity_map.picture(
                columns_s, rows_s, side=side, peak=True, check=job.monitor.check
            ),
            key="heatmap-detail" if shown == self._view.set_detail else "heatmap-peaks",
            done=done,
        )

    # Path and playhead -------------------------------------------------------------------------

    def _show_alignment(self) -> None:
        _, other = self._pair()
        alignment = other.alignment if other is not None else None
        if alignment is not self._drawn and not self._is_editing:
            self._keep_ghost()
        self._drawn = alignment
        empty = np.zeros(0)
        if other is None or alignment is None or not self._kind.is_pair:
            self._view.set_path(empty, empty, is_played=False)
            self._view.set_confidence(empty, empty)
        else:
            self._view.set_path(alignment.reference_s, alignment.other_s, is_played=other.is_mapped)
            known = np.isfinite(alignment.other_s)
            self._view.set_confidence(alignment.reference_s[known], alignment.confidence[known])
        self._show_playhead()
        self._view.set_verdict(verdict_on(*self._pair()))

    def _keep_ghost(self) -> None:
        if self._drawn is not None and self._kind.is_pair:
            self._view.set_ghost(self._drawn.reference_s, self._drawn.other_s)

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
        column_s, row_s = times.get(schedule.reference.id), times.get(self._other_id)
        if self._kind is MapPicture.SELF_REFERENCE:
            row_s = column_s
        elif self._kind is MapPicture.SELF_OTHER:
            column_s = row_s
        self._view.set_playhead(column_s, row_s)

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


def _within(time_s: float, entry: Entry) -> float:
    return min(max(time_s, 0.0), entry.recording.index.duration_s)


def _whole_map(
    similarity_map: SimilarityMap, *, is_cost: bool
) -> tuple[SimilarityMap, HeatmapPicture]:
    columns_s, rows_s = similarity_map.whole_s
    picture = similarity_map.picture(columns_s, rows_s, side=BASE_SIDE)
    return similarity_map, cost_picture(picture) if is_cost else picture


def cost_picture(picture: HeatmapPicture) -> HeatmapPicture:
    """Return how much dearer than the best a path through each place is; bright = the best."""
    excess = excess_cost(picture.values.astype(np.float64) / 255 * 2 - 1)
    # The far corners are of no interest: half of the map shares the darkest colour.
    most = max(float(np.median(excess)), 1e-6)
    values: UInt8 = (255 * (1 - np.clip(excess / most, 0, 1))).round().astype(np.uint8)
    return HeatmapPicture(
        values, picture.column_range_s, picture.row_range_s, scale=(most, 0.0), is_cost=True
    )
