"""What an encoder does when the device fails under it: less at a time, then the CPU, and a note."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from carl_core.encoder import sessions
from carl_core.encoder.onnx import Encoder, load_encoder
from carl_core.encoder.providers import CPU, CUDA
from carl_core.errors import ModelError
from tests.helpers.encoders import make_tiny_encoder

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 32


class Gpu:
    """A session that says it is one of CUDA, and fails as told.

    Parameters
    ----------
    session : the real one, on the CPU
    most : frames or windows it has memory for, None = any number
    error : what it raises from the start, None = nothing
    """

    def __init__(self, session: Any, most: int | None = None, error: str = "") -> None:
        self._session = session
        self.most = most
        self.error = error
        self.sizes: list[int] = []

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]

    def run(self, names: None, inputs: dict[str, Any]) -> Any:
        first = inputs.get("frames", inputs.get("features"))
        assert first is not None
        count = first.shape[1] if "frames" in inputs else first.shape[0]
        self.sizes.append(count)
        if self.error:
            raise RuntimeError(self.error)
        if self.most is not None and count > self.most:
            raise RuntimeError(
                "[ONNXRuntimeError] : 1 : FAIL : /onnxruntime/core/framework/bfc_arena.cc:376 "
                "Failed to allocate memory for requested buffer of size 411041792"
            )
        return self._session.run(names, inputs)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture
def encoder(path: Path) -> Encoder:
    return load_encoder(path, device="cpu")


def on_gpu(encoder: Encoder, **how: Any) -> tuple[Gpu, Gpu]:
    """Let an encoder believe it runs on CUDA."""
    inside = encoder._sessions._sessions
    fake = Gpu(inside["trunk"], **how), Gpu(inside["head"], **how)
    encoder._sessions._sessions = {"trunk": fake[0], "head": fake[1]}  # type: ignore[dict-item]
    return fake


def clip(count: int) -> tuple[Any, Any]:
    pixels = np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
    return pixels, np.arange(count) / 10


def test_too_little_memory_means_fewer_frames_at_a_time(encoder: Encoder, path: Path) -> None:
    pixels, times_s = clip(100)
    expected = load_encoder(path, device="cpu").encode(pixels, times_s)
    trunk, head = on_gpu(encoder, most=5)
    np.testing.assert_allclose(encoder.encode(pixels, times_s), expected, atol=1e-5)
    assert encoder.provider == CUDA
    assert trunk.sizes[:5] == [64, 32, 16, 8, 4]
    assert max(trunk.sizes[5:]) == 4
    assert max(head.sizes[1:]) <= 5
    (note,) = encoder.notes
    assert "fewer frames at a time" in note
    count = len(trunk.sizes)
    encoder.features(pixels[:8])
    assert trunk.sizes[count:] == [4, 4]  # it does not try in vain again


def test_no_memory_for_a_single_frame_means_the_cpu(encoder: Encoder, path: Path) -> None:
    pixels, times_s = clip(20)
    expected = load_encoder(path, device="cpu").encode(pixels, times_s)
    on_gpu(encoder, most=0)
    np.testing.assert_allclose(encoder.encode(pixels, times_s), expected, atol=1e-5)
    assert encoder.provider == CPU
    assert "goes on on the CPU" in encoder.notes[-1]


def test_a_gpu_that_fails_in_the_middle_means_the_cpu(encoder: Encoder, path: Path) -> None:
    pixels, times_s = clip(100)
    expected = load_encoder(path, device="cpu").encode(pixels, times_s)
    trunk, _ = on_gpu(encoder)
    encoder.features(pixels[:10])
    trunk.error = "CUDA failure 719: unspecified launch failure"
    np.testing.assert_allclose(encoder.encode(pixels, times_s), expected, atol=1e-5)
    assert encoder.provider == CPU
    (note,) = encoder.notes
    assert note.startswith("The encoder failed on the GPU and goes on on the CPU")


def test_a_head_that_fails_falls_back_too(encoder: Encoder, path: Path) -> None:
    pixels, times_s = clip(40)
    expected = load_encoder(path, device="cpu").encode(pixels, times_s)
    _, head = on_gpu(encoder)
    head.error = "cuBLAS failure"
    np.testing.assert_allclose(encoder.encode(pixels, times_s), expected, atol=1e-5)
    assert encoder.provider == CPU


def test_a_failure_on_the_cpu_is_a_sentence(encoder: Encoder) -> None:
    class Broken(Gpu):
        def get_providers(self) -> list[str]:
            return [CPU]

    inside = encoder._sessions._sessions
    inside["trunk"] = Broken(inside["trunk"], error="node 3 failed")  # type: ignore[assignment]
    with pytest.raises(ModelError, match=r"failed while running on CPU.*node 3 failed.*another"):
        encoder.features(clip(3)[0])
    inside["trunk"] = Broken(inside["trunk"], most=0)  # type: ignore[assignment]
    with pytest.raises(ModelError, match="Close other programs or some recordings"):
        encoder.features(clip(3)[0])


def test_nothing_falls_back_to_another_file(encoder: Encoder, path: Path, tmp_path: Path) -> None:
    other = make_tiny_encoder(tmp_path / "other.onnx", grid=4)
    on_gpu(encoder, error="CUDA failure 719")
    encoder._sessions._path = other
    with pytest.raises(ModelError, match="CUDA failure 719"):
        encoder.features(clip(3)[0])


def test_many_threads_fall_back_once(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import ThreadPoolExecutor

    opened: list[bytes] = []
    real = sessions.open_session

    def counted(model: bytes, *arguments: Any, **options: Any) -> Any:
        opened.append(model)
        return real(model, *arguments, **options)

    monkeypatch.setattr(sessions, "open_session", counted)
    on_gpu(encoder, error="CUDA failure 719")
    pixels, _ = clip(10)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: encoder.features(pixels), range(8)))
    assert len(opened) == 2  # a trunk and a head
    assert len(encoder.notes) == 1
    for features in found:
        np.testing.assert_array_equal(features, found[0])
