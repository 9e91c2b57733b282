"""Make test videos whose frames say their own number and which way is up.

``make_video(path, frames=30)`` writes one; ``read_number(pixels)`` reads a shown frame's number
back; ``read_corners(pixels)`` says which colour each corner has (red, green, blue, yellow from the
top left, clockwise, when the picture stands upright).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Pixels = npt.NDArray[np.uint8]

BITS = 12
CORNERS = {
    "red": (220, 30, 30),
    "green": (30, 200, 30),
    "blue": (30, 30, 220),
    "yellow": (220, 220, 30),
}
_SWS_MATRIX = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709, "bt2020": Colorspace.BT2020}
# Values of AVColorSpace, AVColorPrimaries and AVColorTransferCharacteristic.
_TAG_MATRIX = {"bt601": 6, "bt709": 1, "bt2020": 9}
_TAG_PRIMARIES = {"bt601": 6, "bt709": 1, "bt2020": 9}
TRANSFERS = {"bt601": 6, "bt709": 1, "pq": 16, "hlg": 18}


def draw_frame(number: int, size: tuple[int, int] = (160, 120)) -> Pixels:
    """Picture (H, W, 3) with ``number`` as twelve bars over their complement, and four corners."""
    width, height = size
    picture = np.empty((height, width, 3), np.uint8)
    ramp = (np.arange(width) * 2 + number * 5) % 256
    picture[:] = (64 + ramp // 4)[None, :, None]
    edges = np.linspace(0, width, BITS + 1).round().astype(int)
    top, middle, bottom = height // 4, height // 2, height - height // 4
    for bit in range(BITS):
        value = 235 if number >> (BITS - 1 - bit) & 1 else 20
        picture[top:middle, edges[bit] : edges[bit + 1]] = value
        picture[middle:bottom, edges[bit] : edges[bit + 1]] = 255 - value
    w, h = width // 4, height // 5
    picture[:h, :w] = CORNERS["red"]
    picture[:h, -w:] = CORNERS["green"]
    picture[-h:, -w:] = CORNERS["blue"]
    picture[-h:, :w] = CORNERS["yellow"]
    return picture


def read_number(pixels: npt.NDArray[np.uint8]) -> int:
    """Number drawn into a shown frame of any size; ValueError when bars are not clear."""
    height, width = pixels.shape[:2]
    grey = pixels.astype(np.float64).mean(axis=2)
    number = 0
    for bit in range(BITS):
        x0, x1 = width * (bit + 0.3) / BITS, width * (bit + 0.7) / BITS
        columns = slice(int(x0), max(int(x1), int(x0) + 1))
        upper = grey[int(height * 0.3) : max(int(height * 0.45), int(height * 0.3) + 1), columns]
        lower = grey[int(height * 0.55) : max(int(height * 0.7), int(height * 0.55) + 1), columns]
        difference = upper.mean() - lower.mean()
        if abs(difference) < 100:
            raise ValueError(f"bar {bit} is not clear: {upper.mean():.0f} over {lower.mean():.0f}")
        number = number << 1 | int(difference > 0)
    return number


def read_corners(pixels: npt.NDArray[np.uint8]) -> tuple[str, str, str, str]:
    """Names of the corner colours: top left, top right, bottom right, bottom left."""
    height, width = pixels.shape[:2]
    y, x = max(1, height // 20), max(1, width // 16)
    spots = [(y, x), (y, width - 1 - x), (height - 1 - y, width - 1 - x), (height - 1 - y, x)]

    def nearest(spot: tuple[int, int]) -> str:
        colour = pixels[spot].astype(int)
        return min(CORNERS, key=lambda name: int(np.abs(colour - CORNERS[name]).sum()))

    return tuple(nearest(spot) for spot in spots)  # type: ignore[return-value]


def make_video(
    path: Path | str,
    *,
    frames: int = 30,
    fps: int | Fraction = 25,
    size: tuple[int, int] = (160, 120),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    gop: int = 12,
    bframes: int = 2,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    rotation: int = 0,
    mirrored: bool = False,
    sar: Fraction = Fraction(1),
    matrix: str | None = None,
    encode_matrix: str | None = None,
    full_range: bool = False,
    transfer: str | None = None,
    interlaced: bool = False,
    draw_second_field: Callable[[int, tuple[int, int]], Pixels] | None = None,
    audio_rate: int | None = None,
    audio_offset_s: float = 0.0,
    numbers: Sequence[int] | None = None,
    draw: Callable[[int, tuple[int, int]], Pixels] = draw_frame,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    format: str | None = None,
) -> Path:
    """Write a video and return its path.

    ``size`` is the upright picture before the sample aspect ratio; the stored one is turned back
    by ``rotation`` (degrees clockwise to show) and flipped where ``mirrored``. ``pts`` (ticks of
    ``time_base``) makes the frame rate variable. ``numbers`` are drawn instead of 0, 1, 2 ...
    ``matrix`` codes and marks the colours, ``encode_matrix`` codes them without a mark.
    ``draw_second_field`` fills the odd lines, as a camera of interlaced video does half a frame
    later. ``audio_rate`` adds a sound track with one loud click at each full second.
    """
    path = Path(path)
    base = time_base or 1 / Fraction(fps)
    ticks = list(range(frames)) if pts is None else list(pts)
    shown = list(range(len(ticks))) if numbers is None else list(numbers)
    rate = Fraction(fps)
    with av.open(str(path), "w", format=format, container_options=container_options or {}) as out:
        stream = out.add_stream(codec, rate=rate)
        stored = stored_picture(draw(shown[0], size), rotation, mirrored)
        stream.width, stream.height = stored.shape[1], stored.shape[0]
        stream.pix_fmt = pix_fmt
        context = stream.codec_context
        context.time_base = base
        context.gop_size = gop
        context.sample_aspect_ratio = sar
        settings = dict(options or {})
        if codec in ("libx264", "libx265"):
            settings.setdefault("preset", "ultrafast" if bframes == 0 else "veryfast")
            settings.setdefault("bf", str(bframes))
            if codec == "libx264":
                settings.setdefault("sc_threshold", "0")
                settings.setdefault("crf", "18")
            else:
                settings["x265-params"] = ":".join(
                    filter(None, [settings.get("x265-params", ""), "log-level=none:pools=1"])
                )
        else:
            context.bit_rate = 2_000_000
            if codec in ("mpeg4", "mpeg2video"):
                context.max_b_frames = bframes
        if interlaced:
            settings.setdefault("flags", "+ildct+ilme")
            if codec == "libx264":
                settings.setdefault("x264-params", "tff=1")
        context.options = settings
        if matrix is not None:
            context.colorspace = _TAG_MATRIX[matrix]
            context.color_primaries = _TAG_PRIMARIES[matrix]
            context.color_trc = TRANSFERS[transfer or ("bt601" if matrix == "bt601" else "bt709")]
        if full_range:
            context.color_range = ColorRange.JPEG
        if rotation or mirrored:
            stream.set_display_matrix(display_matrix(rotation, mirrored))
        sound = (
            out.add_stream("aac" if path.suffix in (".mp4", ".mov") else "mp2", rate=audio_rate)
            if audio_rate
            else None
        )
        for tick, number in zip(ticks, shown, strict=True):
            picture = stored_picture(draw(number, size), rotation, mirrored)
            if draw_second_field is not None:
                picture[1::2] = draw_second_field(number, size)[1::2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if interlaced:
                frame = _as_interlaced(frame)
            frame = frame.reformat(
                format=pix_fmt,
                dst_colorspace=_SWS_MATRIX[encode_matrix or matrix or "bt601"],
                dst_color_range=ColorRange.JPEG if full_range else ColorRange.MPEG,
            )
            frame.pts, frame.time_base = tick, base
            frame.pict_type = 0
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound is not None and audio_rate is not None:
            seconds = float(base) * (ticks[-1] - ticks[0]) + 1 / float(rate)
            _write_clicks(out, sound, audio_rate, seconds, audio_offset_s)
    return path


def stored_picture(picture: Pixels, rotation: int, mirrored: bool) -> Pixels:
    """Turn an upright picture back into what a camera held that way would store."""
    turned = np.rot90(picture, k=rotation // 90)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)


def display_matrix(rotation: int, mirrored: bool) -> list[int]:
    """Matrix of 16.16 numbers: flip left to right where ``mirrored``, then turn clockwise."""
    cos = {0: 1, 90: 0, 180: -1, 270: 0}[rotation] * 65536
    sin = {0: 0, 90: 1, 180: 0, 270: -1}[rotation] * 65536
    flip = -1 if mirrored else 1
    return [flip * cos, flip * sin, 0, -sin, cos, 0, 0, 0, 1 << 30]


def remux(
    source: Path,
    target: Path,
    *,
    keep: Callable[[av.Packet], bool] | None = None,
    shift: int = 0,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Copy the video packets of ``source`` that ``keep`` accepts, moved by ``shift`` ticks."""
    with (
        av.open(str(source)) as given,
        av.open(str(target), "w", container_options=container_options or {}) as out,
    ):
        stream = out.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is None or (keep is not None and not keep(packet)):
                continue
            packet.stream = stream
            packet.dts += shift
            if packet.pts is not None:
                packet.pts += shift
            out.mux(packet)
    return target


def _as_interlaced(frame: av.VideoFrame) -> av.VideoFrame:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format.name, time_base=Fraction(1, 25)
    )
    field = graph.add("setfield", "tff")
    sink = graph.add("buffersink")
    source.link_to(field)
    field.link_to(sink)
    graph.configure()
    graph.push(frame)
    return graph.pull()


def _write_clicks(
    out: av.container.OutputContainer,
    stream: av.AudioStream,
    rate: int,
    seconds: float,
    offset_s: float,
) -> None:
    count = int(rate * seconds)
    wave = np.zeros((1, count), np.float32)
    for second in range(int(np.ceil(seconds))):
        start = second * rate
        tone = 0.8 * np.sin(2 * np.pi * 1000 * np.arange(rate // 50) / rate)
        stop = min(start + len(tone), count)
        wave[0, start:stop] = tone[: stop - start]
    layout = "mono"
    resampler = av.AudioResampler(format=stream.format, layout=stream.layout, rate=rate)
    for start in range(0, count, 1024):
        frame = av.AudioFrame.from_ndarray(
            wave[:, start : start + 1024], format="fltp", layout=layout
        )
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = start + round(offset_s * rate)
        for piece in resampler.resample(frame):
            out.mux(stream.encode(piece))
    for piece in resampler.resample(None):
        out.mux(stream.encode(piece))
    out.mux(stream.encode(None))
