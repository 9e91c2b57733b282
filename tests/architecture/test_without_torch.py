"""Engine and window must run without torch, and the engine without Qt."""

from __future__ import annotations

import subprocess
import sys

import pytest

BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(name + " must not be needed here")
sys.meta_path.insert(0, Block())
import {module}
"""


@pytest.mark.parametrize(
    ("module", "blocked"),
    [
        ("carl_core.cli.main", ("torch", "torchvision", "PySide6", "pyqtgraph", "sklearn")),
        ("app.bootstrap", ("torch", "torchvision", "sklearn", "onnxscript")),
    ],
)
def test_imports_without(module: str, blocked: tuple[str, ...]) -> None:
    code = BLOCKED.format(blocked=blocked, module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
