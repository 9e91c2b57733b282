"""Read, write and resize single pictures, by the same transform as frames of a recording."""

from __future__ import annotations

import errno
import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from carl_core.atomic import write_atomic
from carl_core.errors import ExportError, UnreadableMediaError
from carl_core.paths import reachable
from carl_core.video.claims import MOST_PIXELS, check_pixels
from carl_core.video.container import check_file, ended, is_picture_format, safe_options
from carl_core.video.display import DisplayTransform, Fit, Geometry, geometry_of
from carl_core.video.drive import DriveFile
from carl_core.video.info import display_text

if TYPE_CHECKING:
    from av.container import InputContainer

    from carl_core.arrays import UInt8

# Pictures that are stored as a film of one frame.
_FILM_LIKE_SUFFIXES = frozenset({".heic", ".heif", ".avif", ".gif", ".webp", ".apng"})
# Quantiser of JPEG, 2 (finest) to 31.
_JPEG_QUANTISER = 3


def read_image(path: str | Path) -> UInt8:
    """Return a picture as uint8 (H, W, 3) RGB, upright, read-only.

    PNG, JPEG, WebP, BMP and what else FFmpeg reads; of an animation the first picture.

    Raises
    ------
    UnreadableMediaError
        When the file is missing, no picture, or damaged.
    """
    path = Path(path)
    try:
        # Read through a file object: FFmpeg takes "%" in the names of pictures for a pattern.
        with DriveFile(path, check_file) as file, _open_picture(file) as container:
            is_picture = is_picture_format(container.format.name)
            if container.streams.video and (
                is_picture or path.suffix.lower() in _FILM_LIKE_SUFFIXES
            ):
                context = container.streams.video[0].codec_context
                check_pixels(path, context.width, context.height)
                context.options = {"max_pixels": str(MOST_PIXELS)}
                with ended(container.decode(video=0)) as frames:
                    frame = next(frames)
                return DisplayTransform(geometry_of(frame, None))(frame)
    except (OSError, av.FFmpegError, StopIteration) as exc:
        raise _no_picture(path) from exc
    raise _no_picture(path)


def write_png(path: str | Path, pixels: UInt8) -> None:
    """Write uint8 (H, W, 3) RGB as PNG, replacing ``path`` at once or not at all.

    Raises
    ------
    ExportError
        When the file cannot be written.
    """
    frame = _frame_of(pixels)
    _write(Path(path), _encoded(frame, "png"))


def write_jpeg(path: str | Path, pixels: UInt8) -> None:
    """Write uint8 (H, W, 3) RGB as JPEG of high quality; otherwise as `write_png`."""
    frame = _frame_of(pixels).reformat(
        format="yuvj420p",
        dst_colorspace=Colorspace.ITU601,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG,
    )
    _write(Path(path), _encoded(frame, "mjpeg"))


def resize_image(pixels: UInt8, size: tuple[int, int], fit: Fit = "squash") -> UInt8:
    """Return uint8 (H, W, 3) pixels brought to ``size`` (width, height), read-only.

    Scaling and ``fit`` are those of `FrameReader`.
    """
    return DisplayTransform(Geometry(), size, fit=fit)(_frame_of(pixels))


def _open_picture(file: DriveFile) -> InputContainer:
    return av.open(file, "r", metadata_errors="replace", options=safe_options())


def _frame_of(pixels: UInt8) -> VideoFrame:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"expected uint8 (H, W, 3), got {pixels.dtype} {pixels.shape}")
    return VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")


def _encoded(frame: VideoFrame, codec: str) -> bytes:
    context = CodecContext.create(codec, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height = frame.width, frame.height
    context.pix_fmt = frame.format.name
    context.time_base = Fraction(1, 25)
    if codec == "mjpeg":
        context.color_range = ColorRange.JPEG
        context.options = {"qmin": str(_JPEG_QUANTISER), "qmax": str(_JPEG_QUANTISER)}
    packets = context.encode(frame) + context.encode(None)
    return b"".join(bytes(packet) for packet in packets)


def _write(path: Path, content: bytes) -> None:
    if not reachable(path).parent.is_dir():
        raise _unwritten(path, os.strerror(errno.ENOENT))
    try:
        write_atomic(path, content)
    except OSError as exc:
        raise _unwritten(path, exc.strerror or str(exc)) from exc


def _unwritten(path: Path, reason: str) -> ExportError:
    return ExportError(
        f"{display_text(path)} was not written: {reason}. "
        "Check that the folder exists, may be written to and has space left."
    )


def _no_picture(path: Path) -> UnreadableMediaError:
    return UnreadableMediaError(
        f"{display_text(path)} is not a picture that can be read. "
        "Use a PNG, JPEG, WebP or BMP file, or a moment of a recording.",
        path=path,
    )
