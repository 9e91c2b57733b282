from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carl_core.errors import MediaError
from carl_core.video.recording import open_recording
from carl_core.video.timecode import Timecode, read_timecode
from tests.helpers.sounds import make_sound_video

if TYPE_CHECKING:
    from pathlib import Path

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("text", "rate", "count"),
    [
        ("00:00:00:00", Fraction(25), 0),
        ("01:00:00:00", Fraction(25), 90_000),
        ("10:11:12:13", Fraction(25), 916_813),
        ("00:00:59;29", NTSC, 1799),
        ("00:01:00;02", NTSC, 1800),  # labels ;00 and ;01 are left out
        ("00:10:00;00", NTSC, 17_982),
        ("01:00:00;00", NTSC, 107_892),
        ("01:00:00:00", NTSC, 108_000),
        ("00:01:00;04", 2 * NTSC, 3600),
        ("01:00:00.00", NTSC, 107_892),
    ],
)
def test_labels_count_frames(text: str, rate: Fraction, count: int) -> None:
    assert Timecode.parse(text, rate).count == count


def test_drop_frame_follows_the_clock() -> None:
    hour = Timecode.parse("01:00:00;00", NTSC)
    assert float(hour.since_midnight_s) == pytest.approx(3600, abs=0.004)
    assert hour.follows_clock
    slow = Timecode.parse("01:00:00:00", NTSC)
    assert float(slow.since_midnight_s) == pytest.approx(3603.6)
    assert not slow.follows_clock


def test_a_day_of_labels_has_its_length() -> None:
    assert Timecode.parse("10:00:00:00", Fraction(25)).day_s == 86400
    assert float(Timecode.parse("10:00:00;00", NTSC).day_s) == pytest.approx(86399.9136)


@given(st.integers(0, 24 * 107_892 - 1))
def test_every_drop_frame_count_has_one_label(count: int) -> None:
    # SMPTE ST 12-1: count on as if nothing were dropped, 2 a minute but not each tenth.
    tens, rest = divmod(count, 17_982)
    label = count + 18 * tens + (2 * ((rest - 2) // 1798) if rest > 1 else 0)
    seconds, frames = divmod(label, 30)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    found = Timecode(hours, minutes, seconds, frames, True, NTSC)
    assert found.count == count
    assert Timecode.parse(str(found), NTSC) == found


@pytest.mark.parametrize(
    ("text", "rate", "why"),
    [
        ("noon", Fraction(25), "HH:MM:SS:FF"),
        ("1:2:3:4", Fraction(25), "HH:MM:SS:FF"),
        ("25:00:00:00", Fraction(25), "does not exist"),
        ("00:00:00:25", Fraction(25), "does not exist"),
        ("00:60:00:00", Fraction(25), "does not exist"),
        ("00:01:00;01", NTSC, "leaves out"),
        ("00:01:00;02", Fraction(25), "do not exist at 25"),
        ("00:01:00;02", Fraction(24000, 1001), "do not exist at 23.976"),
        ("00:00:00:00", Fraction(120), "no rate"),
    ],
)
def test_labels_that_mean_nothing_are_refused(text: str, rate: Fraction, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Timecode.parse(text, rate)


@pytest.mark.parametrize(
    ("name", "text", "rate"),
    [
        ("a.mov", "10:11:12:13", Fraction(25)),
        ("a.mp4", "01:02:03;04", NTSC),
        ("a.mov", "23:59:59:23", Fraction(24000, 1001)),
        ("a.mkv", "10:11:12:13", Fraction(25)),
        ("a.mxf", "10:11:12;13", NTSC),
    ],
)
def test_timecode_is_read_from_the_file(
    tmp_path: Path, name: str, text: str, rate: Fraction
) -> None:
    path = make_sound_video(tmp_path / name, None, seconds=0.5, timecode=text, fps=rate)
    found = read_timecode(open_recording(path))
    assert found is not None
    assert str(found) == text
    assert found.rate == rate


def test_a_file_without_timecode_has_none(tmp_path: Path) -> None:
    path = make_sound_video(tmp_path / "a.mp4", None, seconds=0.5)
    assert read_timecode(open_recording(path)) is None


@pytest.mark.parametrize(
    ("text", "fps", "why"), [("99:00:00:00", 25, "does not exist"), ("01:00:00:00", 15, "15.000")]
)
def test_a_timecode_that_means_nothing_says_so(
    tmp_path: Path, text: str, fps: int, why: str
) -> None:
    path = make_sound_video(tmp_path / "a.mkv", None, seconds=0.5, timecode=text, fps=fps)
    with pytest.raises(MediaError, match=why):
        read_timecode(open_recording(path))
