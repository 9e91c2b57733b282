"""Pairs of recordings whose correspondence is known, with the trunk's work done once.

``feature_cases_from_...`` decode, render and run the trunk; ``score_embedder`` then compares any
number of methods that turn features into vectors. One aligner for all: plain global DTW.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.costs import Costs
from carl_core.alignment.dtw import solve_exact
from carl_core.progress import Monitor
from carl_core.similarity.matrix import unit_rows
from carl_core.video.image import resize_image
from carl_core.video.recording import Recording, open_recording
from training.augment import apply_look, draw_look
from training.bank import warp_pairs
from training.config import AugmentConfig, EvaluationConfig
from training.evaluation import moments
from training.evaluation.tracks import (
    Embed,
    FeatureEncoder,
    Track,
    features_of_recording,
    sampled_as_usual,
    sampled_at,
    track_of_pictures,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from carl_core.alignment.options import StepPattern
    from carl_core.arrays import Float16, Float32, Float64, Int64
    from training.datasets.folder import Clip

# Every labelled group of the developer recordings.
MOMENT_GROUPS = (
    "squat_people",
    "golf_dtl",
    "golf_speed",
    "pullup_reps",
    "hand_2cam",
    "board_3cam",
    "beam_4cam",
    "beam_occluded_4cam",
)
_LOOKS = AugmentConfig()
_NO_CUTS = np.empty((0, 2))
_LONGEST_STEP = 2.0 + 1e-9  # frames of the source between two of a copy, without a cut


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Moments of the reference and what the other recording shows when it shows the same.

    Attributes
    ----------
    reference_s : float64 (K,), the reference's own seconds
    content_s : float64 (K,), on the clock of the other's ``Track.content_s``
    span_s : length of what both show on that clock, above 0: errors are also given as its share
    """

    reference_s: Float64
    content_s: Float64
    span_s: float


@dataclass(frozen=True, slots=True, eq=False)
class FeatureCase:
    """Two recordings and what is known about them.

    Attributes
    ----------
    name, group : for reports; scores are given per group
    reference, other : the recordings
    truths : one or more; any one of them is right (repetitions)
    """

    name: str
    group: str
    reference: Track
    other: Track
    truths: tuple[Truth, ...]

    def with_pixels(self) -> FeatureCase:
        """Return the same with small pixels in place of the features, as a control."""
        return replace(self, reference=self.reference.with_pixels(), other=self.other.with_pixels())


@dataclass(frozen=True, slots=True)
class CaseError:
    """How far a map is from the truth: of the errors over the known moments of one case.

    Attributes
    ----------
    mean_s, median_s : seconds on the clock of the other recording's content
    median_percent : median in percent of the truth's span
    """

    mean_s: float
    median_s: float
    median_percent: float


@dataclass(frozen=True, slots=True)
class GroupScore:
    """Errors of one method over the cases of one group.

    Attributes
    ----------
    median_percent : median over the cases of the median error in percent of the span
    mean_percent : mean over the cases of the same
    mean_s : mean over the cases of the mean error in seconds
    cases : how many
    """

    median_percent: float
    mean_percent: float
    mean_s: float
    cases: int


def case_error(
    case: FeatureCase,
    embed: Embed | None,
    *,
    centre: bool,
    pattern: StepPattern = "2-1-1",
    cache: dict[int, Float32] | None = None,
) -> CaseError:
    """Align one case by the vectors of ``embed`` and compare with the truth.

    The map puts beside each sample of the reference the mean of what the samples show that the
    DTW path puts beside it; between samples it is linear. Of several truths the nearest counts.

    Parameters
    ----------
    case : what to align
    embed : features to vectors; None = linear time
    centre : take each recording's mean vector off first
    pattern : of the DTW
    cache : vectors by the identity of a track, so that a recording is embedded once per method
    """
    reference, other = case.reference, case.other
    if embed is None:
        ends = (reference.times_s[[0, -1]], other.times_s[[0, -1]])
        at_s = np.interp(reference.times_s, *ends)
        found = np.interp(at_s, other.times_s, other.content_s)
    else:
        rows, columns = (_rows(track, embed, centre, cache) for track in (reference, other))
        path = solve_exact(Costs(rows, columns), pattern=pattern)
        sums = np.bincount(path.reference, weights=other.content_s[path.other])
        found = sums / np.bincount(path.reference)
    best: CaseError | None = None
    for truth in case.truths:
        at = np.interp(truth.reference_s, reference.times_s, found)
        errors = np.abs(at - truth.content_s)
        median = float(np.median(errors))
        if best is None or median < best.median_s:
            best = CaseError(float(errors.mean()), median, 100.0 * median / truth.span_s)
    assert best is not None
    return best


def case_errors(
    case: FeatureCase, embed: Embed | None, *, centre: bool, pattern: StepPattern = "2-1-1"
) -> float:
    """Median error of one case in percent of the span, see ``case_error``."""
    return case_error(case, embed, centre=centre, pattern=pattern).median_percent


def score_embedder(
    embed: Embed | None,
    cases: Sequence[FeatureCase],
    *,
    centre: bool,
    pattern: StepPattern = "2-1-1",
    monitor: Monitor | None = None,
) -> dict[str, GroupScore]:
    """Score one method over cases, by group in the order of the cases; None = linear time.

    The other parameters are those of ``case_error``.
    """
    errors: dict[str, list[CaseError]] = defaultdict(list)
    cache: dict[int, Float32] = {}
    for case in cases:
        errors[case.group].append(
            case_error(case, embed, centre=centre, pattern=pattern, cache=cache)
        )
        if monitor is not None:
            monitor.advance()
    return {
        group: GroupScore(
            float(np.median([error.median_percent for error in found])),
            float(np.mean([error.median_percent for error in found])),
            float(np.mean([error.mean_s for error in found])),
            len(found),
        )
        for group, found in errors.items()
    }


def feature_cases_from_moments(
    data_dir: Path,
    encoder: FeatureEncoder,
    groups: Iterable[str] | None = None,
    *,
    seed: int = 0,
    monitor: Monitor | None = None,
) -> list[FeatureCase]:
    """Every labelled pair of a folder with ``labels.json``; synchronous cameras only re-timed.

    Recordings are sampled as the engine does. Each file is decoded once. ``seed`` draws the
    re-timing; 0 is what ``benchmarks.alignment`` uses.

    Raises
    ------
    MediaError
        When the labels or a recording cannot be read.
    ValueError
        When the labels have no such group.
    """
    known = moments.labels_of(data_dir)
    chosen = tuple(known if groups is None else groups)
    for group in chosen:
        if group not in known:
            raise ValueError(f"{data_dir} has no labelled group {group!r}, only {list(known)}")
    recordings: dict[str, Recording] = {}

    def times_of(file: str) -> Float64:
        if file not in recordings:
            recordings[file] = open_recording(data_dir / file)
        return recordings[file].index.times_s

    found = [
        case for group in chosen for case in moments.cases(data_dir, times_of, group, seed=seed)
    ]
    shown: dict[str, set[int]] = defaultdict(set)
    samples: dict[int, Int64] = {}
    for clip in (clip for case in found for clip in (case.reference, case.other)):
        samples[id(clip)] = sampled_as_usual(clip.times_s, encoder.spec.sample_fps)
        shown[clip.file].update(clip.frames[samples[id(clip)]].tolist())
    monitor = monitor or Monitor()
    monitor.start("reading recordings", len(shown), "recordings")
    media: dict[str, tuple[Int64, Float16, Float16]] = {}
    for file, frames in shown.items():
        ordered = np.asarray(sorted(frames), dtype=np.int64)
        media[file] = (ordered, *features_of_recording(recordings[file], ordered, encoder))
        monitor.advance()
    whole: dict[str, Track] = {}

    def track(clip: moments.Clip) -> Track:
        is_whole = len(clip.frames) == len(times_of(clip.file)) and np.array_equal(
            clip.times_s, times_of(clip.file)
        )
        if is_whole and clip.file in whole:
            return whole[clip.file]
        ordered, features, pixels = media[clip.file]
        place = np.searchsorted(ordered, clip.frames[samples[id(clip)]])
        times_s = clip.times_s[samples[id(clip)]]
        made = Track(clip.file, features[place], pixels[place], times_s, times_s)
        if is_whole:
            whole[clip.file] = made
        return made

    return [
        FeatureCase(
            f"{case.reference.file} = {case.other.file}",
            case.group,
            track(case.reference),
            track(case.other),
            tuple(
                Truth(truth[:, 0], truth[:, 1], float(np.ptp(truth[:, 1]))) for truth in case.truths
            ),
        )
        for case in found
    ]


def feature_cases_from_simulated(
    count: int, seed: int, encoder: FeatureEncoder, *, monitor: Monitor | None = None
) -> list[FeatureCase]:
    """Pairs of clips of simulated actions that training never draws, truth exact everywhere.

    Group "simulated". Each action depends on ``seed`` plus its number alone.
    """
    monitor = monitor or Monitor()
    monitor.start("rendering", count, "pairs")
    cases = []
    for number in range(count):
        settings = EvaluationConfig(actions=1, seed=seed + number)
        (pair,) = warp_pairs(settings, encoder.spec.size, encoder.spec.sample_fps)
        one, two = (
            track_of_pictures(
                pair.name, take.pictures(), take.times_s, encoder, content_s=take.content_s
            )
            for take in pair.takes
        )
        cases.append(
            FeatureCase(f"{pair.name}, two views", "simulated", one, two, (shared_truth(one, two),))
        )
        monitor.advance()
    return cases


def feature_cases_from_copies(
    videos: Sequence[Clip],
    encoder: FeatureEncoder,
    per_clip: int,
    seed: int,
    *,
    augment: AugmentConfig = _LOOKS,
    monitor: Monitor | None = None,
) -> list[FeatureCase]:
    """Real clips against trimmed, cut, re-timed and re-augmented copies of themselves.

    Group "copies". A copy shows frames chosen by ``moments.retimed_positions`` under a look of
    ``training.augment`` (crop, colour, blur, noise, cover; never mirrored: another person would do
    the same), drawn by (seed, clip, copy). Every second pair has the copy as its reference. No
    moment is asked for that the other recording does not show.

    Parameters
    ----------
    videos : clips; pictures larger than the encoder's input keep their detail under a crop
    encoder : whose trunk, and whose rate both recordings are sampled at
    per_clip : copies of each
    seed : of everything
    augment : what looks are drawn from
    """
    monitor = monitor or Monitor()
    monitor.start("copying recordings", len(videos) * per_clip, "copies")
    size, fps = encoder.spec.size, encoder.spec.sample_fps
    cases = []
    for number, clip in enumerate(videos):
        frames = sampled_at(clip.times_s, fps)
        pictures = np.stack(
            [resize_image(picture, (size, size), "squash") for picture in clip.frames[frames]]
        )
        original = track_of_pictures(clip.name, pictures, clip.times_s[frames], encoder)
        for draw in range(per_clip):
            rng = np.random.default_rng([seed, number, draw])
            copy, cuts = _copy(clip, encoder, augment, rng)
            pair = (original, copy) if draw % 2 == 0 else (copy, original)
            truth = shared_truth(*pair, cuts=cuts)
            cases.append(FeatureCase(f"{clip.name} = copy {draw + 1}", "copies", *pair, (truth,)))
            monitor.advance()
    return cases


def _copy(
    clip: Clip, encoder: FeatureEncoder, augment: AugmentConfig, rng: np.random.Generator
) -> tuple[Track, Float64]:
    """Make one copy; return it and the stretches (n, 2) of the clip's seconds cut out of it."""
    positions = moments.retimed_positions(len(clip.times_s), rng)
    shown = np.clip(positions.astype(np.int64), 0, len(clip.times_s) - 1)
    before = np.flatnonzero(np.diff(positions) > _LONGEST_STEP)
    cuts = np.stack([clip.times_s[shown[before]], clip.times_s[shown[before + 1]]], axis=1)
    step_s = float(np.median(np.diff(clip.times_s)))
    own_s = np.arange(len(shown), dtype=np.float64) * step_s
    samples = sampled_at(own_s, encoder.spec.sample_fps)
    look = draw_look(rng, augment, is_mirrored=False)
    pictures = apply_look(clip.frames[shown[samples]], look, encoder.spec.size)
    content_s = clip.times_s[shown[samples]]
    track = track_of_pictures(clip.name, pictures, own_s[samples], encoder, content_s=content_s)
    return track, cuts


def _rows(track: Track, embed: Embed, centre: bool, cache: dict[int, Float32] | None) -> Float32:
    if cache is not None and id(track) in cache:
        return cache[id(track)]
    rows = unit_rows(embed(np.asarray(track.features, np.float32), track.times_s), centre=centre)
    if cache is not None:
        cache[id(track)] = rows
    return rows


def shared_truth(reference: Track, other: Track, *, cuts: Float64 = _NO_CUTS) -> Truth:
    """Every sample of the reference whose content the other shows as well, none inside ``cuts``."""
    start = max(reference.content_s[0], other.content_s[0])
    end = min(reference.content_s[-1], other.content_s[-1])
    is_shared = (reference.content_s >= start) & (reference.content_s <= end)
    for cut_start, cut_end in cuts:
        is_shared &= (reference.content_s <= cut_start) | (reference.content_s >= cut_end)
    return Truth(reference.times_s[is_shared], reference.content_s[is_shared], float(end - start))
