"""The engine as the window sees it: made late, on a worker's thread, replaceable in tests."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import Any

    from carl_core.alignment.alignment import Alignment, Anchor, Mask
    from carl_core.arrays import UInt8
    from carl_core.embeddings.embeddings import Embeddings
    from carl_core.progress import Monitor
    from carl_core.queries import ImageQuery, RangeQuery
    from carl_core.retrieval.everywhere import LibraryResult
    from carl_core.retrieval.library import Library
    from carl_core.retrieval.retriever import SearchResult
    from carl_core.video.recording import Recording


@dataclass(frozen=True, slots=True)
class FrameQuery:
    """Find what ``recording`` shows at ``time_s``."""

    recording: Recording
    frame: int
    time_s: float


@dataclass(frozen=True, slots=True)
class StretchQuery:
    """Find what ``recording`` shows from ``start_s`` to ``end_s``, in this order."""

    recording: Recording
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class PictureQuery:
    """Find what a picture shows: uint8 (H, W, 3) RGB, or a file that is read when searched.

    Attributes
    ----------
    name : what the user calls it
    pixels : the picture, or None when ``path`` is to be read
    """

    name: str
    pixels: UInt8 | None = None
    path: Path | None = None


SearchQuery = FrameQuery | StretchQuery | PictureQuery


class Engine(Protocol):
    """What the window needs of ``carl_core.pipeline.Engine``."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences the user should see."""
        ...

    @property
    def encoder(self) -> Any:
        """The encoder, loaded at first use; ``provider`` is what the session runs on."""
        ...

    @property
    def library(self) -> Library | None:
        """Everything that was embedded; None where nothing is kept."""
        ...

    def open(
        self, path: Path, *, monitor: Monitor | None = None, provisional: bool = False
    ) -> Recording:
        """Open and index a recording."""
        ...

    def coarse_sampling(self, recording: Recording) -> str | None:
        """At what rate to take a first look at a long recording; None = embed it at once."""
        ...

    def embed(
        self, recording: Recording, *, sampling: str | None = None, monitor: Monitor | None = None
    ) -> Embeddings:
        """One vector per sampled frame; ``sampling`` None = the usual rate."""
        ...

    def align(
        self,
        reference: Recording,
        other: Recording,
        *,
        method: str = "auto",
        anchors: Sequence[Anchor] = (),
        masks: Sequence[Mask] = (),
        sampling: str | None = None,
        monitor: Monitor | None = None,
    ) -> Alignment:
        """Align ``other`` to ``reference``."""
        ...

    def align_near(
        self,
        previous: Alignment,
        reference: Recording,
        other: Recording,
        anchors: Sequence[Anchor],
        *,
        sampling: str | None = None,
        monitor: Monitor | None = None,
    ) -> Alignment | None:
        """Solve anew only around anchors that changed; None = solve the whole."""
        ...

    def measure(
        self,
        alignment: Alignment,
        reference: Recording,
        other: Recording,
        *,
        sampling: str | None = None,
        monitor: Monitor | None = None,
    ) -> Alignment:
        """Find how far an alignment that ``align_near`` made can be trusted."""
        ...

    def search(
        self,
        query: Sequence[Any],
        recordings: Sequence[Recording],
        *,
        unlike: Sequence[Any] = (),
        k: int = 10,
        monitor: Monitor | None = None,
    ) -> SearchResult:
        """Find moments."""
        ...

    def search_library(
        self,
        query: Sequence[Any],
        *,
        unlike: Sequence[Any] = (),
        k: int = 10,
        without: Collection[str] = (),
        monitor: Monitor | None = None,
    ) -> LibraryResult:
        """Find moments in everything that was embedded."""
        ...


class EngineHandle:
    """Makes the engine at first use. ``get`` and ``search`` are for workers' threads.

    Importing numba and ONNX Runtime and loading a model takes a second: never on the main thread.
    """

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    def replace(self, make: Callable[[], Engine]) -> None:
        """Use another engine from now on; work under way goes on with the old one."""
        with self._lock:
            self._make = make
            self._engine = None

    def release(self) -> None:
        """Let go of the engine, and with it of the GPU's memory; the next ``get`` makes it anew."""
        with self._lock:
            self._engine = None

    def get(self) -> Engine:
        """Return the engine; the first call makes it."""
        with self._lock:
            if self._engine is None:
                self._engine = self._make()
            return self._engine

    def search(
        self,
        query: Sequence[SearchQuery],
        recordings: Sequence[Recording],
        *,
        unlike: Sequence[SearchQuery] = (),
        k: int,
        monitor: Monitor,
    ) -> SearchResult:
        """Find the moments of ``recordings`` that look most like ``query``, not like ``unlike``."""
        return self.get().search(
            [_item(one) for one in query],
            recordings,
            unlike=[_item(one) for one in unlike],
            k=k,
            monitor=monitor,
        )

    def search_everything(
        self,
        query: Sequence[SearchQuery],
        *,
        unlike: Sequence[SearchQuery] = (),
        k: int,
        without: Collection[str],
        monitor: Monitor,
    ) -> LibraryResult:
        """Find the moments in all that was embedded, but for recordings of these fingerprints."""
        return self.get().search_library(
            [_item(one) for one in query],
            unlike=[_item(one) for one in unlike],
            k=k,
            without=without,
            monitor=monitor,
        )

    def wants_index(self) -> bool:
        """Whether the library is so large that its index should be built, and nobody does."""
        library = self.get().library
        return library is not None and library.wants_cells

    def build_index(self, monitor: Monitor, is_free: Callable[[], bool]) -> None:
        """Have the library's index built by another process, while ``is_free`` says so."""
        # heavy: numba comes along
        from carl_core.retrieval import library as of_everything
        from carl_core.retrieval.apart import build_apart

        engine = self.get()
        if engine.library is not None:
            path = engine.encoder.path
            build_apart(engine.library, path, of_everything.CELLS_FROM, monitor, is_free)


def _item(query: SearchQuery) -> RangeQuery | ImageQuery:
    """Return what the engine calls it; a picture file is read."""
    # heavy: numba and ONNX Runtime come along
    from carl_core.queries import ImageQuery, RangeQuery, image_query

    if isinstance(query, FrameQuery):
        return RangeQuery(query.recording, query.time_s, query.time_s)
    if isinstance(query, StretchQuery):
        return RangeQuery(query.recording, query.start_s, query.end_s)
    if query.pixels is not None:
        return ImageQuery(query.pixels, name=query.name)
    assert query.path is not None
    return image_query(query.path)


def engine_maker(
    model: Path | str | None = None, device: str = "auto", cache_bytes: int | None = None
) -> Callable[[], Engine]:
    """Return what makes the engine, with the bundled encoder or ``model``, and the user's cache.

    The call itself belongs on a worker's thread.

    Parameters
    ----------
    device : "auto", "cpu" or "cuda"
    cache_bytes : limit of the cache, None = the store's own
    """

    def make() -> Engine:
        # heavy: numba and ONNX Runtime come along
        from carl_core.pipeline import Engine as Pipeline

        engine = Pipeline(Path(model) if model else None, device=device)
        if engine.store is not None and cache_bytes is not None:
            engine.store.limit_bytes = cache_bytes
        return engine

    return make
