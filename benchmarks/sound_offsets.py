"""How often an offset by sound is right, refused, or wrong: python benchmarks/sound_offsets.py.

Made-up sounds of eight kinds are heard by two cameras in two rooms (echo as strong as the direct
sound, 0.3 s until it is 60 dB down), each with noise of its own. Related pairs overlap by half to
nine tenths; unrelated pairs are two different sounds, of one kind or of two. A regular beat fits at
many offsets: refusing it is right.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.sound import match_loudness, match_waves
from carl_core.alignment.together import LIKELY, LIKELY_LOUDNESS, SURE
from carl_core.video.loudness import SOUND_RATE, Loudness, levels_of

if TYPE_CHECKING:
    from carl_core.arrays import Float32, Float64
    from carl_core.progress import Monitor

WRONG_S = 0.005
KINDS = ("white", "pink", "speech", "music", "loop", "metronome", "claps", "steps")


@dataclass(frozen=True)
class Heard:
    """Mono samples at 8 kHz."""

    samples: Float32

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return len(self.samples) / SOUND_RATE

    def wave(self, start_s: float, end_s: float) -> Float32:
        """Return samples, silent outside."""
        first, count = round(start_s * SOUND_RATE), round((end_s - start_s) * SOUND_RATE)
        wave = np.zeros(count, dtype=np.float32)
        low, high = max(0, first), min(len(self.samples), first + count)
        if low < high:
            wave[low - first : high - first] = self.samples[low:high]
        return wave

    def loudness(self, monitor: Monitor | None = None) -> Loudness:
        """Levels of all samples."""
        return Loudness(levels_of(self.samples))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0])
    parser.add_argument("--pairs", type=int, default=10, help="per kind, or pair of kinds")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = np.random.default_rng(options.seed)
    for seconds in options.seconds:
        related(seconds, options.pairs, chance)
        unrelated(seconds, options.pairs, chance)
    return 0


def related(seconds: float, pairs: int, chance: np.random.Generator) -> None:
    print(f"{seconds:g} s, related, {pairs} pairs each; error of those called aligned")
    print(
        f"{'kind':<11}{'noise dB':>9}{'aligned':>9}{'doubt':>7}{'wrong':>7}"
        f"{'median ms':>11}{'max ms':>8}"
    )
    for kind, snr_db in itertools.product(KINDS, (20, 0)):
        verdicts, errors = [], []
        for _ in range(pairs):
            count = round(seconds * SOUND_RATE)
            shift = int(chance.uniform(0.1, 0.5) * count)
            whole = make(kind, count + shift, chance)
            verdict, offset_s = judge(
                Heard(record(whole[:count], snr_db, chance)),
                Heard(record(whole[shift:], snr_db, chance)),
            )
            verdicts.append(verdict)
            if verdict == "aligned":
                errors.append(abs(offset_s + shift / SOUND_RATE))
        wrong = sum(error > WRONG_S for error in errors)
        shown = [f"{1e3 * f(errors):.2f}" if errors else "-" for f in (np.median, np.max)]
        print(
            f"{kind:<11}{snr_db:>9}{verdicts.count('aligned'):>9}{verdicts.count('uncertain'):>7}"
            f"{wrong:>7}{shown[0]:>11}{shown[1]:>8}"
        )


def unrelated(seconds: float, pairs: int, chance: np.random.Generator) -> None:
    ratios: list[float] = []
    by_loudness: list[float] = []
    verdicts: list[str] = []
    for kinds in itertools.combinations_with_replacement(KINDS, 2):
        for _ in range(pairs):
            counts = (seconds * SOUND_RATE, chance.uniform(0.5, 1) * seconds * SOUND_RATE)
            pair = [
                Heard(record(make(kind, round(count), chance), 20, chance))
                for kind, count in zip(kinds, counts, strict=True)
            ]
            waves = match_waves(pair[0], pair[1])
            loudness = match_loudness(pair[0].loudness(), pair[1].loudness())
            ratios.append(waves.ratio if waves else 0.0)
            by_loudness.append(loudness.ratio if loudness else 0.0)
            verdicts.append(judge(*pair)[0])
    print(
        f"{seconds:g} s, unrelated, {len(verdicts)} pairs: {verdicts.count('aligned')} aligned, "
        f"{verdicts.count('uncertain')} in doubt"
    )
    for name, values in (("waveform", ratios), ("loudness", by_loudness)):
        shown = ", ".join(f"{np.percentile(values, share):.2f}" for share in (50, 90, 99, 100))
        print(f"  peak over next, {name}: 50, 90, 99, 100 % at {shown}")


def judge(ours: Heard, theirs: Heard) -> tuple[str, float]:
    """Verdict and offset by the rule of ``carl_core.alignment.together``."""
    found = match_waves(ours, theirs)
    if found is not None and found.ratio >= LIKELY:
        return ("aligned" if found.ratio >= SURE else "uncertain"), found.offset_s
    found = match_loudness(ours.loudness(), theirs.loudness())
    if found is not None and found.ratio >= LIKELY_LOUDNESS:
        return "uncertain", found.offset_s
    return "refused", 0.0


def record(sound: Float64, snr_db: float, chance: np.random.Generator) -> Float32:
    """Hear a sound in a room of its own, with noise of its own."""
    count = round(0.3 * SOUND_RATE)
    echo = chance.normal(size=count) * np.exp(-6.9 * np.arange(count) / count)
    echo /= np.sqrt(np.sum(np.square(echo)))
    echo[0] = 1.0
    size = 1 << (len(sound) + count).bit_length()
    heard = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(echo, size), size)[: len(sound)]
    noise = make(str(chance.choice(["white", "pink"])), len(sound), chance)
    heard = heard / max(float(heard.std()), 1e-9) + noise * 10 ** (-snr_db / 20)
    return np.asarray(0.5 * heard / np.abs(heard).max(), dtype=np.float32)


def make(kind: str, count: int, chance: np.random.Generator) -> Float64:
    """Return ``count`` samples of a kind of sound, unit power."""
    makers = {
        "white": lambda: chance.normal(size=count),
        "pink": lambda: _pink(count, chance),
        "speech": lambda: _speech(count, chance),
        "music": lambda: _music(count, chance, chance.uniform(80, 160)),
        "loop": lambda: np.resize(_music(4 * SOUND_RATE, chance, 120.0), count),
        "metronome": lambda: _knocks(count, chance, np.arange(chance.uniform(0, 0.5), 1e4, 0.5)),
        "claps": lambda: _knocks(count, chance, chance.exponential(3.0, 10_000).cumsum()),
        "steps": lambda: _knocks(count, chance, chance.normal(0.5, 0.03, 10_000).cumsum()),
    }
    sound = np.asarray(makers[kind](), dtype=np.float64)
    return sound / max(float(sound.std()), 1e-9)


def _pink(count: int, chance: np.random.Generator) -> Float64:
    hertz = np.fft.rfftfreq(count)
    spectrum = chance.normal(size=len(hertz)) + 1j * chance.normal(size=len(hertz))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, 1 / count)), count)


def _knocks(count: int, chance: np.random.Generator, times_s: Float64) -> Float64:
    sound = np.zeros(count + 800)
    same = chance.normal(size=800) * np.exp(-np.arange(800) / 90)
    is_regular = bool(np.ptp(np.diff(times_s)) < 1e-6)
    for start in (times_s[times_s < count / SOUND_RATE] * SOUND_RATE).astype(int).tolist():
        own = same if is_regular else chance.normal(size=800) * np.exp(-np.arange(800) / 90)
        sound[start : start + 800] += own * (1 if is_regular else chance.uniform(0.5, 1))
    return sound[:count]


def _music(count: int, chance: np.random.Generator, beats_per_minute: float) -> Float64:
    sound = np.zeros(count + SOUND_RATE)
    step = 30 / beats_per_minute * SOUND_RATE
    for number in range(int(count / step) + 1):
        start = int(number * step)
        since = np.arange(int(SOUND_RATE * chance.uniform(0.1, 0.5))) / SOUND_RATE
        for _ in range(chance.integers(1, 4)):
            pitch = 110 * 2 ** (chance.integers(0, 40) / 12)
            tones = sum(np.sin(2 * np.pi * pitch * k * since) / k for k in range(1, 5))
            sound[start : start + len(since)] += tones * np.exp(-6 * since)
        drum = chance.normal(size=400) * np.exp(-np.arange(400) / 80)
        sound[start : start + 400] += drum * (1.0 if number % 2 else 0.5)
    return sound[:count]


def _speech(count: int, chance: np.random.Generator) -> Float64:
    sound = np.zeros(count + SOUND_RATE)
    place = 0
    while place < count:
        if chance.random() < 0.15:
            place += int(SOUND_RATE * chance.uniform(0.3, 1))
            continue
        length = int(SOUND_RATE * chance.uniform(0.08, 0.3))
        syllable = 0.3 * chance.normal(size=length)
        if chance.random() < 0.7:
            pitch = chance.uniform(90, 220)
            formants = chance.uniform([250, 800, 2200], [900, 2400, 3400])
            partials = pitch * np.arange(1, int(3600 / pitch))
            strengths = np.exp(-np.square((partials[:, None] - formants) / 150)) @ [1, 0.5, 0.33]
            phases = 2 * np.pi * np.outer(np.arange(length) / SOUND_RATE, partials)
            syllable = np.sin(phases + chance.uniform(0, 6, len(partials))) @ strengths
        first = min(place, count)
        sound[first : first + length] += syllable * np.sqrt(np.hanning(length))
        place += length
    return sound[:count]


if __name__ == "__main__":
    raise SystemExit(main())
