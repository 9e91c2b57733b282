"""Every file of the developer recordings' decoder group has the outcome the table expects."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from carl_core.errors import NoVideoStreamError, UnreadableMediaError
from carl_core.video.reader import FrameReader
from carl_core.video.recording import Recording, open_recording
from tests.helpers.decoder_outcomes import TABLE, full_decode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OUTCOMES: dict[str, dict[str, Any]] = json.loads(TABLE.read_text(encoding="utf-8"))
OPENING = [name for name, row in OUTCOMES.items() if row["outcome"] == "opens"]
# Decoding these takes up to half a minute; the committed table did it once.
SLOW = {"long_1080p_lowbitrate.mp4", "long_180p_av1.mp4"}
REFUSALS = {
    "invalid-bitstream.webm": (UnreadableMediaError, "None of the 51 pictures"),
    "sample_audio_only.mp4": (NoVideoStreamError, "sound only"),
    "sample_malformed_free_box.mp4": (UnreadableMediaError, "cannot be opened"),
}
# Files that are damaged up to a point, and what is said of them.
PROBLEMS = {
    "corrupted.mp4": ["1 of 50 pictures cannot be decoded", "only in part"],
    "sample_with_invalid_nalu.mp4": ["1 of 30 pictures cannot be decoded"],
    "sample_missing_stsd.mp4": ["sound"],
}


# Enough to cross key frames in most files, few enough for a quick test.
FRAMES_WALKED = 40


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "decoder"


@pytest.fixture(scope="module")
def recordings(folder: Path) -> Callable[[str], Recording]:
    """Open each file once."""
    return functools.cache(lambda name: open_recording(folder / name))


def test_the_table_names_every_file(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(OUTCOMES)
    assert {name for name, row in OUTCOMES.items() if row["outcome"] == "refused"} == set(REFUSALS)


@pytest.mark.shared
@pytest.mark.parametrize("name", OPENING)
def test_opens_with_the_frames_of_a_full_decode(
    folder: Path, recordings: Callable[[str], Recording], name: str
) -> None:
    row = OUTCOMES[name]
    recording = recordings(name)
    pts = recording.index.pts
    found = (len(pts), int(pts[0]), int(pts[-1]))
    assert found == (row["frames"], row["first_pts"], row["last_pts"])
    if name not in SLOW:
        assert pts.tolist() == full_decode(folder / name)[0]
    problems = recording.info.problems
    assert len(problems) == len(PROBLEMS.get(name, []))
    for problem, part in zip(problems, PROBLEMS.get(name, []), strict=True):
        assert part in problem


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_is_refused_in_one_clear_sentence(
    folder: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    error, part = REFUSALS[name]
    with pytest.raises(error, match=part) as caught:
        open_recording(folder / name)
    assert caught.value.path == folder / name
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    assert capfd.readouterr() == ("", "")


@pytest.mark.shared
@pytest.mark.parametrize("name", [name for name in OPENING if name not in SLOW])
def test_jumps_show_what_a_walk_shows(
    recordings: Callable[[str], Recording], name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    recording = recordings(name)
    last = min(len(recording.index), FRAMES_WALKED) - 1
    frames = sorted({0, 1, last // 3, last // 2, last - 1, last} & set(range(last + 1)))
    with FrameReader(recording, size=(64, 48)) as reader:
        walked = {
            frame.index: frame.pixels
            for frame in reader.frames_at(range(last + 1))
            if frame.index in frames
        }
    with FrameReader(recording, size=(64, 48)) as reader:
        for frame in [frames[-1], *frames]:
            shown = reader.frame_at(frame)
            assert shown.pts == recording.index.pts[frame]
            np.testing.assert_array_equal(shown.pixels, walked[frame])
    assert capfd.readouterr() == ("", "")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "rotation", "mirrored", "size", "is_hdr"),
    [
        ("internal_emulator_transformer_output_270_rotated.mp4", 270, False, (720, 1280), False),
        ("nasa_13013_rotated.mp4", 270, False, (270, 480), False),
        ("sample_rotate_and_reflect.mp4", 270, True, (720, 1080), False),
        ("fire2.mp4", 180, False, (1280, 720), False),
        ("hdr10-av1.mp4", 0, False, (720, 1280), True),
        ("nasa_13013_hdr.mp4", 0, False, (320, 180), True),
        ("sample_edit_list_no_sync_frame_before_edit.mp4", 90, False, (1080, 1920), True),
        ("testsrc2_odd_height_and_width_444.mp4", 0, False, (321, 241), False),
    ],
)
def test_geometry_is_read(
    recordings: Callable[[str], Recording],
    name: str,
    rotation: int,
    mirrored: bool,
    size: tuple[int, int],
    is_hdr: bool,
) -> None:
    info = recordings(name).info
    assert (info.rotation, info.mirrored) == (rotation, mirrored)
    assert (info.width, info.height) == size
    assert info.is_hdr == is_hdr
