"""Stored pictures for a graphics card: right by the formula, and when there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.video.frame import MovingFrame
from carl_core.video.planes import Making
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording

if TYPE_CHECKING:
    from tests.video.conftest import MakeKind


@pytest.mark.parametrize("name", ["constant.mp4", "full_range.mp4", "bt601.mp4"])
def test_planes_by_the_formula_are_the_picture(kind: MakeKind, name: str) -> None:
    with FrameReader(open_recording(kind(name))) as reader:
        exact = reader.frame_at(2)
        reader.making = Making.PLANES
        frame = reader.frame_at(2)
    assert isinstance(frame, MovingFrame)
    assert (frame.index, frame.pts, frame.time_s) == (exact.index, exact.pts, exact.time_s)
    planes = frame.planes
    width, height = planes.size
    luma = planes.luma[:height, :width]
    chroma = [p[: height // 2, : width // 2] for p in (planes.blue, planes.red)]
    wide = [np.repeat(np.repeat(plane, 2, axis=0), 2, axis=1) for plane in chroma]
    matrix, offset = planes.to_rgb()
    stored = np.stack([luma, *wide], axis=-1) / 255
    shown = np.clip((stored - offset) @ matrix.T, 0, 1) * 255
    off = np.abs(shown - exact.pixels)
    assert np.percentile(off, 99) <= 2.5  # half a level of it is rounding
    np.testing.assert_array_equal(frame.pixels, exact.pixels)
    assert not planes.luma.flags.writeable


@pytest.mark.parametrize(
    "name", ["ten_bit.mp4", "rgb.mkv", "grey.mkv", "interlaced.mp4", "bt2020.mp4"]
)
def test_what_takes_more_than_a_matrix_is_given_as_pixels(kind: MakeKind, name: str) -> None:
    with FrameReader(open_recording(kind(name)), size=(80, 60)) as reader:
        exact = reader.frame_at(0)
        reader.making = Making.PLANES
        frame = reader.frame_at(0)
    assert not isinstance(frame, MovingFrame)
    assert np.abs(frame.pixels.astype(int) - exact.pixels.astype(int)).mean() < 3.0
