"""Write a video file: H.264 where there is an encoder for it, BT.709, sound as AAC."""

from __future__ import annotations

import contextlib
import logging
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.codec import Codec
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from carl_core import atomic
from carl_core.errors import ExportError
from carl_core.video.container import is_text
from carl_core.video.info import display_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from av.container import OutputContainer

    from carl_core.arrays import Float32, UInt8

_log = logging.getLogger("carl.export")

# The first that can be opened is used. The av wheels bring libx264; other builds may not.
CODECS = ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf", "mpeg4")
_OPTIONS: dict[str, dict[str, str]] = {"libx264": {"preset": "veryfast", "crf": "20"}}
_DRAFT_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"preset": "ultrafast", "crf": "26", "threads": "1"}
}
# Bits a pixel for encoders that want a rate: about the size x264 gives at the setting above.
_BITS_A_PIXEL = 0.12
_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
_BT709 = 1
_AUDIO_BIT_RATE = 160_000
_CHANNELS = 2


def usable_codecs() -> tuple[str, ...]:
    """Return those of ``CODECS`` that this machine can encode with, best first."""
    return tuple(name for name in CODECS if _can_encode(name, (320, 240), Fraction(25)))


class VideoWriter:
    """Writes frames of one size at a constant rate, and sound if wanted.

    The file appears under its name when `close` has succeeded; until then, and after an error or
    a cancel inside ``with``, there is nothing. One thread at a time.

    Parameters
    ----------
    path : .mp4, .m4v, .mov or .mkv
    size : width and height, both even
    rate : frames per second
    audio_rate : samples per second of the sound to come, None for a silent file
    codecs : names of encoders, best first
    time_base : seconds per tick, where frames come with their own times; None for even ones
    group : frames from one key frame to the next, for a draft that is made and sought quickly;
        None to leave that to the encoder

    Attributes
    ----------
    codec_name : the encoder in use, e.g. "libx264"

    Raises
    ------
    ExportError
        When the file cannot be written: folder, permission, disk, no encoder.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        size: tuple[int, int],
        rate: Fraction | int,
        audio_rate: int | None = None,
        codecs: Sequence[str] = CODECS,
        time_base: Fraction | None = None,
        group: int | None = None,
    ) -> None:
        if min(size) < 2 or size[0] % 2 or size[1] % 2:
            raise ValueError(f"width and height must be even and positive, got {size}")
        if rate <= 0:
            raise ValueError(f"rate must be positive, got {rate}")
        self._path = Path(path)
        self._size = size
        self._rate = Fraction(rate).limit_denominator(1001)
        self._time_base = time_base or 1 / self._rate
        self._group = group
        self._written = 0
        self._sounded = 0
        self._is_open = False
        self._handle: BinaryIO | None = None
        self._reformatter = VideoReformatter()
        suffix = self._path.suffix.lower()
        if suffix not in _FORMATS:
            raise ExportError(
                f"{display_text(self._path.name)}: videos are written as "
                f"{', '.join(_FORMATS)}, not {suffix or 'without an ending'}. Choose one of these."
            )
        self.codec_name = self._choose(codecs)
        self._target = atomic.target_of(self._path)
        self._temporary: Path | None = None
        try:
            self._temporary = atomic.begin(self._target)
            self._container = self._create(_FORMATS[suffix])
            self._is_open = True
            self._video = self._add_video()
            self._audio = self._add_audio(audio_rate) if audio_rate is not None else None
        except (OSError, av.FFmpegError) as exc:
            self.discard()
            raise self._failure(exc) from exc

    def write(self, pixels: UInt8, *, tick: int | None = None) -> None:
        """Append one frame, uint8 (H, W, 3) RGB; ``tick`` is its time where it has its own."""
        if pixels.shape != (self._size[1], self._size[0], 3) or pixels.dtype != np.uint8:
            raise ValueError(
                f"expected uint8 {(self._size[1], self._size[0], 3)}, "
                f"got {pixels.dtype} {pixels.shape}"
            )
        frame = self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24"),
            format="yuv420p",
            src_colorspace=Colorspace.ITU709,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.BILINEAR,
            threads=1,
        )
        frame.pts = self._written if tick is None else tick
        frame.time_base = self._time_base
        self._written += 1
        self._mux(self._video, frame)

    def write_audio(self, samples: Float32) -> None:
        """Append sound, float32 (N, 2), -1 to 1; sample 0 belongs to the first frame."""
        if self._audio is None:
            raise ValueError("the writer was made without audio_rate")
        if samples.ndim != 2 or samples.shape[1] != _CHANNELS:
            raise ValueError(f"expected float32 (N, {_CHANNELS}), got {samples.shape}")
        if len(samples) == 0:
            return
        planes = np.ascontiguousarray(samples.T, dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout="stereo")
        frame.sample_rate = self._audio.rate
        frame.time_base = Fraction(1, self._audio.rate)
        frame.pts = self._sounded
        self._sounded += len(samples)
        self._mux(self._audio, frame)

    def close(self) -> None:
        """Finish the file and give it its name. Does nothing when it is closed already."""
        if not self._is_open:
            return
        try:
            if self._written == 0:
                raise ExportError(
                    f"{display_text(self._path.name)} was not written: it would hold no frame."
                )
            self._container.mux(self._video.encode(None))
            if self._audio is not None and self._sounded:
                self._container.mux(self._audio.encode(None))
            self._container.close()
            self._is_open = False
            if self._handle is not None:
                self._handle.close()
            assert self._temporary is not None
            atomic.finish(self._temporary, self._target)
            self._temporary = None
        except ExportError:
            self.discard()
            raise
        except (OSError, av.FFmpegError) as exc:
            self.discard()
            raise self._failure(exc) from exc

    def discard(self) -> None:
        """Leave no file behind."""
        if self._is_open:
            self._is_open = False
            # What goes wrong while giving up does not matter any more.
            with contextlib.suppress(OSError, av.FFmpegError):
                self._container.close()
        if self._handle is not None:
            self._handle.close()
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is None:
            self.close()
        else:
            self.discard()

    def _choose(self, codecs: Sequence[str]) -> str:
        for name in codecs:
            if _can_encode(name, self._size, self._rate):
                if name != codecs[0]:
                    _log.warning("no encoder %s here: writing with %s", codecs[0], name)
                return name
        raise ExportError(
            f"{display_text(self._path.name)} was not written: none of the video encoders "
            f"{', '.join(codecs)} works here. Install the package av again."
        )

    def _create(self, container_format: str) -> OutputContainer:
        options = {"movflags": "+faststart"} if container_format in ("mp4", "mov") else {}
        assert self._temporary is not None
        url = f"file:{self._temporary.absolute()}"
        if is_text(url):
            return av.open(url, "w", format=container_format, options=options)
        # FFmpeg moves the index to the front by opening the file again by name, which has none.
        self._handle = self._temporary.open("wb")
        return av.open(self._handle, "w", format=container_format)

    def _add_video(self) -> VideoStream:
        options = _OPTIONS if self._group is None else _DRAFT_OPTIONS
        stream = self._container.add_stream(
            self.codec_name, rate=self._rate, options=options.get(self.codec_name, {})
        )
        assert isinstance(stream, VideoStream)
        _set_up(stream, self.codec_name, self._size, self._rate)
        stream.codec_context.time_base = self._time_base
        if self._group is not None:
            stream.codec_context.gop_size = self._group
            stream.codec_context.max_b_frames = 0
        return stream

    def _add_audio(self, rate: int) -> AudioStream:
        stream = self._container.add_stream("aac", rate=rate, layout="stereo")
        assert isinstance(stream, AudioStream)
        stream.bit_rate = _AUDIO_BIT_RATE
        return stream

    def _mux(self, stream: VideoStream | AudioStream, frame: VideoFrame | av.AudioFrame) -> None:
        if not self._is_open:
            raise ValueError("the writer is closed")
        try:
            packets = (
                stream.encode(frame)  # type: ignore[arg-type]
            )
            self._container.mux(packets)
        except (OSError, av.FFmpegError) as exc:
            self.discard()
            raise self._failure(exc) from exc

    def _failure(self, exc: Exception) -> ExportError:
        reason = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
        return ExportError(
            f"{display_text(self._path)} was not written: {reason}. "
            "Check that the folder exists, may be written to and has space left."
        )


def _set_up(
    stream: VideoStream | av.VideoCodecContext, name: str, size: tuple[int, int], rate: Fraction
) -> None:
    context = stream.codec_context if isinstance(stream, VideoStream) else stream
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.time_base = 1 / rate
    context.framerate = rate
    context.color_range = ColorRange.MPEG
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    if name not in _OPTIONS:
        context.bit_rate = int(size[0] * size[1] * rate * _BITS_A_PIXEL) + 200_000


def _can_encode(name: str, size: tuple[int, int], rate: Fraction) -> bool:
    """Whether an encoder of this name is compiled in and opens on this machine."""
    try:
        context = Codec(name, "w").create("video")
        _set_up(context, name, size, rate)
        context.options = dict(_OPTIONS.get(name, {}))
        context.open()
    except (ValueError, OSError, av.FFmpegError) as exc:
        _log.debug("encoder %s: %s", name, exc)
        return False
    return True
