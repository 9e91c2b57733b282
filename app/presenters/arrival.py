"""Going to a moment of a recording that is only being opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

if TYPE_CHECKING:
    from app.models.searching import Match
    from app.models.session import SessionModel
    from app.presenters.playback import PlaybackPresenter


class Arrival(QObject):
    """Goes to the moment as soon as the recording is there, and stays until somebody moves.

    What the others show beside it changes once the recording has been aligned.
    """

    def __init__(
        self, session: SessionModel, player: PlaybackPresenter, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._player = player
        self._awaited: Match | None = None
        self._went_to_s: float | None = None
        session.schedule_changed.connect(self._go)

    def wait_for(self, match: Match) -> None:
        """Go to this moment when its recording is there; one waited for before is given up."""
        self._awaited, self._went_to_s = match, None

    def _go(self) -> None:
        awaited = self._awaited
        if awaited is None or self._session.entry(awaited.recording_id) is None:
            return
        if self._went_to_s is None:
            self._session.set_active(awaited.recording_id)
        elif self._went_to_s != self._player.clock.time_s:
            self._awaited = None
            return
        self._player.seek_own(awaited.recording_id, awaited.time_s)
        self._went_to_s = self._player.clock.time_s
