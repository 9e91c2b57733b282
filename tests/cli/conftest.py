from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from carl_core.cli.main import main
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.scenes import make_scene

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a scene, its trimmed and its double-speed copy."""
    folder = tmp_path_factory.mktemp("clips")
    make_scene(folder / "whole.mp4", audio_rate=48_000)
    make_scene(folder / "late.mp4", start_s=1.0, end_s=7.0)
    make_scene(folder / "fast.mp4", speed=2.0)
    return folder


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Carl:
    """Runs ``carl`` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Done:
        self._capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse leaves this way
            code = int(stop.code or 0)
        captured = self._capsys.readouterr()
        assert "Traceback" not in captured.err
        return Done(code, captured.out, captured.err)


@pytest.fixture
def carl(capsys: pytest.CaptureFixture[str]) -> Carl:
    return Carl(capsys)
