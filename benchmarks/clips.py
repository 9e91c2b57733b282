"""Files the video benchmarks work on: made once in the temporary folder, then found again."""

from __future__ import annotations

import os
import tempfile
from fractions import Fraction
from pathlib import Path

import av
from av.filter import Graph

GOP = 250
RATE = 30
_FOLDER = Path(tempfile.gettempdir()) / "carl-benchmark-clips"


def camera_clip(size: tuple[int, int] = (1920, 1080), frames: int = 2 * GOP) -> Path:
    """Return an H.264 clip about as heavy as a camera's: 8 to 9 Mbit/s at 1080p30, GOP of 250.

    A test card that moves under light noise, with B-frames, as phones and encoders write it.
    """
    path = _FOLDER / f"camera-{size[0]}x{size[1]}-{frames}.mp4"
    if not path.exists():
        _FOLDER.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.mp4")
        _encode(draft, size, frames)
        draft.replace(path)
    return path


def long_file(clip: Path, seconds: float, suffix: str = ".mp4") -> Path:
    """Return ``clip`` repeated to ``seconds`` by copying its packets: an hour in a few seconds."""
    path = _FOLDER / f"{clip.stem}-{seconds:.0f}s{suffix}"
    if path.exists():
        return path
    draft = path.with_suffix(f".{os.getpid()}{suffix}")
    with av.open(str(clip)) as given, av.open(str(draft), "w") as out:
        source = given.streams.video[0]
        base = source.time_base
        assert base is not None
        packets = [
            (p.pts, p.dts, p.duration, p.is_keyframe, bytes(p))
            for p in given.demux(source)
            if p.size
        ]
        length = sum(duration or 0 for _, _, duration, _, _ in packets)
        stream = out.add_stream_from_template(source)
        for turn in range(round(seconds / float(length * base))):
            for pts, dts, duration, is_key, data in packets:
                packet = av.Packet(data)
                packet.stream = stream
                packet.time_base = base
                packet.pts, packet.dts = pts + turn * length, dts + turn * length
                packet.duration = duration
                packet.is_keyframe = is_key
                out.mux(packet)
    draft.replace(path)
    return path


def _encode(path: Path, size: tuple[int, int], frames: int) -> None:
    width, height = size
    graph = Graph()
    source = graph.add("testsrc2", f"size={width}x{height}:rate={RATE}")
    noise = graph.add("noise", "alls=5:allf=t")
    form = graph.add("format", "yuv420p")
    sink = graph.add("buffersink")
    source.link_to(noise)
    noise.link_to(form)
    form.link_to(sink)
    graph.configure()
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = GOP
        stream.codec_context.bit_rate = round(8.5e6 * width * height / (1920 * 1080))
        stream.codec_context.options = {"preset": "veryfast", "sc_threshold": "0"}
        for number in range(frames):
            frame = graph.vpull()
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            frame.pict_type = 0
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
