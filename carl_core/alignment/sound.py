"""Find by how much two recordings of one sound are shifted against each other.

First by their waveforms: excerpts of the shorter recording are looked for in the other one, both
evened out in loudness (over 0.25 s) and colour (over 50 Hz), so that a knock, a hum or a distant
microphone does not decide. A true shift stands out of all other shifts of an excerpt; the ratio of
the highest peak to the next one says by how much, and excerpts that agree support each other.

Where the waveforms do not agree (much echo, little in common), by how the loudness rises in six
bands of pitch, 200 times a second. As a yardstick one of both is also played backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from carl_core.video.loudness import LEVELS_PER_S, SOUND_RATE

if TYPE_CHECKING:
    from carl_core.arrays import Float32, Float64
    from carl_core.progress import Monitor
    from carl_core.video.loudness import Loudness

# Shorter common stretches are not looked for: little can be told by them.
LEAST_OVERLAP_S = 2.0
_EXCERPT_S = 30.0
_MOST_EXCERPTS = 12
_BLOCK_S = 130.0
_EVEN_S = 0.25
_COLOUR_HZ = 50.0
_BAND_HZ = (100.0, 3800.0)
# Echoes and vibrating tones make side peaks this near; they are part of the peak.
_PEAK_S = 0.15
# An amplitude below -80 dB of full scale is silence.
SILENCE = 1e-4
# Excerpts agree when their shifts lie this near a constant or, three at least, a line of at most
# this slope.
_AGREE_S = 0.005
_DRIFT = 3e-4
# An excerpt supports a shift only where its own peak stands out at least this much.
_SUPPORT = 1.15
# A drift must move the ends by this much, and explain the shifts this much better, to be believed.
_LEAST_DRIFT_S = 0.004
_CLEARER = 3.0

_RISE = 3  # levels, 15 ms
_SLOW = 101  # levels, half a second
_CLIP = 5.0


class Sound(Protocol):
    """The sound of a recording; see `carl_core.video.soundtrack.Soundtrack`."""

    @property
    def duration_s(self) -> float:
        """Seconds."""
        ...

    def wave(self, start_s: float, end_s: float) -> Float32:
        """Mono samples at 8 kHz, silent outside the recording."""
        ...

    def loudness(self, monitor: Monitor | None) -> Loudness:
        """Levels of the whole recording."""
        ...


@dataclass(frozen=True, slots=True)
class SoundMatch:
    """Where one sound lies in another: ``other_s = rate * reference_s + offset_s``.

    Attributes
    ----------
    offset_s, rate : of the map; ``rate`` is 1 unless the clocks clearly drift apart
    ratio : how many times the peak is as high as the next one at any other shift
    likeness : correlation of the two sounds where they match, 0 to 1
    support : excerpts that agree
    is_wave : found by the waveform, not by the loudness alone
    """

    offset_s: float
    rate: float
    ratio: float
    likeness: float
    support: int
    is_wave: bool

    @property
    def drift_ppm(self) -> float:
        """Millionths by which the other's clock runs faster."""
        return (self.rate - 1.0) * 1e6

    def inverse(self) -> SoundMatch:
        """Return the same with the recordings exchanged."""
        return SoundMatch(
            -self.offset_s / self.rate,
            1.0 / self.rate,
            self.ratio,
            self.likeness,
            self.support,
            self.is_wave,
        )


@dataclass(frozen=True, slots=True)
class Peak:
    """The shift at which an excerpt fits best: ``shift_s`` = its time in the other less its own."""

    centre_s: float
    shift_s: float
    ratio: float
    likeness: float


def match_waves(
    reference: Sound, other: Sound, *, monitor: Monitor | None = None
) -> SoundMatch | None:
    """Look for excerpts of the shorter recording's waveform in the other one.

    With 12 excerpts, 13 transforms of 160 s for every 130 s of the longer one.
    None where one of both is silent or shorter than `LEAST_OVERLAP_S`.
    """
    if other.duration_s < reference.duration_s:
        turned = match_waves(other, reference, monitor=monitor)
        return None if turned is None else turned.inverse()
    if reference.duration_s < LEAST_OVERLAP_S:
        return None
    peaks = find_peaks(reference, other, monitor=monitor)
    return agreed(peaks) if peaks else None


def find_peaks(short: Sound, long: Sound, *, monitor: Monitor | None = None) -> list[Peak]:
    """Return the best shift of each excerpt of ``short`` that is not silent."""
    length_s = min(_EXCERPT_S, short.duration_s)
    number = min(_MOST_EXCERPTS, int(np.ceil(short.duration_s / _EXCERPT_S)))
    starts = np.linspace(0.0, short.duration_s - length_s, number)
    begin_s, end_s = LEAST_OVERLAP_S - length_s, long.duration_s - LEAST_OVERLAP_S
    step_s = min(_BLOCK_S, end_s - begin_s)
    size = fast_length(round((step_s + length_s) * SOUND_RATE) + 1)
    excerpts: list[tuple[float, npt.NDArray[np.complex64]]] = []
    for start_s in starts.tolist():
        spectrum = _spectrum(short.wave(start_s, start_s + length_s), size)
        if spectrum is not None:
            excerpts.append((start_s, spectrum))
    blocks = np.arange(begin_s, end_s, step_s) if excerpts else np.zeros(0)
    if monitor is not None:
        monitor.start("comparing the sounds", len(blocks) * len(excerpts), "steps")
    shifts = round(step_s * SOUND_RATE)
    found: list[list[tuple[float, float]]] = [[] for _ in excerpts]  # (height, start in long)
    for block_s in blocks.tolist():
        block = _spectrum(long.wave(block_s, block_s + step_s + length_s), size)
        for (_, spectrum), heights in zip(excerpts, found, strict=True):
            if monitor is not None:
                monitor.advance()
            if block is None:
                continue
            curve = np.abs(np.fft.irfft(np.conj(spectrum) * block, size)[:shifts])
            heights += [
                (height, block_s + place / SOUND_RATE) for height, place in _two_peaks(curve)
            ]
    peaks = []
    for (start_s, _), heights in zip(excerpts, found, strict=True):
        if not heights:
            continue
        height, place_s = max(heights)
        others = [h for h, at_s in heights if abs(at_s - place_s) > _PEAK_S]
        ratio = height / max(others) if others and max(others) > 0 else 1.0
        likeness = min(1.0, height / (length_s * SOUND_RATE))
        peaks.append(Peak(start_s + length_s / 2, place_s - start_s, ratio, likeness))
    return peaks


def agreed(peaks: list[Peak]) -> SoundMatch:
    """Put the excerpts that agree together; their ratios multiply.

    The best group is the one with the highest product. Where it shows clearly that the clocks run
    at different rates, the map is a line, otherwise a constant shift.
    """
    groups = [_near(peaks, leader, 0.0) for leader in peaks]
    for one, two in combinations(peaks, 2):
        slope = (two.shift_s - one.shift_s) / (two.centre_s - one.centre_s)
        along = _near(peaks, one, slope) if abs(slope) <= _DRIFT else []
        if len(along) >= 3:
            groups.append(along)
    best = max(groups, key=_product)
    centres = np.asarray([peak.centre_s for peak in best])
    shifts = np.asarray([peak.shift_s for peak in best])
    offset_s, rate = _line(centres, shifts)
    return SoundMatch(
        offset_s=offset_s,
        rate=rate,
        ratio=_product(best),
        likeness=float(np.median([peak.likeness for peak in best])),
        support=len(best),
        is_wave=True,
    )


def match_loudness(reference: Loudness, other: Loudness) -> SoundMatch | None:
    """Compare how the loudness of whole recordings rises.

    None where one of both does not change in loudness, or is shorter than `LEAST_OVERLAP_S`.
    """
    least = round(LEAST_OVERLAP_S * LEVELS_PER_S)
    rises, others = _rises(reference), _rises(other)
    if min(len(rises), len(others)) < least or not (rises.any() and others.any()):
        return None
    lags, heights, likeness = _agreement(rises, others, least)
    _, backwards, _ = _agreement(rises, others[::-1], least)
    best = int(np.argmax(heights))
    rest = heights[np.abs(lags - lags[best]) > _PEAK_S * LEVELS_PER_S]
    next_best = max(float(rest.max(initial=0.0)), float(backwards.max(initial=0.0)))
    if heights[best] <= 0 or next_best <= 0:
        return None
    place = float(lags[best]) + vertex(heights, best)
    return SoundMatch(
        offset_s=place / LEVELS_PER_S,
        rate=1.0,
        ratio=float(heights[best]) / next_best,
        likeness=float(np.clip(likeness[best], 0.0, 1.0)),
        support=1,
        is_wave=False,
    )


def fast_length(least: int) -> int:
    """Smallest length >= ``least`` of the form 2^k times 1, 3, 5, 9, 15 or 25."""
    lengths = []
    for odd in (1, 3, 5, 9, 15, 25):
        length = odd
        while length < least:
            length *= 2
        lengths.append(length)
    return min(lengths)


def vertex(heights: npt.NDArray[np.floating], at: int) -> float:
    """Where between samples the parabola through a peak and its neighbours is highest, ±0.5."""
    if not 0 < at < len(heights) - 1:
        return 0.0
    before, here, after = (float(heights[at + k]) for k in (-1, 0, 1))
    bend = before - 2 * here + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def _two_peaks(curve: Float32) -> list[tuple[float, float]]:
    """Height and place (samples) of the highest peak and of the next one away from it."""
    best = int(np.argmax(curve))
    found = [(float(curve[best]), best + vertex(curve, best))]
    width = round(_PEAK_S * SOUND_RATE)
    for part, start in ((curve[: max(0, best - width)], 0), (curve[best + width + 1 :], None)):
        if len(part):
            at = int(np.argmax(part))
            place = at + (best + width + 1 if start is None else start)
            found.append((float(part[at]), float(place)))
    return found


def _spectrum(wave: Float32, size: int) -> npt.NDArray[np.complex64] | None:
    """Spectrum of ``wave``, evened out in loudness and colour, unit power; None for silence."""
    power = _mean_around(np.square(wave), round(_EVEN_S * SOUND_RATE))
    if float(np.sqrt(power.max(initial=0.0))) < SILENCE:
        return None
    floor = 1e-3 * power.mean() + SILENCE**2
    spectrum = np.fft.rfft((wave / np.sqrt(power + floor)).astype(np.float32), size)
    colour = _mean_around(np.square(np.abs(spectrum)), round(_COLOUR_HZ * size / SOUND_RATE))
    spectrum /= np.sqrt(colour + 1e-9 * colour.max())
    hertz = np.fft.rfftfreq(size, 1 / SOUND_RATE)
    spectrum[(hertz < _BAND_HZ[0]) | (hertz > _BAND_HZ[1])] = 0
    total = 2 * float(np.sum(np.square(np.abs(spectrum)), dtype=np.float64)) / size
    return np.asarray(spectrum * np.sqrt(len(wave) / max(total, 1e-30)), dtype=np.complex64)


def _mean_around(values: npt.NDArray[np.floating], width: int) -> Float64:
    """Return the moving mean over about ``width`` values."""
    half = max(1, width // 2)
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    places = np.arange(len(values))
    first, last = np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))
    return np.asarray(np.maximum(sums[last] - sums[first], 0.0) / (last - first), dtype=np.float64)


def _near(peaks: list[Peak], leader: Peak, slope: float) -> list[Peak]:
    """Return the leader and the peaks that stand out and lie on the line of this slope."""
    return [
        peak
        for peak in peaks
        if peak is leader
        or (
            peak.ratio >= _SUPPORT
            and abs(peak.shift_s - leader.shift_s - slope * (peak.centre_s - leader.centre_s))
            <= _AGREE_S
        )
    ]


def _product(group: list[Peak]) -> float:
    return float(np.prod([peak.ratio for peak in group]))


def _line(centres: Float64, shifts: Float64) -> tuple[float, float]:
    """Offset and rate of the map through the shifts: constant unless a drift is clear."""
    constant = float(np.median(shifts))
    if len(shifts) < 3:
        return constant, 1.0
    middle = float(centres.mean())
    slope = float(np.polyfit(centres - middle, shifts, 1)[0])
    moved_s = abs(slope) * float(np.ptp(centres))
    left = shifts - shifts.mean() - slope * (centres - middle)
    unexplained_s = float(np.sqrt(np.sum(np.square(left)) / (len(shifts) - 2)))
    if moved_s < _LEAST_DRIFT_S or moved_s < _CLEARER * unexplained_s:
        return constant, 1.0
    return float(shifts.mean()) - slope * middle, 1.0 + slope


def _rises(loudness: Loudness) -> Float32:
    """How much louder each band became within 15 ms, without slow changes, unit spread."""
    levels = loudness.levels.astype(np.float32)
    rises = np.zeros_like(levels)
    rises[_RISE:] = np.maximum(levels[_RISE:] - levels[:-_RISE], 0)
    for band in range(rises.shape[1]):
        rises[:, band] -= _mean_around(rises[:, band], _SLOW)
    spread = np.sqrt(np.mean(np.square(rises), axis=0)) if len(rises) else np.zeros(1)
    rises = np.where(spread > 1e-3, rises / np.maximum(spread, 1e-3), 0.0)
    return np.clip(rises, -_CLIP, _CLIP).astype(np.float32)


def _agreement(a: Float32, b: Float32, least: int) -> tuple[npt.NDArray[np.intp], Float64, Float64]:
    """Lags, how surprising the correlation is at each (in its own unit), and the correlation.

    ``b[k + lag]`` belongs to ``a[k]``; only lags with ``least`` common rows that are not silent.
    """
    n, m = len(a), len(b)
    size = fast_length(n + m)
    spectrum = np.zeros(size // 2 + 1, dtype=np.complex64)
    for band in range(a.shape[1]):
        spectrum += np.conj(np.fft.rfft(a[:, band], size)) * np.fft.rfft(b[:, band], size)
    products = np.fft.irfft(spectrum, size)
    products = np.concatenate([products[size - (n - 1) :], products[:m]])
    lags = np.arange(-(n - 1), m)
    energies = [
        np.concatenate([[0.0], np.cumsum(np.sum(np.square(x), axis=1), dtype=np.float64)])
        for x in (a, b)
    ]
    first, last = np.maximum(0, -lags), np.minimum(n, m - lags)
    common = last - first
    own = energies[0][last] - energies[0][first]
    others = energies[1][last + lags] - energies[1][first + lags]
    usable = (common >= least) & (own > 1e-3 * common) & (others > 1e-3 * common)
    likeness = products[usable] / np.sqrt(own[usable] * others[usable])
    return lags[usable], likeness * np.sqrt(common[usable]), likeness
