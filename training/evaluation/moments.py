"""Labelled pairs of real recordings: which moments of two recordings show the same.

A case is a pair of *clips* (a choice of frames of a file, in order) and what is known about it:
sets of corresponding moments. More than one set: any one of them is right (repetitions). Nothing
here decodes a picture or needs more than NumPy, so that benchmarks of the engine use it as well.
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

        The map is asked at the reference's moments; where it has no counterpart, the error is the
        distance to the nearest moment that has one. Of several truths the nearest counts.
        """
        best: tuple[Float64, float] | None = None
        for truth in self.truths:
            span_s = float(truth[:, 1].max() - truth[:, 1].min())
            errors = np.abs(map_(truth[:, 0]) - truth[:, 1])
            if best is None or np.median(errors) < np.median(best[0]):
                best = (errors, span_s)
        assert best is not None
        return best


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
        (name,) = labels
        yield from _retimed(group, [name, name], times_of, seed)
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
    group: str, names: list[str], times_of: Callable[[str], Float64], seed: int
) -> Iterator[Case]:
    pairs = list(permutations(names, 2)) if len(set(names)) > 1 else [(names[0], names[0])]
    for number, (first, second) in enumerate(pairs):
        for variant in range(RETIMED_PER_PAIR):
            rng = np.random.default_rng([number, variant, len(group), *([seed] if seed else [])])
            plain = whole(f"{group}/{first}", times_of)
            clip, shown = _retime(whole(f"{group}/{second}", times_of), rng)
            # The other shows source time shown[k] at clip.times_s[k]; cameras share source time.
            moments = np.linspace(shown[0], shown[-1], _MOMENTS + 2)[1:-1]
            moments = moments[(moments >= plain.times_s[0]) & (moments <= plain.times_s[-1])]
            truth = np.stack([moments, np.interp(moments, shown, clip.times_s)], axis=1)
            if variant % 2 == 0:
                yield Case(group, plain, clip, (truth,))
            else:
                yield Case(group, clip, plain, (np.ascontiguousarray(truth[:, ::-1]),))


def _retime(clip: Clip, rng: np.random.Generator) -> tuple[Clip, Float64]:
    """Trim, cut and re-time a clip by choosing frames; return it and the source time it shows."""
    count = len(clip.frames)
    positions = retimed_positions(count, rng)
    chosen = np.clip(positions.astype(np.int64), 0, count - 1)
    step_s = float(np.median(np.diff(clip.times_s)))
    times_s = np.arange(len(chosen), dtype=np.float64) * step_s
    source_s = np.interp(positions, np.arange(count), clip.times_s)
    return Clip(clip.file, clip.frames[chosen], times_s), source_s


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
