"""Alignments in the background: of whole recordings, or around a pin that is being dragged."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, Signal

from app.faults.messages import Choice, Message, Reporter, Severity, describe
from app.models.session import Entry, SessionModel, Stage
from app.resources.text import format_match
from carl_core.errors import CarlError
from carl_core.project import edits
from carl_core.project.constraints import constraints_of

if TYPE_CHECKING:
    from app.jobs import Job, JobRunner
    from app.models.engine import Engine, EngineHandle
    from app.models.project import ProjectModel
    from carl_core.alignment.alignment import Alignment
    from carl_core.embeddings.embeddings import Embeddings

log = logging.getLogger("carl.window")

MEASURE_DELAY_S = 0.25
"""Rest after a pin was moved before more than its neighbourhood is looked at: it may move on."""


@dataclass(frozen=True, slots=True, eq=False)
class _Aligned:
    """What an alignment job gives: the map, and the embeddings it was made of."""

    alignment: Alignment
    made_of: tuple[Embeddings, Embeddings]


class AligningPresenter(QObject):
    """Aligns recordings whose embeddings are there, and keeps the session up to date.

    Signals
    -------
    changed() : an alignment ended, one way or another
    adapt_wanted() : the user wants the encoder to learn from the recordings
    """

    changed = Signal()
    adapt_wanted = Signal()

    def __init__(
        self,
        session: SessionModel,
        project: ProjectModel,
        jobs: JobRunner,
        engine: EngineHandle,
        reporter: Reporter,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._project = project
        self._jobs = jobs
        self._engine = engine
        self._reporter = reporter
        self._solving_near: set[str] = set()
        self._again: set[str] = set()

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
            self.align(reference, entry)

    def align(self, reference: Entry, other: Entry) -> None:
        """Align two embedded recordings by what the user demands of the pair."""
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
            self.changed.emit()

        def failed(error: Exception) -> None:
            if self._begin_again(recording_id):
                return
            self._session.set_stage(recording_id, Stage.FAILED)
            report_failure(self._reporter, error)
            self.changed.emit()

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

    def _on_cancelled(self, recording_id: str) -> None:
        self._solving_near.discard(recording_id)
        self._again.discard(recording_id)
        mark_cancelled(self._session, recording_id)
        self.changed.emit()

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


def mark_cancelled(session: SessionModel, recording_id: str) -> None:
    """Note that a job of a recording was cancelled, unless only to begin anew."""
    entry = session.entry(recording_id)
    # A new reference cancels alignments, and a new encoder everything.
    if entry is not None and entry.stage not in (Stage.EMBEDDED, Stage.WAITING, Stage.ALIGNED):
        session.set_stage(recording_id, Stage.CANCELLED)


def report_failure(reporter: Reporter, error: Exception) -> None:
    """Tell the user what a job failed of."""
    # The model is asked for by several jobs; one message is enough.
    topic = f"{type(error).__name__}:{error}" if isinstance(error, CarlError) else ""
    if not isinstance(error, CarlError):
        log.error("unexpected: %s", error, exc_info=error)
    reporter.report(describe(error, topic=topic))
