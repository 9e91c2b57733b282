"""The check of a data set: whole ones pass, broken ones say what is wrong, none makes it fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.training.datasets.material import (
    listed,
    save,
    write_finegym,
    write_kinetics,
    write_penn_action,
    write_pouring,
    write_video,
)
from training.datasets.check import run_cli
from training.datasets.inspection import guess_kinds

if TYPE_CHECKING:
    from pathlib import Path


def check(
    capsys: pytest.CaptureFixture[str], root: Path, *options: str
) -> tuple[int, list[dict[str, Any]]]:
    capsys.readouterr()
    code = run_cli([str(root), "--json", *options])
    found = json.loads(capsys.readouterr().out)
    assert found["whole"] == (code == 0)
    return code, found["sets"]


def problems(report: dict[str, Any]) -> str:
    return json.dumps(report["problems"])


def test_a_work_directory_of_whole_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_penn_action(tmp_path)
    write_pouring(tmp_path)
    write_finegym(tmp_path)
    code, sets = check(capsys, tmp_path)
    assert [report["kind"] for report in sets] == ["penn_action", "pouring", "finegym99"]
    assert code == 0, [problems(report) for report in sets]
    penn, pouring, gym = (report["splits"] for report in sets)
    assert penn[0]["listed"] == penn[0]["readable"] == penn[0]["labelled"] == 2
    assert (penn[0]["published"], penn[1]["published"]) == (1140, 966)
    assert penn[0]["actions"] == {"bowl": 1, "squat": 1}
    assert penn[0]["rates"] == {"25 fps": 2}
    assert (penn[0]["frames"], penn[0]["classes"]) == (24, 3)
    assert [split["published"] for split in pouring] == [70, 14]
    assert [split["published"] for split in gym] == [3182, 1442, None]
    assert gym[2]["name"] == "additional"
    assert (gym[2]["frames"], gym[2]["labelled"]) == (9, 0)
    assert any("bowl 1 (published: 134)" in note for note in sets[0]["notes"])


def test_the_table_says_it_to_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_penn_action(tmp_path)
    assert run_cli([str(folder)]) == 0
    text = capsys.readouterr().out
    for word in ("penn_action", "1140", "966", "25 fps", "bowl 1", "whole"):
        assert word in text
    (folder / "videos" / "0001_bowl.mp4").unlink()
    assert run_cli([str(folder)]) == 3
    text = capsys.readouterr().out
    assert "problem: train: videos are missing" in text
    assert "0001_bowl.mp4" in text


def test_the_layout_is_guessed(tmp_path: Path) -> None:
    assert guess_kinds(tmp_path) == []
    write_video(tmp_path / "plain" / "a.mp4")
    assert guess_kinds(tmp_path / "plain") == ["folder"]
    kinetics = write_kinetics(tmp_path / "k")
    assert guess_kinds(kinetics) == guess_kinds(kinetics.parent) == ["kinetics400"]
    gym = write_finegym(tmp_path / "g", elements=288)
    assert guess_kinds(gym) == guess_kinds(gym.parent) == ["finegym288"]
    for write, kind in ((write_penn_action, "penn_action"), (write_pouring, "pouring")):
        folder = write(tmp_path / kind)
        assert guess_kinds(folder) == guess_kinds(folder.parent) == [kind]
        renamed = folder.rename(folder.with_name("renamed"))
        assert guess_kinds(renamed) == [kind]


def test_what_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_pouring(tmp_path)
    (folder / "val.pkl").unlink()
    code, (report,) = check(capsys, folder)
    assert code == 3
    assert "val: there is no" in problems(report)
    assert "pouring needs train.pkl, val.pkl" in problems(report)
    code, (report,) = check(capsys, write_finegym(tmp_path), "--kind", "finegym288")
    assert code == 3
    assert "gym288_train_v1.0.pkl" in problems(report)
    (tmp_path / "finegym" / "additional_v1.0.pkl").unlink()
    code, (report,) = check(capsys, tmp_path / "finegym")
    assert code == 0
    assert "additional_v1.0.pkl is not there" in json.dumps(report["notes"])


def test_many_missing_videos_are_counted_and_some_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [listed(f"v{n}", f"videos/v{n}.mp4", np.zeros(3), frames=3) for n in range(9)]
    for split in ("train", "val"):
        save(tmp_path / f"{split}.pkl", rows)
    code, (report,) = check(capsys, tmp_path)
    assert code == 3
    assert report["problems"][0]["count"] == 9
    assert len(report["problems"][0]["examples"]) == 5
    assert report["splits"][0]["present"] == 0


def test_broken_videos_and_wrong_lengths(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_pouring(tmp_path, stated=10)
    (folder / "videos" / "val.mp4").write_bytes(b"no video at all")
    code, (report,) = check(capsys, folder)
    assert code == 3
    assert "12 frames, seq_len 10" in problems(report)
    assert "val: videos cannot be read" in problems(report)
    assert report["splits"][1]["readable"] == 0
    code, (report,) = check(capsys, folder, "--fast")
    assert code == 0
    assert report["splits"][0]["readable"] is None


def test_stretched_labels_of_penn_action_are_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, (report,) = check(capsys, write_penn_action(tmp_path, stated=9))
    assert code == 0
    assert "1 videos have another length than listed" in json.dumps(report["notes"])


def test_labels_beyond_the_published_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_pouring(tmp_path)
    wrong = np.arange(12)
    save(folder / "train.pkl", [listed("train", "videos/train.mp4", wrong, frames=12)])
    code, (report,) = check(capsys, folder)
    assert code == 3
    assert "labels up to 11, but pouring counts from 0 to 4" in problems(report)
    folder = write_penn_action(tmp_path / "p")
    rows = [listed("0001_bowl", "videos/0001_bowl.mp4", np.full(12, 3), frames=12)]
    save(folder / "train.pkl", (rows, [[0]]))
    code, (report,) = check(capsys, folder)
    assert code == 0
    notes = json.dumps(report["notes"])
    assert "bowl has labels up to 3; published: 3 phases" in notes
    assert "do not name every recording once" in notes


def test_kinetics_and_plain_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, (report,) = check(capsys, write_kinetics(tmp_path / "k"))
    assert code == 3
    assert "clip 1.mp4" in problems(report)
    root = write_video(tmp_path / "f" / "a.mp4").parent
    labels = tmp_path / "labels.csv"
    labels.write_text("recording,name,start_s,end_s\na.mp4,up,0,0.2\na.mp4,down,0.2,0.4\n")
    code, (report,) = check(capsys, root, "--labels", str(labels))
    assert code == 0
    assert (report["splits"][0]["labelled"], report["splits"][0]["classes"]) == (1, 2)
    labels.write_text("recording,name\n")
    code, (report,) = check(capsys, root, "--labels", str(labels))
    assert code == 3
    assert "start_s" in problems(report)


@pytest.mark.parametrize(
    "content",
    [b"", b"junk", b"cos\nsystem\n(S'false'\ntR.", b"\x80\x04K\x01.", b"\x80\x04]K\x01a."],
)
def test_lists_that_are_none_are_problems_and_not_faults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    for name in ("train.pkl", "gym99_val.pkl", "train.csv"):
        (tmp_path / name).write_bytes(content)
    code, sets = check(capsys, tmp_path)
    assert code == 3
    assert len(sets) == 3
    assert run_cli([str(tmp_path)]) == 3


def test_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli([]) == 2
    assert run_cli([str(tmp_path / "absent")]) == 2
    assert run_cli([str(tmp_path), "--kind", "imagenet"]) == 2
    assert run_cli(["--help"]) == 0
    capsys.readouterr()
    assert run_cli([str(tmp_path)]) == 3
    assert "Nothing to train on was found" in capsys.readouterr().out
