from __future__ import annotations

import functools
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from carl_core.video.display import DisplayTransform, Geometry, fitted_size, placed
from carl_core.video.halving import _halve
from carl_core.video.planes import Making
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from carl_core.video.tonemap import roll_off, to_sdr
from tests.helpers.videos import (
    CORNERS,
    Pixels,
    draw_frame,
    make_video,
    read_corners,
    read_number,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.video.conftest import MakeKind

UPRIGHT = ("red", "green", "blue", "yellow")


def first_frame(path: Path, **options: object) -> Pixels:
    with FrameReader(open_recording(path), **options) as reader:  # type: ignore[arg-type]
        return reader.frame_at(0).pixels


@pytest.mark.parametrize(
    ("name", "rotation", "mirrored"),
    [
        ("constant.mp4", 0, False),
        ("turned.mp4", 90, False),
        ("upside_down.mp4", 180, False),
        ("turned_mirrored.mov", 270, True),
        ("mirrored.mp4", 0, True),
    ],
)
def test_turned_and_mirrored_pictures_stand_upright(
    kind: MakeKind, name: str, rotation: int, mirrored: bool
) -> None:
    info = open_recording(kind(name)).info
    assert (info.rotation, info.mirrored) == (rotation, mirrored)
    assert (info.width, info.height) == (160, 120)
    assert (info.coded_width, info.coded_height) == (
        (160, 120) if rotation % 180 == 0 else (120, 160)
    )
    for size in (None, (80, 90)):
        pixels = first_frame(kind(name), size=size)
        assert pixels.shape == (120, 160, 3) if size is None else (90, 80, 3)
        assert read_corners(pixels) == UPRIGHT
        assert read_number(pixels) == 0


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_every_display_matrix(tmp_path: Path, rotation: int, mirrored: bool) -> None:
    path = make_video(tmp_path / "turned.mp4", frames=1, rotation=rotation, mirrored=mirrored)
    info = open_recording(path).info
    assert (info.rotation, info.mirrored) == (rotation, mirrored)
    assert read_corners(first_frame(path)) == UPRIGHT


def test_sample_aspect_ratio_widens_or_heightens(kind: MakeKind) -> None:
    wide = open_recording(kind("wide_pixels.mp4")).info
    assert (wide.width, wide.height, wide.sar) == (213, 120, Fraction(4, 3))
    # Stored 120x160 with pixels three quarters as wide as high, then turned.
    tall = open_recording(kind("tall_pixels.mp4")).info
    assert (tall.width, tall.height) == (213, 120)
    assert first_frame(kind("tall_pixels.mp4")).shape == (120, 213, 3)
    assert read_corners(first_frame(kind("tall_pixels.mp4"))) == UPRIGHT


@pytest.mark.parametrize(
    "name",
    [
        "full_range.mp4",
        "bt601.mp4",
        "bt709.mp4",
        "unmarked_small.mp4",
        "unmarked_large.mp4",
        "ten_bit.mp4",
        "rgb.mkv",
        "mjpeg.avi",
        "vp9.webm",
        "interlaced.mp4",
    ],
)
@pytest.mark.parametrize("size", [None, (64, 64)])
def test_colours_come_out_as_they_went_in(
    kind: MakeKind, name: str, size: tuple[int, int] | None
) -> None:
    pixels = first_frame(kind(name), size=size)
    height, width = pixels.shape[:2]
    corner = {
        "red": (slice(0, height // 10), slice(0, width // 8)),
        "green": (slice(0, height // 10), slice(-width // 8, None)),
        "blue": (slice(-height // 10, None), slice(-width // 8, None)),
        "yellow": (slice(-height // 10, None), slice(0, width // 8)),
    }
    for colour, spot in corner.items():
        found = pixels[spot].reshape(-1, 3).mean(axis=0)
        np.testing.assert_allclose(found, CORNERS[colour], atol=4)


@pytest.mark.parametrize(
    ("name", "colour"),
    [
        ("full_range.mp4", "bt709 full"),
        ("bt601.mp4", "bt601 limited"),
        ("unmarked_small.mp4", "bt601 limited"),
        ("unmarked_large.mp4", "bt709 limited"),
        ("bt2020.mp4", "bt2020 limited"),
        ("rgb.mkv", "rgb full"),
    ],
)
def test_colour_is_named(kind: MakeKind, name: str, colour: str) -> None:
    info = open_recording(kind(name)).info
    assert info.colour == colour
    assert not info.is_hdr


def test_grey_stays_grey(kind: MakeKind) -> None:
    pixels = first_frame(kind("grey.mkv")).astype(int)
    assert np.abs(pixels - pixels.mean(axis=2, keepdims=True)).max() <= 1
    assert read_number(pixels.astype(np.uint8)) == 0


def test_wide_colours_are_brought_to_the_screen(kind: MakeKind) -> None:
    pixels = first_frame(kind("bt2020.mp4")).astype(int)
    # Grey is grey in any primaries; a BT.2020 red lies outside BT.709 and is cut at its edge.
    np.testing.assert_allclose(pixels[35, 80], [20, 20, 20], atol=4)
    assert pixels[5, 10, 0] > CORNERS["red"][0]
    assert pixels[5, 10, 1] < CORNERS["red"][1]


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_hdr_is_flagged_and_shown_within_range(tmp_path: Path, transfer: str) -> None:
    path = make_video(
        tmp_path / "hdr.mp4",
        frames=12,
        codec="libx265",
        pix_fmt="yuv420p10le",
        matrix="bt2020",
        transfer=transfer,
    )
    info = open_recording(path).info
    assert info.is_hdr
    assert info.colour == f"bt2020 limited {transfer}"
    for size in (None, (64, 64)):
        pixels = first_frame(path, size=size)
        assert read_number(pixels) == 0
        assert pixels.max() > 200


def signal_of(transfer: str, nits: float) -> float:
    """Code value 0..1 of grey light, from the published formulas."""
    if transfer == "pq":
        y = (nits / 10000) ** 0.1593017578125
        return float(((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375)
    scene = (nits / 1000) ** (1 / 1.2)
    if scene <= 1 / 12:
        return float(np.sqrt(3 * scene))
    return float(0.17883277 * np.log(12 * scene - 0.28466892) + 0.55991073)


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
@pytest.mark.parametrize("nits", [0.0, 1.0, 20.0, 100.0, 203.0, 500.0, 1000.0])
def test_grey_light_is_shown_by_the_formula(transfer: str, nits: float) -> None:
    code = round(signal_of(transfer, nits) * 65535)
    shown = to_sdr(np.full((2, 3, 3), code, np.uint16), transfer)  # type: ignore[arg-type]
    light = roll_off(np.array([nits / 203]))
    expected = 255 * float(light[0]) ** (1 / 2.2)
    np.testing.assert_allclose(shown, expected, atol=1.5)


def test_highlights_roll_off_smoothly() -> None:
    light = np.linspace(0, 1000 / 203, 1000)
    shown = roll_off(light)
    assert np.all(np.diff(shown) > 0)
    assert shown[-1] == pytest.approx(1)
    assert np.all(np.diff(np.diff(shown)) < 1e-9)
    np.testing.assert_array_equal(shown[light < 0.6], light[light < 0.6])


def test_saturated_light_keeps_its_hue() -> None:
    code = np.array([[[46000, 36000, 36000]]], np.uint16)
    red, green, blue = to_sdr(code, "pq")[0, 0].astype(int)
    assert red > 1.5 * green > 0
    assert abs(green - blue) < 0.3 * green  # not 0: BT.2020 red is not BT.709 red


def _with_bar(number: int, size: tuple[int, int], *, shift: int = 0) -> Pixels:
    picture = draw_frame(number, size)
    left = (number * 16 + shift) % size[0]
    picture[-size[1] // 5 :, left : left + 12] = (255, 255, 0)
    return picture


@pytest.mark.parametrize("name", ["combed.mp4", "combed.ts"])
def test_interlaced_frames_have_no_combs(tmp_path: Path, name: str) -> None:
    codec = {"codec": "mpeg2video", "bframes": 0} if name.endswith("ts") else {}
    path = make_video(
        tmp_path / name,
        frames=6,
        interlaced=True,
        draw=_with_bar,
        draw_second_field=functools.partial(_with_bar, shift=12),
        **codec,  # type: ignore[arg-type]
    )
    recording = open_recording(path)
    assert recording.info.is_interlaced
    assert len(recording.index) == 6

    def comb(pixels: Pixels) -> float:
        blue = pixels[:, :, 2].astype(float)
        return float(np.abs(2 * blue[1:-1] - blue[:-2] - blue[2:]).mean())

    with FrameReader(recording) as parted, FrameReader(recording, deinterlace=False) as stored:
        for frame in range(6):
            shown = parted.frame_at(frame).pixels
            assert comb(shown[-20:]) < 0.2 * comb(stored.frame_at(frame).pixels[-20:])
            assert read_number(shown) == frame
    assert not open_recording(make_video(tmp_path / "p.mp4", frames=2)).info.is_interlaced


@pytest.mark.parametrize("fit", ["squash", "letterbox", "crop"])
def test_fit(kind: MakeKind, fit: str) -> None:
    pixels = first_frame(kind("turned.mp4"), size=(60, 60), fit=fit)
    assert pixels.shape == (60, 60, 3)
    if fit == "letterbox":  # 160x120 becomes 60x45
        assert pixels[:7].max() == 0
        assert pixels[-7:].max() == 0
        assert read_number(pixels[8:52]) == 0
    elif fit == "crop":  # 160x120 becomes 80x60, ten columns go on either side
        whole = first_frame(kind("turned.mp4"), size=(80, 60))
        np.testing.assert_array_equal(pixels, whole[:, 10:70])
    else:
        assert read_corners(pixels) == UPRIGHT
        assert read_number(pixels) == 0


@pytest.mark.parametrize(
    ("shown", "size", "fit", "expected"),
    [
        ((1920, 1080), (224, 224), "squash", (224, 224)),
        ((1920, 1080), (224, 224), "letterbox", (224, 126)),
        ((1920, 1080), (224, 224), "crop", (398, 224)),
        ((1080, 1920), (224, 224), "letterbox", (126, 224)),
        ((4000, 2), (100, 100), "letterbox", (100, 1)),
        ((50, 50), (224, 224), "crop", (224, 224)),
    ],
)
def test_fitted_size(
    shown: tuple[int, int], size: tuple[int, int], fit: str, expected: tuple[int, int]
) -> None:
    assert fitted_size(shown, size, fit) == expected  # type: ignore[arg-type]


def test_bars_and_cuts_are_centred() -> None:
    ones = np.ones((4, 6, 3), np.uint8)
    bars = placed(ones, (10, 4))
    assert bars[:, :2].max() == 0
    assert bars[:, 2:8].min() == 1
    assert bars[:, 8:].max() == 0
    assert placed(np.arange(72, dtype=np.uint8).reshape(4, 6, 3), (4, 4))[0, 0, 0] == 3


@pytest.mark.parametrize(
    "name", ["constant.mp4", "full_range.mp4", "turned.mp4", "mirrored.mp4", "ten_bit.mp4"]
)
@pytest.mark.parametrize("size", [None, (80, 60), (60, 44)])
@pytest.mark.parametrize("is_compiled", [True, False])
def test_the_quick_way_shows_the_same_picture(
    kind: MakeKind,
    name: str,
    size: tuple[int, int] | None,
    is_compiled: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_halve, "_compiled", _halve.compile() if is_compiled else None)
    with FrameReader(open_recording(kind(name)), size=size) as reader:
        exact = reader.frame_at(3).pixels
        reader.making = Making.QUICK
        quick = reader.frame_at(3).pixels
        with pytest.raises(ValueError, match="read-only"):
            quick[:] = 0
    assert quick.shape == exact.shape
    assert read_number(quick) == 3
    apart = np.abs(quick.astype(int) - exact.astype(int))
    assert apart.mean() < 3.0
    # Light is as sharp; only colours run a little.
    weights = np.asarray([0.2126, 0.7152, 0.0722])
    light = np.abs(quick @ weights - exact @ weights)
    assert np.percentile(light, 99) < 8.0


@pytest.mark.parametrize("factor", [1, 1.5, 2])
def test_the_quick_way_fills_every_width(factor: float) -> None:
    _halve.compile()
    for width in range(96, 130):
        frame = av.VideoFrame(round(factor * width), round(factor * 32), "yuv420p")
        for plane in frame.planes:
            plane.update(np.full(plane.buffer_size, 180, np.uint8).tobytes())
        show = DisplayTransform(Geometry(), (width, 32))
        show.is_quick = True
        for _ in range(3):  # memory is used again: what is not written is not right by chance
            pixels = show(frame).astype(int)
            assert pixels.shape == (32, width, 3)
            assert np.abs(pixels - pixels[16, 20]).max() <= 2, width


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ValueError, match="fit must be one of"):
        DisplayTransform(Geometry(), fit="stretch")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="size must be positive"):
        DisplayTransform(Geometry(), (0, 4))
