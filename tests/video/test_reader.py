from __future__ import annotations

import logging
import random
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.errors import UnreadableMediaError
from carl_core.timebase import FrameIndex
from carl_core.video import index as index_module
from carl_core.video.reader import FrameReader
from carl_core.video.recording import Recording, open_recording
from tests.helpers.videos import make_video, read_number
from tests.video.conftest import EVERY_KIND, MakeKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What the first frame of the index says where frames were cut off before it.
FIRST_NUMBER = {"negative_start.mp4": 8, "middle.ts": 30}
SMALL = (96, 64)


def numbers_of(recording: Recording, frames: list[int]) -> list[int]:
    with FrameReader(recording, size=SMALL) as reader:
        return [read_number(reader.frame_at(frame).pixels) for frame in frames]


@pytest.mark.parametrize("name", EVERY_KIND)
def test_frame_shown_is_frame_asked_for(kind: MakeKind, name: str) -> None:
    recording = open_recording(kind(name))
    first = FIRST_NUMBER.get(name, 0)
    frames = list(range(len(recording.index)))
    with FrameReader(recording, size=SMALL) as reader:
        walked = {frame.index: frame for frame in reader.frames_at(frames)}
    assert [read_number(walked[frame].pixels) for frame in frames] == [first + f for f in frames]
    jumps = frames * 2
    random.Random(7).shuffle(jumps)
    backwards = frames[::-1]
    with FrameReader(recording, size=SMALL, cache_bytes=1) as reader:
        for frame in jumps[:20] + backwards[:15]:
            shown = reader.frame_at(frame)
            assert (shown.index, shown.pts) == (frame, recording.index.pts[frame])
            assert shown.time_s == recording.index.time_of(frame)
            np.testing.assert_array_equal(shown.pixels, walked[frame].pixels)


@pytest.mark.parametrize("name", ["stream.ts", "b_pyramid.mp4", "mjpeg.avi", "h264.avi"])
@pytest.mark.parametrize("step", [2, 7, 17])
def test_sparse_frames_are_those_of_a_full_walk(kind: MakeKind, name: str, step: int) -> None:
    recording = open_recording(kind(name))
    frames = list(range(1, len(recording.index), step))
    with FrameReader(recording, size=SMALL) as reader:
        shown = list(reader.frames_at(frames))
    assert [frame.index for frame in shown] == frames
    assert [read_number(frame.pixels) for frame in shown] == frames


def test_false_key_frames_lead_to_the_right_pictures(
    kind: MakeKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kind("intra_refresh.ts")
    with FrameReader(open_recording(path), size=SMALL) as reader:
        walked = [frame.pixels for frame in reader.frames_at(range(80))]
    monkeypatch.setattr(index_module, "_HEAD_PIXELS", 1)
    recording = open_recording(path)
    assert np.flatnonzero(recording.index.is_key).tolist() == [0, 31, 63]
    for frame in (31, 33, 40, 50, 62, 63, 64, 70, 79, 32):
        with FrameReader(recording, size=SMALL) as reader:
            np.testing.assert_array_equal(reader.frame_at(frame).pixels, walked[frame])


def test_a_far_key_frame_is_jumped_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = open_recording(make_video(tmp_path / "long.mp4", frames=400, gop=20, bframes=0))
    with FrameReader(recording, size=SMALL, threads=1) as reader:
        decoded = []
        step = reader._finder._decoder.next

        def counted() -> object:
            item = step()
            decoded.append(item)
            return item

        monkeypatch.setattr(reader._finder._decoder, "next", counted)
        assert [read_number(f.pixels) for f in reader.frames_at([5, 105, 399])] == [5, 105, 399]
    assert len(decoded) < 60


def test_the_same_frame_may_be_asked_for_again(kind: MakeKind) -> None:
    recording = open_recording(kind("constant.mp4"))
    with FrameReader(recording, size=SMALL) as reader:
        assert [f.index for f in reader.frames_at([3, 3, 4, 4, 4])] == [3, 3, 4, 4, 4]
        assert read_number(reader.frame_at(2).pixels) == 2
        assert read_number(reader.frame_at(2).pixels) == 2


def test_walks_and_jumps_may_be_mixed(kind: MakeKind) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))
    with FrameReader(recording, size=SMALL) as reader:
        walk = reader.frames_at(range(10, 60))
        for frame in range(10, 60):
            assert read_number(next(walk).pixels) == frame
            assert read_number(reader.frame_at(60 - frame).pixels) == 60 - frame


def test_descending_and_foreign_numbers_are_refused(kind: MakeKind) -> None:
    recording = open_recording(kind("constant.mp4"))
    with FrameReader(recording, size=SMALL) as reader:
        with pytest.raises(ValueError, match="ascend"):
            list(reader.frames_at([4, 3]))
        with pytest.raises(IndexError, match="frame 30 of 30"):
            reader.frame_at(30)
        with pytest.raises(IndexError, match="frame -1"):
            reader.frame_at(-1)


def test_stepping_back_decodes_a_group_once(
    kind: MakeKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))
    with FrameReader(recording, size=SMALL) as reader:
        reader.frame_at(29)
        monkeypatch.setattr(reader._finder._decoder, "seek", lambda *_, **__: pytest.fail("sought"))
        for frame in range(28, -1, -1):
            assert read_number(reader.frame_at(frame).pixels) == frame


def test_a_far_frame_is_previewed_by_the_key_frame_before_it(kind: MakeKind) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))
    with FrameReader(recording, size=SMALL) as reader:
        steps = list(reader.approach(57))
    preview, *between, exact = steps
    assert preview is not None
    assert exact is not None
    assert (preview.index, preview.is_preview, read_number(preview.pixels)) == (30, True, 30)
    assert (exact.index, exact.is_preview, read_number(exact.pixels)) == (57, False, 57)
    assert between == [None] * 26


def test_a_near_frame_needs_no_preview(kind: MakeKind) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))
    with FrameReader(recording, size=SMALL) as reader:
        reader.frame_at(40)
        for frame in (43, 40, 42):
            *_, last = steps = list(reader.approach(frame))
            assert [step for step in steps if step is not None] == [last]
            assert last is not None
            assert not last.is_preview


def test_a_way_left_half_way_leads_on_to_other_frames(kind: MakeKind) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))
    with FrameReader(recording, size=SMALL) as reader:
        for wanted in (58, 25, 59, 3):
            for steps, _ in enumerate(reader.approach(wanted)):
                if steps == 4:
                    break
            assert read_number(reader.frame_at(wanted - 1).pixels) == wanted - 1


@pytest.mark.parametrize("name", ["b_pyramid.mp4", "stream.ts", "vp9.webm", "turned.mp4"])
def test_idle_moments_are_used_to_decode_what_lies_behind(
    kind: MakeKind, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = open_recording(kind(name))
    last = len(recording.index) - 1
    with FrameReader(recording, size=SMALL) as reader:
        walked = [frame.pixels for frame in reader.frames_at(range(last + 1))]
    with FrameReader(recording, size=SMALL, cache_bytes=24 * 96 * 64 * 3) as reader:
        assert not reader.work_ahead(), "nobody stepped back yet"
        reader.frame_at(last)
        shown = reader.frame_at(last - 1)
        monkeypatch.setattr(reader._finder, "steps_to", lambda _: pytest.fail("waited for"))
        for frame in range(last - 1, -1, -1):
            shown = reader.frame_at(frame)
            np.testing.assert_array_equal(shown.pixels, walked[frame])
            while reader.work_ahead():
                pass


@pytest.mark.parametrize("name", ["b_pyramid.mp4", "stream.ts"])
def test_decoding_in_a_thread_of_its_own_changes_nothing(kind: MakeKind, name: str) -> None:
    recording = open_recording(kind(name))
    frames = [0, 1, 1, 2, 17, 40, 41, 59]
    with FrameReader(recording, size=SMALL) as reader:
        expected = list(reader.frames_at(frames))
    with FrameReader(recording, size=SMALL) as reader:
        found = list(reader.frames_at(frames, ahead=True))
        assert [f.index for f in found] == frames
        for one, two in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.pixels, two.pixels)
        with pytest.raises(IndexError, match=f"frame {len(recording.index)}"):
            list(reader.frames_at([len(recording.index)], ahead=True))


def test_a_walk_ahead_ends_with_its_reader(kind: MakeKind) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))

    def some() -> Iterator[int]:
        with FrameReader(recording, size=SMALL) as reader:
            for frame in reader.frames_at(range(60), ahead=True):
                yield read_number(frame.pixels)

    for _ in range(20):
        walk = some()
        assert [next(walk) for _ in range(3)] == [0, 1, 2]
        walk.close()  # the reader is closed while its thread decodes
    assert not [t for t in threading.enumerate() if t.name == "prefetch"]


def test_pixels_are_read_only_and_outlive_the_reader(kind: MakeKind) -> None:
    recording = open_recording(kind("constant.mp4"))
    with FrameReader(recording) as reader:
        frames = list(reader.frames_at(range(30)))
    assert all(not frame.pixels.flags.writeable for frame in frames)
    assert [read_number(frame.pixels) for frame in frames] == list(range(30))


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_change_nothing(kind: MakeKind, threads: int) -> None:
    recording = open_recording(kind("open_gop.mp4"))
    with FrameReader(recording, threads=threads) as some, FrameReader(recording) as other:
        for one, two in zip(some.frames_at(range(60)), other.frames_at(range(60)), strict=True):
            np.testing.assert_array_equal(one.pixels, two.pixels)


def test_a_frame_that_cannot_be_decoded_is_the_one_before_and_says_so(
    kind: MakeKind, caplog: pytest.LogCaptureFixture
) -> None:
    recording = open_recording(kind("constant.mp4"))
    pts = np.insert(np.asarray(recording.index.pts), 11, int(recording.index.pts[10]) + 100)
    with_hole = replace(
        recording,
        index=FrameIndex(
            pts=pts,
            end_pts=recording.index.end_pts,
            is_key=np.insert(np.asarray(recording.index.is_key), 11, False),
            time_base=recording.index.time_base,
        ),
    )
    with caplog.at_level(logging.WARNING), FrameReader(with_hole, size=SMALL) as reader:
        shown = reader.frame_at(11)
        assert (shown.index, shown.pts) == (11, pts[10])
        assert read_number(shown.pixels) == 10
        assert read_number(reader.frame_at(12).pixels) == 11
        assert [read_number(f.pixels) for f in reader.frames_at([10, 11, 12])] == [10, 10, 11]
    assert len(caplog.records) == 1


def test_a_file_that_went_away_is_reported(tmp_path: Path) -> None:
    recording = open_recording(make_video(tmp_path / "gone.mp4", frames=5))
    recording.path.unlink()
    with pytest.raises(UnreadableMediaError, match="does not exist"):
        FrameReader(recording)
