"""The main job in one place: open, embed, align, search. Used by command line and window alike."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from carl_core.alignment.aligners import AlignOptions, align, measured
from carl_core.alignment.alignment import Anchor
from carl_core.alignment.files import AlignmentFile, AlignmentMap, RecordingEntry
from carl_core.alignment.nearby import resolve
from carl_core.alignment.pairs import KeptPairs
from carl_core.alignment.together import (
    TOGETHER_METHODS,
    Samples,
    align_by_sound,
    align_by_timecode,
)
from carl_core.assets import asset_path
from carl_core.embeddings.embeddings import EmbeddingKey
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder.coarse import coarse_sampling
from carl_core.encoder.embed import embed_recording
from carl_core.encoder.onnx import load_encoder
from carl_core.encoder.sampling import sampled_frames, sampling_of
from carl_core.errors import AlignmentError, CarlError, MediaError, StoreError
from carl_core.paths import keeps_nothing
from carl_core.progress import Monitor
from carl_core.retrieval.libraries import root_beside
from carl_core.retrieval.library import Library
from carl_core.searching import Asked, Searches
from carl_core.video.recording import open_recording

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from carl_core.alignment.alignment import Alignment, Mask
    from carl_core.arrays import Int64
    from carl_core.embeddings.embeddings import Embeddings
    from carl_core.encoder.onnx import Encoder
    from carl_core.queries import ImageQuery, RangeQuery
    from carl_core.retrieval.everywhere import LibraryResult
    from carl_core.retrieval.retriever import SearchResult
    from carl_core.video.recording import Recording

log = logging.getLogger("carl.pipeline")

# Recordings whose embeddings stay in memory, those used last: a window compares nine at most.
_MOST_KEPT = 24


class Engine:
    """An encoder, a store, and what can be done with them. Safe from several threads.

    Parameters
    ----------
    model : encoder file, None = the bundled one
    device : "auto", "cpu" or "cuda"
    store : where embeddings are kept; "default" = the user's cache, None = nowhere

    Attributes
    ----------
    notes : sentences a user should see (an unwritable cache, an idle GPU)
    """

    def __init__(
        self,
        model: Path | None = None,
        *,
        device: str = "auto",
        store: EmbeddingStore | str | None = "default",
    ) -> None:
        self._model = model
        self._device = device
        self._lock = threading.Lock()
        self._encoder: Encoder | None = None
        self._kept: OrderedDict[EmbeddingKey, Embeddings] = OrderedDict()
        self._pairs = KeptPairs()
        self._searches = Searches()
        self._store_notes: tuple[str, ...] = ()
        self._library: Library | None = None
        if store == "default" and keeps_nothing():
            self.store: EmbeddingStore | None = None
        elif store == "default":
            try:
                self.store = EmbeddingStore()
            except StoreError as error:
                log.warning("%s", error)
                self._store_notes = (f"{error} Going on without a cache.",)
                self.store = None
        else:
            assert not isinstance(store, str), store
            self.store = store

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded at first use.

        Raises
        ------
        ModelError
            When the file is missing or not one of ours.
        """
        with self._lock:
            if self._encoder is None:
                path = self._model if self._model is not None else asset_path("encoder.onnx")
                self._encoder = load_encoder(path, device=self._device)
            return self._encoder

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about this engine; there may be more after work."""
        return self._store_notes + (() if self._encoder is None else tuple(self._encoder.notes))

    def _note(self, sentence: str) -> None:
        with self._lock:
            if sentence not in self._store_notes:
                self._store_notes = (*self._store_notes, sentence)

    def open(
        self, path: Path, *, monitor: Monitor | None = None, provisional: bool = False
    ) -> Recording:
        """Open a recording and index its frames, see `open_recording`. Raises ``MediaError``."""
        return open_recording(path, monitor=monitor, provisional=provisional)

    def embed(
        self, recording: Recording, *, sampling: str | None = None, monitor: Monitor | None = None
    ) -> Embeddings:
        """One unit vector per sampled frame, from the store where it is there.

        Raises
        ------
        MediaError, ModelError, Cancelled
        """
        key = self.key_of(recording, sampling)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
        if kept is not None:
            return kept
        embeddings = embed_recording(
            recording,
            self.encoder,
            sampling=sampling,
            store=self.store,
            monitor=monitor,
            told=self._note,
        )
        with self._lock:
            self._kept[key] = embeddings
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        if self.library is not None:
            self.library.catalogue.note(recording.path, key, len(embeddings))
        return embeddings

    def coarse_sampling(self, recording: Recording) -> str | None:
        """Return at what rate to take a first look at a long recording; None = embed it at once.

        What a first look with ``embed(..., sampling=...)`` computes, embedding at the usual rate
        uses again. None also for what is in the store.

        Raises
        ------
        ModelError
        """
        key = self.key_of(recording, None)
        with self._lock:
            is_kept = key in self._kept
        if is_kept or (self.store is not None and self.store.is_finished(key)):
            return None
        return coarse_sampling(recording, self.encoder)

    @property
    def library(self) -> Library | None:
        """All that was ever embedded by this encoder, beside the store; None without a store."""
        if self.store is None:
            return None
        if self._library is None:
            self._library = Library(root_beside(self.store), self.encoder.model_id)
        return self._library

    def align(
        self,
        reference: Recording,
        other: Recording,
        *,
        method: str = "auto",
        anchors: Sequence[Anchor] = (),
        masks: Sequence[Mask] = (),
        options: AlignOptions | None = None,
        sampling: str | None = None,
        monitor: Monitor | None = None,
    ) -> Alignment:
        """Embed both recordings where needed and align ``other`` to ``reference``.

        By "audio" and "timecode" nothing is embedded: the pictures take no part.

        Raises
        ------
        MediaError, ModelError, AlignmentError, Cancelled
        """
        monitor = monitor or Monitor()
        if method in TOGETHER_METHODS:
            if anchors or masks:
                raise AlignmentError(
                    f"By {method} the recordings are shifted as a whole, so anchors and masks "
                    "cannot be kept. Remove them, or choose another method."
                )
            ours, theirs = (
                Samples(r, r.index.times_s[self.frames_of(r, sampling)]) for r in (reference, other)
            )
            if method == "audio":
                return align_by_sound(ours, theirs, monitor=monitor)
            return align_by_timecode(ours, theirs)
        first = self.embed(reference, sampling=sampling, monitor=monitor)
        second = self.embed(other, sampling=sampling, monitor=monitor)
        monitor.start(f"aligning {other.name}", None, "steps")
        options = options or AlignOptions()
        alignment = align(
            first,
            second,
            method=method,
            anchors=tuple(anchors),
            masks=tuple(masks),
            options=options,
            lengths_s=(reference.index.duration_s, other.index.duration_s),
            monitor=monitor,
        )
        self._pairs.of(first, second, centre=options.centre, monitor=monitor)
        return alignment

    def align_near(
        self,
        previous: Alignment,
        reference: Recording,
        other: Recording,
        anchors: Sequence[Anchor],
        *,
        options: AlignOptions | None = None,
        sampling: str | None = None,
        monitor: Monitor | None = None,
    ) -> Alignment | None:
        """Move anchors of an alignment at once: only what lies around them is solved anew.

        For a pin that is being dragged; see ``alignment.nearby``. None where the whole must be
        solved: call ``align``. The confidence is that of before.

        Raises
        ------
        MediaError, ModelError, AlignmentError, Cancelled
        """
        options = options or AlignOptions()
        first = self.embed(reference, sampling=sampling, monitor=monitor)
        second = self.embed(other, sampling=sampling, monitor=monitor)
        pair = self._pairs.of(first, second, centre=options.centre, monitor=monitor)
        return resolve(previous, pair, second.times_s, anchors, options, monitor=monitor)

    def measure(
        self,
        alignment: Alignment,
        reference: Recording,
        other: Recording,
        *,
        options: AlignOptions | None = None,
        sampling: str | None = None,
        monitor: Monitor | None = None,
    ) -> Alignment:
        """Find how far an alignment that ``align_near`` made can be trusted; the map stays.

        Raises
        ------
        MediaError, ModelError, Cancelled
        """
        monitor = monitor or Monitor()
        first = self.embed(reference, sampling=sampling, monitor=monitor)
        second = self.embed(other, sampling=sampling, monitor=monitor)
        monitor.start(f"measuring {other.name}", None, "steps")
        options = options or AlignOptions()
        return measured(alignment, first, second, options=options, monitor=monitor)

    def frames_of(self, recording: Recording, sampling: str | None = None) -> Int64:
        """Return the frames (T,) that embedding takes from a recording, without embedding it."""
        _check_exact(recording)
        spelled = sampling_of(recording.index, sampling, self.encoder.spec)
        return sampled_frames(recording.index, spelled)

    def search(
        self,
        query: Sequence[RangeQuery | ImageQuery],
        recordings: Sequence[Recording],
        *,
        unlike: Sequence[RangeQuery | ImageQuery] = (),
        k: int = 10,
        min_gap_s: float = 1.0,
        sampling: str | None = None,
        monitor: Monitor | None = None,
    ) -> SearchResult:
        """Find the moments of ``recordings`` that look most like the query, see `Searches.among`.

        Raises
        ------
        MediaError, ModelError, ValueError, Cancelled
        """
        asked = Asked(query, unlike, k, min_gap_s, sampling, monitor or Monitor())
        return self._searches.among(self, asked, recordings)

    def search_library(
        self,
        query: Sequence[RangeQuery | ImageQuery],
        *,
        unlike: Sequence[RangeQuery | ImageQuery] = (),
        k: int = 10,
        min_gap_s: float = 1.0,
        sampling: str | None = None,
        without: Collection[str] = (),
        monitor: Monitor | None = None,
    ) -> LibraryResult:
        """Find the moments that look most like the query in all that was ever embedded.

        See `Searches.everywhere`.

        Raises
        ------
        MediaError, ModelError, StoreError, ValueError, Cancelled
        """
        asked = Asked(query, unlike, k, min_gap_s, sampling, monitor or Monitor())
        return self._searches.everywhere(self, asked, without)

    def key_of(self, recording: Recording, sampling: str | None = None) -> EmbeddingKey:
        """Return under what the vectors of a recording are kept.

        Raises
        ------
        MediaError
            While it is still being read.
        ModelError
        """
        _check_exact(recording)
        encoder = self.encoder
        spelled = sampling_of(recording.index, sampling, encoder.spec)
        return EmbeddingKey(recording.fingerprint, encoder.model_id, spelled)


def _check_exact(recording: Recording) -> None:
    if not recording.is_exact:
        raise MediaError(
            f"{recording.name} is still being read, and this needs the exact time of every frame. "
            "Try again in a moment.",
            path=recording.path,
        )


def snap_anchor(anchor: Anchor, reference: Recording, other: Recording) -> Anchor:
    """Move both ends of an anchor to the nearest frame's time.

    Raises
    ------
    CarlError
        When a time lies outside its recording.
    """
    ends: list[float] = []
    for recording, time_s in ((reference, anchor.reference_s), (other, anchor.other_s)):
        if not 0 <= time_s <= recording.index.duration_s:
            raise CarlError(
                f"The anchor at {time_s:g} s lies outside {recording.name}, which lasts "
                f"{recording.index.duration_s:.3f} s. Give a time inside it."
            )
        frame = int(recording.index.nearest_frames([time_s])[0])
        ends.append(recording.index.time_of(frame))
    return Anchor(ends[0], ends[1])


def alignment_file(
    engine: Engine,
    reference: Recording,
    others: Sequence[Recording],
    alignments: Mapping[str, Alignment],
    *,
    sampling: str | None = None,
) -> AlignmentFile:
    """Gather what ``alignment.json`` holds: recording 0 is the reference."""
    recordings = (reference, *others)
    frames = engine.frames_of(reference, sampling)
    maps = []
    for number, other in enumerate(others, start=1):
        alignment = alignments[other.id]
        other_frames = engine.frames_of(other, sampling)
        maps.append(
            AlignmentMap(
                recording=number,
                alignment=alignment,
                raw_reference_frames=frames[alignment.raw_reference],
                raw_other_frames=other_frames[alignment.raw_other],
            )
        )
    entries = tuple(
        RecordingEntry(r.path, r.fingerprint, r.index.duration_s, len(r.index)) for r in recordings
    )
    encoder = engine.encoder
    return AlignmentFile(
        reference=0,
        model_id=encoder.model_id,
        model_name=encoder.spec.name,
        recordings=entries,
        maps=tuple(maps),
    )
