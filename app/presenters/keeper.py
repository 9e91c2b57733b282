"""Makes the session what the project says: after an edit, an undo, a file opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from carl_core.playback.schedule import TimeBase
from carl_core.project.constraints import constraints_of

if TYPE_CHECKING:
    from app.models.project import ProjectModel
    from app.models.session import SessionModel
    from app.presenters.loading import LoadingPresenter
    from app.presenters.opening import OpeningPresenter
    from carl_core.project.project import Project
    from carl_core.video.recording import Recording

_BASES = {
    "reference": TimeBase.REFERENCE,
    "mean": TimeBase.MEAN,
    "native": TimeBase.NATIVE,
}


class SessionKeeper(QObject):
    """The only one that changes the session's recordings, reference and time base.

    Signals
    -------
    followed() : the session is what the project says, as far as files are open
    """

    followed = Signal()

    def __init__(
        self,
        project: ProjectModel,
        session: SessionModel,
        opening: OpeningPresenter,
        loading: LoadingPresenter,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._model = project
        self._session = session
        self._opening = opening
        self._loading = loading
        project.changed.connect(self._on_changed)
        opening.found.connect(self._on_found)

    def _on_changed(self, before: Project, after: Project) -> None:
        session = self._session
        if before.recordings != after.recordings:
            self._follow_recordings(after)
        is_new_reference = after.reference != session.reference_id
        if is_new_reference and session.entry(after.reference) is not None:
            session.set_reference(after.reference)
        session.set_base(_BASES[after.base])
        if before.method != after.method:
            self._loading.realign_all()
        elif before.reference == after.reference:
            for entry in session.others:
                if self._demands(before, entry.recording) != self._demands(after, entry.recording):
                    self._loading.realign(entry.id)
        self.followed.emit()

    def _follow_recordings(self, project: Project) -> None:
        wanted = {media.id: media for media in project.recordings}
        for entry in self._session.entries:
            media = wanted.get(entry.id)
            is_elsewhere = media is not None and media.path != str(entry.recording.path.absolute())
            if media is None or is_elsewhere:
                self._loading.remove(entry.id)
        for media in project.recordings:
            if self._session.entry(media.id) is not None:
                continue
            known = self._opening.opened(media.id)
            if known is not None and str(known.path.absolute()) == media.path:
                self._session.add(known)
            else:
                self._opening.find(media)
        self._session.set_order([media.id for media in project.recordings])

    def _on_found(self, recording: Recording) -> None:
        project = self._model.project
        if self._session.entry(recording.id) is not None:
            return
        self._session.add(recording)
        self._session.set_order([media.id for media in project.recordings])
        if recording.id == project.reference:
            self._session.set_reference(recording.id)
        self.followed.emit()

    def _demands(self, project: Project, other: Recording) -> object:
        reference = self._session.entry(project.reference)
        if reference is None or project.media(other.id) is None:
            return None
        durations = (reference.recording.index.duration_s, other.index.duration_s)
        return constraints_of(project, other.id, *durations)
