"""What a file may claim is compared with what it is before anything is made to hold it."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.errors import MediaError, UnreadableMediaError
from carl_core.video import claims, container
from carl_core.video.image import read_image, write_png
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.helpers.videos import draw_frame, make_video, read_number

if TYPE_CHECKING:
    from pathlib import Path

    from tests.video.conftest import MakeKind

_STBL = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def box(content: bytes, *names: bytes) -> int:
    """Place of what a box inside boxes holds."""
    start, end = 0, len(content)
    for name in names:
        while content[start + 4 : start + 8] != name:
            start += int.from_bytes(content[start : start + 4], "big")
            assert start < end, names
        end = start + int.from_bytes(content[start : start + 4], "big")
        start += 8
    return start


def claiming(path: Path, content: bytes, place: int, *numbers: int) -> Path:
    changed = bytearray(content)
    struct.pack_into(f">{len(numbers)}I", changed, place, *numbers)
    path.write_bytes(changed)
    return path


def peak_mib(path: Path) -> int:
    """Memory that trying to open a file takes, measured in a child of its own."""
    program = (
        "import resource, sys; from pathlib import Path;"
        "from carl_core.errors import MediaError; from carl_core.video.recording import *;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: open_recording(Path(sys.argv[1]))\n"
        "except MediaError: pass\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="measures with the resource module")
def test_a_fragment_of_a_hundred_million_frames_takes_no_memory(
    kind: MakeKind, tmp_path: Path
) -> None:
    content = kind("fragments.mp4").read_bytes()
    place = box(content, b"moof", b"traf", b"trun")
    # FFmpeg alone makes room for them: 2.8 GB and 26 s for 80 million.
    path = claiming(tmp_path / "bomb.mp4", content, place, 1, 100_000_000)
    with pytest.raises(UnreadableMediaError, match=r"claims 100,000,0.. frames and has"):
        open_recording(path)
    assert peak_mib(path) < 100


def test_a_table_of_a_billion_frames_is_refused(kind: MakeKind, tmp_path: Path) -> None:
    content = kind("constant.mp4").read_bytes()
    place = box(content, *_STBL, b"stsz")
    path = claiming(tmp_path / "bomb.mp4", content, place + 4, 1, 1_000_000_000)
    with pytest.raises(UnreadableMediaError, match="claims 1,000,000,000 frames"):
        open_recording(path)


def test_fragments_add_up(kind: MakeKind, tmp_path: Path) -> None:
    content = kind("fragments.mp4").read_bytes()
    start = box(content, b"moof") - 8
    place = box(content, b"moof", b"traf", b"trun")
    size = int.from_bytes(content[start : start + 4], "big")
    fragment = bytearray(content[start : start + size])
    struct.pack_into(">I", fragment, place - start + 4, len(content) // 2)
    path = tmp_path / "bomb.mp4"
    path.write_bytes(content[:start] + bytes(fragment) * 400)
    with pytest.raises(UnreadableMediaError, match="frames and has"):
        open_recording(path)


@pytest.mark.parametrize("name", ["sound.mp4", "fragments.mp4", "ntsc.mov", "constant.mp4"])
def test_honest_files_pass(kind: MakeKind, name: str) -> None:
    path = kind(name)
    claims.check_frames(path, path.stat().st_size)


def test_plain_sound_of_a_cut_off_file_is_no_claim_of_frames(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "whole.mov",
        frames=50,
        audio_rate=48000,
        container_options={"movflags": "faststart"},
    )
    content = bytearray(path.read_bytes())
    # One sample of two bytes for each moment, an hour of it.
    for found in range(len(content) - 8):
        if content[found : found + 4] == b"stsz" and b"soun" in content[:found]:
            struct.pack_into(">II", content, found + 8, 2, 3600 * 48000)
    path.write_bytes(content)
    claims.check_frames(path, len(content))


def test_boxes_that_hold_themselves_or_nothing_end(tmp_path: Path) -> None:
    for name, content in {
        "zero": struct.pack(">I4s", 0, b"moov") * 1000,
        "deep": b"".join(struct.pack(">I4s", 2**31, b"moov") for _ in range(10_000)),
        "long": struct.pack(">I4sQ", 1, b"moov", 2**63) + bytes(64),
        "tiny": b"\0\0\0\3ftyp" * 100,
    }.items():
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(content)
        claims.check_frames(path, len(content))
        with pytest.raises(MediaError):
            open_recording(path)


def png_of(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [15_000, 100_000])
def test_a_picture_of_immense_size_is_refused(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of(side, side))
    with pytest.raises(UnreadableMediaError):
        read_image(path)


def test_the_limit_of_pixels_holds_for_what_a_header_says(
    kind: MakeKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "MOST_PIXELS", 160 * 120 - 1)
    with pytest.raises(UnreadableMediaError, match="claims pictures of 160 x 120 pixels"):
        open_recording(kind("constant.mp4"))
    monkeypatch.undo()
    write_png(tmp_path / "still.png", draw_frame(1))
    assert read_image(tmp_path / "still.png").shape == (120, 160, 3)


def test_the_limit_of_pixels_holds_for_what_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream may grow in the middle, where no header says so."""
    small = make_video(tmp_path / "small.h264", frames=5, size=(64, 48), format="h264")
    large = make_video(tmp_path / "large.h264", frames=5, size=(320, 240), format="h264")
    path = tmp_path / "grows.h264"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    assert len(open_recording(path).index) == 10
    monkeypatch.setattr(container, "MOST_PIXELS", 128 * 96)
    recording = open_recording(path)
    assert len(recording.index) == 5
    assert any("cannot be decoded" in problem for problem in recording.info.problems)


PLAYLISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
    "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile {url}/a.mp4\n",
    "local.ffconcat": "ffconcat version 1.0\nfile {file}\n",
    "local.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{file}\n#EXT-X-ENDLIST\n",
    "call.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5000 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "list.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="1"><BaseURL>{url}/a.mp4</BaseURL><SegmentBase/></Representation>'
    "</AdaptationSet></Period></MPD>",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_list_of_other_files_or_addresses_is_not_followed(tmp_path: Path, name: str) -> None:
    other = make_video(tmp_path / "a.ts", frames=3)
    path = tmp_path / name
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0.05)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        path.write_text(PLAYLISTS[name].format(url=url, file=other.name))
        with pytest.raises(UnreadableMediaError):
            open_recording(path)
        with pytest.raises(UnreadableMediaError):
            read_image(path)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("share", [0.35, 0.6, 0.9])
@pytest.mark.parametrize(
    "name",
    ["stream.ts", "no_b_frames.mkv", "vp9.webm", "mpeg4.avi", "fragments.mp4", "program.mpg"],
)
def test_a_file_that_was_cut_off_is_used_up_to_there_and_says_so(
    kind: MakeKind, tmp_path: Path, name: str, share: float
) -> None:
    whole = kind(name)
    content = whole.read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: round(share * len(content))])
    recording, before = open_recording(path), open_recording(whole)
    count = len(recording.index)
    assert 0 < count < len(before.index)
    with (
        FrameReader(recording, size=(96, 64)) as reader,
        FrameReader(before, size=(96, 64)) as all_,
    ):
        # The last picture or two may be damaged.
        for frame in (0, count // 2, max(0, count - 4)):
            np.testing.assert_array_equal(
                reader.frame_at(frame).pixels, all_.frame_at(frame).pixels
            )
            assert read_number(reader.frame_at(frame).pixels) == frame
    # NOTE: streams for broadcast announce no length, so nobody can know of what is missing; a
    # packet that ends early is all that can be noticed.
    if name not in ("stream.ts", "program.mpg"):
        assert recording.info.problems
