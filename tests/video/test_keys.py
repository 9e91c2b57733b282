"""Key frames decoded alone are the frames that decoding everything gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.video.finder import FrameFinder
from carl_core.video.keys import KeyDecoder
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.video.conftest import EVERY_KIND

if TYPE_CHECKING:
    from tests.video.conftest import MakeKind


@pytest.mark.parametrize("name", EVERY_KIND)
def test_key_frames_are_those_of_a_full_decode(kind: MakeKind, name: str) -> None:
    recording = open_recording(kind(name))
    keys = np.flatnonzero(recording.index.is_key).tolist()
    with FrameReader(recording) as reader:
        alone = list(reader.key_frames_at(keys))
    with FrameReader(recording) as reader:
        whole = {frame.index: frame for frame in reader.frames_at(range(len(recording.index)))}
    assert [frame.index for frame in alone] == keys
    for frame in alone:
        assert frame.pts == whole[frame.index].pts
        np.testing.assert_array_equal(frame.pixels, whole[frame.index].pixels)


@pytest.mark.parametrize("name", ["b_pyramid.mp4", "no_b_frames.mkv", "vp9.webm"])
def test_key_frames_come_by_jumps_and_nothing_else_is_decoded(
    kind: MakeKind, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = open_recording(kind(name))
    keys = np.flatnonzero(recording.index.is_key).tolist()
    monkeypatch.setattr(FrameFinder, "frame", None)  # it would be called where a jump fails
    with FrameReader(recording) as reader:
        assert len(list(reader.key_frames_at(keys))) == len(keys) > 0


def test_what_is_no_key_frame_does_not_come_alone(kind: MakeKind) -> None:
    recording = open_recording(kind("b_pyramid.mp4"))
    decoder = KeyDecoder(recording)
    try:
        assert decoder.frame(5) is None
        found = decoder.frame(30)
        assert found is not None
        assert found.pts == recording.index.pts[30]
    finally:
        decoder.close()
