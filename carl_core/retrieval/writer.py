"""Writes a segment of the library: the rows of some recordings, their codes and their stretches."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.retrieval.segment import FILES, Part, Segment
from carl_core.retrieval.stretches import STRETCH, STRETCH_FILES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    import numpy.typing as npt

    from carl_core.embeddings.embeddings import Embeddings

_CHUNK = STRETCH << 11  # rows encoded at a time: 50 MB at D = 384


class SegmentWriter:
    """Writes a segment beside its place and moves it there when it is whole.

    Use as a context manager; what is not finished is removed.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self._folder = folder
        self._partial = folder.with_name(folder.name + ".part")
        self._dim = dim
        self._parts: list[Part] = []
        self._rows = 0
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(mode=0o700, parents=True)
        names = (*FILES, *STRETCH_FILES)
        self._streams = {name: (self._partial / name).open("wb") for name in names}

    def __enter__(self) -> SegmentWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        for stream in self._streams.values():
            stream.close()
        shutil.rmtree(self._partial, ignore_errors=True)

    def add(self, embeddings: Embeddings) -> None:
        """Append one recording. Raises ``OSError``."""
        # heavy: numba
        from carl_core.retrieval.kernels import encode, encode_stretches

        if embeddings.dim != self._dim:
            raise ValueError(f"vectors of {embeddings.dim} numbers among those of {self._dim}")
        for first in range(0, len(embeddings), _CHUNK):
            rows = slice(first, first + _CHUNK)
            vectors = np.array(embeddings.vectors[rows], dtype=np.float32, order="C")
            codes = np.empty(vectors.shape, dtype=np.int8)
            scales, errors = (np.empty(len(vectors), dtype=np.float32) for _ in range(2))
            encode(vectors, codes, scales, errors)
            self._write("vectors.f32", vectors)
            self._write("codes.i8", codes)
            self._write("scales.f32", scales)
            self._write("errors.f32", errors)
            starts = np.append(np.arange(0, len(vectors), STRETCH), len(vectors))
            shapes = {True: (len(starts) - 1, self._dim), False: (len(starts) - 1,)}
            columns = {n: np.empty(shapes[w], kind) for n, (kind, w) in STRETCH_FILES.items()}
            encode_stretches(vectors, starts, *columns.values())
            for name, values in columns.items():
                self._write(name, values)
        self._write("frames.i64", embeddings.frames)
        self._write("times.f64", embeddings.times_s)
        key = embeddings.key
        self._add_part(key.fingerprint, key.sampling, len(embeddings))

    def copy(self, segment: Segment, part: Part, check: Callable[[], None]) -> None:
        """Append a recording of another segment as it is. Raises ``OSError``."""
        begin, end = np.searchsorted(segment.stretches.starts, [part.start, part.stop]).tolist()
        spans = dict.fromkeys(FILES, (part.start, part.stop))
        for name, (start, stop) in (spans | dict.fromkeys(STRETCH_FILES, (begin, end))).items():
            array = segment.array(name)
            for first in range(start, stop, _CHUNK):
                check()
                rows = array[first : min(first + _CHUNK, stop)]
                self._streams[name].write(np.ascontiguousarray(rows).data)
        self._add_part(part.fingerprint, part.sampling, part.count)

    def finish(self) -> Segment:
        """Flush, move to its place and open. Raises ``OSError``."""
        for stream in self._streams.values():
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
        self._partial.replace(self._folder)
        return Segment(self._folder, self._parts, self._dim)

    def _add_part(self, fingerprint: str, sampling: str, count: int) -> None:
        self._parts.append(Part(fingerprint, sampling, self._rows, count))
        self._rows += count

    def _write(self, name: str, values: npt.NDArray[Any]) -> None:
        self._streams[name].write(
            np.ascontiguousarray(values, dtype=(FILES | STRETCH_FILES)[name][0]).data
        )
