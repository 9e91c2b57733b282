"""Searches by what an engine embeds: among recordings, or in everything ever embedded."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from carl_core.alignment.nullbank import bank_for, features_id
from carl_core.encoder.embed import picture_features, still_features
from carl_core.errors import StoreError
from carl_core.queries import ImageQuery, RangeQuery, query_of, samples_inside
from carl_core.retrieval.everywhere import LibraryResult, search_library
from carl_core.retrieval.pictures import StoredStills, search_stills
from carl_core.retrieval.retriever import Retriever, SearchResult
from carl_core.retrieval.stills import Stills, centred, common_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from carl_core.arrays import Float16, Float32, Int64
    from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
    from carl_core.embeddings.store import EmbeddingStore
    from carl_core.encoder.onnx import Encoder
    from carl_core.progress import Monitor
    from carl_core.retrieval.library import Library
    from carl_core.video.recording import Recording


class Embeds(Protocol):
    """What searches need of an engine."""

    store: EmbeddingStore | None

    @property
    def encoder(self) -> Encoder:
        """The encoder."""
        ...

    @property
    def library(self) -> Library | None:
        """Everything ever embedded."""
        ...

    def embed(
        self, recording: Recording, *, sampling: str | None = None, monitor: Monitor | None = None
    ) -> Embeddings:
        """Return one unit vector per sampled frame."""
        ...

    def frames_of(self, recording: Recording, sampling: str | None = None) -> Int64:
        """Return the frames that embedding takes."""
        ...

    def key_of(self, recording: Recording, sampling: str | None = None) -> EmbeddingKey:
        """Return under what the vectors are kept."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A search.

    Attributes
    ----------
    query : one item may be a range; several items are averaged
    unlike : moments more like one of these (of a range: its mean) than like the query are no hits
    k, min_gap_s : moments at most, and how far apart at least
    sampling : of the embeddings, None = the encoder's own
    """

    query: Sequence[RangeQuery | ImageQuery]
    unlike: Sequence[RangeQuery | ImageQuery]
    k: int
    min_gap_s: float
    sampling: str | None
    monitor: Monitor

    @property
    def items(self) -> list[RangeQuery | ImageQuery]:
        """What is wanted, then what is not."""
        return [*self.query, *self.unlike]

    @property
    def ranges(self) -> list[RangeQuery]:
        """The items that are no pictures."""
        return [item for item in self.items if isinstance(item, RangeQuery)]

    @property
    def has_pictures(self) -> bool:
        """Whether there is a picture among the items."""
        return len(self.ranges) < len(self.items)


class Searches:
    """The searches of one engine, and what is kept from one to the next. From any thread.

    With a picture among the items, all is compared frame by frame, by what the trunk sees, for a
    picture has no neighbours.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._retriever: Retriever | None = None
        # Features the last search by a picture had to decode: without a store, 115 MB an hour.
        self._stills: dict[EmbeddingKey, Float16] = {}
        self._stored_stills: StoredStills | None = None

    def among(self, engine: Embeds, asked: Asked, recordings: Sequence[Recording]) -> SearchResult:
        """Find the moments of ``recordings`` that look most like what is asked.

        Raises
        ------
        MediaError, ModelError, ValueError, Cancelled
        """
        if not asked.query or not recordings:
            raise ValueError("a search needs a query and at least one recording")
        if asked.has_pictures:
            retriever, vectors = self._prepared_stills(engine, asked, recordings)
        else:
            vectors = _vectors(engine, asked)
            searched = {
                r.id: engine.embed(r, sampling=asked.sampling, monitor=asked.monitor)
                for r in recordings
            }
            retriever = self._retriever_of(engine, searched)
        query = query_of(vectors, len(asked.query))
        return retriever.search(query, k=asked.k, min_gap_s=asked.min_gap_s)

    def everywhere(self, engine: Embeds, asked: Asked, without: Collection[str]) -> LibraryResult:
        """Find the moments that look most like what is asked in everything embedded so far.

        What was embedded since the last time is taken into the library first. The recordings
        themselves are not opened. ``without`` are fingerprints of recordings that do not count.
        With a picture among the items, as far as the cache still holds what the trunk saw
        (``LibraryResult.left_out``).

        Raises
        ------
        MediaError, ModelError, StoreError, ValueError, Cancelled
        """
        if not asked.query:
            raise ValueError("a search needs a query")
        store, library = engine.store, engine.library
        if store is None or library is None:
            raise StoreError(
                "There is no library without a cache. Leave out --no-cache, or name the recordings "
                "to search in."
            )
        if asked.has_pictures:
            return self._everywhere_by_stills(engine, asked, without, library, store)
        vectors = _vectors(engine, asked)
        library.update(store, asked.monitor)
        return search_library(
            library,
            query_of(vectors, len(asked.query)),
            strangers=bank_for(engine.encoder.model_id),
            k=asked.k,
            min_gap_s=asked.min_gap_s,
            without=without,
            monitor=asked.monitor,
        )

    def _retriever_of(self, engine: Embeds, searched: Mapping[str, Embeddings]) -> Retriever:
        with self._lock:
            kept = self._retriever
        if kept is None or not kept.is_over(searched):
            kept = Retriever(searched, strangers=bank_for(engine.encoder.model_id))
            with self._lock:
                self._retriever = kept
        return kept

    def _everywhere_by_stills(
        self,
        engine: Embeds,
        asked: Asked,
        without: Collection[str],
        library: Library,
        store: EmbeddingStore,
    ) -> LibraryResult:
        rows = [self._still_rows(engine, item, asked) for item in asked.items]
        try:
            stills = self._stills_in(library, store, asked.monitor)
            mean = np.zeros(rows[0].shape[1], dtype=np.float32)
            if stills.keys:
                mean = stills.mean(asked.monitor)
            vectors = [centred(r, mean).mean(axis=0, keepdims=True) for r in rows]
            return search_stills(
                library,
                stills,
                query_of(vectors, len(asked.query)),
                strangers=_still_strangers(engine, mean),
                k=asked.k,
                min_gap_s=asked.min_gap_s,
                without=without,
                monitor=asked.monitor,
            )
        except OSError as error:
            raise StoreError(
                f"The cache changed while it was searched ({error}). Search once more."
            ) from error

    def _stills_in(self, library: Library, store: EmbeddingStore, monitor: Monitor) -> StoredStills:
        """Return what the cache holds now; while that is the same, what was found of it is kept."""
        now = StoredStills(library, store, monitor)
        with self._lock:
            kept = self._stored_stills
            if kept is None or kept.keys != now.keys:
                kept = self._stored_stills = now
            kept.left_out = now.left_out
            return kept

    def _prepared_stills(
        self, engine: Embeds, asked: Asked, recordings: Sequence[Recording]
    ) -> tuple[Retriever, list[Float32]]:
        """Return what to search in, and one row (1, C) per query item."""
        features: dict[EmbeddingKey, Float16] = {}
        for recording in (*recordings, *(item.recording for item in asked.ranges)):
            key = engine.key_of(recording, asked.sampling)
            if key not in features:
                features[key] = self._features(engine, key, recording, asked.monitor)
        with self._lock:
            self._stills = {
                # A mapped file is quickly there again, and must not be held open.
                key: rows
                for key, rows in features.items()
                if not isinstance(rows, np.memmap)
            }
        searched = [features[engine.key_of(recording, asked.sampling)] for recording in recordings]
        mean = common_mean(searched)
        vectors = []
        for item in asked.items:
            rows = self._still_rows(engine, item, asked)
            vectors.append(centred(rows, mean).mean(axis=0, keepdims=True))
        stills = {}
        for recording, rows in zip(recordings, searched, strict=True):
            frames = engine.frames_of(recording, asked.sampling)
            stills[recording.id] = Stills(frames, recording.index.times_s[frames], rows, mean)
        return Retriever(stills, strangers=_still_strangers(engine, mean)), vectors

    def _still_rows(self, engine: Embeds, item: RangeQuery | ImageQuery, asked: Asked) -> Float16:
        """Return what the trunk sees of a query item: (n, C)."""
        if isinstance(item, ImageQuery):
            return picture_features(engine.encoder, [item.pixels])
        recording = item.recording
        times_s = recording.index.times_s[engine.frames_of(recording, asked.sampling)]
        key = engine.key_of(recording, asked.sampling)
        features = self._features(engine, key, recording, asked.monitor)
        rows: Float16 = features[samples_inside(item, times_s)]
        return rows

    def _features(
        self, engine: Embeds, key: EmbeddingKey, recording: Recording, monitor: Monitor
    ) -> Float16:
        """Return what the trunk sees in each sampled frame (T, C)."""
        with self._lock:
            kept = self._stills.get(key)
        if kept is not None:
            return kept
        if engine.store is not None:  # leaves the features there
            engine.embed(recording, sampling=key.sampling, monitor=monitor)
        return still_features(
            recording, engine.encoder, sampling=key.sampling, store=engine.store, monitor=monitor
        )


def _vectors(engine: Embeds, asked: Asked) -> list[Float32]:
    """Return the vectors of each item, none of which is a picture."""
    found = []
    for item in asked.ranges:
        own = engine.embed(item.recording, sampling=asked.sampling, monitor=asked.monitor)
        found.append(own.vectors[samples_inside(item, own.times_s)])
    return found


def _still_strangers(engine: Embeds, mean: Float32) -> list[Float32]:
    return [centred(clip, mean) for clip in bank_for(features_id(engine.encoder.model_id))]
