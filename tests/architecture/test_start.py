"""Nothing heavy is imported before it is needed: what a user waits for is short."""

from __future__ import annotations

import subprocess
import sys

import pytest

HELP = """
from carl_core.cli.main import main
try:
    main(["--help"])
except SystemExit:
    pass
"""
WINDOW = "import app.bootstrap.run"
ENGINE = ("onnxruntime", "onnx", "numba", "torch", "scipy", "distributed", "PIL")
LOADED = """
import sys
sys.stderr.write("loaded: " + " ".join(m for m in {names!r} if m in sys.modules))
"""


@pytest.mark.parametrize(
    ("code", "names"),
    [
        (HELP, (*ENGINE, "numpy", "av", "PySide6")),
        (WINDOW, (*ENGINE, "sounddevice", "opentimelineio", "rich")),
    ],
    ids=["carl --help", "carl-gui"],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str, names: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", code + "\n" + LOADED.format(names=names)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.rpartition("loaded: ")[2] == ""
