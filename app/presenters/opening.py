"""From files to recordings of the project, in the order they were given."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.faults.messages import Message, Reporter, Severity, describe
from app.resources.text import letter_of
from carl_core.errors import CarlError, MediaError
from carl_core.paths import is_folder
from carl_core.project import edits
from carl_core.project.files import SUFFIX
from carl_core.project.project import Media
from carl_core.video.recording import begins_with

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.jobs import Job, JobRunner
    from app.models.engine import EngineHandle
    from app.models.project import ProjectModel
    from carl_core.progress import Monitor
    from carl_core.video.recording import Recording

LABEL_SUFFIXES = frozenset({".eaf", ".csv", ".json"})
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mts", ".m2ts", ".ts", ".mpg", ".mpeg"}
    | {".wmv", ".flv", ".3gp", ".ogv", ".mxf", ".gif", ".y4m"}
)
MOST_RECORDINGS = 9
MOST_OPENED = 5 * MOST_RECORDINGS
"""Recordings that undo brings back at once; older ones are opened again."""


@dataclass(eq=False)
class _Opening:
    path: Path
    batch: int
    recording: Recording | None = None
    is_over: bool = False


@dataclass
class _Found:
    """What a path gave: recordings, what went wrong in a folder, names that were too many."""

    recordings: list[Recording] = field(default_factory=list)
    problems: list[MediaError] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class OpeningPresenter(QObject):
    """Opens files in the background and adds them to the project, or finds them for it.

    Signals
    -------
    image_offered(Path) : a picture came where recordings were expected
    labels_offered(Path) : so did a file of markers
    project_offered(Path) : a project file did
    found(Recording) : a recording that is part of the project is open
    changed() : something is opened, or is over
    """

    image_offered = Signal(object)
    labels_offered = Signal(object)
    project_offered = Signal(object)
    found = Signal(object)
    changed = Signal()

    def __init__(
        self,
        project: ProjectModel,
        jobs: JobRunner,
        engine: EngineHandle,
        reporter: Reporter,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._project = project
        self._jobs = jobs
        self._engine = engine
        self._reporter = reporter
        self._openings: list[_Opening] = []
        self._openings_made = 0
        self._batches = 0
        self._opened: OrderedDict[str, Recording] = OrderedDict()
        self._looked_for: set[str] = set()
        self._pictures: list[Path] = []
        self.changed.connect(self._offer_pictures)

    @property
    def is_busy(self) -> bool:
        """Whether something is being opened."""
        return bool(self._openings or self._looked_for)

    def remember(self, recording: Recording) -> None:
        """Keep a recording for ``opened`` that was opened exactly now, not provisionally."""
        if recording.id in self._opened:
            self._opened[recording.id] = recording

    def opened(self, recording_id: str) -> Recording | None:
        """Return a recording that was opened before; undo asks for it."""
        return self._opened.get(recording_id)

    def forget(self) -> None:
        """Open every file anew from here on: another project begins, and files may have changed."""
        self._opened.clear()

    def add_paths(self, paths: Iterable[Path]) -> None:
        """Open files; folders give the recordings in them, pictures are offered as a search."""
        self._batches += 1
        for path in paths:
            if path.suffix.lower() in IMAGE_SUFFIXES:
                self._pictures.append(path)  # what it is to be found in may come with it
                continue
            if path.suffix.lower() in LABEL_SUFFIXES:
                self.labels_offered.emit(path)
                continue
            if path.suffix.lower() == SUFFIX:
                self.project_offered.emit(path)
                continue
            opening = _Opening(path, self._batches)
            self._openings.append(opening)
            self._openings_made += 1
            self._submit_opening(opening)
        self.changed.emit()

    def _offer_pictures(self) -> None:
        if not self.is_busy:
            pictures, self._pictures = self._pictures, []
            for path in pictures:
                self.image_offered.emit(path)

    def refuse_addresses(self, addresses: Sequence[str]) -> None:
        """Say that nothing is opened from the network."""
        self._say(
            self.tr(
                "{address} is an address on the network. Download it first, then open the file: "
                "CARL opens nothing from the network."
            ).format(address=", ".join(addresses)),
            Severity.WARNING,
        )

    def find(self, media: Media) -> None:
        """Open a recording that is part of the project; ``found`` follows, or a message."""
        if media.id in self._looked_for:
            return
        self._looked_for.add(media.id)
        path = Path(media.path)

        def done(found: tuple[Recording, bool]) -> None:
            recording, has_grown = found
            self._looked_for.discard(media.id)
            if has_grown:
                self._say(
                    self.tr(
                        "“{name}” has grown since the project was made. Anchors and markers are "
                        "where they were."
                    ).format(name=recording.name),
                    Severity.INFO,
                )
            elif media.fingerprint and recording.fingerprint != media.fingerprint:
                self._say(
                    self.tr(
                        "“{name}” is not the file the project was made with: its content is "
                        "another. Anchors and markers may point to other moments."
                    ).format(name=recording.name),
                    Severity.WARNING,
                )
            recording = replace(recording, id=media.id)
            self._keep(recording)
            if self._project.project.media(media.id) is not None:
                self.found.emit(recording)
            self.changed.emit()

        def failed(error: Exception) -> None:
            self._looked_for.discard(media.id)
            self._report(error)
            self.changed.emit()

        def cancelled() -> None:
            self._looked_for.discard(media.id)
            self.changed.emit()

        def work(job: Job[tuple[Recording, bool]]) -> tuple[Recording, bool]:
            recording = self._open_one(job.monitor, path)
            is_new = recording.fingerprint != media.fingerprint
            return recording, is_new and begins_with(path, media.size, media.fingerprint)

        self._jobs.submit(
            work,
            key=f"find:{media.id}",
            title=self.tr("Opening {name}").format(name=_name(path)),
            done=done,
            failed=failed,
            cancelled=cancelled,
        )

    # Opening -----------------------------------------------------------------------------------

    def _submit_opening(self, opening: _Opening) -> None:
        already = frozenset(Path(media.path) for media in self._project.project.recordings)
        self._jobs.submit(
            lambda job: self._open(job, opening.path, already),
            key=f"open:{self._openings_made}",
            title=self.tr("Opening {name}").format(name=_name(opening.path)),
            done=lambda found: self._on_opened(opening, found),
            failed=lambda error: self._on_open_failed(opening, error),
            cancelled=lambda: self._on_open_over(opening),
        )

    def _open(self, job: Job[_Found], path: Path, already: frozenset[Path]) -> _Found:
        if is_folder(path):
            inside = videos_in(path)
            if not inside:
                raise MediaError(
                    f"“{_name(path)}” is a folder without recordings. "
                    "Open the video files themselves.",
                    path=path,
                )
            # What is open already takes its place, but need not be opened again.
            room = MOST_RECORDINGS - len(already)
            new = [p for p in inside if p.absolute() not in already]
            found = _Found(left_out=[_name(p) for p in new[room:]])
            for one in new[:room]:
                try:
                    found.recordings.append(self._open_one(job.monitor, one))
                except MediaError as error:
                    found.problems.append(error)
            return found
        return _Found([self._open_one(job.monitor, path)])

    def _open_one(self, monitor: Monitor, path: Path) -> Recording:
        # Long ones are seen at once; loading opens them once more, exactly, before it embeds.
        return self._engine.get().open(path, monitor=monitor, provisional=True)

    def _on_opened(self, opening: _Opening, found: _Found) -> None:
        for problem in found.problems:
            self._report(problem)
        if found.left_out:
            self._say(
                self.tr(
                    "“{folder}” holds more than the {most} recordings that can be compared. "
                    "The first {most} by name are taken. Left out: {names}."
                ).format(
                    folder=_name(opening.path), most=MOST_RECORDINGS, names=_listed(found.left_out)
                ),
                Severity.WARNING,
            )
        at = self._openings.index(opening)
        self._openings[at : at + 1] = [
            _Opening(r.path, opening.batch, r, is_over=True) for r in found.recordings
        ]
        self._add_opened()

    def _on_open_failed(self, opening: _Opening, error: Exception) -> None:
        self._report(error)
        self._on_open_over(opening)

    def _on_open_over(self, opening: _Opening) -> None:
        opening.is_over = True
        self._add_opened()

    def _add_opened(self) -> None:
        """Add what is open, in the order the user gave: the first is the reference."""
        ready: list[tuple[int, Recording]] = []
        while self._openings and self._openings[0].is_over:
            opening = self._openings.pop(0)
            recording = opening.recording
            if recording is not None and self._is_wanted(recording, [r for _, r in ready]):
                ready.append((opening.batch, recording))
        for batch, group in groupby(ready, key=lambda pair: pair[0]):
            self._add([recording for _, recording in group], batch)
        self.changed.emit()

    def _add(self, recordings: Sequence[Recording], batch: int) -> None:
        for recording in recordings:
            self._keep(recording)
        media = [
            Media(
                id=r.id,
                path=str(r.path.absolute()),
                fingerprint=r.fingerprint,
                size=r.size,
            )
            for r in recordings
        ]
        names = ", ".join(r.name for r in recordings)
        self._project.edit(
            self.tr("add {names}").format(names=names),
            lambda p: edits.add_recordings(p, media),
            merge=f"add:{batch}",  # what was dropped together is undone together
        )
        for recording in recordings:
            if recording.info.vfr:
                text = self.tr(
                    "{name}: frame times are irregular (variable frame rate). Nothing to do, times "
                    "are exact."
                )
                self._say(text.format(name=recording.name), Severity.INFO)
            for problem in recording.info.problems:
                self._say(f"{recording.name}: {problem}", Severity.INFO)

    def _is_wanted(self, recording: Recording, beside: Sequence[Recording]) -> bool:
        """Whether a recording can be added; says why not."""
        project = self._project.project
        known = [(m.path, m.fingerprint) for m in project.recordings]
        known += [(os.fspath(r.path), r.fingerprint) for r in beside]
        for number, (path, fingerprint) in enumerate(known):
            if fingerprint != recording.fingerprint:
                continue
            is_same_path = path == os.fspath(recording.path.absolute())
            text = (
                self.tr("“{name}” is already open as {letter}. It was not added again.")
                if is_same_path
                else self.tr(
                    "“{name}” holds the same recording as {letter}, “{other}”. It was not added "
                    "again; open another recording of the action to compare."
                )
            )
            self._say(
                text.format(name=recording.name, letter=letter_of(number), other=_name(Path(path))),
                Severity.WARNING,
            )
            return False
        if len(known) >= MOST_RECORDINGS:
            self._say(
                self.tr(
                    "“{name}” was not added: {most} recordings are compared at most. "
                    "Remove one first."
                ).format(name=recording.name, most=MOST_RECORDINGS),
                Severity.WARNING,
            )
            return False
        return True

    def _keep(self, recording: Recording) -> None:
        self._opened[recording.id] = recording
        self._opened.move_to_end(recording.id)
        while len(self._opened) > MOST_OPENED:
            self._opened.popitem(last=False)

    def _say(self, text: str, severity: Severity) -> None:
        self._reporter.report(Message(text, severity, topic=text))

    def _report(self, error: Exception) -> None:
        topic = f"{type(error).__name__}:{error}" if isinstance(error, CarlError) else ""
        self._reporter.report(describe(error, topic=topic))


def videos_in(folder: Path) -> list[Path]:
    """Return the videos in a folder in the order people count: take2 before take10."""
    videos = [
        p
        for p in folder.iterdir()
        if p.suffix.lower() in VIDEO_SUFFIXES and not p.name.startswith(".") and p.is_file()
    ]
    return sorted(videos, key=lambda p: (_natural(p.name), p.name))


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"([0-9]+)", name.casefold())
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p]


def _listed(names: Sequence[str], most: int = 5) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" … (+{rest})" if rest > 0 else "")


def _name(path: Path) -> str:
    return os.fsencode(path.name or path).decode("utf-8", errors="replace")
