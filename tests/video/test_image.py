from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from carl_core.errors import ExportError, UnreadableMediaError
from carl_core.video.image import read_image, resize_image, write_jpeg, write_png
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.helpers.videos import draw_frame, make_video, read_corners, read_number

if TYPE_CHECKING:
    from pathlib import Path

UPRIGHT = ("red", "green", "blue", "yellow")


def encode(path: Path, codec: str, pix_fmt: str) -> None:
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = 160, 120, pix_fmt
    context.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(draw_frame(77), format="rgb24").reformat(format=pix_fmt)
    packets = context.encode(frame) + context.encode(None)
    path.write_bytes(b"".join(bytes(packet) for packet in packets))


def test_png_is_exact(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)
    write_png(tmp_path / "a.png", picture)
    found = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(found, picture)
    assert not found.flags.writeable
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_jpeg_is_close(tmp_path: Path) -> None:
    picture = draw_frame(1234)
    write_jpeg(tmp_path / "a.jpg", picture)
    found = read_image(tmp_path / "a.jpg")
    assert np.abs(found.astype(int) - picture).mean() < 3
    assert read_number(found) == 1234


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.webp", "libwebp", "yuv420p"), ("a.bmp", "bmp", "bgr24"), ("a.png", "png", "gray")],
)
def test_other_pictures(tmp_path: Path, name: str, codec: str, pix_fmt: str) -> None:
    encode(tmp_path / name, codec, pix_fmt)
    found = read_image(tmp_path / name)
    assert found.shape == (120, 160, 3)
    assert read_number(found) == 77
    if pix_fmt != "gray":
        assert read_corners(found) == UPRIGHT


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, -1), (8, 1)])
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int, turns: int) -> None:
    upright = draw_frame(9)
    write_jpeg(tmp_path / "plain.jpg", np.rot90(upright, -turns))
    content = (tmp_path / "plain.jpg").read_bytes()
    entry = b"\x01\x12\0\x03\0\0\0\x01\0" + bytes([orientation]) + b"\0\0"
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + entry + b"\0\0\0\0"
    marker = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big")
    (tmp_path / "turned.jpg").write_bytes(content[:2] + marker + exif + content[2:])
    found = read_image(tmp_path / "turned.jpg")
    assert found.shape == upright.shape
    assert read_corners(found) == UPRIGHT


@pytest.mark.parametrize("content", [b"", b"words, no picture\n" * 100, b"\x89PNG\r\n\x1a\n1234"])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(UnreadableMediaError, match=r"a\.png"):
        read_image(path)


def test_a_recording_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError, match="moment of a recording"):
        read_image(make_video(tmp_path / "a.mp4", frames=2))
    with pytest.raises(UnreadableMediaError, match="does not exist"):
        read_image(tmp_path / "no.png")


def test_names_with_percent_signs_are_no_patterns(tmp_path: Path) -> None:
    write_png(tmp_path / "100%03d.png", draw_frame(5))
    assert read_number(read_image(tmp_path / "100%03d.png")) == 5


def test_a_folder_that_is_missing_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="No such file"):
        write_png(tmp_path / "no" / "a.png", draw_frame(1))


def test_resizing_is_that_of_the_reader(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "rgb.mkv", frames=1, codec="libx264rgb", pix_fmt="rgb24", options={"qp": "0"}
    )
    for fit in ("squash", "letterbox", "crop"):
        with FrameReader(open_recording(path), size=(64, 64), fit=fit) as reader:
            shown = reader.frame_at(0).pixels
        resized = resize_image(draw_frame(0), (64, 64), fit)
        np.testing.assert_array_equal(resized, shown)


def test_wrong_arrays_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        write_png(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match="expected uint8"):
        resize_image(np.zeros((4, 4, 3), np.float32), (2, 2))  # type: ignore[arg-type]
