"""What each tile says about its recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject

from app.models.session import Entry, SessionModel, Stage
from app.models.viewstate import TileState
from app.presenters.status import describe_progress
from app.presenters.verdicts import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class TilesView(Protocol):
    """The grid, as this presenter sees it."""

    def set_tiles(self, states: tuple[TileState, ...]) -> None:
        """Show exactly these tiles, in this order."""
        ...

    def set_tile(self, state: TileState) -> None:
        """Change one tile."""
        ...


class TilesPresenter(QObject):
    """Keeps the words on the tiles up to date."""

    def __init__(
        self,
        session: SessionModel,
        view: TilesView,
        parent: QObject | None = None,
        *,
        nudges: Callable[[], Mapping[str, int]] = dict,
        maps: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._view = view
        self._nudges = nudges
        self._maps = maps
        session.recordings_changed.connect(self._show_all)
        session.active_changed.connect(lambda _id: self._show_all())
        session.entry_changed.connect(self._on_entry_changed)

    def refresh(self) -> None:
        """Write everything anew: a nudge or the kind of a map changed."""
        self._show_all()

    def _show_all(self) -> None:
        self._view.set_tiles(tuple(self._state(e) for e in self._session.entries))

    def _on_entry_changed(self, recording_id: str) -> None:
        entry = self._session.entry(recording_id)
        if entry is not None:
            self._view.set_tile(self._state(entry))

    def _state(self, entry: Entry) -> TileState:
        note, progress, status = self._words(entry)
        info = entry.recording.info
        is_chosen = self._maps().get(entry.id, "auto") != "auto"
        kind = kind_of(entry.alignment) if entry.alignment is not None and entry.is_mapped else ""
        return TileState(
            recording_id=entry.id,
            letter=entry.letter,
            position=entry.position,
            name=entry.recording.name,
            aspect=info.width / info.height,
            width=info.width,
            height=info.height,
            is_reference=entry.id == self._session.reference_id,
            is_active=entry.id == self._session.active_id,
            note=note,
            progress=progress,
            status=status,
            kind=kind,
            is_kind_chosen=bool(kind) and is_chosen,
            chips=self._chips(entry),
        )

    def _chips(self, entry: Entry) -> tuple[str, ...]:
        chips = []
        if entry.stage is Stage.REFINING:
            progress = entry.progress
            share = progress.done / progress.total if progress and progress.total else 0.0
            chips.append(self.tr("refining {share}").format(share=f"{min(1.0, share):.0%}"))
        elif entry.coarse or entry.is_coarsely_aligned:
            chips.append(self.tr("to be refined"))
        nudge = self._nudges().get(entry.id, 0)
        if nudge:
            one = self.tr("{n} frame, not pinned") if abs(nudge) == 1 else ""
            many = self.tr("{n} frames, not pinned")
            chips.append((one or many).format(n=f"{nudge:+d}"))
        return tuple(chips)

    def _words(self, entry: Entry) -> tuple[str, float | None, str]:
        if entry.stage is Stage.WAITING:
            return "", -1.0, self.tr("waiting to be embedded")
        if entry.stage in (Stage.INDEXING, Stage.EMBEDDING):
            is_embedding = entry.stage is Stage.EMBEDDING
            doing = self.tr("embedding") if is_embedding else self.tr("reading timestamps")
            progress = entry.progress
            if progress is None or not progress.total:
                return "", -1.0, doing
            share = min(1.0, progress.done / progress.total)
            return "", share, "  ·  ".join([doing, *describe_progress(progress)])
        if entry.stage is Stage.ALIGNING and not entry.is_coarsely_aligned:
            return "", -1.0, self.tr("aligning")
        if entry.stage is Stage.CANCELLED:
            return self.tr("Cancelled – Ctrl+R goes on"), None, ""
        if entry.stage is Stage.FAILED and entry.is_mapped:
            return self.tr("Not refined – plays along a first look"), None, ""
        if entry.stage is Stage.FAILED:
            return self.tr("Not aligned – plays in its own time"), None, ""
        if entry.alignment is not None and not entry.is_mapped:
            return self.tr("Not aligned – plays in its own time"), None, ""
        return "", None, ""
