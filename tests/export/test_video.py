from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.alignment.timemap import TimeMap
from carl_core.export.video import RenderOptions, render_video
from carl_core.playback.schedule import Schedule
from carl_core.progress import Monitor
from carl_core.video.audio import read_audio
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
