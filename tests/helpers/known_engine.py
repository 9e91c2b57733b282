"""The real engine for recordings that exist only as values, whose embeddings are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.pipeline import Engine
from tests.helpers.recordings import fake_recording

if TYPE_CHECKING:
    from carl_core.arrays import Float32
    from carl_core.progress import Monitor
    from carl_core.video.recording import Recording


class KnownEngine(Engine):
    """Aligns arrays: a recording of as many frames is made for each.

    Parameters
    ----------
    vectors : float32 (T, D), unit rows, of one recording each
    """

    def __init__(self, *vectors: Float32, fps: float = 30.0) -> None:
        super().__init__(store=None)
        self.recordings = [fake_recording(f"{k}", len(v), fps) for k, v in enumerate(vectors)]
        self._given = {
            recording.fingerprint: Embeddings(
                EmbeddingKey(recording.fingerprint, "0" * 16, "all"),
                np.arange(len(rows)),
                recording.index.times_s,
                rows,
            )
            for recording, rows in zip(self.recordings, vectors, strict=True)
        }

    def embed(
        self, recording: Recording, *, sampling: str | None = None, monitor: Monitor | None = None
    ) -> Embeddings:
        """Return what was given."""
        return self._given[recording.fingerprint]
