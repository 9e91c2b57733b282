from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xxhash

from carl_core.video.info import VideoInfo
from carl_core.video.recording import fingerprint_of, open_recording

if TYPE_CHECKING:
    from tests.video.conftest import MakeKind


def test_fingerprint_of_a_small_file_is_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"abc")
    expected = xxhash.xxh3_128_hexdigest((3).to_bytes(8, "little") + b"abc")
    assert fingerprint_of(path, 3) == expected
    assert len(expected) == 32


def test_fingerprint_of_a_large_file_reads_64_blocks(tmp_path: Path) -> None:
    path = tmp_path / "large"
    content = bytearray(np.random.default_rng(0).bytes(9_000_001))
    path.write_bytes(content)
    block = 65536
    digest = xxhash.xxh3_128(len(content).to_bytes(8, "little"))
    for number in range(64):
        start = number * (len(content) - block) // 63
        digest.update(content[start : start + block])
    before = fingerprint_of(path, len(content))
    assert before == digest.hexdigest()
    content[-1] ^= 1
    path.write_bytes(content)
    assert fingerprint_of(path, len(content)) != before


def test_identity_follows_the_content(kind: MakeKind, tmp_path: Path) -> None:
    source = kind("constant.mp4")
    copy = Path(shutil.copy(source, tmp_path / "copy.mp4"))
    one, two = open_recording(source), open_recording(copy)
    assert one == two
    assert one.id == one.fingerprint[:16]
    assert open_recording(kind("ntsc.mov")) != one


def test_probe_json_has_exactly_the_agreed_keys(kind: MakeKind) -> None:
    info = open_recording(kind("wide_pixels.mp4")).info
    found = info.to_json("clip.mp4")
    assert found == {
        "path": "clip.mp4",
        "codec": "h264",
        "size": [213, 120],
        "rotation": 0,
        "sar": "4:3",
        "frames": 30,
        "duration_s": 1.2,
        "vfr": False,
        "first_pts": 0,
        "time_base": "1/12800",
        "audio": None,
        "problems": [],
    }
    json.dumps(found)


@pytest.mark.parametrize(
    ("name", "codec", "audio"),
    [("sound.mp4", "h264", "aac"), ("vp9.webm", "vp9", None), ("ten_bit.mp4", "hevc", None)],
)
def test_codecs_are_named(kind: MakeKind, name: str, codec: str, audio: str | None) -> None:
    info = open_recording(kind(name)).info
    assert (info.codec, info.audio) == (codec, audio)


@pytest.mark.parametrize(
    "change",
    [{"width": 0}, {"rotation": 45}, {"sar": Fraction(0)}, {"frames": 0}],
)
def test_impossible_properties_are_refused(kind: MakeKind, change: dict[str, object]) -> None:
    info = open_recording(kind("constant.mp4")).info
    values = {name: getattr(info, name) for name in VideoInfo.__dataclass_fields__}
    with pytest.raises(ValueError, match=r"must be|at least"):
        VideoInfo(**(values | change))
