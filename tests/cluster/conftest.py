from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from carl_core.cluster.tasks import Task, tasks_for
from carl_core.encoder.onnx import load_encoder
from tests.helpers import slow_embedding
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.scenes import make_scene

if TYPE_CHECKING:
    from pathlib import Path

FRAMES = 200
RECORDINGS = 4


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four recordings of 200 frames."""
    folder = tmp_path_factory.mktemp("recordings")
    return [
        make_scene(folder / f"{number}.mp4", start_s=number / 4, end_s=8 + number / 4)
        for number in range(RECORDINGS)
    ]


@pytest.fixture(scope="session")
def tasks(files: list[Path], model: Path) -> list[Task]:
    return tasks_for(files, model, load_encoder(model).model_id, "native", "cpu")


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File in which embedding processes write down what they embed."""
    path = tmp_path / "account"
    monkeypatch.setenv(slow_embedding.ACCOUNT, str(path))
    return path
