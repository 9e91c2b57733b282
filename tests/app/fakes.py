"""An engine without ONNX: real recordings, block means as vectors, a linear map."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.alignment.alignment import Alignment, Anchor, Mask
from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.progress import Monitor
from carl_core.retrieval.retriever import Hit, SearchResult
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from carl_core.video.recording import Recording


@dataclass
class FakeEncoder:
    provider: str = "CPUExecutionProvider"
    model_id: str = "fake"
    path: str = "fake.onnx"
    model_id: str = "0123456789abcdef"
    spec: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(name="made up"))


@dataclass
class FakeEngine:
    """Answers at once, or holds embedding until ``gate`` is set."""

    verdict: str = "aligned"
    notes: tuple[str, ...] = ()
    convincing: bool = True
    encoder_error: Exception | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    is_gated: bool = False
    embedded: list[str] = field(default_factory=list)
    aligned: list[tuple[str, str]] = field(default_factory=list)
    is_long: bool = False
    """Whether a first look is taken at every recording; only embedding in full is gated then."""

    library: None = None

    @property
    def encoder(self) -> FakeEncoder:
        if self.encoder_error is not None:
            raise self.encoder_error
        return FakeEncoder()

    def open(
        self, path: Path, *, monitor: Monitor | None = None, provisional: bool = False
    ) -> Recording:
        return open_recording(path, monitor=monitor, provisional=provisional)

    def coarse_sampling(self, recording: Recording) -> str | None:
        return "2/1" if self.is_long else None

    def embed(
        self, recording: Recording, *, sampling: str | None = None, monitor: Monitor | None = None
    ) -> Embeddings:
        _ = self.encoder
        monitor = monitor or Monitor()
        step = 3 if sampling is None else 12
        frames = np.arange(0, len(recording.index), step)
        monitor.start(f"embedding {recording.name}", len(frames))
        while self.is_gated and sampling is None and not self.gate.wait(0.01):
            monitor.check()
        rows = []
        with FrameReader(recording, size=(16, 16), threads=1) as reader:
            for frame in reader.frames_at(frames.tolist()):
                small = frame.pixels.reshape(8, 2, 8, 2, 3).mean(axis=(1, 3, 4)).ravel()
                small = small - small.mean() + 1e-3
                rows.append(small / np.linalg.norm(small))
                monitor.advance()
        self.embedded.append(recording.name)
        return Embeddings(
            EmbeddingKey(recording.fingerprint, "fake", sampling or "10/1"),
            frames,
            recording.index.times_s[frames],
            np.asarray(rows, dtype=np.float32),
        )

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
        if monitor is not None:
            monitor.check()
        times = self.embed(reference, sampling=sampling).times_s
        share = times / max(float(times[-1]), 1e-9)
        self.aligned.append((reference.name, other.name))
        others = share * other.index.duration_s * 0.98
        if anchors:
            knots = [(0.0, 0.0), *((a.reference_s, a.other_s) for a in anchors)]
            knots.append((float(times[-1]), other.index.duration_s * 0.98))
            others = np.interp(times, *np.array(knots).T)
        if self.verdict == "none":
            others = np.full_like(others, np.nan)
        else:
            others[-2:] = np.nan  # the end has no counterpart
        count = len(times)
        return Alignment(
            method="dtw" if method == "auto" else method,
            cost=0.2,
            match=0.5 if self.verdict == "none" else 0.97,
            verdict=self.verdict,
            reason="A made-up map for tests.",
            reference_s=times,
            other_s=others,
            confidence=np.linspace(1.0, 0.4, count),
            gaps=(),
            anchors=tuple(anchors),
            raw_reference=np.arange(count),
            raw_other=np.arange(count),
        )

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
        return None

    def measure(
        self,
        alignment: Alignment,
        reference: Recording,
        other: Recording,
        *,
        sampling: str | None = None,
        monitor: Monitor | None = None,
    ) -> Alignment:
        return alignment

    def search(
        self,
        query: Sequence[Any],
        recordings: Sequence[Recording],
        *,
        unlike: Sequence[Any] = (),
        k: int = 10,
        monitor: Monitor | None = None,
    ) -> SearchResult:
        hits = []
        for recording in recordings:
            frame = len(recording.index) // 2
            time_s = recording.index.time_of(frame)
            hits.append(Hit(recording.id, frame, time_s, 0.9, (time_s, time_s)))
        return SearchResult(
            tuple(hits[:k]), self.convincing, "It stands out." if self.convincing else "All alike."
        )
