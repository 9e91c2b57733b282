from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from carl_core.video.recording import open_recording

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Carl


@pytest.fixture
def aligned(carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path) -> Path:
    arguments = (clips / "whole.mp4", clips / "fast.mp4", "-o", tmp_path, "--model", tiny_model)
    assert carl("align", *arguments).code == 0
    return tmp_path / "alignment.json"


@pytest.mark.parametrize("layout", ["side", "grid", "overlay", "wipe"])
def test_every_layout_renders(carl: Carl, aligned: Path, tmp_path: Path, layout: str) -> None:
    out = tmp_path / f"{layout}.mp4"
    done = carl("render", aligned, "-o", out, "--layout", layout, "--height", "120")
    assert done.code == 0, done.err
    assert "200 frames" in done.out
    recording = open_recording(out)
    assert len(recording.index) == 200
    assert recording.info.audio is not None


def test_a_changed_recording_is_noticed(carl: Carl, aligned: Path, tmp_path: Path) -> None:
    document = json.loads(aligned.read_text())
    document["recordings"][1]["fingerprint"] = "0" * 32
    aligned.write_text(json.dumps(document))
    done = carl("render", aligned, "-o", tmp_path / "x.mp4")
    assert done.code == 3
    assert "has changed" in done.err


def test_labels_are_carried_over(carl: Carl, aligned: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("recording,name,start_s,end_s\nwhole.mp4,turn,4.0,6.0\n")
    done = carl("transfer", aligned, labels, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    (written,) = (tmp_path / "out").iterdir()
    _, name, start_s, end_s, *more = written.read_text().splitlines()[1].split(",")
    assert more == ["", "", "whole.mp4"]
    assert name == "turn"
    assert float(start_s) == pytest.approx(2.0, abs=0.1)
    assert float(end_s) == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("text", ["", "[]", '{"format": "other"}', '{"format": "carl-alignment"}'])
def test_files_that_are_no_alignment_are_refused(carl: Carl, tmp_path: Path, text: str) -> None:
    path = tmp_path / "alignment.json"
    path.write_text(text)
    done = carl("render", path, "-o", tmp_path / "x.mp4")
    assert done.code == 3
    assert "carl: " in done.err
