"""A first look, and what embedding in full makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder import coarse
from carl_core.encoder.coarse import COARSE, coarse_sampling
from carl_core.encoder.embed import embed_recording
from carl_core.encoder.onnx import Encoder, load_encoder
from carl_core.encoder.sampling import KEYS, sampled_frames
from carl_core.errors import Cancelled
from carl_core.pipeline import Engine
from carl_core.progress import Monitor, Progress
from carl_core.timebase import FrameIndex
from carl_core.video.recording import open_recording
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.scenes import make_scene

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from carl_core.video.recording import Recording


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture
def encoder(model: Path) -> Encoder:
    return load_encoder(model)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """200 frames at 25 per second."""
    return open_recording(make_scene(tmp_path_factory.mktemp("video") / "scene.mp4"))


def test_only_what_takes_long_gets_a_first_look(
    recording: Recording, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert coarse_sampling(recording, encoder) is None
    monkeypatch.setattr(coarse, "frame_s", lambda _encoder: 1.0)
    assert coarse_sampling(recording, encoder) == COARSE


def test_far_key_frames_are_looked_at_alone(
    recording: Recording, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where two frames a second mean to decode nearly everything."""
    monkeypatch.setattr(coarse, "frame_s", lambda _encoder: 1.0)
    monkeypatch.setattr(coarse, "_FEWEST_KEYS", 8)
    keys = int(recording.index.is_key.sum())
    assert 8 <= keys < 30
    assert coarse_sampling(recording, encoder) == COARSE  # a small picture: decoding is cheap
    monkeypatch.setattr(coarse, "_DECODE_S_PER_PIXEL", 1.0)
    near = FrameIndex(
        recording.index.pts,
        recording.index.end_pts,
        np.ones(len(recording.index), np.bool_),
        recording.index.time_base,
    )
    assert coarse_sampling(replace(recording, index=near), encoder) == COARSE
    far = replace(near, is_key=np.arange(len(near)) % 25 == 0)
    assert coarse_sampling(replace(recording, index=far), encoder) == KEYS
    few = replace(near, is_key=np.arange(len(near)) % 100 == 0)
    assert coarse_sampling(replace(recording, index=few), encoder) == COARSE


@pytest.mark.parametrize("keys", [[0], [0, 40, 41, 90, 180], list(range(0, 200, 25))])
def test_frames_on_the_way_are_counted_as_they_are_decoded(
    recording: Recording, keys: list[int]
) -> None:
    is_key = np.zeros(200, np.bool_)
    is_key[keys] = True
    index = replace(recording.index, is_key=is_key)
    frames = sampled_frames(index, COARSE)
    decoded: set[int] = set()
    for frame in frames.tolist():
        decoded |= set(range(max(k for k in keys if k <= frame), frame + 1))
    assert coarse._decoded_on_the_way(index, frames) == len(decoded)


def test_a_look_at_key_frames_sees_what_embedding_in_full_sees_there(
    recording: Recording, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EmbeddingStore(tmp_path / "store")
    expected = embed_recording(recording, encoder, sampling="native")
    counted = Counted(encoder, monkeypatch)
    look = embed_recording(recording, encoder, sampling=KEYS, store=store)
    assert recording.index.is_key[look.frames].all()
    assert counted.frames == len(look)
    whole = embed_recording(recording, encoder, sampling="native", store=store)
    assert counted.frames == len(expected)  # each frame once
    np.testing.assert_array_equal(whole.vectors, expected.vectors)


def test_what_is_kept_gets_no_first_look(
    recording: Recording, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coarse, "frame_s", lambda _encoder: 1.0)
    engine = Engine(model)
    assert engine.coarse_sampling(recording) == COARSE
    engine.embed(recording)
    assert engine.coarse_sampling(recording) is None
    assert Engine(model).coarse_sampling(recording) is None


class Counted:
    """Counts the frames an encoder sees."""

    def __init__(self, encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
        self.frames = 0
        features = encoder.features

        def counted(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
            self.frames += len(frames)
            return features(frames)

        monkeypatch.setattr(encoder, "features", counted)


@pytest.mark.parametrize(("sampling", "known"), [("10/1", 16), ("native", 16), ("5/1", 8)])
def test_embedding_in_full_uses_the_first_look_and_gives_the_same(
    recording: Recording,
    encoder: Encoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sampling: str,
    known: int,
) -> None:
    expected = embed_recording(recording, encoder, sampling=sampling)
    store = EmbeddingStore(tmp_path / "store")
    counted = Counted(encoder, monkeypatch)
    look = embed_recording(recording, encoder, sampling=COARSE, store=store)
    assert counted.frames == len(look) == 16
    heard: list[Progress] = []
    monitor = Monitor(heard.append, interval_s=0)
    whole = embed_recording(
        recording, encoder, sampling=sampling, store=store, batch=7, monitor=monitor
    )
    assert counted.frames == len(look) + len(expected) - known
    np.testing.assert_array_equal(whole.vectors, expected.vectors)
    assert heard[-1].done == len(expected)


def test_a_first_look_and_a_cancelled_whole_go_together(
    recording: Recording, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = embed_recording(recording, encoder, sampling="10/1")
    store = EmbeddingStore(tmp_path / "store")
    counted = Counted(encoder, monkeypatch)
    embed_recording(recording, encoder, sampling=COARSE, store=store)

    def stop(progress: Progress) -> None:
        if progress.done > 30:
            monitor.cancel()

    monitor = Monitor(stop, interval_s=0)
    with pytest.raises(Cancelled):
        embed_recording(recording, encoder, sampling="10/1", store=store, batch=7, monitor=monitor)
    whole = embed_recording(recording, encoder, sampling="10/1", store=store)
    np.testing.assert_array_equal(whole.vectors, expected.vectors)
    assert counted.frames == len(expected)


def test_a_look_at_everything_leaves_nothing_to_decode(
    tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two frames a second: the first look is the whole."""
    slow = open_recording(make_scene(tmp_path / "slow.mp4", fps=2))
    store = EmbeddingStore(tmp_path / "store")
    counted = Counted(encoder, monkeypatch)
    look = embed_recording(slow, encoder, sampling=COARSE, store=store)
    whole = embed_recording(slow, encoder, sampling="native", store=store)
    np.testing.assert_array_equal(look.vectors, whole.vectors)
    assert counted.frames == len(slow.index)
