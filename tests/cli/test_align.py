from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.video.image import read_image
from tests.helpers.scenes import draw_scene
from tests.helpers.videos import make_video

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Carl


def error_frames(entry: dict[str, list[float]], truth: object, fps: float = 25) -> np.ndarray:
    reference = np.array(entry["reference_s"])
    other = np.array([np.nan if x is None else x for x in entry["other_s"]])
    return np.abs(other - truth(reference)) * fps  # type: ignore[operator]


def test_json_has_exactly_the_agreed_form(carl: Carl, clips: Path, tiny_model: Path) -> None:
    done = carl("align", clips / "whole.mp4", clips / "late.mp4", "--json", "--model", tiny_model)
    assert done.code == 0, done.err
    document = done.json
    assert set(document) == {"format", "version", "reference", "model", "recordings", "maps"}
    assert document["format"] == "carl-alignment"
    assert set(document["recordings"][0]) == {"path", "fingerprint", "duration_s", "frames"}
    assert document["recordings"][0]["frames"] == 200
    entry = document["maps"][0]
    assert set(entry) == {
        "recording", "method", "cost", "match", "verdict", "reason", "reference_s", "other_s",
        "confidence", "gaps", "anchors", "raw",
    }  # fmt: skip
    assert set(entry["raw"]) == {"reference_frame", "other_frame"}
    assert entry["verdict"] == "aligned"
    known = [x for x in entry["other_s"] if x is not None]
    assert known == sorted(known)


@pytest.mark.parametrize(
    ("reference", "other", "truth"),
    [
        ("whole", "whole", lambda t: t),
        ("whole", "late", lambda t: t - 1),
        ("late", "whole", lambda t: t + 1),
        ("whole", "fast", lambda t: t / 2),
        ("fast", "whole", lambda t: t * 2),
    ],
)
def test_exact_copies_come_out_exact(
    carl: Carl, clips: Path, tiny_model: Path, reference: str, other: str, truth: object
) -> None:
    paths = (clips / f"{reference}.mp4", clips / f"{other}.mp4")
    done = carl("align", *paths, "--json", "--model", tiny_model)
    assert done.code == 0, done.err
    error = error_frames(done.json["maps"][0], truth)
    expected = np.isfinite(error)
    if (reference, other) == ("whole", "late"):
        assert expected.mean() > 0.6  # 6 of 8 seconds have a counterpart
    else:
        assert expected.mean() > 0.95
    assert np.mean(error[expected] <= 2) >= 0.9


def test_files_are_written_side_by_side(
    carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new folder"
    done = carl(
        "align", clips / "whole.mp4", clips / "fast.mp4", "-o", out, "--csv", "--plot",
        "--video", "--model", tiny_model,
    )  # fmt: skip
    assert done.code == 0, done.err
    names = {"alignment.json", "alignment.csv", "heatmap.png", "side_by_side.mp4"}
    assert {path.name for path in out.iterdir()} == names
    document = json.loads((out / "alignment.json").read_text())
    assert (out / document["recordings"][1]["path"]).resolve() == clips / "fast.mp4"
    with (out / "alignment.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 200
    assert rows[100]["frame_0"] == "100"
    assert abs(int(rows[100]["frame_1"]) - 50) <= 2
    picture = read_image(out / "heatmap.png")
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


def test_default_folder_is_named_after_the_reference(
    carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert carl("align", clips / "whole.mp4", clips / "late.mp4", "--model", tiny_model).code == 0
    assert [p.name for p in tmp_path.iterdir()] == ["whole-aligned"]


def test_several_others_each_get_a_map(carl: Carl, clips: Path, tiny_model: Path) -> None:
    done = carl(
        "align", clips / "whole.mp4", clips / "late.mp4", clips / "fast.mp4", "--json",
        "--model", tiny_model,
    )  # fmt: skip
    assert done.code == 0
    assert [entry["recording"] for entry in done.json["maps"]] == [1, 2]


def test_anchors_snap_to_frames_are_echoed_and_hold(
    carl: Carl, clips: Path, tiny_model: Path
) -> None:
    done = carl(
        "align", clips / "whole.mp4", clips / "fast.mp4", "--json", "--model", tiny_model,
        "--anchor", "4.01=2.52",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "1:4.000000=2.520000" in done.err
    entry = done.json["maps"][0]
    assert entry["anchors"] == [[4.0, 2.52]]
    at = int(np.argmin(np.abs(np.array(entry["reference_s"]) - 4.0)))
    assert entry["other_s"][at] == pytest.approx(2.52, abs=0.05)


@pytest.mark.parametrize(
    ("anchors", "says"),
    [
        (["--anchor", "3=1", "--anchor", "4=0.5"], "anchor"),
        (["--anchor", "99=1"], "outside"),
        (["--anchor", "2:1=1"], "no other recording 2"),
        (["--anchor", "later"], "not an anchor"),
    ],
)
def test_impossible_anchors_are_wrong_usage(
    carl: Carl, clips: Path, tiny_model: Path, anchors: list[str], says: str
) -> None:
    done = carl("align", clips / "whole.mp4", clips / "fast.mp4", "--model", tiny_model, *anchors)
    assert done.code == 2
    assert says in done.err


def test_the_video_plays_along_convincing_maps_only_unless_asked(
    carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path
) -> None:
    still = make_video(
        tmp_path / "still.mp4", frames=100, size=(96, 72), draw=lambda n, s: draw_scene(0, s)
    )
    pair = (clips / "fast.mp4", still, "--video", "--model", tiny_model)
    found = carl("align", *pair, "-o", tmp_path / "auto")
    assert found.code == 4
    assert "shown from its start at its own speed" in found.err
    asked = carl("align", *pair, "-o", tmp_path / "linear", "--method", "linear")
    assert "at its own speed" not in asked.err
    again = carl("render", tmp_path / "linear" / "alignment.json", "-o", tmp_path / "again.mp4")
    assert again.code == 0
    assert "at its own speed" not in again.err


def test_without_a_convincing_alignment_the_code_is_4_and_the_json_is_printed(
    carl: Carl, tiny_model: Path, tmp_path: Path, clips: Path
) -> None:
    noise = np.random.default_rng(5)
    still = noise.integers(0, 255, (72, 96, 3), dtype=np.uint8)
    other = make_video(
        tmp_path / "still.mp4", frames=100, size=(96, 72), draw=lambda number, size: still
    )
    done = carl("align", clips / "whole.mp4", other, "--json", "--model", tiny_model)
    assert done.code == 4
    assert done.json["maps"][0]["verdict"] != "aligned"
    assert done.json["maps"][0]["reason"]
