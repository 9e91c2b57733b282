from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from carl_core.errors import Cancelled
from carl_core.progress import Monitor, Progress
from carl_core.video import index as index_module
from carl_core.video.index import _ascending
from carl_core.video.recording import open_recording
from tests.helpers.videos import make_video
from tests.video.conftest import EVERY_KIND, KINDS, MakeKind

if TYPE_CHECKING:
    from pathlib import Path

COUNTED = {"raw.h264", "h264.avi"}


def decoded_pts(path: Path) -> list[int | None]:
    with av.open(str(path)) as container:
        return [frame.pts for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", EVERY_KIND)
def test_index_is_what_a_full_decode_presents(kind: MakeKind, name: str) -> None:
    path = kind(name)
    recording = open_recording(path)
    expected = decoded_pts(path)
    assert len(recording.index) == len(expected) == recording.info.frames
    assert recording.is_counted == (name in COUNTED)
    if name not in COUNTED:
        assert recording.index.pts.tolist() == expected


@pytest.mark.parametrize("name", [name for name in EVERY_KIND if name not in COUNTED])
def test_a_long_file_is_indexed_from_packets_with_the_same_result(
    kind: MakeKind, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = open_recording(kind(name))
    monkeypatch.setattr(index_module, "_HEAD_PIXELS", 1)
    recording = open_recording(kind(name))
    np.testing.assert_array_equal(recording.index.pts, whole.index.pts)
    assert recording.index.end_pts == whole.index.end_pts
    # Only a decode tells the points at which a refresh begins from key frames; the reader copes.
    if name != "intra_refresh.ts":
        np.testing.assert_array_equal(recording.index.is_key, whole.index.is_key)


def test_a_sound_long_file_is_not_decoded_whole(
    kind: MakeKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_HEAD_PIXELS", 1)
    monkeypatch.setattr(index_module, "_decode_whole", lambda *_: pytest.fail("decoded whole"))
    for name in ("b_pyramid.mp4", "stream.ts", "vp9.webm", "negative_start.mp4", "middle.ts"):
        open_recording(kind(name))


def test_variable_intervals_are_kept(kind: MakeKind) -> None:
    recording = open_recording(kind("variable.mp4"))
    times_ms = recording.index.times_s * 1000
    np.testing.assert_allclose(times_ms, KINDS["variable.mp4"]["pts"], atol=0.1)
    assert recording.info.vfr
    assert not open_recording(kind("ntsc.mov")).info.vfr
    assert not open_recording(kind("no_b_frames.mkv")).info.vfr


def test_edit_list_hides_frames_before_zero(kind: MakeKind) -> None:
    recording = open_recording(kind("negative_start.mp4"))
    assert len(recording.index) == 52
    assert recording.info.problems == ()
    assert recording.index.times_s[0] == 0


def test_a_late_start_counts_from_the_first_frame(kind: MakeKind) -> None:
    recording = open_recording(kind("late_start.mp4"))
    assert recording.info.first_pts > 0
    assert recording.index.times_s[0] == 0
    assert recording.info.duration_s == pytest.approx(60 / 25)


def test_a_capture_that_begins_in_the_middle_says_so(kind: MakeKind) -> None:
    recording = open_recording(kind("middle.ts"))
    assert len(recording.index) == 30
    assert recording.info.problems == (
        "The file begins in the middle: what was stored before its first decodable frame "
        "(20 pictures) is left out.",
    )


def test_files_without_usable_timestamps_are_counted_and_say_so(kind: MakeKind) -> None:
    for name in COUNTED:
        recording = open_recording(kind(name))
        assert len(recording.index) == 30
        assert recording.info.duration_s == pytest.approx(30 / 25, rel=0.05)
        assert any("counting" in problem for problem in recording.info.problems)


def test_one_frame_has_a_duration(kind: MakeKind) -> None:
    recording = open_recording(kind("one_frame.mp4"))
    assert len(recording.index) == 1
    assert recording.info.duration_s == pytest.approx(1 / 25)


def test_a_file_cut_off_is_used_up_to_there(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.mkv", frames=120, gop=10, size=(320, 240))
    content = whole.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(content[: len(content) // 2])
    recording = open_recording(cut)
    assert 30 < len(recording.index) < 90
    assert len(recording.index) == len(decoded_pts(cut))
    assert any("cut off" in problem for problem in recording.info.problems)


def test_a_cut_off_mp4_with_its_index_in_front_is_used_up_to_there(tmp_path: Path) -> None:
    whole = make_video(
        tmp_path / "whole.mp4",
        frames=120,
        gop=10,
        size=(320, 240),
        container_options={"movflags": "faststart"},
    )
    content = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(content[: len(content) * 2 // 3])
    recording = open_recording(cut)
    assert 30 < len(recording.index) < 110
    assert recording.info.problems


def test_a_hole_in_the_middle_is_left_out_and_named(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.mp4", frames=60, gop=10, size=(320, 240))
    content = bytearray(whole.read_bytes())
    with av.open(str(whole)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        victim = packets[25]
        start, size = victim.pos, victim.size
    content[start : start + size] = bytes(size)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(content)
    recording = open_recording(broken)
    assert len(recording.index) == 59
    assert "1 of 60 pictures cannot be decoded" in recording.info.problems[0]


def test_progress_is_reported_and_can_be_cancelled(kind: MakeKind) -> None:
    seen: list[Progress] = []
    open_recording(kind("h264.avi"), monitor=Monitor(seen.append, interval_s=0))
    assert seen
    assert {progress.stage for progress in seen} >= {"indexing h264.avi"}
    monitor = Monitor()
    monitor.cancel()
    with pytest.raises(Cancelled):
        open_recording(kind("h264.avi"), monitor=monitor)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([0, 10, 20], [0, 10, 20]),
        ([10, 30, 20, 40], [10, 20, 30, 40]),
        ([None, None, None], [0, 10, 20]),
        ([0, None, 20], [0, 10, 20]),
        ([0, 0, 10], [0, 1, 10]),
        ([500, 510, 0, 10], [500, 510, 520, 530]),
    ],
)
def test_ticks_are_made_ascending(given: list[int | None], expected: list[int]) -> None:
    assert _ascending(given, 10, 100) == expected


def test_time_base_is_kept(kind: MakeKind) -> None:
    assert open_recording(kind("no_b_frames.mkv")).index.time_base == Fraction(1, 1000)
