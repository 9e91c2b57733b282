"""From recordings to alignments, without another click."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.faults.messages import Message, Reporter, Severity
from app.models.session import Entry, SessionModel, Stage
from app.presenters.aligning import AligningPresenter, mark_cancelled, report_failure
from carl_core.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.jobs import Job, JobRunner
    from app.models.engine import Engine, EngineHandle
    from app.models.project import ProjectModel
    from app.presenters.opening import OpeningPresenter
    from carl_core.embeddings.embeddings import Embeddings
    from carl_core.progress import Progress
    from carl_core.video.recording import Recording


@dataclass(frozen=True, slots=True, eq=False)
class _Embedded:
    """What an embedding job gives: vectors, their sampling if they are a first look, the engine."""

    embeddings: Embeddings
    coarse: str
    state: EngineState


@dataclass(frozen=True, slots=True)
class EngineState:
    """What the status bar says about the engine."""

    provider: str
    notes: tuple[str, ...]


class LoadingPresenter(QObject):
    """Embeds and aligns in the background and keeps the session up to date.

    Long recordings are embedded coarsely and aligned first. Then they are embedded in full while
    one plays along the coarse map, and the map is replaced.

    Signals
    -------
    engine_ready(EngineState) : the encoder is loaded
    settled() : nothing is under way any more
    adapt_wanted() : the user wants the encoder to learn from the recordings
    """

    engine_ready = Signal(object)
    settled = Signal()
    adapt_wanted = Signal()

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
        self._opening = opening
        self._jobs = jobs
        self._engine = engine
        self._reporter = reporter
        self._said_notes: set[str] = set()
        self._state: EngineState | None = None
        self._reference_id = ""
        self._aligning = AligningPresenter(session, project, jobs, engine, reporter, self)
        self._aligning.changed.connect(self._go_on)
        self._aligning.adapt_wanted.connect(self.adapt_wanted)
        session.recordings_changed.connect(self._on_recordings_changed)
        opening.changed.connect(self._go_on)

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
        for kind in ("index", "embed", "align"):
            self._jobs.cancel(f"{kind}:{recording_id}")
        self._session.remove(recording_id)

    def realign(self, recording_id: str) -> None:
        """Align one recording anew, see `AligningPresenter.realign`."""
        self._aligning.realign(recording_id)

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
                is_embedded = entry.embeddings is not None
                stage = Stage.EMBEDDED if is_embedded else Stage.WAITING
                if entry.alignment is not None:
                    stage = Stage.ALIGNED
                self._session.set_stage(entry.id, stage)
        self._go_on()

    def use_engine(self, make: Callable[[], Engine]) -> None:
        """Embed and align everything again with another engine."""
        for entry in self._session.entries:
            for kind in ("embed", "align"):
                self._jobs.cancel(f"{kind}:{entry.id}")
        self._engine.replace(make)
        self._state = None
        self._session.forget_embeddings()
        self.warm_up()

    def cancel(self) -> None:
        """Stop embedding and aligning; what is finished is kept."""
        for entry in self._session.entries:
            for kind in ("index", "embed", "align"):
                self._jobs.cancel(f"{kind}:{entry.id}")
            is_to_be_refined = entry.coarse and entry.stage in (Stage.EMBEDDED, Stage.ALIGNED)
            if entry.stage is Stage.WAITING or is_to_be_refined:
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
        running = sum(
            self._jobs.is_active(f"{kind}:{e.id}")
            for e in session.entries
            for kind in ("index", "embed")
        )
        # One at a time on small machines: the encoder uses all cores as it is.
        free = max(1, (os.cpu_count() or 2) // 8) - running
        for entry in session.entries:
            if free > 0 and entry.stage is Stage.WAITING:
                free -= 1
                if entry.recording.is_exact:
                    self._embed(entry)
                else:
                    self._complete(entry)
        reference = session.entry(session.reference_id)
        if reference is not None and reference.embeddings is not None:
            for entry in session.others:
                is_new = entry.stage is Stage.EMBEDDED and entry.alignment is None
                if is_new or self._is_to_be_aligned_in_full(reference, entry):
                    self._aligning.align(reference, entry)
        if free > 0:
            self._refine(free)
        elif any(e.stage is Stage.WAITING for e in session.entries):
            self._put_off_refining()
        self._tell_when_settled()

    def _complete(self, entry: Entry) -> None:
        """Read the exact timestamps of a recording that is seen by its file's own table."""
        before = entry.recording
        self._session.set_stage(before.id, Stage.INDEXING)

        def done(found: Recording) -> None:
            recording = replace(found, id=before.id)
            self._opening.remember(recording)
            for problem in recording.info.problems:
                self._say(f"{recording.name}: {problem}", Severity.INFO)
            self._session.set_recording(recording)

        def failed(error: Exception) -> None:
            self._session.set_stage(before.id, Stage.FAILED)
            report_failure(self._reporter, error)
            self._go_on()

        self._jobs.submit(
            lambda job: self._engine.get().open(before.path, monitor=job.monitor),
            key=f"index:{before.id}",
            title=self.tr("Reading the timestamps of {name}").format(name=before.name),
            done=done,
            failed=failed,
            cancelled=lambda: self._on_cancelled(before.id),
            progress=lambda value: self._on_progress(before.id, value),
        )

    def _refine(self, free: int) -> None:
        """Embed in full what was only looked at, once there is a map of everything."""
        entries = self._session.entries
        first_look = (Stage.WAITING, Stage.INDEXING, Stage.EMBEDDING, Stage.ALIGNING)
        if self._opening.is_busy or any(e.stage in first_look for e in entries):
            return
        for entry in sorted(entries, key=lambda e: e.id != self._session.reference_id):
            is_settled = entry.stage in (Stage.EMBEDDED, Stage.ALIGNED)
            is_free = is_settled and not self._jobs.is_active(f"embed:{entry.id}")
            if free > 0 and entry.coarse and is_free:
                free -= 1
                self._embed(entry)

    def _put_off_refining(self) -> None:
        """Let a recording that is new come first; what was refined so far is kept."""
        for entry in self._session.entries:
            if entry.stage is Stage.REFINING:
                is_aligned = entry.alignment is not None
                self._session.set_stage(entry.id, Stage.ALIGNED if is_aligned else Stage.EMBEDDED)
                self._jobs.cancel(f"embed:{entry.id}")

    def _is_to_be_aligned_in_full(self, reference: Entry, entry: Entry) -> bool:
        is_settled = entry.stage in (Stage.EMBEDDED, Stage.ALIGNED)
        return is_settled and entry.is_coarsely_aligned and not (reference.coarse or entry.coarse)

    def _embed(self, entry: Entry) -> None:
        recording = entry.recording
        is_known = bool(entry.coarse)
        title = self.tr("Refining {name}") if is_known else self.tr("Embedding {name}")
        stage = Stage.REFINING if is_known else Stage.EMBEDDING
        self._session.set_stage(recording.id, stage)

        def work(job: Job[_Embedded]) -> _Embedded:
            engine = self._engine.get()
            coarse = None if is_known else engine.coarse_sampling(recording)
            made = engine.embed(recording, sampling=coarse, monitor=job.monitor)
            return _Embedded(made, coarse or "", _state_of(engine))  # it may be on the CPU now

        def done(made: _Embedded) -> None:
            self._on_engine(made.state)
            self._session.set_embeddings(recording.id, made.embeddings, coarse=made.coarse)
            entry = self._session.entry(recording.id)
            if entry is not None and entry.alignment is not None:
                self._session.set_stage(recording.id, Stage.ALIGNED)
            self._go_on()

        def failed(error: Exception) -> None:
            self._session.set_stage(recording.id, Stage.FAILED)
            report_failure(self._reporter, error)
            if isinstance(error, ModelError):  # the others would say the same
                for other in self._session.entries:
                    if other.stage is Stage.WAITING:
                        self._session.set_stage(other.id, Stage.FAILED)
            self._go_on()

        self._jobs.submit(
            work,
            key=f"embed:{recording.id}",
            title=title.format(name=recording.name),
            holds_window=True,
            done=done,
            failed=failed,
            cancelled=lambda: self._on_cancelled(recording.id),
            progress=lambda value: self._on_progress(recording.id, value),
        )

    def _on_progress(self, recording_id: str, progress: Progress) -> None:
        entry = self._session.entry(recording_id)
        shown = (Stage.INDEXING, Stage.EMBEDDING, Stage.REFINING)
        if entry is not None and entry.stage in shown:
            self._session.set_stage(recording_id, entry.stage, progress)

    def _on_cancelled(self, recording_id: str) -> None:
        mark_cancelled(self._session, recording_id)
        self._go_on()

    def _tell_when_settled(self) -> None:
        if not self.is_busy:
            self.settled.emit()

    # Engine and messages -----------------------------------------------------------------------

    def _load_engine(self, job: Job[EngineState]) -> EngineState:
        return _state_of(self._engine.get())

    def _on_engine(self, state: EngineState) -> None:
        if state != self._state:
            self._state = state
            self.engine_ready.emit(state)
        for note in state.notes:
            if note not in self._said_notes:
                self._said_notes.add(note)
                self._say(note, Severity.WARNING)

    def _on_engine_failed(self, error: Exception) -> None:
        report_failure(self._reporter, error)

    def _say(self, text: str, severity: Severity) -> None:
        self._reporter.report(Message(text, severity, topic=text))


def _state_of(engine: Engine) -> EngineState:
    return EngineState(str(engine.encoder.provider), tuple(engine.notes))
