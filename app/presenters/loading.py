"""From dropped files to aligned recordings, without another click."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.faults.messages import Choice, Message, Reporter, Severity, describe
from app.models.methods import Method
from app.models.session import Entry, SessionModel, Stage
from app.resources.text import format_match
from carl_core.errors import CarlError, MediaError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from app.jobs import Job, JobRunner
    from app.models.engine import Engine, EngineHandle
    from carl_core.alignment.alignment import Alignment
    from carl_core.embeddings.embeddings import Embeddings
    from carl_core.progress import Progress
    from carl_core.video.recording import Recording

log = logging.getLogger("carl.window")

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mts", ".m2ts", ".ts", ".mpg", ".mpeg"}
    | {".wmv", ".flv", ".3gp", ".ogv", ".mxf", ".gif", ".y4m"}
)
MOST_RECORDINGS = 9


@dataclass(eq=False)
class _Opening:
    path: Path
    recording: Recording | None = None
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class EngineState:
    """What the status bar says about the engine."""

    provider: str
    notes: tuple[str, ...]


class LoadingPresenter(QObject):
    """Opens, embeds and aligns in the background and keeps the session up to date.

    Signals
    -------
    image_offered(Path) : a picture came where recordings were expected
    engine_ready(EngineState) : the encoder is loaded
    settled() : nothing is under way any more
    """

    image_offered = Signal(object)
    engine_ready = Signal(object)
    settled = Signal()

    def __init__(
        self,
        session: SessionModel,
        jobs: JobRunner,
        engine: EngineHandle,
        reporter: Reporter,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._jobs = jobs
        self._engine = engine
        self._reporter = reporter
        self._openings: list[_Opening] = []
        self._openings_made = 0
        self._said_notes: set[str] = set()
        self._reference_id = ""
        self._method = Method.PICTURES
        session.recordings_changed.connect(self._on_recordings_changed)

    @property
    def is_busy(self) -> bool:
        """Whether recordings are being opened, embedded or aligned."""
        return bool(self._openings) or any(e.stage.is_busy for e in self._session.entries)

    # What the user asks for --------------------------------------------------------------------

    def warm_up(self) -> None:
        """Load the engine before it is needed."""
        self._jobs.submit(
            self._load_engine, key="engine", done=self._on_engine, failed=self._on_engine_failed
        )

    def add_paths(self, paths: Iterable[Path]) -> None:
        """Open files; folders give the recordings in them, pictures are offered as a search."""
        for path in paths:
            if path.suffix.lower() in IMAGE_SUFFIXES:
                self.image_offered.emit(path)
                continue
            if path.suffix.lower() == ".carl":
                self._say(
                    self.tr(
                        "“{name}” is a project file, which this version cannot open yet. "
                        "Open the recordings themselves."
                    ).format(name=_name(path)),
                    Severity.WARNING,
                )
                continue
            opening = _Opening(path)
            self._openings.append(opening)
            self._openings_made += 1
            self._submit_opening(opening)

    def remove(self, recording_id: str) -> None:
        """Take a recording out, and stop what is computed for it."""
        for kind in ("embed", "align"):
            self._jobs.cancel(f"{kind}:{recording_id}")
        self._session.remove(recording_id)

    def remove_all(self) -> None:
        """Begin anew."""
        for entry in self._session.entries:
            self.remove(entry.id)

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

    @property
    def method(self) -> Method:
        """What recordings are aligned by."""
        return self._method

    def set_method(self, method: Method) -> None:
        """Align all recordings anew by something else."""
        if method is self._method:
            return
        self._method = method
        for entry in self._session.entries:
            self._jobs.cancel(f"align:{entry.id}")
        self._session.forget_alignments()
        self._go_on()

    def cancel(self) -> None:
        """Stop embedding and aligning; what is finished is kept."""
        for entry in self._session.entries:
            for kind in ("embed", "align"):
                self._jobs.cancel(f"{kind}:{entry.id}")
            if entry.stage is Stage.WAITING:
                self._session.set_stage(entry.id, Stage.CANCELLED)
        self._tell_when_settled()

    # Opening -----------------------------------------------------------------------------------

    def _submit_opening(self, opening: _Opening) -> None:
        self._jobs.submit(
            lambda job: self._open(job, opening.path),
            key=f"open:{self._openings_made}",
            title=self.tr("Opening {name}").format(name=_name(opening.path)),
            done=lambda found: self._on_opened(opening, found),
            failed=lambda error: self._on_open_failed(opening, error),
            cancelled=lambda: self._on_open_over(opening),
        )

    def _open(self, job: Job[list[Recording]], path: Path) -> list[Recording]:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
            if not inside:
                raise MediaError(
                    f"“{_name(path)}” is a folder without recordings. "
                    "Open the video files themselves.",
                    path=path,
                )
            if len(inside) > MOST_RECORDINGS:
                raise MediaError(
                    f"“{_name(path)}” is a folder with {len(inside)} recordings, more than the "
                    f"{MOST_RECORDINGS} that can be compared. Open some of them.",
                    path=path,
                )
            return [self._engine.get().open(p, monitor=job.monitor) for p in inside]
        return [self._engine.get().open(path, monitor=job.monitor)]

    def _on_opened(self, opening: _Opening, found: list[Recording]) -> None:
        if len(found) > 1:
            at = self._openings.index(opening)
            self._openings[at : at + 1] = [_Opening(r.path, r, is_over=True) for r in found]
        else:
            opening.recording = found[0]
            opening.is_over = True
        self._add_opened()

    def _on_open_failed(self, opening: _Opening, error: Exception) -> None:
        self._report(error)
        self._on_open_over(opening)

    def _on_open_over(self, opening: _Opening) -> None:
        opening.is_over = True
        self._add_opened()

    def _add_opened(self) -> None:
        """Add what is open, in the order the user gave: the first is the reference."""
        while self._openings and self._openings[0].is_over:
            opening = self._openings.pop(0)
            if opening.recording is not None:
                self._add(opening.recording)
        self._go_on()

    def _add(self, recording: Recording) -> None:
        same = next(
            (e for e in self._session.entries if e.recording.fingerprint == recording.fingerprint),
            None,
        )
        if same is not None:
            is_same_path = os.fspath(same.recording.path) == os.fspath(recording.path)
            text = (
                self.tr("“{name}” is already open as {letter}. It was not added again.")
                if is_same_path
                else self.tr(
                    "“{name}” holds the same recording as {letter}, “{other}”. It was not added "
                    "again; open another recording of the action to compare."
                )
            )
            self._say(
                text.format(name=recording.name, letter=same.letter, other=same.recording.name),
                Severity.WARNING,
            )
            return
        if len(self._session.entries) >= MOST_RECORDINGS:
            self._say(
                self.tr(
                    "“{name}” was not added: {most} recordings are compared at most. "
                    "Remove one first."
                ).format(name=recording.name, most=MOST_RECORDINGS),
                Severity.WARNING,
            )
            return
        self._session.add(recording)
        for problem in recording.info.problems:
            self._say(f"{recording.name}: {problem}", Severity.INFO)

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
            done=done,
            failed=failed,
            cancelled=lambda: self._on_cancelled(recording.id),
            progress=lambda value: self._on_progress(recording.id, value),
        )

    def _align(self, reference: Entry, other: Entry) -> None:
        recording_id = other.id
        self._session.set_stage(recording_id, Stage.ALIGNING)
        first, second = reference.recording, other.recording
        method = self._method.value

        def done(alignment: Alignment) -> None:
            self._session.set_alignment(recording_id, alignment)
            if alignment.verdict == "none":
                self._say_not_aligned(recording_id, alignment)
            self._go_on()

        def failed(error: Exception) -> None:
            self._session.set_stage(recording_id, Stage.FAILED)
            self._report(error)
            self._go_on()

        self._jobs.submit(
            lambda job: self._engine.get().align(first, second, method=method, monitor=job.monitor),
            key=f"align:{recording_id}",
            title=self.tr("Aligning {name}").format(name=second.name),
            done=done,
            failed=failed,
            cancelled=lambda: self._on_cancelled(recording_id),
        )

    def _on_progress(self, recording_id: str, progress: Progress) -> None:
        entry = self._session.entry(recording_id)
        if entry is not None and entry.stage is Stage.EMBEDDING:
            self._session.set_stage(recording_id, Stage.EMBEDDING, progress)

    def _on_cancelled(self, recording_id: str) -> None:
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
                lambda: self._session.set_reference(recording_id),
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

    def _say(self, text: str, severity: Severity) -> None:
        self._reporter.report(Message(text, severity, topic=text))

    def _report(self, error: Exception) -> None:
        # The model is asked for by several jobs; one message is enough.
        topic = f"{type(error).__name__}:{error}" if isinstance(error, CarlError) else ""
        if not isinstance(error, CarlError):
            log.error("unexpected: %s", error, exc_info=error)
        self._reporter.report(describe(error, topic=topic))


def _name(path: Path) -> str:
    return os.fsencode(path.name or path).decode("utf-8", errors="replace")
