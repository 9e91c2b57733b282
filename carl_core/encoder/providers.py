"""Choose what ONNX Runtime computes on: CUDA where it really works, the CPU otherwise, no noise."""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import os
import sys
import threading
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime

from carl_core.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("carl.embed")

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
DEVICES = ("auto", "cpu", "cuda")
# Brings the CUDA and cuDNN libraries that the plain wheel lacks.
GPU_COMMAND = "uv sync --inexact --extra gpu"

# ONNX Runtime: 0 verbose ... 3 errors, 4 fatal only.
_LOG_FATAL = 4
_CUDA_OPTIONS = {
    # Reduced precision would make results depend on the batch size.
    "use_tf32": "0",
    "cudnn_conv_algo_search": "HEURISTIC",
    "arena_extend_strategy": "kSameAsRequested",
}
_process_output = threading.Lock()
# What fails comes as an exception; its C++ logger would print it as well.
onnxruntime.set_default_logger_severity(_LOG_FATAL)
# On Windows it asks no variable (see ``carl_core``).
onnxruntime.disable_telemetry_events()


@cache
def has_nvidia_driver() -> bool:
    """Whether an NVIDIA driver is installed, asked without ONNX Runtime (which prints errors)."""
    if Path("/proc/driver/nvidia/version").exists():
        return True
    name = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}.get(sys.platform)
    if name is None:
        return False
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def wanted_providers(device: str) -> tuple[list[Any], tuple[str, ...]]:
    """Return the providers to ask for, best first, and what a user should know about the choice.

    Raises
    ------
    ValueError
        When ``device`` is not one of ``DEVICES``.
    """
    if device not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}, got {device!r}")
    if device == "cpu":
        return [CPU], ()
    if not has_nvidia_driver():
        if device == "cuda":
            return [CPU], ("There is no NVIDIA driver on this machine: running on the CPU.",)
        return [CPU], ()
    if CUDA not in onnxruntime.get_available_providers():
        return [CPU], (_idle("this build of ONNX Runtime has no CUDA"),)
    _preload_cuda_libraries()
    return [(CUDA, _CUDA_OPTIONS), CPU], ()


def open_session(
    model: bytes, providers: list[Any], *, threads: int | None = None
) -> onnxruntime.InferenceSession:
    """Create a session that prints nothing and yields the cores when it waits.

    Parameters
    ----------
    model : a serialised ONNX model, weights inside
    providers : from ``wanted_providers``
    threads : CPU threads per operator, None = the cores this process may use

    Raises
    ------
    ModelError
        When ONNX Runtime refuses the model.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_FATAL
    options.intra_op_num_threads = threads if threads is not None else usable_cores()
    options.inter_op_num_threads = 1
    # Spinning threads would take the cores from decoding and from the window.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    asks_for_cuda = len(providers) > 1
    with _quiet() if asks_for_cuda else contextlib.nullcontext():
        try:
            # Without CUDA there is nothing to fall back on; trying again would only print.
            session = onnxruntime.InferenceSession(
                model, options, providers=providers, enable_fallback=asks_for_cuda
            )
        except Exception as exc:  # ONNX Runtime's exceptions share no base class but Exception
            raise ModelError(
                f"ONNX Runtime cannot run the model: {_first_line(exc)}. "
                "Use an encoder made for this program."
            ) from exc
    # At work it would print, and go on elsewhere without a word: that is for `Sessions` to do.
    session.disable_fallback()
    return session


def notes_on(session: onnxruntime.InferenceSession, providers: list[Any]) -> tuple[str, ...]:
    """Compare what a session runs on with what was asked for; a sentence when a GPU lies idle."""
    if len(providers) > 1 and session.get_providers()[0] != CUDA:
        return (_idle("its CUDA or cuDNN libraries are missing"),)
    return ()


def unused(reason: str) -> str:
    """Return the sentence about a GPU that is there and set up, and is not used all the same."""
    return (
        f"The NVIDIA GPU is not used because {reason}: running on the CPU, which is slower. "
        "Close other programs that use it, or update its driver, then start again."
    )


def usable_cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def _idle(reason: str) -> str:
    return (
        f"The NVIDIA GPU lies idle because {reason}: running on the CPU. "
        f"To use it, run: {GPU_COMMAND}"
    )


@cache
def _preload_cuda_libraries() -> None:
    with _quiet():
        try:
            onnxruntime.preload_dlls()
        except (RuntimeError, OSError) as exc:
            log.debug("preloading the CUDA libraries failed: %s", exc)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Turn what ONNX Runtime prints about missing libraries into a debug record.

    The prints of its Python side are caught. Used only where CUDA is asked for, because this holds
    for the whole process.
    """
    printed = io.StringIO()
    with _process_output:
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    if printed.getvalue().strip():
        log.debug("ONNX Runtime printed: %s", printed.getvalue().strip())


def _first_line(exc: Exception) -> str:
    lines = str(exc).strip().splitlines()
    return (lines[0] if lines else type(exc).__name__).rstrip(".")[:300]
