"""Where the work is done, and that nobody is bothered about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import onnxruntime
import pytest

from carl_core.encoder import providers
from carl_core.encoder.onnx import load_encoder
from tests.helpers.encoders import make_tiny_encoder

if TYPE_CHECKING:
    from collections.abc import Iterator

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
