"""One of each kind of video, made once a session when first asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.helpers.videos import Pixels, draw_frame, make_video, remux

if TYPE_CHECKING:
    import av

MakeKind = Callable[[str], Path]

KINDS: dict[str, dict[str, Any]] = {
    "constant.mp4": {},
    "variable.mp4": {
        "pts": [0, 40, 85, 90, 200, 333, 334, 400, 1000, 1040],
        "time_base": Fraction(1, 1000),
    },
    "ntsc.mov": {"fps": Fraction(30000, 1001)},
    "no_b_frames.mkv": {"bframes": 0},
    "b_pyramid.mp4": {"frames": 60, "bframes": 5, "gop": 30},
    "open_gop.mp4": {"frames": 60, "options": {"x264-params": "open-gop=1"}},
    "intra_refresh.ts": {"frames": 80, "gop": 30, "options": {"x264-params": "intra-refresh=1"}},
    "stream.ts": {"frames": 90},
    "program.mpg": {"codec": "mpeg2video"},
    "vp9.webm": {
        "codec": "libvpx-vp9",
        "gop": 20,
        "options": {"deadline": "realtime", "cpu-used": "8"},
    },
    "vp8.webm": {
        "codec": "libvpx",
        "frames": 60,
        "gop": 30,
        "options": {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good"},
    },
    "mpeg4.avi": {"codec": "mpeg4"},
    "h264.avi": {},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "raw.h264": {"format": "h264"},
    "turned.mp4": {"rotation": 90},
    "upside_down.mp4": {"rotation": 180},
    "turned_mirrored.mov": {"rotation": 270, "mirrored": True},
    "mirrored.mp4": {"mirrored": True},
    "wide_pixels.mp4": {"sar": Fraction(4, 3)},
    "tall_pixels.mp4": {"sar": Fraction(3, 4), "rotation": 90},
    "full_range.mp4": {"full_range": True, "matrix": "bt709"},
    "bt601.mp4": {"matrix": "bt601"},
    "bt709.mp4": {"matrix": "bt709"},
    "bt2020.mp4": {"matrix": "bt2020", "codec": "libx265", "pix_fmt": "yuv420p10le"},
    "unmarked_small.mp4": {},
    "unmarked_large.mp4": {"frames": 2, "size": (1280, 720), "encode_matrix": "bt709"},
    "ten_bit.mp4": {"codec": "libx265", "pix_fmt": "yuv420p10le"},
    "rgb.mkv": {"codec": "libx264rgb", "pix_fmt": "rgb24"},
    "grey.mkv": {"codec": "ffv1", "pix_fmt": "gray"},
    "interlaced.mp4": {"interlaced": True},
    "interlaced.ts": {"interlaced": True, "codec": "mpeg2video", "bframes": 0},
    "one_frame.mp4": {"frames": 1},
    "sound.mp4": {"audio_rate": 48000, "frames": 60},
    "late_sound.mkv": {"audio_rate": 44100, "frames": 60, "audio_offset_s": 0.5},
    "fragments.mp4": {
        "frames": 60,
        "container_options": {"movflags": "frag_keyframe+empty_moov"},
    },
}


@pytest.fixture(scope="session")
def kind(tmp_path_factory: pytest.TempPathFactory) -> MakeKind:
    """Path of a made video by its name in ``KINDS``, or of one of the cut ones below."""
    folder = tmp_path_factory.mktemp("videos")

    def make(name: str) -> Path:
        path = folder / name
        if not path.exists():
            if name in KINDS:
                make_video(path, **KINDS[name])
            else:
                _CUT[name](make("b_pyramid.mp4"), path)
        return path

    return make


def _negative_start(source: Path, target: Path) -> None:
    """Move all timestamps back so that an edit list hides the first eight frames."""
    remux(source, target, shift=-8 * 512, container_options={"avoid_negative_ts": "disabled"})


def _begins_in_the_middle(source: Path, target: Path) -> None:
    """Drop the first key frame and some after it, as a capture of a broadcast begins."""
    number = 0

    def keep(packet: av.Packet[Any]) -> bool:
        nonlocal number
        number += 1
        return number > 10

    remux(source, target, keep=keep)


def _late_start(source: Path, target: Path) -> None:
    remux(source, target, shift=25 * 512)


_CUT: dict[str, Callable[[Path, Path], None]] = {
    "negative_start.mp4": _negative_start,
    "middle.ts": _begins_in_the_middle,
    "late_start.mp4": _late_start,
}
EVERY_KIND = (*KINDS, *_CUT)


def odd_path(folder: Path) -> Path:
    """A path whose bytes are no text in UTF-8."""
    return Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9 \xff.mp4"))


def draw_colours(number: int, size: tuple[int, int]) -> Pixels:
    """Flat patches, for measuring colours."""
    picture = draw_frame(number, size)
    picture[: size[1] // 5] = np.array([180, 60, 120], np.uint8)
    return picture
