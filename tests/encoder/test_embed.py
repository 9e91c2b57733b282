"""Embedding whole recordings: sampling, resume, cancel, a cache that fails."""

from __future__ import annotations

import logging
import shutil
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.embeddings.entry import to_stored
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder import embed
from carl_core.encoder.embed import (
    embed_recording,
    picture_features,
    still_features,
)
from carl_core.encoder.onnx import Encoder, load_encoder
from carl_core.encoder.sampling import sampled_frames
from carl_core.errors import Cancelled, StoreError
from carl_core.progress import Monitor, Progress
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.scenes import make_scene
from tests.helpers.videos import make_video

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from carl_core.embeddings.embeddings import Embeddings
    from carl_core.video.reader import Frame
    from carl_core.video.recording import Recording


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return load_encoder(make_tiny_encoder(tmp_path_factory.mktemp("model") / "tiny.onnx"))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """200 frames at 25 per second."""
    return open_recording(make_scene(tmp_path_factory.mktemp("video") / "scene.mp4", end_s=8.0))


@pytest.fixture(scope="module")
def expected(recording: Recording, encoder: Encoder) -> Embeddings:
    """Every frame, without a store."""
    return embed_recording(recording, encoder, sampling="native")


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "store")


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "_CHUNK_FRAMES", 48)
    monkeypatch.setattr(embed, "_CHUNK_S", 1e9)


class CancelAfter(Monitor):
    """Cancels itself once so many frames are done."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self._left = frames

    def advance(self, amount: float = 1) -> None:
        self._left -= int(amount)
        if self._left <= 0:
            self.cancel()
        super().advance(amount)


def test_vectors_are_those_of_the_frames(recording: Recording, encoder: Encoder) -> None:
    embeddings = embed_recording(recording, encoder)
    assert embeddings.key.sampling == "10/1"
    assert embeddings.key.model_id == encoder.model_id
    assert embeddings.frames.tolist() == sampled_frames(recording.index, "10/1").tolist()
    np.testing.assert_array_equal(embeddings.times_s, recording.index.times_s[embeddings.frames])
    with FrameReader(recording, size=(32, 32), fit="squash") as reader:
        clip = np.stack([frame.pixels for frame in reader.frames_at(embeddings.frames.tolist())])
    by_hand = encoder.embed_features(to_stored(encoder.features(clip)), embeddings.times_s)
    np.testing.assert_allclose(embeddings.vectors, by_hand, atol=1e-6)


def test_native_embeds_every_frame(recording: Recording, expected: Embeddings) -> None:
    assert expected.frames.tolist() == list(range(len(recording.index)))
    np.testing.assert_allclose(np.linalg.norm(expected.vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 13, 64])
def test_batch_and_threads_change_nothing(
    recording: Recording, encoder: Encoder, expected: Embeddings, batch: int
) -> None:
    alone = load_encoder(encoder.path, threads=1)
    embeddings = embed_recording(recording, alone, sampling="native", batch=batch)
    np.testing.assert_allclose(embeddings.vectors, expected.vectors, atol=1e-4)


@pytest.mark.usefixtures("small_chunks")
def test_a_cancelled_embedding_continues_where_it_stopped(
    recording: Recording,
    encoder: Encoder,
    expected: Embeddings,
    store: EmbeddingStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(Cancelled):
        embed_recording(
            recording, encoder, sampling="native", store=store, monitor=CancelAfter(90), batch=10
        )
    assert store.load(expected.key) is None
    asked: list[int] = []
    whole = FrameReader.frames_at

    def watched(
        reader: FrameReader, indices: Iterable[int], *, ahead: bool = False
    ) -> Iterator[Frame]:
        numbers = list(indices)
        asked.extend(numbers)
        return whole(reader, numbers, ahead=ahead)

    monkeypatch.setattr(FrameReader, "frames_at", watched)
    reports: list[Progress] = []
    embeddings = embed_recording(
        recording, encoder, sampling="native", store=store, monitor=Monitor(reports.append)
    )
    assert asked == list(range(90, 200))
    assert (reports[0].done, reports[-1].done, reports[-1].total) == (90, 200, 200)
    np.testing.assert_allclose(embeddings.vectors, expected.vectors, atol=1e-4)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("stops", [(1,), (7, 50, 51), (199,)])
def test_resume_points_change_nothing(
    recording: Recording,
    encoder: Encoder,
    expected: Embeddings,
    store: EmbeddingStore,
    stops: tuple[int, ...],
) -> None:
    for stop in stops:
        with pytest.raises(Cancelled):
            embed_recording(
                recording,
                encoder,
                sampling="native",
                store=store,
                monitor=CancelAfter(stop),
                batch=1,
            )
    embeddings = embed_recording(recording, encoder, sampling="native", store=store)
    np.testing.assert_allclose(embeddings.vectors, expected.vectors, atol=1e-4)


def test_what_is_stored_is_not_computed_again(
    recording: Recording, encoder: Encoder, store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = embed_recording(recording, encoder, store=store)
    monkeypatch.setattr(Encoder, "features", lambda *_: pytest.fail("computed again"))
    reports: list[Progress] = []
    second = embed_recording(recording, encoder, store=store, monitor=Monitor(reports.append))
    np.testing.assert_array_equal(second.vectors, first.vectors)
    assert reports[-1].done == reports[-1].total == len(first)


def test_a_damaged_entry_is_logged_and_rebuilt(
    recording: Recording,
    encoder: Encoder,
    store: EmbeddingStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = embed_recording(recording, encoder, store=store)
    (folder,) = (f for f in store.root.iterdir() if not f.name.startswith("."))
    content = bytearray((folder / "vectors.f32").read_bytes())
    content[100] ^= 0xFF
    (folder / "vectors.f32").write_bytes(content)
    second = embed_recording(recording, encoder, store=store)
    assert "damaged" in caplog.text
    np.testing.assert_allclose(second.vectors, first.vectors, atol=1e-6)
    third = store.load(first.key)
    assert third is not None
    np.testing.assert_array_equal(third.vectors, second.vectors)


@pytest.mark.usefixtures("small_chunks")
def test_a_store_that_fails_half_way_is_done_without(
    recording: Recording,
    encoder: Encoder,
    expected: Embeddings,
    store: EmbeddingStore,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from carl_core.embeddings.writer import EntryWriter

    whole = EntryWriter.append

    def full_disk(writer: EntryWriter, features: npt.NDArray[np.float16]) -> None:
        if writer.done >= 90:
            raise StoreError("The cache cannot be written: no space left.")
        whole(writer, features)

    monkeypatch.setattr(EntryWriter, "append", full_disk)
    with caplog.at_level(logging.WARNING):
        embeddings = embed_recording(recording, encoder, sampling="native", store=store)
    assert [record.message for record in caplog.records] == [
        "The cache cannot be written: no space left. Going on without the cache."
    ]
    np.testing.assert_allclose(embeddings.vectors, expected.vectors, atol=1e-4)


@pytest.mark.usefixtures("small_chunks")
def test_a_store_that_vanishes_half_way_is_done_without(
    recording: Recording,
    encoder: Encoder,
    expected: Embeddings,
    store: EmbeddingStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Vandal(Monitor):
        def advance(self, amount: float = 1) -> None:
            super().advance(amount)
            shutil.rmtree(store.root, ignore_errors=True)

    embeddings = embed_recording(
        recording, encoder, sampling="native", store=store, monitor=Vandal()
    )
    assert "without the cache" in caplog.text
    np.testing.assert_allclose(embeddings.vectors, expected.vectors, atol=1e-4)


def test_two_at_once_both_get_the_right_answer(
    recording: Recording, encoder: Encoder, expected: Embeddings, store: EmbeddingStore
) -> None:
    results: list[Embeddings] = []
    both = threading.Barrier(2)

    def work() -> None:
        both.wait()
        results.append(
            embed_recording(recording, encoder, sampling="native", store=EmbeddingStore(store.root))
        )

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    for embeddings in (*results, store.load(expected.key)):
        assert embeddings is not None
        np.testing.assert_allclose(embeddings.vectors, expected.vectors, atol=1e-4)


def test_decoding_runs_ahead_on_a_thread_of_its_own(
    recording: Recording, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: set[int] = set()
    whole = FrameReader.frames_at

    def watched(
        reader: FrameReader, indices: Iterable[int], *, ahead: bool = False
    ) -> Iterator[Frame]:
        where.add(threading.get_ident())
        return whole(reader, indices, ahead=ahead)

    monkeypatch.setattr(FrameReader, "frames_at", watched)
    embed_recording(recording, encoder)
    assert where
    assert threading.get_ident() not in where


def test_cancelling_does_not_wait_for_a_batch(
    recording: Recording, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = Monitor()
    seen: list[int] = []
    whole = FrameReader.frames_at

    def watched(
        reader: FrameReader, indices: Iterable[int], *, ahead: bool = False
    ) -> Iterator[Frame]:
        for frame in whole(reader, indices, ahead=ahead):
            seen.append(frame.index)
            if frame.index == 5:
                monitor.cancel()  # as another thread would
            yield frame

    monkeypatch.setattr(FrameReader, "frames_at", watched)
    with pytest.raises(Cancelled):
        embed_recording(recording, encoder, sampling="native", monitor=monitor, batch=150)
    assert seen[-1] == 5


def test_a_cancelled_embedding_leaves_no_thread(recording: Recording, encoder: Encoder) -> None:
    before = threading.active_count()
    with pytest.raises(Cancelled):
        embed_recording(recording, encoder, sampling="native", monitor=CancelAfter(10), batch=4)
    assert threading.active_count() == before


def test_one_frame_is_enough(tmp_path: Path, encoder: Encoder) -> None:
    recording = open_recording(make_video(tmp_path / "one.mp4", frames=1))
    embeddings = embed_recording(recording, encoder)
    assert embeddings.frames.tolist() == [0]
    np.testing.assert_allclose(np.linalg.norm(embeddings.vectors), 1, atol=1e-5)


def test_a_picture_is_seen_as_the_frame_it_was(
    recording: Recording, encoder: Encoder, store: EmbeddingStore
) -> None:
    decoded = still_features(recording, encoder, sampling="5/1", store=store)
    embed_recording(recording, encoder, sampling="5/1", store=store)
    stored = still_features(recording, encoder, sampling="5/1", store=store)
    assert isinstance(stored, np.memmap)
    np.testing.assert_array_equal(decoded, stored)
    frames = sampled_frames(recording.index, "5/1")
    with FrameReader(recording) as reader:
        images = [reader.frame_at(int(frames[k])).pixels for k in (7, 20)]
    seen = picture_features(encoder, images)
    assert seen.shape == (2, encoder.spec.channels)
    # The trunk is fed other bytes: here the frame was scaled while it was decoded.
    distance = np.linalg.norm(stored[None].astype(float) - seen[:, None].astype(float), axis=2)
    assert np.argmin(distance, axis=1).tolist() == [7, 20]
    assert picture_features(encoder, []).shape == (0, encoder.spec.channels)


def test_looking_at_stills_can_be_cancelled(recording: Recording, encoder: Encoder) -> None:
    before = threading.active_count()
    with pytest.raises(Cancelled):
        still_features(recording, encoder, sampling="native", monitor=CancelAfter(10), batch=4)
    assert threading.active_count() == before
