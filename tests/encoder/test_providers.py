"""Where the work is done, and that nobody is bothered about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import onnxruntime
import pytest

from carl_core.encoder import providers
from carl_core.encoder.onnx import load_encoder
from carl_core.encoder.providers import CPU, CUDA
from carl_core.errors import ModelError
from tests.helpers.encoders import make_tiny_encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "has_nvidia_driver", lambda: False)


@pytest.fixture
def idle_driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A driver, and no CUDA libraries: what an install without the extra looks like."""
    monkeypatch.setattr(providers, "has_nvidia_driver", lambda: True)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: print("Failed to load libcublas"))
    providers._preload_cuda_libraries.cache_clear()
    yield
    providers._preload_cuda_libraries.cache_clear()


@pytest.mark.usefixtures("no_driver")
def test_without_a_driver_the_cpu_is_taken_silently(tmp_path: Path) -> None:
    encoder = load_encoder(make_tiny_encoder(tmp_path / "tiny.onnx"))
    assert encoder.provider == "CPUExecutionProvider"
    assert encoder.notes == ()


@pytest.mark.usefixtures("no_driver")
def test_asking_for_cuda_without_a_driver_is_a_note_and_no_error(tmp_path: Path) -> None:
    encoder = load_encoder(make_tiny_encoder(tmp_path / "tiny.onnx"), device="cuda")
    assert encoder.provider == "CPUExecutionProvider"
    assert "no NVIDIA driver" in encoder.notes[0]


@pytest.mark.usefixtures("idle_driver")
def test_a_build_without_cuda_says_that_the_gpu_lies_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    encoder = load_encoder(make_tiny_encoder(tmp_path / "tiny.onnx"))
    assert encoder.provider == "CPUExecutionProvider"
    assert "GPU lies idle" in encoder.notes[0]
    assert providers.GPU_COMMAND in encoder.notes[0]


@pytest.mark.skipif(
    "CUDAExecutionProvider" not in onnxruntime.get_available_providers(),
    reason="this ONNX Runtime was built without CUDA",
)
@pytest.mark.skipif(providers.has_nvidia_driver(), reason="CUDA would really work here")
@pytest.mark.usefixtures("idle_driver")
def test_missing_cuda_libraries_are_a_note_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    encoder = load_encoder(make_tiny_encoder(tmp_path / "tiny.onnx"))
    assert encoder.provider == "CPUExecutionProvider"
    assert "GPU lies idle" in encoder.notes[0]
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not providers.has_nvidia_driver(), reason="there is no NVIDIA driver here")
def test_with_a_gpu_the_session_runs_on_it_or_says_why_not(tmp_path: Path) -> None:
    encoder = load_encoder(make_tiny_encoder(tmp_path / "tiny.onnx"))
    assert (encoder.provider == "CUDAExecutionProvider") == (encoder.notes == ())


class Cuda:
    """Stands for ONNX Runtime's session: with CUDA asked for, one that says it runs on it.

    It computes on the CPU. What it does otherwise is written on the class, see ``cuda``.
    """

    real = onnxruntime.InferenceSession
    refuses: Exception | None = None
    """What creating one raises."""

    takes = 2
    """Of the two graphs, how many it takes; the others fall back to the CPU without a word."""

    changes: Callable[[Any], Any] = staticmethod(lambda output: output)
    """What becomes of what it computes."""

    fails: Exception | None = None
    """What running it raises."""

    opened: ClassVar[list[Cuda]] = []

    def __init__(
        self, model: bytes, options: Any, *, providers: list[Any], enable_fallback: bool
    ) -> None:
        assert isinstance(providers[0], tuple)
        assert providers[0][0] == CUDA
        assert enable_fallback
        if self.refuses is not None:
            raise self.refuses
        self._inner = self.real(model, options, providers=[CPU])
        self._is_on_cuda = len(self.opened) < self.takes
        self.opened.append(self)

    def get_providers(self) -> list[str]:
        return [CUDA, CPU] if self._is_on_cuda else [CPU]

    def disable_fallback(self) -> None:
        self._inner.disable_fallback()

    def run(self, names: None, inputs: dict[str, Any]) -> list[Any]:
        if self.fails is not None:
            raise self.fails
        return [type(self).changes(self._inner.run(names, inputs)[0])]


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Cuda]]:
    """A machine on which CUDA is set up, for all that ONNX Runtime says."""

    class Fresh(Cuda):
        opened: ClassVar[list[Cuda]] = []

    def session(model: bytes, options: Any, *, providers: list[Any], enable_fallback: bool) -> Any:
        kind = Cuda.real if providers == [CPU] else Fresh
        return kind(model, options, providers=providers, enable_fallback=enable_fallback)

    monkeypatch.setattr(providers, "has_nvidia_driver", lambda: True)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    providers._preload_cuda_libraries.cache_clear()
    yield Fresh
    providers._preload_cuda_libraries.cache_clear()


@pytest.mark.parametrize("device", ["auto", "cuda"])
@pytest.mark.parametrize("off", [0.0, 1e-3, 2e-2])
def test_a_gpu_that_gives_what_the_cpu_gives_is_used(
    tmp_path: Path, cuda: type[Cuda], device: str, off: float
) -> None:
    cuda.changes = staticmethod(lambda output: output * np.float32(1 + off))
    encoder = load_encoder(make_tiny_encoder(tmp_path / "tiny.onnx"), device=device)
    assert encoder.provider == CUDA
    assert encoder.notes == ()
    assert len(cuda.opened) == 2
    # ONNX Runtime's own way on, which prints and says nothing to us, is closed.
    assert not any(session._inner._enable_fallback for session in cuda.opened)
    right = load_encoder(tmp_path / "tiny.onnx", device="cpu")
    pixels = np.random.default_rng(1).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    times_s = np.arange(20) / 10
    found = encoder.encode(pixels, times_s)
    np.testing.assert_allclose(found, right.encode(pixels, times_s), atol=3 * off + 1e-6)


def raises_later(cuda: type[Cuda]) -> None:
    cuda.fails = RuntimeError("CUDA failure 700: an illegal memory access was encountered")


def has_no_memory(cuda: type[Cuda]) -> None:
    cuda.fails = RuntimeError("Failed to allocate memory for requested buffer of size 411041792")


def refuses(cuda: type[Cuda]) -> None:
    cuda.refuses = Exception("[ONNXRuntimeError] : 1 : FAIL : CUDA failure 2: out of memory")


def falls_back(cuda: type[Cuda]) -> None:
    cuda.takes = 0


def falls_back_half(cuda: type[Cuda]) -> None:
    cuda.takes = 1


def gives_nothing(cuda: type[Cuda]) -> None:
    cuda.changes = staticmethod(lambda output: np.full_like(output, np.nan))


def gives_zeros(cuda: type[Cuda]) -> None:
    cuda.changes = staticmethod(np.zeros_like)


def gives_others(cuda: type[Cuda]) -> None:
    cuda.changes = staticmethod(lambda output: output[..., ::-1])


def gives_larger(cuda: type[Cuda]) -> None:
    cuda.changes = staticmethod(lambda output: output * np.float32(1.2))


def gives_another_shape(cuda: type[Cuda]) -> None:
    cuda.changes = staticmethod(lambda output: output[..., :-1])


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (refuses, "could not take the encoder"),
        (falls_back, "libraries are missing"),
        (falls_back_half, "libraries are missing"),
        (gives_nothing, "failed when it was tried"),
        (gives_another_shape, "failed when it was tried"),
        (raises_later, "failed when it was tried"),
        (has_no_memory, "failed when it was tried"),
        (gives_zeros, "gives other numbers than the CPU"),
        (gives_others, "gives other numbers than the CPU"),
        (gives_larger, "gives other numbers than the CPU"),
    ],
)
def test_a_gpu_that_is_not_right_is_not_used_and_a_note_says_why(
    tmp_path: Path, cuda: type[Cuda], fault: Callable[[type[Cuda]], None], said: str
) -> None:
    fault(cuda)
    encoder = load_encoder(make_tiny_encoder(tmp_path / "tiny.onnx"), device="cuda")
    assert encoder.provider == CPU
    (note,) = encoder.notes
    assert said in note
    assert "running on the CPU" in note
    pixels = np.random.default_rng(1).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    times_s = np.arange(20) / 10
    right = load_encoder(tmp_path / "tiny.onnx", device="cpu").encode(pixels, times_s)
    np.testing.assert_array_equal(encoder.encode(pixels, times_s), right)
    assert encoder.notes == (note,)


@pytest.mark.parametrize("fault", [gives_nothing, raises_later, has_no_memory])
def test_a_gpu_that_goes_wrong_half_way_is_left_for_the_cpu(
    tmp_path: Path, cuda: type[Cuda], fault: Callable[[type[Cuda]], None]
) -> None:
    encoder = load_encoder(make_tiny_encoder(tmp_path / "tiny.onnx"))
    right = load_encoder(tmp_path / "tiny.onnx", device="cpu")
    pixels = np.random.default_rng(1).integers(0, 256, (100, 32, 32, 3), dtype=np.uint8)
    first = encoder.features(pixels[:70])
    assert encoder.provider == CUDA
    fault(cuda)
    features = np.concatenate([first, encoder.features(pixels[70:])])
    assert encoder.provider == CPU
    np.testing.assert_array_equal(features, right.features(pixels))
    times_s = np.arange(100) / 10
    np.testing.assert_array_equal(
        encoder.embed_features(features, times_s), right.embed_features(features, times_s)
    )
    assert "goes on on the CPU" in encoder.notes[-1]


def test_a_file_that_is_no_model_is_refused_on_a_gpu_as_anywhere(
    tmp_path: Path, cuda: type[Cuda]
) -> None:
    path = tmp_path / "no.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"no\.onnx"):
        load_encoder(path)


def test_an_unknown_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="abacus"):
        load_encoder(make_tiny_encoder(tmp_path / "tiny.onnx"), device="abacus")


def test_a_program_that_embeds_prints_nothing(tmp_path: Path) -> None:
    path = make_tiny_encoder(tmp_path / "tiny.onnx")
    program = (
        "import sys, numpy; from carl_core.encoder.onnx import load_encoder; "
        "load_encoder(sys.argv[1]).encode(numpy.zeros((3, 32, 32, 3), numpy.uint8), [0, 1, 2])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
