"""Compare time stretching with librosa and FFmpeg's atempo: python -m benchmarks.stretch.

Stereo at 48 kHz. "x realtime" is seconds of sound made per second of one thread, pieces of 20 ms
for ours (as a sound device asks for them), all at once for the others. "pitch" is how far the
strongest frequency of a 440 Hz tone is off, "purity" how much stronger the tone is than all that
was not there before, "knock" the time around its peak that holds nine tenths of the energy of a
knock (as recorded: first line), "length" how far the result is from the length it should have.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from typing import TYPE_CHECKING

import av
import numpy as np

from carl_core.playback.stretch import TimeStretcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from carl_core.arrays import Float32, Float64

    Stretch = Callable[[Float32, float], Float32]

RATE = 48000
SPEEDS = (0.5, 0.8, 1.0, 1.25, 2.0)
ROUNDS = 3
PIECE = 960


def ours(samples: Float32, speed: float) -> Float32:
    """Read in pieces, as a sound device does."""
    padded = np.pad(samples, ((RATE, RATE), (0, 0)))

    def fill(first: int, out: Float32) -> None:
        out[:] = padded[RATE + first : RATE + first + len(out)]

    stretcher = TimeStretcher(fill, rate=RATE)
    made = np.empty((round(len(samples) / speed), 2), np.float32)
    for first in range(0, len(made), PIECE):
        stretcher.read(made[first : first + PIECE], speed)
    return made


def librosas(samples: Float32, speed: float) -> Float32:
    """Phase vocoder, 2048 samples with a quarter's hop."""
    import librosa

    return np.asarray(librosa.effects.time_stretch(samples.T, rate=speed).T)


def atempo(samples: Float32, speed: float) -> Float32:
    """WSOLA in C."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=RATE, format="flt", layout="stereo")
    tempo = graph.add("atempo", str(speed))
    sink = graph.add("abuffersink")
    source.link_to(tempo)
    tempo.link_to(sink)
    graph.configure()
    pieces = []

    def pull() -> None:
        while True:
            try:
                pieces.append(graph.pull().to_ndarray().reshape(-1, 2))
            except (av.BlockingIOError, av.EOFError):
                return

    for first in range(0, len(samples), 4096):
        block = np.ascontiguousarray(samples[first : first + 4096]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout="stereo")
        frame.sample_rate, frame.pts = RATE, first
        graph.push(frame)
        pull()
    graph.push(None)
    pull()
    return np.concatenate(pieces)


METHODS: dict[str, Stretch] = {"ours": ours, "librosa": librosas, "atempo": atempo}


def both(wave: Float64) -> Float32:
    return np.repeat(wave[:, None], 2, axis=1).astype(np.float32)


def tone(seconds: float) -> Float32:
    return both(0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE))


def knocks(seconds: float) -> Float32:
    """Return a knock every half second: 2 kHz that dies away in some milliseconds."""
    since = (np.arange(round(seconds * RATE)) % (RATE // 2)) / RATE - 0.25
    wave = np.where(since >= 0, np.sin(2 * np.pi * 2000 * since) * np.exp(-since * 300), 0.0)
    return both(0.8 * wave)


def music(seconds: float) -> Float32:
    """Noise and chords, for the time it takes."""
    chance = np.random.default_rng(0)
    times = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hz * times) for hz in (110, 277.2, 329.6, 1318.5))
    return both(0.1 * wave + 0.02 * chance.normal(size=len(times)))


def pitch(made: Float32) -> tuple[float, float]:
    """Per cent by which 440 Hz is off; decibels of the tone over everything else."""
    middle = made[len(made) // 8 : -len(made) // 8, 0].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 4 * len(middle))) ** 2
    hz = np.fft.rfftfreq(4 * len(middle), 1 / RATE)
    peak = hz[np.argmax(spectrum)]
    is_tone = np.abs(hz - peak) < 5
    purity_db = 10 * np.log10(spectrum[is_tone].sum() / max(spectrum[~is_tone].sum(), 1e-30))
    return 100 * (peak / 440 - 1), float(purity_db)


def knock_ms(made: Float32) -> float:
    """Median time around a knock's peak that holds nine tenths of its energy."""
    power = np.square(made[:, 0].astype(np.float64))
    widths = []
    half = RATE // 8
    loud = np.flatnonzero(power > 0.25 * power.max())
    starts = loud[np.concatenate([[True], np.diff(loud) > half])]
    for start in starts[1:-1]:
        near = power[max(0, start - half) : start + half]
        total = np.cumsum(near) / near.sum()
        widths.append(np.searchsorted(total, 0.95) - np.searchsorted(total, 0.05))
    return float(1000 * statistics.median(widths) / RATE)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # librosa announces its own changes
    sound, pure, hard = music(options.seconds), tone(options.seconds), knocks(options.seconds)
    for stretch in METHODS.values():
        stretch(sound[: 2 * RATE], 1.3)  # compiling, importing
    print(f"as recorded: purity {pitch(pure)[1]:.0f} dB, knock {knock_ms(hard):.1f} ms")
    print(f"{'speed':>5} {'':8}{'x realtime':>11}{'pitch %':>9}{'purity dB':>10}", end="")
    print(f"{'knock ms':>9}{'length ms':>10}")
    for speed in SPEEDS:
        took: dict[str, list[float]] = {name: [] for name in METHODS}
        for _ in range(ROUNDS):  # interleaved, so that other load hits all alike
            for name, stretch in METHODS.items():
                start = time.thread_time()
                stretch(sound, speed)
                took[name].append(time.thread_time() - start)
        for name, stretch in METHODS.items():
            seconds = options.seconds / speed / statistics.median(took[name])
            made = stretch(pure, speed)
            off, purity_db = pitch(made)
            excess_ms = 1000 * (len(made) - len(pure) / speed) / RATE
            print(f"{speed:5g} {name:8}{seconds:11.0f}{off:9.3f}{purity_db:10.1f}", end="")
            print(f"{knock_ms(stretch(hard, speed)):9.1f}{excess_ms:10.1f}")


if __name__ == "__main__":
    main()
