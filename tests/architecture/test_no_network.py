"""Window and command line open no network socket: the kernel would kill them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.no_network import is_possible
from tests.helpers.scenes import make_scene

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not is_possible(), reason="needs seccomp of Linux")


def run(*arguments: object, kind: str = "carl_core.cli.main") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.helpers.no_network", kind, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    make_scene(folder / "whole.mp4", audio_rate=48_000)
    make_scene(folder / "fast.mp4", speed=2.0)
    make_tiny_encoder(folder / "tiny.onnx")
    return folder


def test_a_network_socket_is_noticed(tmp_path: Path) -> None:
    module = tmp_path / "calls.py"
    module.write_text("import socket, sys\nsocket.socket(getattr(socket, sys.argv[1]))\n")
    for family, code in {"AF_UNIX": 0, "AF_INET": -31, "AF_INET6": -31}.items():
        done = subprocess.run(
            [sys.executable, "-m", "tests.helpers.no_network", "calls", family],
            env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}."},
        )
        assert done.returncode == code, family


def test_the_telemetry_of_onnx_runtime_is_off(material: Path, tmp_path: Path) -> None:
    """It would report nine seconds after it was loaded, but makes an id of the machine at once."""
    code = (
        "import sys, time; from carl_core.encoder.onnx import load_encoder\n"
        "load_encoder(sys.argv[1], device='cpu'); time.sleep(0.5)"
    )
    environment = {k: v for k, v in os.environ.items() if "TELEMETRY" not in k and k != "CI"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run(
        [sys.executable, "-c", code, material / "tiny.onnx"], env=environment, check=True
    )
    assert [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name] == []


def test_the_command_line_opens_none(material: Path, tmp_path: Path) -> None:
    whole, fast, model = (material / n for n in ("whole.mp4", "fast.mp4", "tiny.onnx"))
    done = run("align", whole, fast, "--model", model, "-o", tmp_path, "--csv", "--plot")
    assert done.returncode in (0, 4), (done.returncode, done.stderr)
    assert (tmp_path / "alignment.json").exists()
    assert run("probe", whole).returncode == 0


def test_the_window_opens_none(material: Path, tmp_path: Path) -> None:
    done = run(
        material / "whole.mp4",
        material / "fast.mp4",
        "--model",
        material / "tiny.onnx",
        "--self-test",
        tmp_path / "out.png",
        kind="app.main",
    )
    assert done.returncode in (0, 4), (done.returncode, done.stderr)
    assert json.loads(done.stdout)
