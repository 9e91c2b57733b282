"""Recognise the same content, at another speed or cut at the ends.

Where every matched pair of frames is far more alike than frames of one recording a moment apart,
and the matches lie on a line of constant rate, the recordings show the same pictures; then the line
itself is the map, more exact than any path through samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carl_core.progress import row_blocks

if TYPE_CHECKING:
    from carl_core.alignment.warping_path import Path
    from carl_core.arrays import Bool, Float32, Float64
    from carl_core.progress import Monitor

# Pairs of a copy differ by coding noise and sub-sample shifts only. As a share of how much a
# recording differs from itself a third of a second away, exact and double-speed copies measure 0.00
# to 0.28 (raw pixels, HOG, MobileNetV2 at 5, 10 and 30 samples/s), other pairs 1.1 and more.
_LIKENESS = 0.4
_LAG_S = 1.0 / 3.0
# A re-timed or cut copy lies on no line: there the path through samples matches better.
_BEATEN = 1.1
_BEST = 0.9  # share of the samples that is looked at: a cut or a fade may spoil the rest
_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Line:
    """A map of constant rate: ``other_s = rate * reference_s + start_s``."""

    rate: float
    start_s: float

    def __call__(self, reference_s: Float64) -> Float64:
        """Seconds of the other, not limited to its length."""
        return self.rate * reference_s + self.start_s


def find_copy(
    reference_s: Float64,
    vectors: Float32,
    other_s: Float64,
    other_vectors: Float32,
    path: Path,
    monitor: Monitor | None = None,
) -> Line | None:
    """Return the line along which both recordings show the same pictures, None if there is none.

    Parameters
    ----------
    reference_s, vectors : float64 (N,), float32 (N, D), samples of the reference, unit rows, not
        centred (a trimmed copy has another mean)
    other_s, other_vectors : the same of the other
    path : a first guess through the samples
    monitor : asked every some thousand samples whether to stop
    """
    if len(reference_s) < 4 or len(other_s) < 4 or len(path.reference) < 4:
        return None
    x, y = reference_s[path.reference], other_s[path.other]
    line = _robust_line(x, y)
    if line is None:
        return None
    products = [
        np.einsum(
            "ij,ij->i",
            vectors[path.reference[block]],
            other_vectors[path.other[block]],
            dtype=np.float64,
        )
        for block in row_blocks(len(path.reference), monitor)
    ]
    along_path = _best_mean(1.0 - np.concatenate(products))
    # Between samples of the recording that is sampled more finely (in what it shows, not in its own
    # seconds) interpolation errs least: that one plays the other.
    if np.median(np.diff(other_s)) <= 1.01 * line.rate * np.median(np.diff(reference_s)):
        return _fit(line, reference_s, vectors, other_s, other_vectors, along_path, monitor)
    turned = _robust_line(y, x)
    found = turned and _fit(
        turned, other_s, other_vectors, reference_s, vectors, along_path, monitor
    )
    return Line(1.0 / found.rate, -found.start_s / found.rate) if found else None


def line_map(line: Line, reference_s: Float64, other_s: Float64) -> Float64:
    """Return the line at the reference's samples (N,), NaN where the other has no frame."""
    values = line(reference_s)
    slack_s = 0.5 * float(np.median(np.diff(other_s)))
    outside = (values < other_s[0] - slack_s) | (values > other_s[-1] + slack_s)
    clipped = np.clip(values, other_s[0], other_s[-1])
    return np.where(outside, np.nan, clipped)


def _fit(
    line: Line,
    reference_s: Float64,
    vectors: Float32,
    other_s: Float64,
    other_vectors: Float32,
    along_path: float,
    monitor: Monitor | None,
) -> Line | None:
    """Improve a first guess and accept it when the pictures along it are alike."""
    for _ in range(_ROUNDS):
        better = _improve(line, reference_s, vectors, other_s, other_vectors, monitor)
        if better is None:
            return None
        moved = max(abs(better.rate - line.rate), abs(better.start_s - line.start_s))
        line = better
        if moved < 1e-7:
            break
    line = _snapped(line, reference_s, other_s)
    inside = _inside(line, reference_s, other_s)
    shorter = min(line.rate * (reference_s[-1] - reference_s[0]), other_s[-1] - other_s[0])
    covered = line(reference_s[inside])
    if len(covered) < 4 or covered[-1] - covered[0] < 0.5 * shorter:
        return None
    distances = _distances(
        line, reference_s[inside], vectors[inside], other_s, other_vectors, monitor
    )
    along_line = _best_mean(distances)
    typical = _best_mean(_change(reference_s, vectors, monitor)[inside])
    if typical <= 1e-7:
        return None  # a still scene: any line would do
    is_copy = along_line <= _LIKENESS * typical
    is_straight = along_line <= _BEATEN * max(along_path, 0.0) + 0.02 * typical
    return line if is_copy and is_straight else None


def _best_mean(values: Float64) -> float:
    """Mean of the smaller nine tenths."""
    kept = np.sort(values)[: max(1, int(np.ceil(_BEST * len(values))))]
    return float(np.mean(kept))


def _robust_line(x: Float64, y: Float64) -> Line | None:
    """Median slope between points a third of the path apart, then the median offset."""
    apart = max(1, len(x) // 3)
    run, rise = x[apart:] - x[:-apart], y[apart:] - y[:-apart]
    usable = run > 0
    if not usable.any():
        return None
    rate = float(np.median(rise[usable] / run[usable]))
    return Line(rate, float(np.median(y - rate * x))) if rate > 0.01 else None


def _inside(line: Line, reference_s: Float64, other_s: Float64) -> Bool:
    values = line(reference_s)
    return np.asarray((values >= other_s[0]) & (values <= other_s[-1]))


def _improve(
    line: Line,
    reference_s: Float64,
    vectors: Float32,
    other_s: Float64,
    other_vectors: Float32,
    monitor: Monitor | None,
) -> Line | None:
    """One Gauss-Newton step on the squared distances between the pictures along the line.

    Pairs that differ most (cuts, wrong ends) do not take part.
    """
    inside = _inside(line, reference_s, other_s)
    if inside.sum() < 4:
        return None
    times = reference_s[inside]
    at = line(times)
    after = np.clip(np.searchsorted(other_s, at, side="right"), 1, len(other_s) - 1)
    before = after - 1
    step_s = (other_s[after] - other_s[before])[:, None]
    share = ((at - other_s[before])[:, None] / step_s).astype(np.float32)
    # In blocks: each of these arrays is as large as a recording's vectors.
    where = np.flatnonzero(inside)
    force, power, error = np.empty(len(where)), np.empty(len(where)), np.empty(len(where))
    for block in row_blocks(len(where), monitor):
        low, high = other_vectors[before[block]], other_vectors[after[block]]
        gap = vectors[where[block]] - (low + share[block] * (high - low))  # (B, D)
        speed = (high - low) / step_s[block].astype(np.float32)
        force[block] = np.einsum("ij,ij->i", speed, gap, dtype=np.float64)
        power[block] = np.einsum("ij,ij->i", speed, speed, dtype=np.float64)
        error[block] = np.einsum("ij,ij->i", gap, gap, dtype=np.float64)
    keep = error <= np.quantile(error, 0.8)
    force, power, times = force[keep], power[keep], times[keep]
    centre_s = float(times.mean())
    x = times - centre_s
    a, b, c = power.sum(), (power * x).sum(), (power * x * x).sum()
    determinant = a * c - b * b
    if a <= 0 or determinant <= 1e-12 * a * a:
        return line
    f, g = force.sum(), (force * x).sum()
    shift = (c * f - b * g) / determinant
    turn = (a * g - b * f) / determinant
    rate = line.rate + turn
    start_s = line.start_s + shift - turn * centre_s
    return Line(float(rate), float(start_s)) if rate > 0.01 else None


def _distances(
    line: Line,
    reference_s: Float64,
    vectors: Float32,
    other_s: Float64,
    other_vectors: Float32,
    monitor: Monitor | None,
) -> Float64:
    """Cosine distance of each sample to the other's interpolated picture on the line."""
    at = line(reference_s)
    after = np.clip(np.searchsorted(other_s, at, side="right"), 1, len(other_s) - 1)
    before = after - 1
    share = ((at - other_s[before]) / (other_s[after] - other_s[before]))[:, None]
    distances = np.empty(len(at))
    for block in row_blocks(len(at), monitor):
        picture = other_vectors[before[block]] * (1 - share[block])
        picture += other_vectors[after[block]] * share[block]
        ours = vectors[block]
        norms = np.linalg.norm(picture, axis=1) * np.linalg.norm(ours, axis=1)
        products = np.einsum("ij,ij->i", picture, ours, dtype=np.float64)
        distances[block] = 1.0 - products / np.maximum(norms, 1e-12)
    return np.maximum(distances, 0.0)


def _change(times_s: Float64, vectors: Float32, monitor: Monitor | None) -> Float64:
    """How far each sample is from the recording's own picture a lag later (or earlier)."""
    step_s = float(np.median(np.diff(times_s)))
    lag = min(max(1, round(_LAG_S / step_s)), len(times_s) - 1)
    before, after = vectors[:-lag], vectors[lag:]
    products = np.empty(len(before))
    for block in row_blocks(len(before), monitor):
        products[block] = np.einsum("ij,ij->i", before[block], after[block], dtype=np.float64)
    forward = np.maximum(1.0 - products, 0.0)
    ahead = np.append(forward, np.repeat(np.nan, lag))
    behind = np.append(np.repeat(np.nan, lag), forward)
    return np.asarray(np.fmax(ahead, behind))


def _snapped(line: Line, reference_s: Float64, other_s: Float64) -> Line:
    """Return the identity where the line is within a tenth of a sample of it everywhere."""
    step_s = min(float(np.median(np.diff(reference_s))), float(np.median(np.diff(other_s))))
    ends = np.asarray([reference_s[0], reference_s[-1]])
    if np.abs(line(ends) - ends).max() <= 0.1 * step_s:
        return Line(1.0, 0.0)
    return line
