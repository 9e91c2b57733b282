"""New, open, save, recent projects, unsaved work kept and found again, missing recordings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, QTimer, Signal

from app.faults.messages import Choice, Message, Reporter, Severity, describe
from carl_core.errors import CarlError, ProjectError
from carl_core.project import edits, files, relink
from carl_core.project.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.jobs import Job, JobRunner
    from app.models.project import ProjectModel
    from carl_core.project.project import Media
    from carl_core.project.recent import RecentProjects

AUTOSAVE_MS = 1500
"""Unsaved work is kept when this long has passed without another edit."""


class ProjectView(Protocol):
    """What files need of the window."""

    def ask_unsaved(self, name: str, answered: Callable[[str], None]) -> None:
        """Ask what to do with unsaved work; answers "save", "discard" or "cancel"."""
        ...

    def ask_save_path(self, suggestion: Path, chosen: Callable[[Path], None]) -> None:
        """Ask where to save; nothing is called when the user thinks better of it."""
        ...

    def ask_folder(self, title: str, chosen: Callable[[Path], None]) -> None:
        """Ask for a folder."""
        ...

    def picture(self, path: Path) -> bool:
        """Write a small picture of what is shown to ``path``; false when there is nothing."""
        ...


class ProjectFiles(QObject):
    """Keeps project and file together. Files are read and written by jobs.

    Signals
    -------
    named(str, bool) : name of the project ("" = none yet), and whether it is saved
    opened() : another project has begun
    recent_listed(tuple[RecentProject]) : the projects opened last, newest first
    """

    named = Signal(str, bool)
    opened = Signal()
    recent_listed = Signal(object)

    def __init__(
        self,
        project: ProjectModel,
        jobs: JobRunner,
        reporter: Reporter,
        recent: RecentProjects,
        state: Path,
        view: ProjectView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._model = project
        self._jobs = jobs
        self._reporter = reporter
        self._recent = recent
        self._unsaved = state / "unsaved"
        self._view = view
        self._autosaves: set[Path] = set()
        self._missing_told: tuple[str, ...] = ()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(AUTOSAVE_MS)
        self._timer.timeout.connect(self._autosave)
        project.changed.connect(self._on_changed)
        project.saved_changed.connect(self._on_saved_changed)

    @property
    def name(self) -> str:
        """Name of the project for titles, "" = never saved."""
        path = self._model.path
        return path.stem if path else ""

    # What the user asks for --------------------------------------------------------------------

    def new(self) -> None:
        """Begin anew, after asking about unsaved work."""
        self.when_saved(lambda: self._begin(Project(), None))

    def open(self, path: Path) -> None:
        """Open a project, after asking about unsaved work."""
        self.when_saved(lambda: self._read(path))

    def save(self, then: Callable[[], None] | None = None) -> None:
        """Save where it was saved before, or ask where."""
        if self._model.path is None:
            self.save_as(then)
        else:
            self._write(self._model.path, then)

    def save_as(self, then: Callable[[], None] | None = None) -> None:
        """Ask where, and save there from now on."""
        recordings = self._model.project.recordings
        folder = Path(recordings[0].path).parent if recordings else Path.home()
        suggestion = self._model.path or folder / f"{self.tr('Comparison')}{files.SUFFIX}"

        def chosen(path: Path) -> None:
            if path.suffix.lower() != files.SUFFIX:
                path = path.with_name(f"{path.name}{files.SUFFIX}")
            self._write(path, then)

        self._view.ask_save_path(suggestion, chosen)

    def when_saved(self, then: Callable[[], None]) -> None:
        """Go on when there is no unsaved work, or the user gave it up or saved it."""
        if self._model.is_saved:
            then()
            return

        def answered(answer: str) -> None:
            if answer == "save":
                self.save(then)
            elif answer == "discard":
                self._forget_autosaves()
                then()

        self._view.ask_unsaved(self.name, answered)

    def list_recent(self) -> None:
        """Say what was opened last; ``recent_listed`` follows."""
        self._jobs.submit(
            lambda job: self._recent.listed(), key="recent", done=self.recent_listed.emit
        )

    def reread_recent(self) -> None:
        """Somebody else has changed the list of recent projects."""
        self._recent.reread()
        self.list_recent()

    def forget_recent(self, path: Path) -> None:
        """Take a project off the list of recent ones; the file stays."""
        self._recent.forget(path)
        self.list_recent()

    def look_for_unsaved(self) -> None:
        """Offer what a window that did not end properly left."""
        paths = tuple(self._recent.paths())

        def done(found: tuple[files.Unsaved, ...]) -> None:
            for unsaved in found:
                self._offer(unsaved)

        self._jobs.submit(
            lambda job: files.find_unsaved(self._unsaved, paths), key="unsaved", done=done
        )

    def look_for_missing(self, folder: Path) -> None:
        """Look below a folder for recordings that are not where the project says."""
        self._jobs.submit(
            lambda job: relink.find_in(
                folder, relink.missing(self._model.project), monitor=job.monitor
            ),
            key="relink",
            title=self.tr("Looking for recordings in {name}").format(name=folder.name),
            done=lambda found: self._on_found(folder, found),
            failed=lambda error: self._reporter.report(describe(error, topic="relink")),
        )

    def close(self) -> None:
        """Forget what was kept of unsaved work: the window closes properly."""
        self._timer.stop()
        self._forget_autosaves()

    # Reading and writing -----------------------------------------------------------------------

    def _begin(self, project: Project, path: Path | None, *, is_saved: bool = True) -> None:
        self._timer.stop()
        self._forget_autosaves()
        self._missing_told = ()
        self._model.open(Project(), None)  # nothing of before is taken for the new one's
        self._model.open(project, path, is_saved=is_saved)
        self.opened.emit()

    def _read(self, path: Path) -> None:
        path = path.absolute()

        def work(job: Job[tuple[Project, tuple[Media, ...]]]) -> tuple[Project, tuple[Media, ...]]:
            project = files.read_project(path)
            return project, relink.missing(project)

        def done(found: tuple[Project, tuple[Media, ...]]) -> None:
            project, missing = found
            self._begin(project, path)
            self._note_recent(path)
            self._tell_missing(missing)

        def failed(error: Exception) -> None:
            self.list_recent()
            self._reporter.report(describe(error, topic="project"))

        self._jobs.submit(
            work,
            key="project:read",
            title=self.tr("Opening {name}").format(name=path.name),
            done=done,
            failed=failed,
        )

    def _write(self, path: Path, then: Callable[[], None] | None) -> None:
        path = path.absolute()
        project = self._model.project
        self._timer.stop()

        def done(_nothing: None) -> None:
            if self._model.project == project:
                self._forget_autosaves()
                self._model.mark_saved(path)
            else:  # edited meanwhile: the file is behind
                self._model.set_path(path)
            self._note_recent(path)
            if then is not None:
                then()

        self._jobs.submit(
            lambda job: files.write_project(path, project),
            key="project:write",
            done=done,
            failed=lambda error: self._reporter.report(describe(error, topic="project")),
        )

    def _note_recent(self, path: Path) -> None:
        self._recent.add(path)
        QTimer.singleShot(500, self, lambda: self._picture(path))  # when pictures are there
        self.list_recent()

    def _picture(self, path: Path) -> None:
        if self._model.path == path and self._view.picture(self._recent.picture_of(path)):
            self.list_recent()

    # Unsaved work ------------------------------------------------------------------------------

    def _on_changed(self, before: Project, after: Project) -> None:
        if before != after:  # whether a file holds it is known only after the step is made
            self._timer.start()
        self._on_saved_changed()

    def _on_saved_changed(self) -> None:
        self.named.emit(self.name, self._model.is_saved)

    def _autosave(self) -> None:
        if self._model.is_in_file:
            return
        project, saved_as = self._model.project, self._model.path
        path = files.autosave_path(saved_as, self._unsaved)
        self._autosaves.add(path)

        def failed(error: Exception) -> None:
            self._reporter.report(describe(error, topic="autosave"))

        self._jobs.submit(
            lambda job: files.write_autosave(path, project, saved_as), key="autosave", failed=failed
        )

    def _forget_autosaves(self) -> None:
        self._jobs.cancel("autosave")
        for path in self._autosaves:
            files.drop_autosave(path)
        self._autosaves.clear()

    def _offer(self, unsaved: files.Unsaved) -> None:
        name = unsaved.saved_as.name if unsaved.saved_as else self.tr("a comparison without a name")
        count = len(unsaved.project.recordings)

        def recover() -> None:
            self.when_saved(lambda: take())

        def take() -> None:
            self._begin(unsaved.project, unsaved.saved_as, is_saved=False)
            self._autosaves.add(unsaved.path)
            self._tell_missing(relink.missing(unsaved.project))

        self._reporter.report(
            Message(
                self.tr(
                    "The program did not end properly. Unsaved work on {name} with {count} "
                    "recordings was kept."
                ).format(name=name, count=count),
                Severity.WARNING,
                choices=(
                    Choice(self.tr("Recover"), recover),
                    Choice(self.tr("Discard"), lambda: files.drop_autosave(unsaved.path)),
                ),
                topic=f"unsaved:{unsaved.path}",
            )
        )

    # Missing recordings ------------------------------------------------------------------------

    def _tell_missing(self, missing: tuple[Media, ...]) -> None:
        ids = tuple(media.id for media in missing)
        if not missing or ids == self._missing_told:
            return
        self._missing_told = ids
        names = ", ".join(_shown(media) for media in missing)
        text = self.tr(
            "Not found: {names}. They were moved, renamed or lie on a disk that is not connected. "
            "Everything else of the project is open, and nothing of it is lost."
        ).format(names=names)

        def ask() -> None:
            self._view.ask_folder(self.tr("Look for recordings in"), self.look_for_missing)

        self._reporter.report(
            Message(
                text,
                Severity.WARNING,
                "\n".join(media.path for media in missing),
                choices=(Choice(self.tr("Look in a folder…"), ask),),
                topic="missing",
            )
        )

    def _on_found(self, folder: Path, found: Mapping[str, relink.Found]) -> None:
        if found:
            media = relink.media_of(found)
            self.edit(self.tr("find recordings"), lambda p: edits.relink(p, media))
        guessed = [f.media for f in found.values() if not f.is_certain]
        still = relink.missing(self._model.project)
        if still:
            self._missing_told = ()
            self._tell_missing(still)
        if guessed:
            self._reporter.report(
                Message(
                    self.tr("Found by name only: {names}. Check that they are the ones.").format(
                        names=", ".join(_shown(media) for media in guessed)
                    ),
                    Severity.INFO,
                    topic="guessed",
                )
            )

    def edit(self, text: str, edit: Callable[[Project], Project], *, merge: str = "") -> bool:
        """Edit the project; what makes no sense becomes a message."""
        try:
            return self._model.edit(text, edit, merge=merge)
        except ProjectError as error:
            self._reporter.report(Message(str(error), Severity.WARNING, topic="edit"))
        except (CarlError, ValueError) as error:
            self._reporter.report(describe(error, topic="edit"))
        return False


def _shown(media: Media) -> str:
    name = media.name or Path(media.path).name
    return os.fsencode(name).decode("utf-8", errors="replace")
