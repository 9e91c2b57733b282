"""Where a run's content comes from: recordings with their labels, simulated actions by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("torch")
from carl_core.errors import MediaError
from carl_core.progress import Monitor
from tests.training.datasets.material import write_finegym, write_penn_action, write_video
from training.bank import load_sources, picture_size
from training.config import TrainConfig, config_from_json
from training.datasets.sparse import SparseFrames
from training.simulate.phrases import TRAINING_FAMILIES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.torch


def config(root: Path | str, **data: Any) -> TrainConfig:
    values = {"root": str(root), "max_fps": 0.0, "max_clip_s": 0.0, **data}
    return config_from_json({"data": values, "model": {"image_size": 32}})


def test_recordings_carry_labels_and_actions(tmp_path: Path) -> None:
    write_penn_action(tmp_path)
    sources = load_sources(
        config(tmp_path, kind="penn_action"), tmp_path / "run", monitor=Monitor()
    )
    assert [source.action for source in sources.recordings] == ["bowl", "squat"]
    take = sources.recordings[0].takes[0]
    assert take.labels is not None
    assert take.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert sources.phases == 3
    assert sources.simulated == []
    held_out = load_sources(
        config(tmp_path, kind="penn_action", split="val"), tmp_path / "run", monitor=Monitor()
    )
    assert [source.name for source in held_out.recordings] == ["0003_bowl"]


def test_without_a_cache_nothing_is_decoded_ahead(tmp_path: Path) -> None:
    write_finegym(tmp_path)
    settings = {"kind": "finegym99", "cache": False, "size": -1, "additional": True}
    folder = tmp_path / "run"
    sources = load_sources(config(tmp_path, **settings), folder, monitor=Monitor())
    assert sources.phases == 99
    frames = [source.takes[0].frames for source in sources.recordings]
    assert all(isinstance(one, SparseFrames) for one in frames)
    assert [one.shape for one in frames] == [(12, 36, 64, 3), (9, 36, 64, 3)]
    assert not folder.exists()
    settings["cache"] = True
    cached = load_sources(config(tmp_path, **settings), folder, monitor=Monitor())
    for one, source in zip(frames, cached.recordings, strict=True):
        every = np.arange(len(one))
        assert (one[every] == source.takes[0].frames[every]).all()


@pytest.mark.parametrize(("size", "expected"), [(0, (48, 48)), (-1, None), (40, (40, 40))])
def test_size_of_decoded_pictures(size: int, expected: tuple[int, int] | None) -> None:
    assert picture_size(config("x", size=size)) == expected


def test_a_folder_without_labels_has_no_phases(tmp_path: Path) -> None:
    write_video(tmp_path / "videos" / "a.mp4")
    sources = load_sources(config(tmp_path / "videos"), tmp_path / "run", monitor=Monitor())
    assert sources.phases == 0
    assert sources.recordings[0].takes[0].labels is None


def test_single_pictures_are_nothing_to_align(tmp_path: Path) -> None:
    write_video(tmp_path / "videos" / "a.mp4", frames=1)
    with pytest.raises(MediaError, match="single frame"):
        load_sources(config(tmp_path / "videos"), tmp_path / "run", monitor=Monitor())


def test_simulated_actions_know_their_family(tmp_path: Path) -> None:
    settings = config(
        "", simulated_share=1.0, simulated_actions=2, simulated_views=2, simulated_frames=3
    )
    first = load_sources(settings, tmp_path, monitor=Monitor())
    actions = [source.action for source in first.simulated]
    assert set(actions) <= set(TRAINING_FAMILIES)
    for source in first.simulated:
        assert source.name.startswith(source.action + "-")
    # what an earlier version rendered says it by the name alone
    for path in (tmp_path / "cache" / "simulated").glob("*.json"):
        path.write_text(json.dumps({"name": json.loads(path.read_text())["name"]}))
    again = load_sources(settings, tmp_path, monitor=Monitor())
    assert [source.action for source in again.simulated] == actions
