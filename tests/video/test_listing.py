from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from carl_core.errors import MediaError
from carl_core.pipeline import Engine
from carl_core.video import index as index_module
from carl_core.video.recording import open_recording
from tests.helpers.videos import make_video, remux

if TYPE_CHECKING:
    from pathlib import Path

    from tests.video.conftest import MakeKind

LISTED = ("b_pyramid.mp4", "open_gop.mp4", "sound.mp4", "late_start.mp4", "negative_start.mp4")


@pytest.fixture(autouse=True)
def long_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen packets are the beginning, so that sixty are a long file."""
    monkeypatch.setattr(index_module, "_LISTED_HEAD_PIXELS", 1)


@pytest.mark.parametrize("name", LISTED)
def test_the_table_of_a_file_says_what_reading_it_says(kind: MakeKind, name: str) -> None:
    exact = open_recording(kind(name))
    listed = open_recording(kind(name), provisional=True)
    assert exact.is_exact
    assert not listed.is_exact
    assert listed == exact
    np.testing.assert_array_equal(listed.index.pts, exact.index.pts)
    np.testing.assert_array_equal(listed.index.is_key, exact.index.is_key)
    assert listed.index.end_pts == exact.index.end_pts
    assert listed.info == exact.info


def test_variable_rates_are_listed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pts = np.cumsum(rng.integers(5, 90, 120)).tolist()
    path = make_video(tmp_path / "variable.mov", pts=pts, time_base=Fraction(1, 1000))
    listed = open_recording(path, provisional=True)
    assert not listed.is_exact
    np.testing.assert_array_equal(listed.index.pts, open_recording(path).index.pts)


@pytest.mark.parametrize(
    "name", ["fragments.mp4", "stream.ts", "no_b_frames.mkv", "vp9.webm", "constant.mp4"]
)
def test_files_without_a_table_of_all_frames_and_short_ones_are_read(
    kind: MakeKind, name: str
) -> None:
    assert open_recording(kind(name), provisional=True).is_exact


def test_media_is_not_read(kind: MakeKind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "read_packets", lambda *_, **__: pytest.fail("read whole"))
    assert not open_recording(kind("b_pyramid.mp4"), provisional=True).is_exact


def test_a_file_that_was_cut_off_is_read(tmp_path: Path) -> None:
    whole = make_video(
        tmp_path / "whole.mp4",
        frames=120,
        size=(320, 240),
        container_options={"movflags": "faststart"},
    )
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    recording = open_recording(cut, provisional=True)
    assert recording.is_exact
    assert recording.info.problems


def test_a_table_that_contradicts_the_packets_is_not_believed(
    kind: MakeKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from carl_core.video import listing

    delays = listing._presentation_delays

    def wrong_at(place: int) -> None:
        def changed(path: Path, track: int) -> np.ndarray:
            found = delays(path, track).copy()
            found[place] += 512
            return found

        monkeypatch.setattr(listing, "_presentation_delays", changed)

    path = remux(kind("b_pyramid.mp4"), tmp_path / "copy.mp4")
    for place in (3, 33, 59):
        wrong_at(place)
        assert open_recording(path, provisional=True).is_exact


@pytest.mark.parametrize("box", [b"moov", b"trak", b"tkhd", b"mdia", b"stbl", b"ctts"])
def test_damaged_tables_are_read_past(kind: MakeKind, tmp_path: Path, box: bytes) -> None:
    content = kind("b_pyramid.mp4").read_bytes()
    at = content.index(box)
    for length in (0, 1, 7, 0x7FFFFFFF):
        broken = tmp_path / "broken.mp4"
        broken.write_bytes(content[: at - 4] + length.to_bytes(4, "big") + content[at:])
        try:
            recording = open_recording(broken, provisional=True)
        except MediaError:
            continue
        exact = open_recording(broken)
        np.testing.assert_array_equal(recording.index.pts, exact.index.pts)


def test_a_hole_in_the_middle_shows_when_the_file_is_read(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.mp4", frames=80, gop=10, size=(320, 240))
    content = bytearray(whole.read_bytes())
    with av.open(str(whole)) as container:
        victim = [p for p in container.demux(video=0) if p.size][29]
        content[victim.pos : victim.pos + victim.size] = bytes(victim.size)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(content)
    listed = open_recording(broken, provisional=True)
    exact = open_recording(broken)
    assert (len(listed.index), listed.is_exact) == (80, False)
    assert (len(exact.index), exact.is_exact) == (79, True)
    assert exact.info.problems


def test_nothing_is_embedded_from_a_table(kind: MakeKind) -> None:
    listed = open_recording(kind("b_pyramid.mp4"), provisional=True)
    engine = Engine(store=None)
    with pytest.raises(MediaError, match="still being read"):
        engine.embed(listed)
    with pytest.raises(MediaError, match="still being read"):
        engine.frames_of(listed)
