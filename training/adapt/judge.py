"""Judge a head by held-back stretches: against copies of themselves, re-timed and changed.

Each copy shows its stretch under a look that nothing was learned from, trimmed and run through at
another, changing speed (``training.evaluation.moments.retimed_positions``); which moment shows what
is known exactly. Both are aligned by plain DTW; the error is the median distance from the truth in
percent of what both show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.adapt.material import HELD_LOOKS
from training.evaluation.cases import FeatureCase, case_error, shared_truth
from training.evaluation.moments import retimed_positions
from training.evaluation.tracks import Track, sampled_at
from training.sampling import generator_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from carl_core.arrays import Float16, Float32, Float64, Int64
    from training.adapt.material import Held
    from training.evaluation.tracks import Embed

# Smallest gain in percent points that counts, and how many standard errors it must exceed: chance
# gives that once in twenty times.
LEAST_GAIN = 0.2
_ERRORS = 1.64
DRAWS = 4  # copies of a stretch under one look


@dataclass(frozen=True, slots=True)
class Verdict:
    """The old head against the new one, on the same copies.

    Attributes
    ----------
    before, after : mean error in percent
    noise : standard error of their difference
    """

    before: float
    after: float
    noise: float

    @property
    def is_better(self) -> bool:
        """Whether the gain exceeds ``LEAST_GAIN`` and 1.64 times the noise."""
        return self.before - self.after > max(LEAST_GAIN, _ERRORS * self.noise)

    def sentence(self) -> str:
        """Say what was found."""
        errors = f"{self.before:.1f} % before, {self.after:.1f} % after"
        if self.is_better:
            return f"The adapted encoder is better on the part held back: error {errors}."
        if self.after > self.before:
            return f"The adapted encoder is not better on the part held back: error {errors}."
        return (
            "The adapted encoder is not better than chance would give on the part held back: "
            f"error {errors} (± {self.noise:.1f})."
        )


def copies_of(
    held: Sequence[Held], looks: Iterable[int], *, fps: float, seed: int
) -> list[list[FeatureCase]]:
    """Pair every stretch with re-timed copies under looks held back.

    Parameters
    ----------
    held : stretches
    looks : of 0 .. HELD_LOOKS - 1
    fps : samples per second of the copies
    seed : of the re-timing

    Returns
    -------
    for every stretch and look the pairs that share them, at most ``DRAWS``
    """
    found: list[list[FeatureCase]] = []
    for look in looks:
        if not 0 <= look < HELD_LOOKS:
            raise ValueError(f"there are {HELD_LOOKS} looks, not a number {look}")
        for number, stretch in enumerate(held):
            plain = _track(stretch.name, stretch.features[0], stretch.times_s, stretch.times_s)
            original = _chosen(plain, np.flatnonzero(stretch.is_sample))
            pairs = []
            for draw in range(DRAWS):
                rng = generator_for(seed, look, number, draw)
                copy = _copy(stretch, look, fps, rng)
                pair = (original, copy) if draw % 2 == 0 else (copy, original)
                truth = shared_truth(*pair)
                if len(truth.reference_s) > 1 and truth.span_s > 0:
                    pairs.append(FeatureCase(stretch.name, "held back", *pair, (truth,)))
            if pairs:
                found.append(pairs)
    return found


def errors_of(embed: Embed, copies: Sequence[Sequence[FeatureCase]]) -> Float64:
    """Mean error in percent of the pairs that share a stretch and a look, float64 (K,)."""
    cache: dict[int, Float32] = {}
    return np.array(
        [
            np.mean(
                [case_error(case, embed, centre=True, cache=cache).median_percent for case in pairs]
            )
            for pairs in copies
        ]
    )


def verdict_of(before: Float64, after: Float64) -> Verdict:
    """Compare two heads by their errors on the same copies, float64 (K,), K at least 2.

    Copies that share a stretch and a look err together, so they count as one.
    """
    if before.shape != after.shape or len(before) < 2:
        raise ValueError(f"{before.shape} and {after.shape} must be equal and at least 2")
    noise = float((before - after).std(ddof=1) / np.sqrt(len(before)))
    return Verdict(float(before.mean()), float(after.mean()), noise)


def _copy(stretch: Held, look: int, fps: float, rng: np.random.Generator) -> Track:
    times_s = stretch.times_s
    positions = retimed_positions(len(times_s), rng)
    shown = np.clip(positions.astype(np.int64), 0, len(times_s) - 1)
    own_s = np.arange(len(shown), dtype=np.float64) * float(np.median(np.diff(times_s)))
    copy = _track(stretch.name, stretch.features[1 + look][shown], own_s, times_s[shown])
    return _chosen(copy, sampled_at(own_s, fps))


def _track(name: str, features: Float16, times_s: Float64, content_s: Float64) -> Track:
    no_pixels = np.zeros((len(times_s), 0), dtype=np.float16)
    return Track(name, features, no_pixels, times_s, content_s)


def _chosen(track: Track, places: Int64) -> Track:
    return _track(
        track.name,
        np.asarray(track.features[places], dtype=np.float16),
        track.times_s[places] - track.times_s[places[0]],
        track.content_s[places],
    )
