"""Every kind of data set: what it lists, its labels, and what is wrong with a broken one."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from carl_core.errors import Cancelled, MediaError
from carl_core.progress import Monitor
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.training.datasets.material import (
    data_config,
    listed,
    save,
    write_finegym,
    write_kinetics,
    write_penn_action,
    write_pouring,
    write_video,
)
from training.datasets.entries import DatasetError
from training.datasets.load import (
    label_classes,
    list_entries,
    listed_classes,
    load_clips,
)
from training.datasets.reading import spaced_frames
from training.pickles import PickleError

if TYPE_CHECKING:
    from pathlib import Path

    from training.config import DataConfig
    from training.datasets.clip import Clip


def load(config: DataConfig, *, split: str = "train", **more: Any) -> list[Clip]:
    options: dict[str, Any] = {"size": (16, 16), "fit": "squash", "cache": None}
    return load_clips(config, split=split, monitor=Monitor(), **{**options, **more})


@pytest.mark.parametrize("is_torch", [pytest.param(True, marks=pytest.mark.torch), False])
def test_penn_action(tmp_path: Path, is_torch: bool) -> None:
    if is_torch:
        pytest.importorskip("torch")
    write_penn_action(tmp_path, is_torch=is_torch)
    config = data_config(tmp_path, "penn_action")
    first, second = load(config)
    assert (first.name, first.action, second.action) == ("0001_bowl", "bowl", "squat")
    assert first.labels is not None
    assert first.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert first.frames.shape == (12, 16, 16, 3)
    assert first.times_s == pytest.approx(np.arange(12) / 25)
    assert label_classes(config, [first]) == 3
    (held_out,) = load(config, split="val")
    assert held_out.name == "0003_bowl"


def test_penn_labels_are_stretched_by_floor_over_a_video_of_another_length(tmp_path: Path) -> None:
    write_penn_action(tmp_path, stated=9)
    first = load(data_config(tmp_path, "penn_action"))[0]
    stored = [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert first.labels is not None
    assert first.labels.tolist() == [stored[int(i * 9 / 12)] for i in range(12)]


@pytest.mark.parametrize("is_torch", [pytest.param(True, marks=pytest.mark.torch), False])
def test_pouring(tmp_path: Path, is_torch: bool) -> None:
    if is_torch:
        pytest.importorskip("torch")
    folder = write_pouring(tmp_path, is_torch=is_torch)
    for root in (tmp_path, folder):  # the work directory, or the data set's folder
        config = data_config(root, "pouring")
        (clip,) = load(config)
        assert clip.labels is not None
        assert sorted(set(clip.labels.tolist())) == [0, 1, 2, 3, 4]
        assert label_classes(config, [clip]) == 5


def test_pouring_of_another_length_than_its_labels_is_left_out_or_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_pouring(tmp_path, stated=10)
    write_video(tmp_path / "pouring" / "videos" / "good.mp4", frames=10)
    rows = [
        listed(name, f"videos/{name}.mp4", np.zeros(10, np.int64), frames=10)
        for name in ("train", "good")
    ]
    save(tmp_path / "pouring" / "train.pkl", rows)
    config = data_config(tmp_path, "pouring")
    with caplog.at_level(logging.WARNING):
        assert [clip.name for clip in load(config)] == ["good"]
    assert "12 frames, but 10 are labelled" in caplog.text
    with pytest.raises(MediaError, match="12 frames, but 10"):
        load(replace(config, skip_unreadable=False))


@pytest.mark.parametrize("is_torch", [pytest.param(True, marks=pytest.mark.torch), False])
@pytest.mark.parametrize("elements", [99, 288])
def test_finegym(tmp_path: Path, elements: int, is_torch: bool) -> None:
    if is_torch:
        pytest.importorskip("torch")
    write_finegym(tmp_path, elements=elements, is_torch=is_torch)
    config = data_config(tmp_path, f"finegym{elements}")
    (clip,) = load(config, size=None)
    assert clip.frames.shape == (12, 36, 64, 3)
    assert clip.labels is not None
    assert clip.labels.tolist() == [-1] * 2 + [7] * 3 + [-1] * 7
    assert label_classes(config, [clip]) == elements
    assert listed_classes(config, list_entries(config, split="train")) == elements
    clip, more = load(replace(config, additional=True))
    assert (more.name, more.labels, len(more.frames)) == ("more", None, 9)
    assert len(load(replace(config, additional=True), split="val")) == 1


def test_kinetics_leaves_broken_videos_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_kinetics(tmp_path)
    for root in (tmp_path, folder):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            clips = load(data_config(root, "kinetics400"))
        assert [clip.name for clip in clips] == ["clip 0", "clip 2"]
        assert "clip 1.mp4" in caplog.text
        assert label_classes(data_config(root, "kinetics400"), clips) == 0


def test_a_folder_with_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "videos"
    for name in ("a.mp4", "b.mp4", "deep/c.mp4", "plain.mp4"):
        write_video(root / name, rate=10)
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "recording,name,start_s,end_s\n"
        "a.mp4,swing,0.3,0.6\na.mp4,address,0,0.3\na.mp4,impact,0.4,\n"  # the last is a marker
        "b,swing,0.333333,0.666667\ndeep/c.mp4,follow,1,9\nabsent.mp4,swing,0,1\n"
    )
    config = data_config(root, labels=str(labels))
    with caplog.at_level(logging.WARNING):
        clips = {clip.name: clip for clip in load(config)}
    assert "absent.mp4" in caplog.text
    found = {
        name: None if clip.labels is None else clip.labels.tolist() for name, clip in clips.items()
    }
    # alphabetical: address 0, follow 1, swing 2
    assert found == {
        "a.mp4": [0] * 3 + [2] * 3 + [-1] * 6,
        "b.mp4": [-1] * 4 + [2] * 3 + [-1] * 5,
        "c.mp4": [-1] * 10 + [1] * 2,
        "plain.mp4": None,
    }
    assert label_classes(config, list(clips.values())) == 3
    assert listed_classes(config, list_entries(config, split="train")) == 3


def test_labels_that_cannot_be_meant_are_errors(tmp_path: Path) -> None:
    root = tmp_path / "videos"
    for name in ("one/a.mp4", "two/a.mp4"):
        write_video(root / name)
    labels = tmp_path / "labels.csv"
    config = data_config(root, labels=str(labels))
    for rows, message in (
        ("a.mp4,x,0,1\n", "may be one/a.mp4 or two/a.mp4"),
        ("one/a.mp4,x,0,0.2\none/a.mp4,y,0.1,0.3\n", "overlap at 0.1 s"),
        ("one/a.mp4,x,0.1,\n", "labels no phase"),
    ):
        labels.write_text("recording,name,start_s,end_s\n" + rows)
        with pytest.raises(DatasetError, match=message):
            list_entries(config, split="train")


def test_rate_and_length_limits_choose_labels_with_their_frames(tmp_path: Path) -> None:
    write_penn_action(tmp_path)
    config = data_config(tmp_path, "penn_action", max_fps=12.5, max_clip_s=0.3)
    first = load(config)[0]
    assert first.times_s == pytest.approx(np.arange(0, 8, 2) / 25)
    assert first.labels is not None
    assert first.labels.tolist() == [0, 0, 1, 1]


def test_no_limit_keeps_every_frame() -> None:
    times_s = np.array([0.0, 0.01, 0.5, 0.51, 3.0])
    assert spaced_frames(times_s, max_fps=0, max_clip_s=0).tolist() == [0, 1, 2, 3, 4]
    assert spaced_frames(times_s, max_fps=0, max_clip_s=1).tolist() == [0, 1, 2, 3]
    assert spaced_frames(times_s, max_fps=2, max_clip_s=0).tolist() == [0, 2, 3, 4]


def test_the_cache_is_the_decoded_video_and_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_kinetics(tmp_path)
    (tmp_path / "Kinetics400" / "train" / "clip 1.mp4").unlink()
    write_video(tmp_path / "Kinetics400" / "train" / "clip 1.mp4", seed=1)
    config, cache = data_config(tmp_path, "kinetics400"), tmp_path / "cache"
    first = load(config, cache=cache)
    sparse = load(config)
    for cached, lazy in zip(first, sparse, strict=True):
        assert isinstance(cached.frames, np.memmap)
        every = np.arange(12)
        assert (cached.frames[every] == lazy.frames[every]).all()
    stored = {path: path.stat().st_mtime_ns for path in cache.iterdir()}

    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr("training.datasets.reading.FrameReader", fail)
    monkeypatch.setattr("training.datasets.recordings.open_recording", fail)
    again = load(config, cache=cache)
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == stored
    assert (again[2].frames[np.arange(12)] == first[2].frames[np.arange(12)]).all()


def test_a_full_cache_leaves_the_rest_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(3):
        write_video(tmp_path / f"{number}.mp4", frames=8)
    config = data_config(tmp_path, cache_mib=1)
    with caplog.at_level(logging.WARNING):
        clips = load(config, cache=tmp_path / "cache", size=(160, 160))
    assert [clip.name for clip in clips] == ["0.mp4"]  # 0.6 MB each
    assert "2 of 3 videos are left out" in caplog.text


def test_a_changed_video_is_indexed_anew(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=8)
    assert len(load(data_config(tmp_path))[0].frames) == 8
    path.unlink()
    write_video(path, frames=11)
    clip = load(data_config(tmp_path))[0]
    assert len(clip.frames) == 11
    with FrameReader(open_recording(path), size=(16, 16)) as reader:
        assert (clip.frames[np.array([10])][0] == reader.frame_at(10).pixels).all()


def test_a_damaged_kept_index_is_made_anew(tmp_path: Path, private_cache: Path) -> None:
    write_video(tmp_path / "a.mp4", frames=8)
    load(data_config(tmp_path))
    (kept,) = private_cache.rglob("*.npz")
    whole = kept.read_bytes()
    for content in (b"", b"junk", whole[:-40]):
        kept.write_bytes(content)
        assert len(load(data_config(tmp_path))[0].times_s) == 8
        assert kept.stat().st_size == len(whole)


def test_lists_that_cannot_be_used_are_clear_errors(tmp_path: Path) -> None:
    config = data_config(tmp_path, "pouring")
    with pytest.raises(DatasetError, match=r"no .*train\.pkl.*training\.data check"):
        list_entries(config, split="train")
    row = listed("a", "videos/a.mp4", np.zeros(3, np.int64), frames=3)
    for rows, message in (
        ({"a": 1}, "does not hold a list"),
        ([row, {"name": "b"}], "entry 1: 'video_file'"),
        ([{**row, "seq_len": 4}], "3 labels for seq_len 4"),
        ([{**row, "seq_len": "many"}], "'seq_len' is 'many'"),
        ([{**row, "frame_label": np.array([0.5, 0, 0])}], "whole numbers"),
        ([{**row, "frame_label": np.array([0, -2, 1])}], "holds -2"),
        ([{**row, "frame_label": "abc"}], "whole numbers"),
        ([], "names no recording"),
    ):
        save(tmp_path / "train.pkl", rows)
        with pytest.raises(DatasetError, match=message):
            list_entries(config, split="train")
    (tmp_path / "train.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(PickleError, match=r"os\.system"):
        list_entries(config, split="train")


def test_cancelling_stops_the_opening(tmp_path: Path) -> None:
    write_kinetics(tmp_path)
    monitor = Monitor()
    monitor.cancel()
    with pytest.raises(Cancelled):
        load_clips(
            data_config(tmp_path, "kinetics400"),
            split="train",
            size=(16, 16),
            fit="squash",
            cache=None,
            monitor=monitor,
        )
