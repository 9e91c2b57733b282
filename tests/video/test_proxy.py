from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.errors import Cancelled
from carl_core.progress import Monitor
from carl_core.video.proxy import GROUP, ProxyStore, has_same_times, is_worthwhile
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.helpers.videos import make_video, read_number

if TYPE_CHECKING:
    from pathlib import Path

    from tests.video.conftest import MakeKind

SIZE = (96, 64)
KINDS = (
    "b_pyramid.mp4",
    "variable.mp4",
    "ntsc.mov",
    "no_b_frames.mkv",
    "stream.ts",
    "late_start.mp4",
)
SHAPES = ("turned.mp4", "wide_pixels.mp4", "mirrored.mp4", "interlaced.mp4", "ten_bit.mp4")


@pytest.mark.parametrize("name", [*KINDS, *SHAPES])
def test_a_copy_has_the_same_frames_at_the_same_times(
    kind: MakeKind, tmp_path: Path, name: str
) -> None:
    recording = open_recording(kind(name))
    copy = ProxyStore(tmp_path).make(recording)
    assert copy is not None
    assert has_same_times(copy, recording)
    np.testing.assert_allclose(copy.index.times_s, recording.index.times_s, rtol=0, atol=1e-9)
    assert np.diff(np.flatnonzero(copy.index.is_key)).max(initial=0) <= GROUP
    assert copy.info.width / copy.info.height == pytest.approx(
        recording.info.width / recording.info.height, rel=0.02
    )
    with FrameReader(copy, size=SIZE) as small, FrameReader(recording, size=SIZE) as own:
        for frame in (0, len(recording.index) // 2, len(recording.index) - 1):
            shown = small.frame_at(frame).pixels
            assert read_number(shown) == read_number(own.frame_at(frame).pixels)


def test_large_pictures_are_copied_small(tmp_path: Path) -> None:
    path = make_video(tmp_path / "large.mp4", frames=4, size=(1280, 720))
    copy = ProxyStore(tmp_path / "copies").make(open_recording(path))
    assert copy is not None
    assert (copy.info.width, copy.info.height) == (854, 480)


def test_a_jump_is_previewed_by_the_copy_and_ends_at_the_frame_itself(
    kind: MakeKind, tmp_path: Path
) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))
    copy = ProxyStore(tmp_path).make(recording)
    with FrameReader(recording, size=SIZE) as reader:
        exact = reader.frame_at(57).pixels
    with FrameReader(recording, size=SIZE, proxy=copy) as reader:
        preview, *between, shown = list(reader.approach(57))
    assert preview is not None
    assert shown is not None
    assert (preview.index, preview.is_preview, read_number(preview.pixels)) == (57, True, 57)
    assert preview.pts == recording.index.pts[57]
    assert set(between) == {None}
    assert (shown.index, shown.is_preview) == (57, False)
    np.testing.assert_array_equal(shown.pixels, exact)


def test_a_copy_that_went_away_is_done_without(kind: MakeKind, tmp_path: Path) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))
    store = ProxyStore(tmp_path)
    copy = store.make(recording)
    assert store.forget(recording.fingerprint) > 0
    with FrameReader(recording, size=SIZE, proxy=copy) as reader:
        assert read_number(reader.frame_at(57).pixels) == 57
        assert read_number(reader.frame_at(12).pixels) == 12


def test_a_copy_is_made_once_and_found_again(
    kind: MakeKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))
    store = ProxyStore(tmp_path / "new")
    assert store.find(recording) is None
    made = store.make(recording)
    monkeypatch.setattr("carl_core.video.proxy.VideoWriter", lambda *_, **__: pytest.fail("again"))
    assert store.make(recording) == made == store.find(recording)
    assert store.size_bytes() == sum(p.stat().st_size for p in (tmp_path / "new").iterdir())


def test_a_copy_of_other_frames_or_a_damaged_one_is_no_copy(kind: MakeKind, tmp_path: Path) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))
    store = ProxyStore(tmp_path)
    path = tmp_path / f"{recording.fingerprint}.mp4"
    for other in (b"no video at all", kind("constant.mp4").read_bytes()):
        path.write_bytes(other)
        assert store.find(recording) is None
        assert not path.exists()
    path.write_bytes(make_video(tmp_path / "slower.mp4", frames=60, fps=Fraction(24)).read_bytes())
    assert store.find(recording) is None


def test_those_not_used_for_longest_go_first(kind: MakeKind, tmp_path: Path) -> None:
    store = ProxyStore(tmp_path)
    recordings = [open_recording(kind(n)) for n in ("constant.mp4", "stream.ts", "b_pyramid.mp4")]
    for age, recording in zip((300, 200, 100), recordings, strict=True):
        store.make(recording)
        path = tmp_path / f"{recording.fingerprint}.mp4"
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    assert store.find(recordings[0]) is not None  # used just now
    store.limit_bytes = store.size_bytes() - 1
    store.prune()
    assert [store.find(r) is not None for r in recordings] == [True, False, True]
    store.limit_bytes = 1
    store.prune()
    assert len(list(tmp_path.iterdir())) == 1
    store.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_copy_half_made_is_none(kind: MakeKind, tmp_path: Path) -> None:
    monitor = Monitor()
    monitor.cancel()
    with pytest.raises(Cancelled):
        ProxyStore(tmp_path).make(open_recording(kind("b_pyramid.mp4")), monitor=monitor)
    assert list(tmp_path.iterdir()) == []


def test_recordings_of_short_groups_need_no_copy(kind: MakeKind, tmp_path: Path) -> None:
    assert not is_worthwhile(open_recording(kind("b_pyramid.mp4")))
    assert not is_worthwhile(open_recording(kind("mjpeg.avi")))
    assert is_worthwhile(open_recording(make_video(tmp_path / "long.mp4", frames=70, gop=250)))
