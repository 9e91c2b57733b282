"""New, open, save, recent projects, unsaved work kept and found again, missing recordings."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal

from app.faults.messages import Choice, Message, Reporter, Severity, describe
from app.presenters.timers import single_shot
from app.presenters.unsaved import UnsavedWork
from carl_core.errors import CarlError, ProjectError
from carl_core.paths import parts_of
from carl_core.project import edits, files, relink
from carl_core.project.lock import ProjectLock
from carl_core.project.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.jobs import Job, JobRunner
    from app.models.project import ProjectModel
    from carl_core.project.project import Media
    from carl_core.project.recent import RecentProjects


@dataclass(frozen=True, slots=True)
class _Read:
    project: Project
    missing: tuple[Media, ...]
    content: bytes | None


@dataclass(frozen=True, slots=True)
class _Written:
    content: bytes | None
    is_over_others: bool


PICTURE_MS = 500
"""A project is pictured for the list of recent ones this long after it was opened or saved."""


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
    beginning() : another project is about to begin
    opened() : another project has begun
    recent_listed(tuple[RecentProject]) : the projects opened last, newest first
    """

    named = Signal(str, bool)
    beginning = Signal()
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
        self._view = view
        self._missing_told: tuple[str, ...] = ()
        self._lock: ProjectLock | None = None
        self._is_shared = False
        self._writing = threading.Lock()
        self._content: bytes | None = None  # of the file, as it was read or written last
        self._unsaved = UnsavedWork(
            project, jobs, reporter, state / "unsaved", lambda: self._is_shared, self
        )
        self._picture_timer = single_shot(self, PICTURE_MS, self._picture)
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
                self._unsaved.forget()
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
        self._unsaved.look(tuple(self._recent.paths()), self._recover)

    def look_for_missing(self, folder: Path) -> None:
        """Look below a folder for recordings that are not where the project says."""
        project = self._model.project

        def work(job: Job[dict[str, relink.Found]]) -> dict[str, relink.Found]:
            wanted = relink.missing(project)
            found = relink.find_in(folder, wanted, monitor=job.monitor)
            return found | relink.moved_along(wanted, found)

        self._jobs.submit(
            work,
            key="relink",
            title=self.tr("Looking for recordings in {name}").format(name=folder.name),
            done=lambda found: self._on_found(folder, found),
            failed=lambda error: self._reporter.report(describe(error, topic="relink")),
        )

    def close(self) -> None:
        """Forget what was kept of unsaved work: the window closes properly."""
        self._picture_timer.stop()
        self._unsaved.close()
        self._let_go()

    # Reading and writing -----------------------------------------------------------------------

    def _begin(self, project: Project, path: Path | None, *, is_saved: bool = True) -> None:
        self.beginning.emit()
        self._unsaved.forget()
        self._missing_told = ()
        if self._lock is not None and self._lock.project != path:
            self._let_go()
        self._model.open(Project(), None)  # nothing of before is taken for the new one's
        self._model.open(project, path, is_saved=is_saved)
        self.opened.emit()

    def _read(self, path: Path) -> None:
        path = path.absolute()

        def work(job: Job[_Read]) -> _Read:
            content = files.content_of(path)
            project = files.read_project(path)
            return _Read(project, relink.missing(project), content)

        def done(found: _Read) -> None:
            self._begin(found.project, path)
            self._content = found.content
            self._claim(path)
            self._note_recent(path)
            self._tell_missing(found.missing)

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
        known = self._content if path == self._model.path else None
        self._unsaved.hold()

        def work(job: Job[_Written]) -> _Written:
            with self._writing:  # what is older must not land on what is newer
                job.monitor.check()
                there = files.content_of(path)
                files.write_project(path, project)
                is_others = None not in (known, there) and known != there
                return _Written(files.content_of(path), is_others)

        def done(written: _Written) -> None:
            self._content = written.content
            if self._model.project == project:
                self._unsaved.forget()
                self._model.mark_saved(path)
            else:  # edited meanwhile: the file is behind
                self._model.set_path(path)
                self._unsaved.on_edit()
            self._claim(path)
            if written.is_over_others:
                self._say_replaced(path)
            self._note_recent(path)
            if then is not None:
                then()

        def failed(error: Exception) -> None:
            self._reporter.report(describe(error, topic="project"))
            self._unsaved.on_edit()  # so that it is not lost with the window

        self._jobs.submit(work, key="project:write", done=done, failed=failed)

    def _note_recent(self, path: Path) -> None:
        self._recent.add(path)
        self._picture_timer.start()
        self.list_recent()

    def _picture(self) -> None:
        path = self._model.path
        if path is not None and self._view.picture(self._recent.picture_of(path)):
            self.list_recent()

    # Two windows -------------------------------------------------------------------------------

    def _claim(self, path: Path) -> None:
        """Show other windows that the project is open here, or tell that one has it."""
        if self._lock is not None and self._lock.project == path:
            return
        self._let_go()
        lock = ProjectLock(path)

        def done(holder: str | None) -> None:
            if self._model.path != path:  # another project has begun meanwhile
                lock.release()
                return
            self._lock, self._is_shared = lock, holder is not None
            if holder is not None:
                self._say_shared(path, holder)

        self._jobs.submit(
            lambda job: lock.acquire(), key="project:claim", done=done, cancelled=lock.release
        )

    def _say_shared(self, path: Path, holder: str) -> None:
        self._reporter.report(
            Message(
                self.tr(
                    "“{name}” is open in another window, too. Changes made there and here are not "
                    "brought together: save this one under another name, or close one of them."
                ).format(name=path.name),
                Severity.WARNING,
                holder,
                choices=(Choice(self.tr("Save as…"), self.save_as),),
                topic="shared",
            )
        )

    def _let_go(self) -> None:
        self._is_shared = False
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _say_replaced(self, path: Path) -> None:
        self._reporter.report(
            Message(
                self.tr(
                    "“{name}” had been changed by another window or program since it was opened "
                    "here. It was saved; what the other wrote is kept as {backup}."
                ).format(name=path.name, backup=f"{path.name}.1"),
                Severity.WARNING,
                topic="replaced",
            )
        )

    # Unsaved work ------------------------------------------------------------------------------

    def _recover(self, unsaved: files.Unsaved) -> None:
        def take() -> None:
            path = unsaved.saved_as
            self._begin(unsaved.project, path, is_saved=False)
            self._unsaved.take_over(unsaved.path)
            self._unsaved.on_edit()
            if path is not None:
                self._claim(path)
            self._tell_missing(relink.missing(unsaved.project))

        self.when_saved(take)

    def _on_changed(self, before: Project, after: Project) -> None:
        if before != after:  # whether a file holds it is known only after the step is made
            self._unsaved.on_edit()
        self._on_saved_changed()

    def _on_saved_changed(self) -> None:
        self.named.emit(self.name, self._model.is_saved)

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
    name = media.name or parts_of(media.path).name
    return os.fsencode(name).decode("utf-8", errors="replace")
