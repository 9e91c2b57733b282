"""Kernels are compiled when they are needed or ahead, never because a module is imported."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment import kernels
from carl_core.alignment import warming as module
from carl_core.alignment.warming import warming
from carl_core.compiled import KERNELS, compile_all

if TYPE_CHECKING:
    import pytest

_IMPORTS = """
import carl_core.cli.align
from carl_core.compiled import KERNELS
assert KERNELS
assert not any(kernel.is_compiled for kernel in KERNELS)
"""


def test_importing_compiles_nothing() -> None:
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True, timeout=120)


def test_kernels_are_compiled_meanwhile_and_no_thread_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = threading.Event()

    def until_told(stop: threading.Event) -> None:
        begun.set()
        stop.wait()

    monkeypatch.setattr(module, "compile_all", until_told)
    with warming():
        assert begun.wait(10)
        np.testing.assert_array_equal(kernels.isotonic(np.array([2.0, 1.0])), [1.5, 1.5])
        assert "carl-warming" in {thread.name for thread in threading.enumerate()}
    assert "carl-warming" not in {thread.name for thread in threading.enumerate()}


def test_compiling_ahead_stops_when_it_is_told_to() -> None:
    stop = threading.Event()
    stop.set()
    compile_all(stop)  # returns without a kernel, however cold the cache is
    compile_all()
    assert all(kernel.is_compiled for kernel in KERNELS)
