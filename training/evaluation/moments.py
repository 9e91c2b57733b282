"""Labelled pairs of real recordings: which moments of two recordings show the same.

A case is a pair of *clips* (a choice of frames of a file, in order) and what is known about it:
sets of corresponding moments. More than one set: any one of them is right. Repetitions may be
shifted as a whole, as long as every labelled repetition of one side keeps a counterpart; so a map
that pairs the first squat of one person with the third of another is right, one that leaves a
squat out for no reason is not.

Nothing here decodes a picture or needs more than NumPy, so that benchmarks of the engine use it
as well.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from carl_core.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from carl_core.arrays import Float64, Int64

# One camera of each of these groups is re-timed: as they are, a clock aligns them.
SYNCHRONOUS = ("beam_4cam", "beam_occluded_4cam", "hand_2cam", "board_3cam")
RETIMED_PER_PAIR = 5
_MOMENTS = 24  # truth is exact everywhere in a re-timed pair: this many moments are scored


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames of a file shown at new times: a recording of its own."""

    file: str
    frames: Int64
    times_s: Float64


@dataclass(frozen=True, eq=False)
class Case:
    """Two clips and what is known: each truth is float64 (K, 2), reference and other seconds."""

    group: str
    reference: Clip
    other: Clip
    truths: tuple[Float64, ...]

    def error_s(self, map_: Callable[[Float64], Float64]) -> tuple[Float64, float]:
        """Return errors of the key moments in seconds of the other, and the labelled span.

        The map is asked at the reference's moments; an answer that is not finite counts as an
        error of the whole span (``extended`` makes maps that answer everywhere). Of several truths
        the one with the least median error counts.
        """
        best: tuple[Float64, float] | None = None
        for truth in self.truths:
            span_s = float(np.ptp(truth[:, 1]))
            found = np.asarray(map_(truth[:, 0]), dtype=np.float64)
            errors = np.where(np.isfinite(found), np.abs(found - truth[:, 1]), span_s)
            if best is None or np.median(errors) < np.median(best[0]):
                best = (errors, span_s)
        assert best is not None
        return best


def extended(reference_s: Float64, other_s: Float64) -> Callable[[Float64], Float64]:
    """Return a map that answers everywhere: without counterpart, as at the nearest that has one.

    Between two neighbouring samples that have one it is linear. So a key moment that a map leaves
    without counterpart is as wrong as the nearest moment that has one is far from the truth.

    Parameters
    ----------
    reference_s : float64 (N,), ascending
    other_s : float64 (N,), NaN = no counterpart; all NaN: the map answers NaN
    """
    known = np.flatnonzero(np.isfinite(other_s))

    def map_(t_s: Float64) -> Float64:
        times = np.asarray(t_s, dtype=np.float64)
        if len(known) == 0:
            return np.full(times.shape, np.nan)
        knots, values = reference_s[known], other_s[known]
        linear = np.interp(times, knots, values)
        after = np.clip(np.searchsorted(knots, times), min(1, len(known) - 1), len(known) - 1)
        before = np.maximum(after - 1, 0)
        nearest = np.where(times - knots[before] <= knots[after] - times, before, after)
        is_gap = known[after] - known[before] > 1
        return np.where(is_gap, values[nearest], linear)

    return map_


def cases(
    data: Path, times_of: Callable[[str], Float64], group: str, *, seed: int = 0
) -> Iterator[Case]:
    """Return every ordered pair of ``group`` (synchronous cameras: re-timed, drawn by ``seed``).

    Raises
    ------
    MediaError
        When the labels cannot be used, or name a frame that a recording does not have.
    """
    labels = labels_of(data)[group]
    for name, events in labels.items():
        count, last = len(times_of(f"{group}/{name}")), max(events.values(), default=0)
        if last >= count:
            raise MediaError(
                f"labels.json names frame {last} of {group}/{name}, which has {count}. "
                "Correct the label.",
                path=data / group / name,
            )
    if group in SYNCHRONOUS:
        yield from _retimed(group, sorted(labels), times_of, seed)
    elif len(labels) == 1:
        ((name, events),) = labels.items()
        yield from _retimed(group, [name, name], times_of, seed, events)
    else:
        for first, second in permutations(sorted(labels), 2):
            reference = whole(f"{group}/{first}", times_of)
            other = whole(f"{group}/{second}", times_of)
            truths = _labelled(labels[first], labels[second], reference, other)
            if truths:
                yield Case(group, reference, other, truths)


def labels_of(data: Path) -> dict[str, dict[str, dict[str, int]]]:
    """Read ``labels.json``: group > file > event > frame; a leading underscore marks no group.

    Raises
    ------
    MediaError
        When it is missing or holds something else.
    """
    path = data / "labels.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        groups = {name: files for name, files in document.items() if not name.startswith("_")}
        for files in groups.values():
            for events in files.values():
                if not all(isinstance(frame, int) and frame >= 0 for frame in events.values()):
                    raise TypeError(f"frames must be whole numbers: {events}")
    except (OSError, ValueError, TypeError, AttributeError) as exc:
        raise MediaError(
            f"{path} cannot be used ({exc}). It must map groups to files to events to frames.",
            path=path,
        ) from exc
    return groups


def tolerances_of(data: Path, group: str) -> Callable[[str, str], float]:
    """Return the labelling uncertainty of (file name, event) in frames of that file, 0 = unknown.

    ``labels.json`` has it under ``_tolerance``: by group ``_default``, numbers by event, and the
    same again for single files under ``_per_video``.

    Raises
    ------
    MediaError
        When the file cannot be used.
    """
    labels_of(data)  # checks the file
    document = json.loads((data / "labels.json").read_text(encoding="utf-8"))
    found = document.get("_tolerance", {}).get(group, {})

    def tolerance(name: str, event: str) -> float:
        own = found.get("_per_video", {}).get(name, {})
        for table in (own, found):
            for key in (event, "_default"):
                if isinstance(table.get(key), (int, float)):
                    return float(table[key])
        return 0.0

    return tolerance


def negatives(data: Path) -> list[tuple[str, str]]:
    """Pairs of files that do not show the same."""
    document = json.loads((data / "negatives.json").read_text(encoding="utf-8"))
    return [(first, second) for first, second in document["pairs"]]


def whole(file: str, times_of: Callable[[str], Float64]) -> Clip:
    """Return all frames of a file at their own times."""
    times_s = times_of(file)
    return Clip(file, np.arange(len(times_s)), times_s)


def _labelled(
    first: dict[str, int], second: dict[str, int], reference: Clip, other: Clip
) -> tuple[Float64, ...]:
    """Truths from labels; with repetitions one per shift that uses all repetitions of one side."""
    repeated = [_repetition(name) for name in (*first, *second)]
    if any(r is None for r in repeated):
        shifts = [0]
    else:
        ours = [r[0] for r in map(_repetition, first) if r]
        theirs = [r[0] for r in map(_repetition, second) if r]
        room = max(theirs) - max(ours)
        shifts = list(range(min(0, room), max(0, room) + 1))
    truths = []
    for shift in shifts:
        rows = []
        for name, frame in first.items():
            counterpart = _shifted(name, shift)
            if counterpart in second:
                rows.append((reference.times_s[frame], other.times_s[second[counterpart]]))
        if len(rows) >= 2:
            truths.append(np.asarray(sorted(rows)))
    return tuple(truths)


def _repetition(name: str) -> tuple[int, str] | None:
    found = re.fullmatch(r"rep(\d+)_(\w+)", name)
    return (int(found[1]), found[2]) if found else None


def _shifted(name: str, shift: int) -> str:
    repetition = _repetition(name)
    return name if repetition is None else f"rep{repetition[0] + shift}_{repetition[1]}"


def _retimed(
    group: str,
    names: list[str],
    times_of: Callable[[str], Float64],
    seed: int,
    events: dict[str, int] | None = None,
) -> Iterator[Case]:
    """Pairs of cameras, one of them re-timed; ``events`` of a recording paired with itself."""
    pairs = list(permutations(names, 2)) if len(set(names)) > 1 else [(names[0], names[0])]
    for number, (first, second) in enumerate(pairs):
        plain = whole(f"{group}/{first}", times_of)
        source_s = times_of(f"{group}/{second}")
        for variant in range(RETIMED_PER_PAIR):
            rng = np.random.default_rng([number, variant, len(group), *([seed] if seed else [])])
            clip = _retime(whole(f"{group}/{second}", times_of), rng)
            moments = _shown_moments(clip, source_s)
            inside = (moments[:, 0] >= plain.times_s[0]) & (moments[:, 0] <= plain.times_s[-1])
            truths = [moments[inside]]
            for shift in _periods(events or {}):
                truths += _shifted_truth(moments, events or {}, source_s, shift, clip)
            if variant % 2 == 0:
                yield Case(group, plain, clip, tuple(truths))
            else:
                turned = (np.ascontiguousarray(truth[:, ::-1]) for truth in truths)
                yield Case(group, clip, plain, tuple(turned))


def _shown_moments(clip: Clip, source_s: Float64) -> Float64:
    """Return moments that the clip shows, spread evenly: source time and its own, (K, 2) seconds.

    The clip's own time of a frame that it shows several times is the middle of these.
    """
    frames, first = np.unique(clip.frames, return_index=True)
    last = len(clip.frames) - 1 - np.unique(clip.frames[::-1], return_index=True)[1]
    own_s = 0.5 * (clip.times_s[first] + clip.times_s[last])
    chosen = np.unique(np.rint(np.linspace(0, len(frames) - 1, _MOMENTS + 2)[1:-1]).astype(int))
    return np.stack([source_s[frames[chosen]], own_s[chosen]], axis=1)


def _periods(events: dict[str, int]) -> list[int]:
    """Shifts by whole repetitions that a recording's numbered events allow, 0 left out."""
    counts = [len(numbers) for numbers in numbered(events).values()]
    most = max(counts, default=1)
    return [shift for shift in range(1 - most, most) if shift]


def _shifted_truth(
    moments: Float64, events: dict[str, int], source_s: Float64, shift: int, clip: Clip
) -> list[Float64]:
    """Return the truth a number of repetitions later, none where a repetition has no counterpart.

    Between two events, time is taken to run evenly in both repetitions.
    """
    pairs = []
    for numbers in numbered(events).values():
        for number, frame in numbers.items():
            if not clip.frames[0] <= frame <= clip.frames[-1]:
                continue
            if number + shift not in numbers:
                return []
            pairs.append((source_s[frame], source_s[numbers[number + shift]]))
    shown_s, shifted_s = np.asarray(sorted(pairs)).reshape(-1, 2).T
    if len(shown_s) < 2:
        return []
    inside = (moments[:, 0] >= shown_s[0]) & (moments[:, 0] <= shown_s[-1])
    if inside.sum() < 2:
        return []
    later_s = np.interp(moments[inside, 0], shown_s, shifted_s)
    return [np.stack([later_s, moments[inside, 1]], axis=1)]


def numbered(events: dict[str, int]) -> dict[str, dict[int, int]]:
    """Sort the events of a recording by what they show: kind > repetition, from 1 > frame.

    ``rep2_low``, ``top2`` and ``palm_2`` are the second ``low``, ``top`` and ``palm``, provided
    that the numbers of a kind count 1, 2, 3 (``palm`` is the first); else a name is a kind of its
    own.
    """
    found: dict[str, dict[int, str]] = {}
    for name in events:
        repetition = _repetition(name)
        if repetition is None:
            parts = re.fullmatch(r"(.*[^\d_])_?(\d+)?", name)
            kind, number = (parts[1], int(parts[2] or 1)) if parts else (name, 1)
        else:
            number, kind = repetition
        found.setdefault(kind, {}).setdefault(number, name)
    kinds: dict[str, dict[int, int]] = {}
    for kind, names in found.items():
        if sorted(names) == list(range(1, len(names) + 1)):
            kinds[kind] = {number: events[names[number]] for number in sorted(names)}
        else:
            kinds |= {name: {1: events[name]} for name in names.values()}
    return kinds


def _retime(clip: Clip, rng: np.random.Generator) -> Clip:
    """Trim, cut and re-time a clip by choosing frames; it gets times of its own."""
    count = len(clip.frames)
    chosen = np.clip(retimed_positions(count, rng).astype(np.int64), 0, count - 1)
    step_s = float(np.median(np.diff(clip.times_s)))
    times_s = np.arange(len(chosen), dtype=np.float64) * step_s
    return Clip(clip.file, clip.frames[chosen], times_s)


def retimed_positions(count: int, rng: np.random.Generator) -> Float64:
    """Draw which of ``count`` frames a trimmed, cut and re-timed copy shows, one after another.

    Up to a fifth is trimmed from either end; two to four stretches run at half to double speed;
    half of the copies lose a piece of 3 to 10 % in the middle.

    Returns
    -------
    float64 (K,), ascending frame positions, not rounded. Neighbours are at most two frames apart,
    further only across a piece that was cut out
    """
    start = int(rng.uniform(0.0, 0.2) * count)
    end = count - int(rng.uniform(0.0, 0.2) * count)
    edges = np.concatenate([[start], np.sort(rng.uniform(start, end, rng.integers(1, 4))), [end]])
    rates = np.exp(rng.uniform(-np.log(2.0), np.log(2.0), len(edges) - 1))
    positions = np.concatenate(
        [np.arange(a, b, r) for a, b, r in zip(edges[:-1], edges[1:], rates, strict=True)]
    )
    if rng.random() < 0.5:
        width = int(rng.uniform(0.03, 0.1) * len(positions))
        at = int(rng.uniform(0.3, 0.6) * len(positions))
        positions = np.delete(positions, slice(at, at + width))
    return positions
