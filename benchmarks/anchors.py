"""How soon a map follows an anchor that is moved, in recordings of 100,000 samples.

    python -m benchmarks.anchors [--count N]

Aligns once, then moves an anchor: the first move of all, and later ones. The answer is compared
with solving everything anew with the same anchors, and its path, between the two cells where it
leaves the old one, with an exact solution of these cells that knows nothing of the rest. Seconds of
the clock, and of the processor, which a busy machine does not stretch.
"""

from __future__ import annotations

import argparse
import statistics
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.claims import Claim, report
from benchmarks.dtw import pair
from benchmarks.taking import taken
from carl_core.alignment.aligners import AlignOptions
from carl_core.alignment.alignment import Anchor
from carl_core.alignment.anchored import solve_between
from carl_core.alignment.costs import Costs
from carl_core.alignment.warping_path import Ends
from carl_core.similarity.matrix import unit_rows
from tests.helpers.known_engine import KnownEngine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from carl_core.alignment.alignment import Alignment
    from carl_core.arrays import Float32
    from carl_core.video.recording import Recording

MOVES = 20
SHIFTS_S = (0.3, 0.6, 1.0, 2.0)
"""How far a pin is dragged from where the map was."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    report(measure(parser.parse_args().count))
    return 0


def measure(count: int) -> list[Claim]:
    """Align two recordings of ``count`` samples and drag pins."""
    _warm()
    vectors = pair(count, 1)
    engine = KnownEngine(*vectors)
    reference, other = engine.recordings
    options = AlignOptions(null_maps=0)
    free = engine.align(reference, other, options=options)
    length_s = reference.index.duration_s
    chance = np.random.default_rng(0)

    def moved(at_s: float, shift_s: float) -> tuple[tuple[float, float], list[Anchor], Alignment]:
        anchors = [Anchor(at_s, float(free.time_map(at_s)) + shift_s)]
        found, seconds = taken(
            lambda: engine.align_near(free, reference, other, anchors, options=options)
        )
        assert found is not None
        return seconds, anchors, found

    _, first_anchors, first = moved(length_s / 2, 1.0)  # loads nothing any more
    engine = KnownEngine(*vectors)
    engine.align(reference, other, options=options)
    (first_s, first_cpu_s), _, again = moved(length_s / 2, 1.0)
    np.testing.assert_array_equal(again.raw_other, first.raw_other)
    anew, (anew_s, anew_cpu_s) = taken(
        lambda: engine.align(reference, other, anchors=first_anchors, options=options)
    )
    later = [
        moved(float(chance.uniform(0.05, 0.95)) * length_s, SHIFTS_S[k % len(SHIFTS_S)])
        for k in range(MOVES)
    ]
    off = sum(
        _cells_off(vectors, free, found, anchors, reference, other, options)
        for _, anchors, found in [((), first_anchors, first), *later]
    )
    walls, cpus = ([1000 * seconds[k] for seconds, _, _ in later] for k in (0, 1))
    what = f"an anchor moved in {count:,} x {count:,} samples"
    peer = "everything anew"
    return [
        Claim(f"{what}: first move, ms", 1000 * first_s, at_most=100),
        Claim(f"{what}: first move, CPU ms", 1000 * first_cpu_s, at_most=100),
        Claim(f"{what}: later moves, median ms", statistics.median(walls), at_most=100),
        Claim(f"{what}: later moves, longest ms", max(walls), at_most=100),
        Claim(f"{what}: later moves, longest CPU ms", max(cpus), at_most=100),
        Claim(f"{what}: first move, s", first_s, anew_s, peer, at_most=0.1),
        Claim(f"{what}: first move, CPU s", first_cpu_s, anew_cpu_s, peer, at_most=0.1),
        Claim(
            f"{what}: cells of the path unlike everything anew",
            len(_cells(first) ^ _cells(anew)),
            at_most=0,
        ),
        Claim(
            f"{what}: cells unlike an exact solution of the neighbourhood",
            off,
            at_most=0,
            note=f"{MOVES + 1} moves",
        ),
    ]


def _cells_off(
    vectors: tuple[Float32, Float32],
    old: Alignment,
    new: Alignment,
    anchors: Sequence[Anchor],
    reference: Recording,
    other: Recording,
    options: AlignOptions,
) -> int:
    """Count cells that an exact solution between the ends of the change has and ``new`` not."""
    before, after = _cells(old), _cells(new)
    changed = sorted(before ^ after)
    kept = sorted(before & after)
    begin = max((c for c in kept if c <= changed[0] and c[1] <= changed[0][1]), default=kept[0])
    end = min((c for c in kept if c >= changed[-1] and c[1] >= changed[-1][1]), default=kept[-1])
    rows, columns = (unit_rows(v, centre=options.centre) for v in vectors)
    costs = Costs(rows, columns)
    best, usual = costs.typical()
    pin = (
        int(reference.index.nearest_frames([anchors[0].reference_s])[0]),
        int(other.index.nearest_frames([anchors[0].other_s])[0]),
    )
    low, high = (begin[0], begin[1]), (end[0], end[1])
    path = solve_between(
        costs.part(low[0], high[0] + 1, low[1], high[1] + 1),
        [(0, 0), (pin[0] - low[0], pin[1] - low[1]), (high[0] - low[0], high[1] - low[1])],
        pattern=options.step_pattern,
        ends=Ends(),
        straight=options.straight_price * max(usual - best, 0.0),
    )
    exact = set(
        zip((path.reference + low[0]).tolist(), (path.other + low[1]).tolist(), strict=True)
    )
    return len(exact ^ {c for c in after if low <= c <= high})


def _cells(alignment: Alignment) -> set[tuple[int, int]]:
    return set(zip(alignment.raw_reference.tolist(), alignment.raw_other.tolist(), strict=True))


def _warm() -> None:
    """Load what is loaded once: a short pair is aligned, and an anchor moved in it."""
    engine = KnownEngine(*pair(1500, 2))
    ours, theirs = engine.recordings
    old = engine.align(ours, theirs)
    anchors = [Anchor(20.0, float(old.time_map(20.0)) + 0.5)]
    engine.align_near(old, ours, theirs, anchors)


if __name__ == "__main__":
    raise SystemExit(main())
