"""The frame shown is the frame asked for: every container, long and open groups, any rate."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.helpers.videos import make_video, read_number

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (96, 64)
JUMPS = 10

_VP9 = {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}
_LONG = {"frames": 280, "gop": 250, "bframes": 3}
_OPEN = {"frames": 90, "gop": 30, "bframes": 3, "options": {"x264-params": "open-gop=1"}}
_VARYING = {
    "pts": np.cumsum(np.random.default_rng(3).integers(4, 90, 100)).tolist(),
    "time_base": Fraction(1, 1000),
    "gop": 40,
}
CASES: dict[str, dict[str, Any]] = {
    "long.mp4": _LONG,
    "long.mov": _LONG,
    "long.mkv": _LONG,
    "long.ts": _LONG,
    "long.webm": {**_LONG, **_VP9},
    "long.avi": {**_LONG, "codec": "mpeg4"},
    "open.mp4": _OPEN,
    "open.mkv": _OPEN,
    "open.ts": _OPEN,
    "open.mpg": {"frames": 90, "gop": 12, "codec": "mpeg2video"},
    "varying.mp4": _VARYING,
    "varying.mkv": _VARYING,
    "varying.ts": _VARYING,
    "varying.webm": {**_VARYING, **_VP9},
}


@pytest.mark.parametrize("name", CASES)
def test_the_frame_shown_is_the_frame_asked_for(tmp_path: Path, name: str) -> None:
    recording = open_recording(make_video(tmp_path / name, size=SIZE, **CASES[name]))
    count = len(recording.index)
    assert count == CASES[name].get("frames", 100)
    rng = random.Random(name)
    targets = [0, count - 1, *(rng.randrange(count) for _ in range(JUMPS))]
    keys = np.flatnonzero(recording.index.is_key)
    with FrameReader(recording, size=SIZE, cache_bytes=1) as reader:
        for target in targets:
            for step in reader.approach(target):
                if step is None:
                    continue
                assert read_number(step.pixels) == step.index
                assert step.pts == recording.index.pts[step.index]
                assert step.is_preview is (step.index != target)
                if step.is_preview:
                    assert keys[keys <= target][-1] <= step.index < target
            assert step is not None
            assert step.index == target


@pytest.mark.parametrize("name", CASES)
def test_so_is_one_frame_back(tmp_path: Path, name: str) -> None:
    recording = open_recording(make_video(tmp_path / name, size=SIZE, **CASES[name]))
    last = len(recording.index) - 3
    with FrameReader(recording, size=SIZE, cache_bytes=30 * 3 * SIZE[0] * SIZE[1]) as reader:
        for frame in range(last, last - 60, -1):
            shown = reader.frame_at(frame)
            assert (shown.index, read_number(shown.pixels)) == (frame, frame)
            for _ in range(frame % 4):
                reader.work_ahead()
