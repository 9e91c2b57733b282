"""What is being compared: recordings, the reference, and what was computed for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.resources.text import letter_of
from carl_core.playback.schedule import Schedule, TimeBase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.alignment.alignment import Alignment
    from carl_core.embeddings.embeddings import Embeddings
    from carl_core.progress import Progress
    from carl_core.video.recording import Recording


class Stage(Enum):
    """How far a recording is on its way to being compared.

    A long one is embedded coarsely and aligned first; then it is refined: embedded in full while it
    plays along a coarse map.
    """

    WAITING = "waiting"
    INDEXING = "indexing"
    EMBEDDING = "embedding"
    REFINING = "refining"
    EMBEDDED = "embedded"
    ALIGNING = "aligning"
    ALIGNED = "aligned"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_busy(self) -> bool:
        """Whether something will still come by itself."""
        return self in (
            Stage.WAITING,
            Stage.INDEXING,
            Stage.EMBEDDING,
            Stage.REFINING,
            Stage.ALIGNING,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One recording of the comparison.

    Attributes
    ----------
    position : 0 is the first that was added; gives letter and colour
    embeddings : None until embedded
    alignment : to the reference; None for the reference itself and until aligned
    coarse : sampling of ``embeddings`` that are only a first look, "" = they are in full
    aligned : embeddings of the reference and of this recording that ``alignment`` was made of
    alignment_coarse : sampling of a first look that it was made at, "" = of embeddings in full
    """

    recording: Recording
    position: int
    stage: Stage = Stage.WAITING
    progress: Progress | None = None
    embeddings: Embeddings | None = None
    alignment: Alignment | None = None
    coarse: str = ""
    aligned: tuple[Embeddings, Embeddings] | None = None
    alignment_coarse: str = ""

    @property
    def id(self) -> str:
        """Id of the recording."""
        return self.recording.id

    @property
    def letter(self) -> str:
        """What the recording is called on tiles and lanes."""
        return letter_of(self.position)

    @property
    def is_coarsely_aligned(self) -> bool:
        """Whether the map was made at a first look: another one follows."""
        return self.alignment_coarse != ""

    @property
    def is_mapped(self) -> bool:
        """Whether the alignment is good enough to play along."""
        return self.alignment is not None and self.alignment.is_playable


class SessionModel(QObject):
    """The one place that knows what is being compared. Main thread only.

    Signals
    -------
    recordings_changed() : some were added, removed, or the reference is another one
    entry_changed(str) : stage, progress, embeddings or alignment of one recording
    active_changed(str) : the active recording, "" = none
    schedule_changed() : which frames belong together is another matter now
    """

    recordings_changed = Signal()
    entry_changed = Signal(str)
    active_changed = Signal(str)
    schedule_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entries: dict[str, Entry] = {}
        self._reference_id = ""
        self._active_id = ""
        self._base = TimeBase.REFERENCE
        self._schedule: Schedule | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All recordings in the order they were added."""
        return tuple(self._entries.values())

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """The recordings themselves."""
        return tuple(e.recording for e in self._entries.values())

    @property
    def reference_id(self) -> str:
        """Id of the reference, "" when there is nothing."""
        return self._reference_id

    @property
    def active_id(self) -> str:
        """Id of the recording the keys act on, "" when there is nothing."""
        return self._active_id

    @property
    def base(self) -> TimeBase:
        """What master time runs with."""
        return self._base

    @property
    def others(self) -> tuple[Entry, ...]:
        """All but the reference."""
        return tuple(e for e in self._entries.values() if e.id != self._reference_id)

    @property
    def schedule(self) -> Schedule | None:
        """Which frames belong together; None when there is nothing."""
        if self._schedule is None and self._reference_id:
            reference = self._entries[self._reference_id]
            maps = {e.id: e.alignment.time_map for e in self.others if e.alignment and e.is_mapped}
            self._schedule = Schedule(
                reference.recording, [e.recording for e in self.others], maps, base=self._base
            )
        return self._schedule

    def entry(self, recording_id: str) -> Entry | None:
        """One recording, None when it is not there (any more)."""
        return self._entries.get(recording_id)

    def add(self, recording: Recording) -> None:
        """Add a recording; the first becomes the reference. Its id must be new."""
        if recording.id in self._entries:
            raise ValueError(f"{recording.id} is already there")
        self._entries[recording.id] = Entry(recording, len(self._entries))
        if not self._reference_id:
            self._reference_id = recording.id
        self._schedule = None
        self.recordings_changed.emit()
        self.schedule_changed.emit()
        if not self._active_id:
            self.set_active(recording.id)

    def set_recording(self, recording: Recording) -> None:
        """Put a recording, opened exactly now, in the place of the provisional one."""
        entry = self._entries.get(recording.id)
        if entry is None:
            return
        self._entries[recording.id] = replace(
            entry, recording=recording, stage=Stage.WAITING, progress=None
        )
        self._schedule = None
        self.recordings_changed.emit()
        self.schedule_changed.emit()

    def remove(self, recording_id: str) -> None:
        """Take a recording out; another becomes the reference when it was the one."""
        if self._entries.pop(recording_id, None) is None:
            return
        for position, entry in enumerate(self._entries.values()):
            self._entries[entry.id] = replace(entry, position=position)
        if self._reference_id == recording_id:
            self._reference_id = next(iter(self._entries), "")
            self._forget_alignments()
        self._schedule = None
        if self._active_id == recording_id:
            self.set_active(next(iter(self._entries), ""))
        self.recordings_changed.emit()
        self.schedule_changed.emit()

    def set_order(self, recording_ids: Sequence[str]) -> None:
        """Put the recordings into this order; ids that are not there do not matter."""
        places = {recording_id: k for k, recording_id in enumerate(recording_ids)}
        ordered = sorted(self._entries.values(), key=lambda e: places.get(e.id, len(places)))
        if [e.id for e in ordered] == list(self._entries):
            return
        self._entries = {e.id: replace(e, position=k) for k, e in enumerate(ordered)}
        self.recordings_changed.emit()

    def set_reference(self, recording_id: str) -> None:
        """Make another recording the reference; all alignments go."""
        if recording_id == self._reference_id or recording_id not in self._entries:
            return
        self._reference_id = recording_id
        self._forget_alignments()
        self._schedule = None
        self.recordings_changed.emit()
        self.schedule_changed.emit()

    def forget_alignments(self) -> None:
        """Let all alignments be made anew."""
        self._forget_alignments()
        self._schedule = None
        for entry in self.entries:
            self.entry_changed.emit(entry.id)
        self.schedule_changed.emit()

    def set_active(self, recording_id: str) -> None:
        """Make a recording the one the keys act on."""
        if recording_id != self._active_id:
            self._active_id = recording_id
            self.active_changed.emit(recording_id)

    def activate_neighbour(self, step: int) -> None:
        """Move the active recording by ``step`` tiles, around the end."""
        ids = list(self._entries)
        if ids:
            at = ids.index(self._active_id) if self._active_id in ids else 0
            self.set_active(ids[(at + step) % len(ids)])

    def set_base(self, base: TimeBase) -> None:
        """Choose what master time runs with."""
        if base is not self._base:
            self._base = base
            self._schedule = None
            self.schedule_changed.emit()

    def set_stage(self, recording_id: str, stage: Stage, progress: Progress | None = None) -> None:
        """Say how far a recording is."""
        entry = self._entries.get(recording_id)
        if entry is not None and (entry.stage is not stage or entry.progress is not progress):
            self._entries[recording_id] = replace(entry, stage=stage, progress=progress)
            self.entry_changed.emit(recording_id)

    def set_embeddings(
        self, recording_id: str, embeddings: Embeddings, *, coarse: str = ""
    ) -> None:
        """Keep what embedding gave, ``coarse`` being its sampling if it is only a first look."""
        entry = self._entries.get(recording_id)
        if entry is not None:
            self._entries[recording_id] = replace(
                entry, embeddings=embeddings, stage=Stage.EMBEDDED, progress=None, coarse=coarse
            )
            self.entry_changed.emit(recording_id)

    def set_alignment(
        self,
        recording_id: str,
        alignment: Alignment,
        made_of: tuple[Embeddings, Embeddings] | None = None,
        *,
        coarse: str = "",
    ) -> None:
        """Keep what aligning to the reference gave, and the embeddings its path counts in."""
        entry = self._entries.get(recording_id)
        if entry is not None:
            self._entries[recording_id] = replace(
                entry,
                alignment=alignment,
                stage=Stage.ALIGNED,
                progress=None,
                aligned=made_of,
                alignment_coarse=coarse,
            )
            self._schedule = None
            self.entry_changed.emit(recording_id)
            self.schedule_changed.emit()

    def set_preview(self, recording_id: str, alignment: Alignment) -> None:
        """Play along a map while the one that is measured on the whole is still being made."""
        entry = self._entries.get(recording_id)
        if entry is not None and entry.alignment is not None:
            self._entries[recording_id] = replace(entry, alignment=alignment)
            self._schedule = None
            self.entry_changed.emit(recording_id)
            self.schedule_changed.emit()

    def forget_embeddings(self) -> None:
        """Take all embeddings and alignments out: another encoder is in use."""
        for entry in self._entries.values():
            self._entries[entry.id] = replace(
                entry,
                stage=Stage.WAITING,
                progress=None,
                embeddings=None,
                alignment=None,
                coarse="",
                aligned=None,
                alignment_coarse="",
            )
        self._schedule = None
        self.recordings_changed.emit()
        self.schedule_changed.emit()

    def _forget_alignments(self) -> None:
        for entry in self._entries.values():
            stage = Stage.EMBEDDED if entry.embeddings is not None else entry.stage
            self._entries[entry.id] = replace(
                entry, alignment=None, stage=stage, aligned=None, alignment_coarse=""
            )
