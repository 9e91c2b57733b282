"""Forget what the program keeps of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMessageBox

from app import settings as keys
from app.actions import ActionId
from app.bootstrap.parts import Feature
from app.faults.messages import Message, Severity, describe
from carl_core.project.traces import Forgotten, forget

if TYPE_CHECKING:
    from app.bootstrap.parts import Handlers
    from app.jobs import Job
    from carl_core.video.recording import Recording


class KeepingFeature(Feature):
    """Asks, and removes every trace of the active recording."""

    needs_recordings = (ActionId.FORGET,)

    def handlers(self) -> Handlers:
        """Return the one command."""
        return {ActionId.FORGET: self._ask}

    def _ask(self) -> None:
        session = self.parts.session
        entry = session.entry(session.active_id)
        if entry is None:
            return
        recording = entry.recording
        box = QMessageBox(self.parts.window)
        box.setObjectName("ask-forget")
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle(self.tr("Forget traces"))
        box.setText(self.tr("Forget everything kept of {name}?").format(name=recording.name))
        box.setInformativeText(
            self.tr(
                "Removed are its embeddings and small copy, projects with it in the list of recent "
                "ones and their pictures, unsaved work, lines of the log and the note of its "
                "folder. The video and saved projects stay. While it is open, unsaved work may be "
                "kept again."
            )
        )
        go = box.addButton(self.tr("Forget"), QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        go.clicked.connect(lambda: self.forget(recording))
        box.finished.connect(box.deleteLater)
        box.open()

    def forget(self, recording: Recording) -> None:
        """Remove the traces of a recording in the background; a message says what went."""
        parts = self.parts

        def work(job: Job[Forgotten]) -> Forgotten:
            store = getattr(parts.engine.get(), "store", None)
            return forget(recording.fingerprint, recording.path, store=store, state=parts.state)

        def done(found: Forgotten) -> None:
            parts.files.reread_recent()
            if parts.settings.get(keys.LAST_FOLDER) == str(recording.path.parent):
                parts.settings.set(keys.LAST_FOLDER, "")
            parts.reporter.report(
                Message(
                    self.tr(
                        "Forgotten of {name}: embeddings {entries}, recent projects {recent}, "
                        "unsaved work {unsaved}, lines of the log {lines}."
                    ).format(
                        name=recording.name,
                        entries=found.entries,
                        recent=found.recent,
                        unsaved=found.unsaved,
                        lines=found.lines,
                    ),
                    Severity.INFO,
                    topic="forget",
                )
            )

        parts.jobs.submit(
            work,
            key="forget",
            title=self.tr("Forgetting a recording"),
            done=done,
            failed=lambda error: parts.reporter.report(describe(error, topic="forget")),
        )
