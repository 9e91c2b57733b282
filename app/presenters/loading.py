"""From recordings to alignments, without another click."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
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
    from carl_core.video.recording import Recording

log = logging.getLogger("carl.window")

MEASURE_DELAY_S = 0.25
"""Rest after a pin was moved before more than its neighbourhood is looked at: it may move on."""


@dataclass(frozen=True, slots=True, eq=False)
class _Embedded:
    """What an embedding job gives: vectors, their sampling if they are a first look, the engine."""

    embeddings: Embeddings
    coarse: str
    state: EngineState


@dataclass(frozen=True, slots=True, eq=False)
class _Aligned:
    """What an alignment job gives: the map, and the embeddings it was made of."""

    alignment: Alignment
    made_of: tuple[Embeddings, Embeddings]


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
        self._project = project
        self._opening = opening
        self._jobs = jobs
        self._engine = engine
        self._reporter = reporter
        self._said_notes: set[str] = set()
        self._state: EngineState | None = None
        self._reference_id = ""
        self._solving_near: set[str] = set()
        self._again: set[str] = set()
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
                    self._align(reference, entry)
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
            self._report(error)
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
            self._report(error)
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

        coarse = reference.coarse or other.coarse
        assert reference.embeddings is not None
        assert other.embeddings is not None
        made_of = reference.embeddings, other.embeddings

        def done(made: _Aligned) -> None:
            if self._begin_again(recording_id):
                return
            self._session.set_alignment(recording_id, made.alignment, made.made_of, coarse=coarse)
            if self._jobs.is_active(f"embed:{recording_id}"):
                self._session.set_stage(recording_id, Stage.REFINING)
            is_none = made.alignment.verdict == "none" and not made.alignment.is_playable
            if is_none and not coarse:  # which is not the last word
                self._say_not_aligned(recording_id, made.alignment)
            elif not is_none:  # found meanwhile, or the user chose this map
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
        if other.alignment_coarse != coarse:  # it counts in other samples
            previous = None
        sampling = coarse or None
        self._again.discard(recording_id)
        if previous is not None:
            self._solving_near.add(recording_id)
        else:
            self._solving_near.discard(recording_id)

        def work(job: Job[_Aligned]) -> _Aligned:
            engine = self._engine.get()
            if previous is not None:
                # Only what lies around the pins changes; how good it is as a whole follows.
                near = engine.align_near(
                    previous,
                    first,
                    second,
                    demands.anchors,
                    sampling=sampling,
                    monitor=job.monitor,
                )
                if near is not None:
                    near.time_map  # noqa: B018 - made here, not on the main thread
                job.send(near)
                job.monitor.rest(MEASURE_DELAY_S)
                if near is not None:
                    alignment = engine.measure(
                        near, first, second, sampling=sampling, monitor=job.monitor
                    )
                    return in_samples(engine, job, alignment)
            alignment = engine.align(
                first,
                second,
                method=demands.method,
                anchors=demands.anchors,
                masks=demands.masks,
                sampling=sampling,
                monitor=job.monitor,
            )
            return in_samples(engine, job, alignment)

        def in_samples(engine: Engine, job: Job[_Aligned], alignment: Alignment) -> _Aligned:
            if not coarse:
                return _Aligned(alignment, made_of)
            # Of one that is short its vectors in full are at hand; the map is of as few as this.
            ours, theirs = (
                engine.embed(one, sampling=coarse, monitor=job.monitor) for one in (first, second)
            )
            return _Aligned(alignment, (ours, theirs))

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
        shown = (Stage.INDEXING, Stage.EMBEDDING, Stage.REFINING)
        if entry is not None and entry.stage in shown:
            self._session.set_stage(recording_id, entry.stage, progress)

    def _on_cancelled(self, recording_id: str) -> None:
        self._solving_near.discard(recording_id)
        self._again.discard(recording_id)
        entry = self._session.entry(recording_id)
        if entry is None:
            return
        # A new reference cancels alignments, and a new encoder everything, only to begin anew.
        is_to_begin_anew = entry.stage in (Stage.EMBEDDED, Stage.WAITING, Stage.ALIGNED)
        if not is_to_begin_anew:
            self._session.set_stage(recording_id, Stage.CANCELLED)
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
            Choice(self.tr("Adapt to these recordings…"), self.adapt_wanted.emit),
        )
        text = self.tr(
            "{first} and {second}: no convincing alignment (match {match}). Each plays in its own "
            "time; use recordings of the same action, try the other as reference, or pin two "
            "moments that belong together (Shift+M)."
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


def _state_of(engine: Engine) -> EngineState:
    return EngineState(str(engine.encoder.provider), tuple(engine.notes))
