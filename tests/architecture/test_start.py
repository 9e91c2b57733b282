"""Nothing heavy is imported before it is needed: what a user waits for is short."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

HELP = """
from carl_core.cli.main import main
try:
    main(["--help"])
except SystemExit:
    pass
"""
SHOWN = """
import app.bootstrap.run as run
from app.settings import Settings
app = run.make_application()
window = run.make_window(Settings(Path(sys.argv[1]) / "window.ini"))
run.show_at_once(window)
assert window.isVisible()
"""
FURNISHED = "import app.bootstrap.program"
ENGINE = ("onnxruntime", "onnx", "numba", "torch", "scipy", "distributed", "PIL")
FOR_RECORDINGS = (
    "numpy",
    "av",
    "pyqtgraph",
    "msgspec",
    "app.presenters.playback",
    "carl_core.project",
)
LOADED = """
sys.stderr.write("loaded: " + " ".join(m for m in {names!r} if m in sys.modules))
"""


@pytest.mark.parametrize(
    ("code", "names"),
    [
        (HELP, (*ENGINE, "numpy", "av", "PySide6")),
        (SHOWN, (*ENGINE, *FOR_RECORDINGS, "sounddevice", "opentimelineio", "rich")),
        (FURNISHED, (*ENGINE, "sounddevice", "opentimelineio", "rich")),
    ],
    ids=["carl --help", "carl-gui, its window on the screen", "carl-gui"],
)
def test_nothing_heavy_is_imported_before_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, names: tuple[str, ...]
) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    code = f"import sys\nfrom pathlib import Path\n{code}\n{LOADED.format(names=names)}"
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.rpartition("loaded: ")[2] == ""
