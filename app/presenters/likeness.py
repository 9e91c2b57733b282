"""How similar the frames shown are to the one of the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from PySide6.QtCore import QObject

from app.presenters.timers import single_shot

if TYPE_CHECKING:
    from app.frames import FrameService
    from app.models.session import Entry, SessionModel
    from app.presenters.playback import PlaybackPresenter
    from carl_core.arrays import Float32

INTERVAL_MS = 120
"""Faster, the figure could not be read."""


class LikenessView(Protocol):
    """The tiles, as this presenter sees them."""

    def set_match(self, recording_id: str, match: float | None) -> None:
        """Say how similar a tile's frame is to the reference's."""
        ...


class LikenessPresenter(QObject):
    """Compares what is shown, some times a second; the figure is the one of the map there."""

    def __init__(
        self,
        session: SessionModel,
        player: PlaybackPresenter,
        frames: FrameService,
        view: LikenessView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._player = player
        self._view = view
        self._timer = single_shot(self, INTERVAL_MS, self._show)
        frames.frame_ready.connect(self._later)
        player.time_changed.connect(self._later)
        session.recordings_changed.connect(self._later)
        session.entry_changed.connect(self._later)
        session.schedule_changed.connect(self._later)

    def _later(self, *_what: object) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _show(self) -> None:
        reference = self._session.entry(self._session.reference_id)
        one = None if reference is None else self._vector(reference)
        for entry in self._session.others:
            other = None if one is None else self._vector(entry)
            match = None
            if one is not None and other is not None and one.shape == other.shape:
                match = float(np.dot(one, other))
            self._view.set_match(entry.id, match)

    def _vector(self, entry: Entry) -> Float32 | None:
        """Return the embedding of the frame shown, or of the one sampled next to it."""
        embeddings, frame = entry.embeddings, self._player.shown.get(entry.id)
        if embeddings is None or frame is None:
            return None
        after = int(np.searchsorted(embeddings.frames, frame.index))
        before = max(after - 1, 0)
        after = min(after, len(embeddings) - 1)
        is_before = frame.index - embeddings.frames[before] < embeddings.frames[after] - frame.index
        vector: Float32 = embeddings.vectors[before if is_before else after]
        return vector
