from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.alignment.timemap import TimeMap
from carl_core.errors import ExportError
from carl_core.export import compose
from carl_core.export.options import RenderOptions
from carl_core.export.page import Page
from carl_core.export.still import write_still
from carl_core.export.video import render_video, write_frames
from carl_core.playback.schedule import Schedule
from carl_core.progress import Monitor
from carl_core.video.audio import read_audio
from carl_core.video.image import read_image
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.helpers.videos import make_video, read_number

if TYPE_CHECKING:
    from pathlib import Path


def test_exported_frames_are_the_frames_of_the_schedule(tmp_path: Path) -> None:
    reference = open_recording(make_video(tmp_path / "a.mp4", frames=60, size=(240, 120)))
    other = open_recording(make_video(tmp_path / "b.mkv", frames=90, size=(240, 120)))
    knots = reference.index.times_s
    warped = 0.4 + knots * 1.2 + 0.1 * np.sin(knots * 2)
    schedule = Schedule(reference, [other], {other.id: TimeMap(knots, warped)})
    done = render_video(tmp_path / "out.mp4", schedule, RenderOptions(height=120))
    page = open_recording(done.path)
    assert len(page.index) == len(done.times_s) == 60
    bar = done.size[1] - 120
    with FrameReader(page) as reader:
        for frame in reader.frames_at(range(60)):
            left, right = frame.pixels[bar:, :240], frame.pixels[bar:, 240:]
            assert read_number(left) == done.shown[reference.id][frame.index]
            assert read_number(right) == done.shown[other.id][frame.index]
    expected = other.index.frames_shown_at(warped)
    assert done.shown[other.id].tolist() == expected.tolist()


def test_a_recording_without_counterpart_is_dimmed(tmp_path: Path) -> None:
    reference = open_recording(make_video(tmp_path / "a.mp4", frames=50, size=(240, 120)))
    other = open_recording(make_video(tmp_path / "b.mp4", frames=51, size=(240, 120)))
    knots = reference.index.times_s
    half = np.where(knots < 1.0, knots, np.nan)
    schedule = Schedule(reference, [other], {other.id: TimeMap(knots, half)})
    done = render_video(tmp_path / "out.mp4", schedule, RenderOptions(height=120))
    assert (done.shown[other.id][26:] == -1).all()
    with FrameReader(open_recording(done.path)) as reader:
        bright = reader.frame_at(10).pixels[:, 240:].mean()
        dark = reader.frame_at(40).pixels[:, 240:].mean()
    assert dark < bright * 0.6


def test_sound_of_the_reference_stays_in_place(tmp_path: Path) -> None:
    reference = open_recording(
        make_video(tmp_path / "a.mp4", frames=75, size=(96, 72), audio_rate=48_000)
    )
    other = open_recording(make_video(tmp_path / "b.mp4", frames=75, size=(96, 72)))
    schedule = Schedule(reference, [other], {})
    done = render_video(tmp_path / "out.mp4", schedule, RenderOptions(height=72))
    assert done.has_audio
    before, after = read_audio(reference.path), read_audio(done.path)
    assert before is not None
    assert after is not None
    loud = [int(np.argmax(np.abs(x[40_000:56_000]).max(axis=1))) for x in (before, after)]
    assert abs(loud[0] - loud[1]) / 48_000 < 0.04


def test_a_cancelled_export_leaves_nothing(tmp_path: Path) -> None:
    from carl_core.errors import Cancelled

    reference = open_recording(make_video(tmp_path / "a.mp4", frames=50))
    other = open_recording(make_video(tmp_path / "b.mp4", frames=52))
    monitor = Monitor(lambda p: monitor.cancel() if p.done > 10 else None, interval_s=0)
    with pytest.raises(Cancelled):
        render_video(tmp_path / "out.mp4", Schedule(reference, [other], {}), monitor=monitor)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize("layout", ["overlay", "difference", "wipe"])
def test_two_in_one_picture_are_mixed_as_the_window_mixes_them(tmp_path: Path, layout: str) -> None:
    reference = open_recording(make_video(tmp_path / "a.mp4", frames=40, size=(160, 96)))
    other = open_recording(make_video(tmp_path / "b.mp4", frames=60, size=(160, 96)))
    knots = reference.index.times_s
    schedule = Schedule(reference, [other], {other.id: TimeMap(knots, knots * 1.4)})
    options = RenderOptions(
        layout=layout, height=96, opacity=0.25, gain=2.0, wipe=0.3, range_s=(0.4, 1.2),
        captions=False,
    )  # fmt: skip
    done = render_video(tmp_path / "out.mp4", schedule, options)
    assert done.times_s[0] == pytest.approx(0.4)
    assert len(done.times_s) == 20
    mix = {
        "overlay": lambda a, b: compose.blend(a, b, 0.25),
        "difference": lambda a, b: compose.difference(a, b, 2.0),
        "wipe": lambda a, b: compose.wipe(a, b, 0.3),
    }[layout]
    first = FrameReader(reference, size=(160, 96))
    second = FrameReader(other, size=(160, 96))
    with FrameReader(open_recording(done.path)) as reader, first, second:
        for number in (0, 7, 19):
            shown = [int(done.shown[r.id][number]) for r in (reference, other)]
            wanted = mix(first.frame_at(shown[0]).pixels, second.frame_at(shown[1]).pixels)
            found = reader.frame_at(number).pixels[:, 80:240]
            apart = np.abs(found.astype(int) - wanted)
            assert apart.mean() < 6  # what the codec costs
            wrong = second.frame_at(shown[1] + 9).pixels
            if layout != "wipe":
                other_mix = mix(first.frame_at(shown[0]).pixels, wrong)
                assert apart.mean() < np.abs(found.astype(int) - other_mix).mean()


def test_the_list_of_frames_says_which_is_shown(tmp_path: Path) -> None:
    reference = open_recording(make_video(tmp_path / "a.mp4", frames=30, size=(96, 72)))
    other = open_recording(make_video(tmp_path / "b.mp4", frames=31, size=(96, 72)))
    knots = reference.index.times_s
    half = np.where(knots < 0.6, knots, np.nan)
    schedule = Schedule(reference, [other], {other.id: TimeMap(knots, half)})
    done = render_video(tmp_path / "out.mp4", schedule, RenderOptions(height=72))
    path = write_frames(tmp_path / "frames.csv", done, schedule.recordings)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows[0] == [
        "output_frame", "master_s", "a.mp4 frame", "a.mp4 pts", "a.mp4 s",
        "b.mp4 frame", "b.mp4 pts", "b.mp4 s",
    ]  # fmt: skip
    assert len(rows) == 31
    for number, row in enumerate(rows[1:]):
        frame = int(row[2])
        assert frame == done.shown[reference.id][number]
        assert int(row[3]) == int(reference.index.pts[frame])
        assert (row[5] == "") == (done.shown[other.id][number] < 0)


def test_a_still_is_a_frame_of_the_video(tmp_path: Path) -> None:
    reference = open_recording(make_video(tmp_path / "a.mp4", frames=30, size=(240, 120)))
    other = open_recording(make_video(tmp_path / "b.mp4", frames=31, size=(240, 120)))
    schedule = Schedule(reference, [other], {})
    path = write_still(tmp_path / "a.png", schedule, 0.5, RenderOptions(height=120))
    picture = read_image(path)
    assert read_number(picture[-120:, :240]) == 12
    assert read_number(picture[-120:, 240:]) == 12


def test_nine_recordings_and_marks(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mp4", frames=10, size=(96, 72))
    opened = [replace(open_recording(source), id=f"r{n}") for n in range(9)]
    schedule = Schedule(opened[0], opened[1:], {})
    plain = RenderOptions(layout="grid", height=72)
    marked = replace(plain, marks=(("r4", "top", 0.0, 1.0),))
    pictures = [
        read_image(write_still(tmp_path / f"{n}.png", schedule, 0.1, options))
        for n, options in enumerate((plain, marked))
    ]
    changed = np.flatnonzero((pictures[0] != pictures[1]).any(axis=(1, 2)))
    rows = pictures[0].shape[0]
    assert rows / 3 <= changed.min() <= changed.max() < rows * 2 / 3
    with pytest.raises(ExportError, match="lies behind the end"):
        render_video(tmp_path / "x.mp4", schedule, replace(plain, range_s=(5.0, 6.0)))


def test_another_shape_keeps_its_proportions_in_an_overlay(tmp_path: Path) -> None:
    wide = open_recording(make_video(tmp_path / "a.mp4", frames=20, size=(320, 160)))
    tall = open_recording(make_video(tmp_path / "b.mp4", frames=20, size=(120, 240)))
    look = RenderOptions(layout="overlay", height=160, captions=False, opacity=1.0)
    path = write_still(tmp_path / "o.png", Schedule(wide, [tall], {}), 0.4, look)
    picture = read_image(path)
    assert picture.shape == (160, 320, 3)
    assert read_number(picture[:, 120:200]) == 10  # as tall as the other, no wider than it is
    assert picture[:, :118].max() < 8
    assert picture[:, 202:].max() < 8


@pytest.mark.parametrize("layout", ["overlay", "difference", "wipe"])
def test_who_has_no_counterpart_is_left_out_of_one_picture(tmp_path: Path, layout: str) -> None:
    first = open_recording(make_video(tmp_path / "a.mp4", frames=50, size=(480, 240)))
    short = open_recording(make_video(tmp_path / "b.mp4", frames=20, size=(480, 240)))
    look = RenderOptions(layout=layout, height=240, captions=False)
    path = write_still(tmp_path / "o.png", Schedule(first, [short], {}), 1.8, look)
    with FrameReader(first, size=(480, 240)) as reader:
        wanted = reader.frame_at(45).pixels * 0.35
    apart = np.abs(read_image(path).astype(float) - wanted)
    assert apart[:90].max() <= 1  # the first alone, dimmed; below is what is said
    assert apart[100:140].max() > 50


def test_markers_are_written_on_one_picture_of_two(tmp_path: Path) -> None:
    first = open_recording(make_video(tmp_path / "a.mp4", frames=30, size=(240, 120)))
    second = open_recording(make_video(tmp_path / "b.mp4", frames=31, size=(240, 120)))
    schedule = Schedule(first, [second], {})
    plain = RenderOptions(layout="wipe", height=120)
    marked = replace(plain, marks=((second.id, "top", 0.0, 1.0),))
    pictures = [
        read_image(write_still(tmp_path / f"{n}.png", schedule, 0.4, options))
        for n, options in enumerate((plain, marked))
    ]
    changed = np.flatnonzero((pictures[0] != pictures[1]).any(axis=(1, 2)))
    assert changed.min() > pictures[0].shape[0] - 60


@pytest.mark.parametrize("layout", ["grid", "overlay"])
def test_a_nudged_recording_is_exported_as_it_stands(tmp_path: Path, layout: str) -> None:
    first = open_recording(make_video(tmp_path / "a.mp4", frames=30, size=(240, 120)))
    second = open_recording(make_video(tmp_path / "b.mkv", frames=30, size=(240, 120)))
    look = RenderOptions(
        layout=layout, height=120, captions=False, opacity=1.0, nudges={second.id: 7}
    )
    done = render_video(tmp_path / "out.mp4", Schedule(first, [second], {}), look)
    page = open_recording(done.path)
    place = slice(-240, None) if layout == "grid" else slice(40, 280)
    with FrameReader(page) as reader:
        found = [read_number(f.pixels[:, place]) for f in reader.frames_at(range(30))]
    assert found == [min(n + 7, 29) for n in range(30)]
    assert found == done.shown[second.id].tolist()


def test_upright_recordings_have_two_lines_of_words_and_wide_ones_one(tmp_path: Path) -> None:
    def bar(size: tuple[int, int], height: int) -> int:
        name = "20260612_183045_left_camera.mp4"
        first = open_recording(make_video(tmp_path / name, frames=5, size=size))
        second = open_recording(make_video(tmp_path / "b.mp4", frames=5, size=size))
        return Page((first, second), RenderOptions(layout="grid", height=height)).size[1] - height

    assert bar((216, 384), 360) == 36
    assert bar((384, 216), 540) == 32


def test_pages_are_as_large_as_asked_up_to_a_limit(tmp_path: Path) -> None:
    source = open_recording(make_video(tmp_path / "a.mp4", frames=5, size=(320, 180)))
    opened = [replace(source, id=f"r{n}") for n in range(4)]
    plain = RenderOptions(layout="side", height=1080, captions=False)
    assert Page(opened[:2], plain).size == (3840, 1080)
    assert Page(opened, plain).size == (3840, 540)
    assert Page(opened, replace(plain, layout="grid")).size == (3840, 2160)


@pytest.mark.parametrize("layout", ["grid", "wipe"])
def test_a_zoomed_picture_is_exported_as_it_is_seen(tmp_path: Path, layout: str) -> None:
    """Of a recording of 480 x 240 a quarter fills 240 x 120: pixel by pixel what was recorded."""
    first = open_recording(make_video(tmp_path / "a.mp4", frames=8, size=(480, 240)))
    second = open_recording(make_video(tmp_path / "b.mkv", frames=8, size=(480, 240)))
    part = (0.25, 0.5, 0.5, 0.5)
    look = RenderOptions(
        layout=layout,
        height=120,
        captions=False,
        wipe=1.0,
        parts={first.id: part, second.id: part},
    )
    schedule = Schedule(first, [second], {})
    seen = read_image(write_still(tmp_path / "a.png", schedule, 0.1, look))
    left = 0 if layout == "grid" else (seen.shape[1] - 240) // 2
    with FrameReader(first, size=(480, 240)) as reader:
        whole = reader.frame_at(first.index.frame_shown_at(0.1)).pixels
    apart = np.abs(seen[:, left : left + 238].astype(int) - whole[120:, 120:358])
    assert apart.mean() < 1.5
    assert np.abs(seen[:, left : left + 238].astype(int) - whole[::2, ::2][:, :238]).mean() > 10


def test_a_zoom_beyond_the_recording_is_decoded_no_finer_than_it_is(tmp_path: Path) -> None:
    recording = open_recording(make_video(tmp_path / "a.mp4", frames=4, size=(240, 120)))
    look = RenderOptions(height=120, parts={recording.id: (0.4, 0.4, 0.1, 0.1)})
    assert Page([recording], look).cell_size(0) == (240, 120)


@pytest.mark.parametrize("part", [(0.8, 0, 0.5, 0.5), (0, 0, 0, 1), (-0.1, 0, 0.5, 0.5)])
def test_a_part_that_is_none_is_refused(part: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="parts"):
        RenderOptions(parts={"a": part})
