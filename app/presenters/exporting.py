"""Writes videos, stills, alignments and heatmaps, in the background."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.faults.messages import Choice, Message, Reporter, Severity, describe
from app.models.exporting import ExportChoice, ExportOffer, Kind
from app.models.looking import Zoom
from carl_core.export.options import RenderOptions
from carl_core.export.otio import is_available as otio_available
from carl_core.playback.schedule import Schedule, TimeBase

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.jobs import Job, JobRunner
    from app.models.engine import EngineHandle
    from app.models.project import ProjectModel
    from app.models.session import Entry, SessionModel
    from app.presenters.playback import PlaybackPresenter
    from carl_core.alignment.files import AlignmentFile
    from carl_core.project.project import Marker

KEY = "export"


class ExportingPresenter(QObject):
    """One export at a time; further ones wait in line, as they were asked for.

    Parameters
    ----------
    derived : markers carried over and not accepted, which the window shows too
    zoom_of : part of a recording's picture that the window shows

    Signals
    -------
    folder_wanted(Path) : show this file in its folder
    """

    folder_wanted = Signal(object)

    def __init__(
        self,
        session: SessionModel,
        project: ProjectModel,
        player: PlaybackPresenter,
        jobs: JobRunner,
        engine: EngineHandle,
        reporter: Reporter,
        parent: QObject | None = None,
        *,
        derived: Callable[[], Sequence[Marker]] = tuple,
        zoom_of: Callable[[str], Zoom] = lambda _id: Zoom(),
    ) -> None:
        super().__init__(parent)
        self._zoom_of = zoom_of
        self._derived = derived
        self._session = session
        self._project = project
        self._player = player
        self._jobs = jobs
        self._engine = engine
        self._reporter = reporter
        self._waiting: list[tuple[Callable[[Job[Path]], Path], Path]] = []

    def offer(self) -> ExportOffer:
        """Return what can be chosen now."""
        reference = self._session.entry(self._session.reference_id)
        sound = ""
        if reference is None or reference.recording.info.audio is None:
            sound = self.tr("the reference has none")
        elif self._session.base is not TimeBase.REFERENCE:
            sound = self.tr("only with the time of the reference")
        heatmap = "" if self._mapped() else self.tr("nothing is aligned")
        return ExportOffer(
            view=self._project.project.view.mode,
            is_zoomed=any(self._zoom_of(e.id).factor > 1 for e in self._session.entries),
            has_range=self._project.project.loop is not None,
            has_marks=bool(self._project.project.markers),
            sound=sound,
            heatmap=heatmap,
            timeline="" if otio_available() else self.tr("install the extra “timeline”"),
        )

    def suggestion(self, kind: Kind) -> str:
        """Return a file name for this kind."""
        reference = self._session.entry(self._session.reference_id)
        stem = Path(reference.recording.name).stem if reference is not None else "comparison"
        return f"{stem}-{'aligned' if kind is not Kind.STILL else 'still'}.{kind.value}"

    def write(self, choice: ExportChoice, path: Path) -> None:
        """Write what was chosen to ``path``."""
        if choice.kind is Kind.VIDEO:
            self._write_video(choice, path)
        elif choice.kind is Kind.STILL:
            self._write_still(choice, path)
        elif choice.kind is Kind.HEATMAP:
            self._write_heatmap(path)
        else:
            self._write_alignment(choice.kind, path)

    # Kinds -------------------------------------------------------------------------------------

    def _write_video(self, choice: ExportChoice, path: Path) -> None:
        made = self._made(choice)
        if made is None:
            return
        schedule, options = made

        def work(job: Job[Path]) -> Path:
            # heavy: PyAV's writer and Pillow come along
            from carl_core.export.video import render_video, write_frames

            result = render_video(path, schedule, options, monitor=job.monitor)
            if choice.has_frames:
                write_frames(path.with_suffix(".frames.csv"), result, schedule.recordings)
            return path

        self._submit(work, path)

    def _write_still(self, choice: ExportChoice, path: Path) -> None:
        made = self._made(choice)
        if made is None:
            return
        schedule, options = made
        time_s = min(self._player.clock.time_s, schedule.duration_s)
        # Not those of the schedule: one recording may stand alone, or beside its place.
        frames = {r.id: self._player.frame_due(r.id) for r in schedule.recordings}

        def work(_job: Job[Path]) -> Path:
            from carl_core.export.still import write_still

            return write_still(path, schedule, time_s, options, frames=frames)

        self._submit(work, path)

    def _write_heatmap(self, path: Path) -> None:
        mapped = self._mapped()
        reference = self._session.entry(self._session.reference_id)
        active = next((e for e in mapped if e.id == self._session.active_id), None)
        other = active or next(iter(mapped), None)
        if reference is None or other is None:
            return
        made_of, alignment = other.aligned, other.alignment
        names = reference.recording.name, other.recording.name
        if made_of is None or alignment is None:
            return
        first, second = made_of

        def work(_job: Job[Path]) -> Path:
            from carl_core.export.heatmap import write_heatmap

            return write_heatmap(path, first, second, alignment, names=names)

        self._submit(work, path)

    def _write_alignment(self, kind: Kind, path: Path) -> None:
        schedule = self._session.schedule
        reference = self._session.entry(self._session.reference_id)
        if schedule is None or reference is None:
            return
        mapped, marks = self._mapped(), self._marks()

        def work(_job: Job[Path]) -> Path:
            if kind is Kind.TABLE:
                from carl_core.export.table import write_table

                return write_table(path, schedule)
            if kind is Kind.TIMELINE:
                from carl_core.export.otio import write_timeline

                return write_timeline(path, schedule, marks)
            from carl_core.alignment.files import write_alignment

            encoder = self._engine.get().encoder
            document = _document(reference, mapped, encoder.model_id, encoder.spec.name)
            return write_alignment(path, document)

        self._submit(work, path)

    # Help --------------------------------------------------------------------------------------

    def _made(self, choice: ExportChoice) -> tuple[Schedule, RenderOptions] | None:
        """Return which frames belong together, and the look of the pictures."""
        whole = self._session.schedule
        if whole is None:
            return None
        view = self._project.project.view
        others = list(self._session.others)
        layout = "grid"
        if choice.is_as_shown and view.mode != "grid" and others:
            active = next((e for e in others if e.id == self._session.active_id), others[0])
            others, layout = [active], view.mode
        maps = {e.id: e.alignment.time_map for e in others if e.alignment and e.is_mapped}
        schedule = Schedule(
            whole.reference, [e.recording for e in others], maps, base=self._session.base
        )
        span = None
        loop = self._project.project.loop
        if choice.is_range and loop is not None and choice.kind is Kind.VIDEO:
            ends = [
                schedule.master_time_of(whole.reference.id, t) for t in (loop.start_s, loop.end_s)
            ]
            span = ends[0] or 0.0, schedule.duration_s if ends[1] is None else ends[1]
        marks = self._marks() if choice.has_marks else ()
        zooms = {r.id: self._zoom_of(r.id) for r in schedule.recordings if choice.is_as_shown}
        return schedule, RenderOptions(
            layout=layout,
            height=choice.height,
            audio=choice.has_sound and not self.offer().sound,
            opacity=view.opacity,
            gain=view.gain,
            wipe=view.wipe,
            range_s=span,
            captions=choice.has_names,
            marks=marks,
            nudges=self._player.nudges,
            parts={i: zoom.part for i, zoom in zooms.items() if zoom.factor > 1},
        )

    def _mapped(self) -> list[Entry]:
        return [
            e for e in self._session.others if e.alignment is not None and e.aligned is not None
        ]

    def _marks(self) -> tuple[tuple[str, str, float, float], ...]:
        """Markers and phases: recording, name, own seconds; an arrow for those carried over."""
        own = [(m, m.name) for m in self._project.project.markers]
        both = (*own, *((m, f"← {m.name}") for m in self._derived()))
        return tuple((m.recording, name, m.start.time_s, m.end_s) for m, name in both)

    def _submit(self, work: Callable[[Job[Path]], Path], path: Path) -> None:
        self._waiting.append((work, path))
        if self._jobs.is_active(KEY):
            self._say(
                self.tr("{name} waits until the export before it is written.").format(
                    name=path.name
                ),
                Severity.INFO,
            )
        else:
            self._next()

    def _next(self) -> None:
        if not self._waiting:
            return
        work, path = self._waiting.pop(0)
        self._jobs.submit(
            work,
            key=KEY,
            title=self.tr("Exporting {name}").format(name=path.name),
            holds_window=True,
            done=self._on_done,
            failed=self._on_failed,
            cancelled=self._on_cancelled,
        )

    def _on_failed(self, error: Exception) -> None:
        self._reporter.report(describe(error))
        self._next()

    def _on_cancelled(self) -> None:
        text = self.tr("The export was cancelled; no file was left.")
        if self._waiting:
            names = ", ".join(path.name for _, path in self._waiting)
            text += " " + self.tr("Still to be written: {names}.").format(names=names)
        self._say(text, Severity.INFO)
        self._next()

    def _on_done(self, path: Path) -> None:
        self._next()
        choice = Choice(self.tr("Show in folder"), lambda: self.folder_wanted.emit(path))
        self._reporter.report(
            Message(
                self.tr("{name} is written.").format(name=path.name),
                Severity.INFO,
                choices=(choice,),
                topic="export",
            )
        )

    def _say(self, text: str, severity: Severity) -> None:
        self._reporter.report(Message(text, severity, topic="export"))


def _document(
    reference: Entry, mapped: Sequence[Entry], model_id: str, model_name: str
) -> AlignmentFile:
    """Gather what ``alignment.json`` holds: recording 0 is the reference."""
    from carl_core.alignment.files import AlignmentFile, AlignmentMap, RecordingEntry

    maps = []
    for number, entry in enumerate(mapped, start=1):
        alignment = entry.alignment
        if entry.aligned is not None and alignment is not None:
            first, second = entry.aligned
            maps.append(
                AlignmentMap(
                    recording=number,
                    alignment=alignment,
                    raw_reference_frames=first.frames[alignment.raw_reference],
                    raw_other_frames=second.frames[alignment.raw_other],
                )
            )
    recordings = tuple(
        RecordingEntry(r.path, r.fingerprint, r.index.duration_s, len(r.index))
        for r in (e.recording for e in (reference, *mapped))
    )
    return AlignmentFile(
        reference=0,
        model_id=model_id,
        model_name=model_name,
        recordings=recordings,
        maps=tuple(maps),
    )
