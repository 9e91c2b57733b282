"""The project as the window holds it: one value, one stack of steps to undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from carl_core.project.project import Project, View

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Edit = Callable[[Project], Project]

MOST_STEPS = 500
_LONGEST_TEXT = 80


class ProjectModel(QObject):
    """What the user decided. Main thread only.

    Every decision is ``edit``: a pure function from one project to the next, so that undoing is
    putting the value before back. How the pictures are shown (``set_view``) is kept in the file but
    is no step.

    Signals
    -------
    changed(Project, Project) : the value before and the one now
    saved_changed() : there is unsaved work now, or none any more, or another file
    """

    changed = Signal(object, object)
    saved_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project = Project()
        self._path: Path | None = None
        self.stack = QUndoStack(self)
        self.stack.setUndoLimit(MOST_STEPS)
        self.stack.cleanChanged.connect(self.saved_changed)

    @property
    def project(self) -> Project:
        """The value now."""
        return self._project

    @property
    def path(self) -> Path | None:
        """Where it was saved or opened, None = nowhere yet."""
        return self._path

    @property
    def is_in_file(self) -> bool:
        """Whether the file holds what is here; of an empty project there is nothing to hold."""
        is_empty = self._path is None and self._project == Project(
            base=self._project.base, view=self._project.view
        )
        return is_empty or (self._path is not None and self.stack.isClean())

    @property
    def is_saved(self) -> bool:
        """Whether nothing would be missed: files that were only opened are opened again quickly."""
        project = self._project
        is_handwork = bool(project.anchors or project.masks or project.markers or project.maps)
        return self.is_in_file or (self._path is None and not is_handwork)

    def edit(self, text: str, edit: Edit, *, merge: str = "") -> bool:
        """Change the project as one step of undo; return whether anything changed.

        Parameters
        ----------
        text : what the user did, as in "Undo add anchor"
        edit : raises ``ProjectError`` where the change makes no sense; then nothing changes
        merge : steps in a row of the same non-empty name (dragging) become one
        """
        after = edit(self._project)
        if after == self._project:
            return False
        last = self._last_step() if merge else None
        if last is None or last.merge != merge or self.stack.cleanIndex() == self.stack.index():
            self.stack.push(_Step(self, text, self._project, after, merge))
            return True
        # Not by QUndoCommand.mergeWith: PySide keeps every step that Qt merges and deletes.
        last.absorb(text, after)
        self.put(after)
        if last.isObsolete():
            self.stack.undo()  # takes it off the stack, changes nothing
        else:
            self.stack.indexChanged.emit(self.stack.index())  # its text is another
        return True

    def end_merge(self) -> None:
        """Let the next step be one of its own: the mouse was let go."""
        last = self._last_step()
        if last is not None:
            last.merge = ""

    def _last_step(self) -> _Step | None:
        """Return the step made last; None when there is none, or it was undone."""
        count = self.stack.count()
        if count == 0 or self.stack.index() != count:
            return None
        step = self.stack.command(count - 1)
        return step if isinstance(step, _Step) else None

    def set_view(self, view: View) -> None:
        """Keep how the pictures are shown."""
        if view != self._project.view:
            self.put(_with_view(self._project, view))

    def put(self, project: Project) -> None:
        """Take a value without a step: what ``edit``, undo and redo end in."""
        before, self._project = self._project, project
        self.changed.emit(before, project)

    def open(self, project: Project, path: Path | None, *, is_saved: bool = True) -> None:
        """Begin with another project; nothing of before can be undone.

        ``is_saved`` False: work that was recovered and lies in no project file.
        """
        self._path = path
        self.stack.clear()
        self.put(project)
        if is_saved:
            self.stack.setClean()  # clearing an empty stack leaves it as unclean as it was
        else:
            self.stack.resetClean()
        self.saved_changed.emit()

    def set_path(self, path: Path) -> None:
        """Note where it is saved from now on; there is work that this file does not hold yet."""
        self._path = path
        self.saved_changed.emit()

    def mark_saved(self, path: Path) -> None:
        """Note that the file at ``path`` holds what is here."""
        self._path = path
        self.stack.setClean()
        self.saved_changed.emit()


class _Step(QUndoCommand):
    """From one value to another."""

    def __init__(
        self, model: ProjectModel, text: str, before: Project, after: Project, merge: str
    ) -> None:
        super().__init__(text)
        self._model = model
        self._before = before
        self._after = after
        self.merge = merge

    def redo(self) -> None:
        self._model.put(_with_view(self._after, self._model.project.view))

    def undo(self) -> None:
        self._model.put(_with_view(self._before, self._model.project.view))

    def absorb(self, text: str, after: Project) -> None:
        """Become the step from the value before this one to ``after``."""
        self._after = after
        if text != self.text():
            self.setText(f"{self.text()}, {text}"[:_LONGEST_TEXT])
        self.setObsolete(self._after == self._before)


def _with_view(project: Project, view: View) -> Project:
    return replace(project, view=view)
