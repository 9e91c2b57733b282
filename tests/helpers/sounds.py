"""Small sounds to align by, and files that hold them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from carl_core.arrays import Float32, Float64


def scene_sound(seconds: float, rate: int, seed: int = 0) -> Float32:
    """Irregular knocks over a murmur, float32 (N,): something that happens, at a known place.

    Built of events at given seconds, so another ``rate`` gives the same sound.
    """
    chance = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    wave = np.zeros(len(times))
    for at_s in np.sort(chance.uniform(0, seconds, max(4, int(6 * seconds)))).tolist():
        pitches = chance.uniform(300, 3000, 3)
        phases = chance.uniform(0, 6, 3)
        first, last = np.searchsorted(times, [at_s, at_s + 0.2])
        since = times[first:last] - at_s
        tones = np.sin(2 * np.pi * np.outer(since, pitches) + phases).sum(axis=1)
        wave[first:last] += tones * np.exp(-since * 30) * chance.uniform(0.3, 1)
    return np.asarray(0.2 * wave, dtype=np.float32)


def with_noise(wave: Float32, snr_db: float, seed: int) -> Float32:
    """Add white noise; at 0 dB as strong as the sound itself."""
    noise: Float64 = np.random.default_rng(seed).normal(size=len(wave))
    strength = float(np.sqrt(np.mean(np.square(wave)))) * 10 ** (-snr_db / 20)
    return np.asarray(wave + strength * noise, dtype=np.float32)


def make_sound_video(
    path: Path,
    wave: Float32 | None,
    *,
    rate: int = 48000,
    channels: int = 1,
    seconds: float = 4.0,
    pts: Sequence[int] | None = None,
    start_s: float = 0.0,
    sound_late_s: float = 0.0,
    timecode: str | None = None,
    fps: Fraction | int = 25,
    codec: str = "aac",
) -> Path:
    """Write a plain film with ``wave`` (N,) as its sound; sample 0 is heard at the first frame.

    ``pts`` (milliseconds) makes the frame rate variable, ``start_s`` is the first frame's time in
    the file, ``sound_late_s`` how much later the sound begins.
    """
    base = Fraction(1, 1000) if pts is not None else 1 / Fraction(fps)
    ticks = list(range(round(seconds * fps))) if pts is None else list(pts)
    with av.open(str(path), "w") as out:
        if timecode is not None:
            out.metadata["timecode"] = timecode
        film = out.add_stream("mpeg2video" if path.suffix == ".mxf" else "libx264", rate=fps)
        film.width, film.height, film.pix_fmt = 32, 32, "yuv420p"
        film.codec_context.time_base = base
        film.codec_context.options = {"preset": "ultrafast"} if path.suffix != ".mxf" else {}
        sound = None
        if wave is not None:
            sound = out.add_stream(codec, rate=rate, layout="mono" if channels == 1 else "stereo")
        for number, tick in enumerate(ticks):
            picture = np.full((32, 32, 3), 40 + number % 150, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = tick + round(start_s / base), base
            out.mux(film.encode(frame))
        out.mux(film.encode(None))
        if sound is not None and wave is not None:
            both = np.ascontiguousarray(np.repeat(wave[None], channels, axis=0))
            first = round((start_s + sound_late_s) * rate)
            for place in range(0, both.shape[1], 1024):
                piece = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(both[:, place : place + 1024]),
                    format="fltp",
                    layout="mono" if channels == 1 else "stereo",
                )
                piece.sample_rate, piece.time_base = rate, Fraction(1, rate)
                piece.pts = first + place
                for packet in sound.encode(piece):
                    out.mux(packet)
            out.mux(sound.encode(None))
    return path
