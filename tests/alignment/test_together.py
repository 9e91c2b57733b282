from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.alignment.together import Samples, align_by_sound, align_by_timecode
from carl_core.errors import AlignmentError
from carl_core.video.recording import open_recording
from tests.helpers.sounds import make_sound_video, scene_sound, with_noise

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.alignment.alignment import Alignment

# Uneven steps between frames, milliseconds.
VARIABLE = np.cumsum([0] + [33, 34, 66, 20, 47] * 22).tolist()


def samples(path: Path) -> Samples:
    recording = open_recording(path)
    return Samples(recording, recording.index.times_s[::3])


def by_sound(ours: Path, theirs: Path) -> Alignment:
    return align_by_sound(samples(ours), samples(theirs))


def offset_s(alignment: Alignment) -> float:
    return float(np.nanmedian(alignment.other_s - alignment.reference_s))


@pytest.mark.parametrize(
    ("name", "rate", "other"),
    [
        ("a.mp4", 44100, {}),
        ("a.mp4", 48000, {"channels": 2}),
        ("a.mp4", 22050, {"pts": VARIABLE}),
        ("a.mkv", 44100, {"start_s": 3.2, "codec": "pcm_s16le"}),
        ("a.mov", 48000, {"start_s": 1.52}),
    ],
)
def test_the_offset_is_right_to_5_ms_at_0_db(
    tmp_path: Path, name: str, rate: int, other: dict[str, object]
) -> None:
    """The other begins 1.25 s later; each camera's noise is as strong as the scene's sound."""
    whole = scene_sound(6, 48000)
    ours = make_sound_video(tmp_path / f"ours-{name}", with_noise(whole[: 4 * 48000], 0, 1))
    late = scene_sound(6, rate)[round(1.25 * rate) :][: 4 * rate]
    theirs = make_sound_video(
        tmp_path / f"theirs-{name}",
        with_noise(late, 0, 2),
        rate=rate,
        **other,  # type: ignore[arg-type]
    )
    found = by_sound(ours, theirs)
    assert found.verdict == "aligned"
    assert offset_s(found) == pytest.approx(-1.25, abs=0.005)


def test_sound_that_begins_late_counts_from_the_first_frame(tmp_path: Path) -> None:
    whole = scene_sound(5, 48000)
    ours = make_sound_video(tmp_path / "ours.mp4", whole[: 4 * 48000])
    theirs = make_sound_video(tmp_path / "theirs.mp4", whole[24000 : 4 * 48000], sound_late_s=0.5)
    assert offset_s(by_sound(ours, theirs)) == pytest.approx(0.0, abs=0.002)


def test_outside_the_overlap_are_gaps(tmp_path: Path) -> None:
    whole = scene_sound(6, 48000)
    ours = make_sound_video(tmp_path / "ours.mp4", whole[: 5 * 48000], seconds=5)
    theirs = make_sound_video(tmp_path / "theirs.mp4", whole[48000 : 4 * 48000], seconds=3)
    found = by_sound(ours, theirs)
    known = np.isfinite(found.other_s)
    assert found.reference_s[known][[0, -1]] == pytest.approx([1.0, 4.0], abs=0.13)
    assert [round(edge, 1) for gap in found.gaps for edge in gap] == pytest.approx(
        [0.0, 1.0, 4.0, 4.9], abs=0.15
    )
    assert not found.confidence[~known].any()
    assert (found.confidence[known] > 0.99).all()
    assert found.method == "audio"
    assert found.reason.startswith("The sounds match at an offset of -1.0")
    times = open_recording(theirs).index.times_s[::3]
    np.testing.assert_allclose(times[found.raw_other], found.other_s[known], atol=0.09)
    assert (np.diff(found.raw_other) >= 0).all()


def test_unrelated_sound_is_refused(tmp_path: Path) -> None:
    ours = make_sound_video(tmp_path / "ours.mp4", scene_sound(4, 48000, 1))
    theirs = make_sound_video(tmp_path / "theirs.mp4", scene_sound(4, 48000, 2))
    with pytest.raises(AlignmentError, match=r"No common sound was found in ours\.mp4 and theirs"):
        by_sound(ours, theirs)


def test_without_sound_there_is_a_sentence(tmp_path: Path) -> None:
    ours = make_sound_video(tmp_path / "ours.mp4", scene_sound(4, 48000))
    mute = make_sound_video(tmp_path / "mute.mp4", None)
    silent = make_sound_video(tmp_path / "silent.mp4", np.zeros(4 * 48000, np.float32))
    short = make_sound_video(tmp_path / "short.mp4", scene_sound(1, 48000), seconds=1)
    for path, words in ((mute, "has no sound"), (silent, "silent.mp4 is silent"), (short, "lasts")):
        with pytest.raises(AlignmentError, match=words):
            by_sound(ours, path)
        with pytest.raises(AlignmentError, match=words):
            by_sound(path, ours)


def with_timecode(path: Path, text: str | None, fps: Fraction | int = 25) -> Samples:
    return samples(make_sound_video(path, None, seconds=2, timecode=text, fps=fps))


@pytest.mark.parametrize(
    ("ours", "theirs", "fps", "expected_s"),
    [
        ("10:00:00:00", "10:00:01:05", 25, -1.2),
        ("10:00:01:05", "10:00:00:00", 25, 1.2),
        ("09:59:59;20", "10:00:00;05", Fraction(30000, 1001), -0.5005),
        ("23:59:59:05", "00:00:00:00", 25, -0.8),
    ],
)
def test_timecodes_give_the_offset(
    tmp_path: Path, ours: str, theirs: str, fps: Fraction | int, expected_s: float
) -> None:
    found = align_by_timecode(
        with_timecode(tmp_path / "a.mov", ours, fps), with_timecode(tmp_path / "b.mov", theirs, fps)
    )
    assert offset_s(found) == pytest.approx(expected_s, abs=1e-6)
    assert (found.method, found.verdict, found.cost) == ("timecode", "aligned", 0.0)


def test_timecodes_that_count_from_zero_leave_doubt(tmp_path: Path) -> None:
    pair = [with_timecode(tmp_path / name, "00:00:00:00") for name in ("a.mov", "b.mov")]
    found = align_by_timecode(*pair)
    assert found.verdict == "uncertain"
    assert "begin at zero" in found.reason


@pytest.mark.parametrize(
    ("text", "fps", "why"),
    [
        (None, 25, "b.mov holds no timecode"),
        ("12:00:00:00", 25, "no moment in common"),
        ("10:00:00:00", Fraction(30000, 1001), "count time differently"),
    ],
)
def test_timecodes_that_give_no_offset_say_why(
    tmp_path: Path, text: str | None, fps: Fraction | int, why: str
) -> None:
    ours = with_timecode(tmp_path / "a.mov", "10:00:00:00")
    with pytest.raises(AlignmentError, match=why):
        align_by_timecode(ours, with_timecode(tmp_path / "b.mov", text, fps))
