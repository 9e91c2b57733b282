"""From recordings to alignments, without another click."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, Signal

from app.faults.messages import Choice, Message, Reporter, Severity, describe
from app.models.session import Entry, SessionModel, Stage
from app.resources.text import format_match
from carl_core.errors import CarlError, ModelError
from carl_core.project import edits
from carl_core.project.constraints import constraints_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.jobs import Job, JobRunner
    from app.models.engine import Engine, EngineHandle
    from app.models.project import ProjectModel
    from app.presenters.opening import OpeningPresenter
    from carl_core.alignment.alignment import Alignment
    from carl_core.embeddings.embeddings import Embeddings
    from carl_core.progress import Progress

log = logging.getLogger("carl.window")


@dataclass(frozen=True, slots=True)
class EngineState:
    """What the status bar says about the engine."""

    provider: str
    notes: tuple[str, ...]


class LoadingPresenter(QObject):
    """Embeds and aligns in the background and keeps the session up to date.

    Signals
    -------
    engine_ready(EngineState) : the encoder is loaded
    settled() : nothing is under way any more
    """

    engine_ready = Signal(object)
    settled = Signal()

    def __init__(
        self,
        session: SessionModel,
        project: ProjectModel,
        opening: OpeningPresenter,
        jobs: JobRunner,
        engine: EngineHandle,
        reporter: Reporter,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._project = project
        self._opening = opening
        self._jobs = jobs
        self._engine = engine
        self._reporter = reporter
        self._said_notes: set[str] = set()
        self._reference_id = ""
        self._solving_near: set[str] = set()
        self._again: set[str] = set()
        session.recordings_changed.connect(self._on_recordings_changed)
        opening.changed.connect(self._tell_when_settled)

    @property
    def is_busy(self) -> bool:
        """Whether recordings are being opened, embedded or aligned."""
        return self._opening.is_busy or any(e.stage.is_busy for e in self._session.entries)

    # What the user asks for --------------------------------------------------------------------

    def warm_up(self) -> None:
        """Load the engine before it is needed."""
        self._jobs.submit(
            self._load_engine, key="engine", done=self._on_engine, failed=self._on_engine_failed
        )

    def remove(self, recording_id: str) -> None:
        """Take a recording out of the session, and stop what is computed for it."""
        for kind in ("embed", "align"):
            self._jobs.cancel(f"{kind}:{recording_id}")
        self._session.remove(recording_id)

    def realign(self, recording_id: str) -> None:
        """Align one recording anew: something else is demanded of its map.

        The map before stays until the new one is there.
        """
        entry = self._session.entry(recording_id)
        reference = self._session.entry(self._session.reference_id)
        if entry is None or reference is None or entry is reference:
            return
        if recording_id in self._solving_near:
            # Nothing would ever be shown of a pin that is dragged if each move began anew.
            self._again.add(recording_id)
        elif entry.embeddings is not None and reference.embeddings is not None:
            self._align(reference, entry)

    def realign_all(self) -> None:
        """Align all recordings anew by something else."""
        for entry in self._session.entries:
            self._jobs.cancel(f"align:{entry.id}")
        self._session.forget_alignments()
        self._go_on()

    def align_again(self) -> None:
        """Embed and align whatever is not, or failed."""
        for entry in self._session.entries:
            if entry.stage in (Stage.CANCELLED, Stage.FAILED):
                stage = Stage.EMBEDDED if entry.embeddings is not None else Stage.WAITING
                self._session.set_stage(entry.id, stage)
        self._go_on()

    def use_engine(self, make: Callable[[], Engine]) -> None:
        """Embed and align everything again with another engine."""
        for entry in self._session.entries:
            for kind in ("embed", "align"):
                self._jobs.cancel(f"{kind}:{entry.id}")
        self._engine.replace(make)
        self._session.forget_embeddings()
        self.warm_up()

    def cancel(self) -> None:
        """Stop embedding and aligning; what is finished is kept."""
        for entry in self._session.entries:
            for kind in ("embed", "align"):
                self._jobs.cancel(f"{kind}:{entry.id}")
            if entry.stage is Stage.WAITING:
                self._session.set_stage(entry.id, Stage.CANCELLED)
        self._tell_when_settled()

    # Embedding and aligning --------------------------------------------------------------------

    def _on_recordings_changed(self) -> None:
        if self._session.reference_id != self._reference_id:
            self._reference_id = self._session.reference_id
            for entry in self._session.entries:
                self._jobs.cancel(f"align:{entry.id}")
        self._go_on()

    def _go_on(self) -> None:
        """Start whatever can start now."""
        session = self._session
        running = sum(e.stage is Stage.EMBEDDING for e in session.entries)
        # One at a time on small machines: the encoder uses all cores as it is.
        free = max(1, (os.cpu_count() or 2) // 8) - running
        for entry in session.entries:
            if free > 0 and entry.stage is Stage.WAITING:
                free -= 1
                self._embed(entry)
        reference = session.entry(session.reference_id)
        if reference is not None and reference.embeddings is not None:
            for entry in session.others:
                if entry.stage is Stage.EMBEDDED and entry.alignment is None:
                    self._align(reference, entry)
        self._tell_when_settled()

    def _embed(self, entry: Entry) -> None:
        recording = entry.recording
        self._session.set_stage(recording.id, Stage.EMBEDDING)

        def done(embeddings: Embeddings) -> None:
            self._session.set_embeddings(recording.id, embeddings)
            self._go_on()

        def failed(error: Exception) -> None:
            self._session.set_stage(recording.id, Stage.FAILED)
            self._report(error)
            if isinstance(error, ModelError):  # the others would say the same
                for other in self._session.entries:
                    if other.stage is Stage.WAITING:
                        self._session.set_stage(other.id, Stage.FAILED)
            self._go_on()

        self._jobs.submit(
            lambda job: self._engine.get().embed(recording, monitor=job.monitor),
            key=f"embed:{recording.id}",
            title=self.tr("Embedding {name}").format(name=recording.name),
            holds_window=True,
            done=done,
            failed=failed,
            cancelled=lambda: self._on_cancelled(recording.id),
            progress=lambda value: self._on_progress(recording.id, value),
        )

    def _align(self, reference: Entry, other: Entry) -> None:
        recording_id = other.id
        self._session.set_stage(recording_id, Stage.ALIGNING)
        first, second = reference.recording, other.recording
        demands = constraints_of(
            self._project.project,
            recording_id,
            first.index.duration_s,
            second.index.duration_s,
        )

        def done(alignment: Alignment) -> None:
            if self._begin_again(recording_id):
                return
            self._session.set_alignment(recording_id, alignment)
            if alignment.verdict == "none" and not alignment.is_playable:
                self._say_not_aligned(recording_id, alignment)
            else:  # found meanwhile, or the user chose this map
                self._reporter.withdraw(f"align:{recording_id}")
            self._go_on()

        def failed(error: Exception) -> None:
            if self._begin_again(recording_id):
                return
            self._session.set_stage(recording_id, Stage.FAILED)
            self._report(error)
            self._go_on()

        is_near = demands.method == "auto" and bool(demands.anchors) and not demands.masks
        previous = other.alignment if is_near else None
        self._again.discard(recording_id)
        if previous is not None:
            self._solving_near.add(recording_id)
        else:
            self._solving_near.discard(recording_id)

        def work(job: Job[Alignment]) -> Alignment:
            engine = self._engine.get()
            if previous is not None:
                # Only what lies around the pins changes; how good it is as a whole follows.
                near = engine.align_near(
                    previous, first, second, demands.anchors, monitor=job.monitor
                )
                job.send(near)
                if near is not None:
                    return engine.measure(near, first, second, monitor=job.monitor)
            return engine.align(
                first,
                second,
                method=demands.method,
                anchors=demands.anchors,
                masks=demands.masks,
                monitor=job.monitor,
            )

        def preview(value: object) -> None:
            if value is not None:
                self._session.set_preview(recording_id, cast("Alignment", value))
            self._begin_again(recording_id)

        self._jobs.submit(
            work,
            received=preview,
            key=f"align:{recording_id}",
            title=self.tr("Aligning {name}").format(name=second.name),
            holds_window=True,
            done=done,
            failed=failed,
            cancelled=lambda: self._on_cancelled(recording_id),
        )

    def _begin_again(self, recording_id: str) -> bool:
        """Align anew if something else was demanded meanwhile; return whether it was."""
        self._solving_near.discard(recording_id)
        if recording_id not in self._again:
            return False
        self._again.discard(recording_id)
        self.realign(recording_id)
        return True

    def _on_progress(self, recording_id: str, progress: Progress) -> None:
        entry = self._session.entry(recording_id)
        if entry is not None and entry.stage is Stage.EMBEDDING:
            self._session.set_stage(recording_id, Stage.EMBEDDING, progress)

    def _on_cancelled(self, recording_id: str) -> None:
        self._solving_near.discard(recording_id)
        self._again.discard(recording_id)
        entry = self._session.entry(recording_id)
        if entry is None:
            return
        # A new reference cancels alignments, and a new encoder everything, only to begin anew.
        is_to_begin_anew = entry.stage in (Stage.EMBEDDED, Stage.WAITING)
        if not is_to_begin_anew:
            self._session.set_stage(recording_id, Stage.CANCELLED)
        self._go_on()

    def _tell_when_settled(self) -> None:
        if not self.is_busy:
            self.settled.emit()

    # Engine and messages -----------------------------------------------------------------------

    def _load_engine(self, job: Job[EngineState]) -> EngineState:
        engine = self._engine.get()
        provider = str(engine.encoder.provider)
        return EngineState(provider, tuple(engine.notes))

    def _on_engine(self, state: EngineState) -> None:
        self.engine_ready.emit(state)
        for note in state.notes:
            if note not in self._said_notes:
                self._said_notes.add(note)
                self._say(note, Severity.WARNING)

    def _on_engine_failed(self, error: Exception) -> None:
        self._report(error)

    def _say_not_aligned(self, recording_id: str, alignment: Alignment) -> None:
        reference = self._session.entry(self._session.reference_id)
        other = self._session.entry(recording_id)
        if reference is None or other is None:
            return
        choices = (
            Choice(
                self.tr("Make {letter} the reference").format(letter=other.letter),
                lambda: self._make_reference(recording_id),
            ),
        )
        text = self.tr(
            "{first} and {second}: no convincing alignment (match {match}). Each plays in its own "
            "time; use recordings of the same action, or try the other as reference."
        ).format(first=reference.letter, second=other.letter, match=format_match(alignment.match))
        self._reporter.report(
            Message(
                text,
                Severity.WARNING,
                alignment.reason,
                choices=choices,
                topic=f"align:{recording_id}",
            )
        )

    def _make_reference(self, recording_id: str) -> None:
        self._project.edit(
            self.tr("make another recording the reference"),
            lambda project: edits.set_reference(project, recording_id),
        )

    def _say(self, text: str, severity: Severity) -> None:
        self._reporter.report(Message(text, severity, topic=text))

    def _report(self, error: Exception) -> None:
        # The model is asked for by several jobs; one message is enough.
        topic = f"{type(error).__name__}:{error}" if isinstance(error, CarlError) else ""
        if not isinstance(error, CarlError):
            log.error("unexpected: %s", error, exc_info=error)
        self._reporter.report(describe(error, topic=topic))
