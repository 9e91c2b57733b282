"""Alignments that a path is searched for; ``aligners`` chooses and judges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.anchored import solve_between
from carl_core.alignment.confidence import LONGEST, Solved
from carl_core.alignment.costs import Costs
from carl_core.alignment.dtw import solve_checkpointed, solve_exact
from carl_core.alignment.gaps import GapPrices, runs_of, solve_with_gaps
from carl_core.alignment.looks import Look, Pair
from carl_core.alignment.playmap import playing_map
from carl_core.alignment.repetitions import describe, period_of
from carl_core.alignment.search import (
    COARSE,
    LOOSE,
    NULL_LONGEST,
    NULL_ROUNDS,
    refined,
    search,
    to_samples,
)
from carl_core.alignment.warping_path import CLOSED, Ends, Path
from carl_core.errors import AlignmentError

if TYPE_CHECKING:
    from carl_core.alignment.alignment import Anchor
    from carl_core.alignment.confidence import Solver
    from carl_core.alignment.costs import Rectangle
    from carl_core.alignment.options import AlignOptions
    from carl_core.arrays import Float32, Float64
    from carl_core.progress import Monitor

# Leaving less than this share of both recordings out is no reason to open the ends.
_WHOLE_ENOUGH = 0.03
# Opening a gap costs as much as leaving out this share of the shorter recording.
_GAP_OPENING = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One way to align: a map and the path it comes from.

    Attributes
    ----------
    method : its name
    other_s : float64 (N,), playing map, NaN = no counterpart
    path : raw path
    solver : makes the same kind of path for other pairs (null recordings)
    straight : price of a straight step that the path was charged
    reason : what it found, a clause that follows the method's name
    longest : samples of either recording at which null recordings are solved at most
    """

    method: str
    other_s: Float64
    path: Path
    solver: Solver
    straight: float
    reason: str
    longest: int = LONGEST


@dataclass(eq=False)
class Problem:
    """Two recordings to align, with what the user demands.

    Attributes
    ----------
    reference_s, vectors : float64 (N,), float32 (N, D), the reference's samples, N >= 2
    other_s, other_vectors : the other's
    anchors : checked and in order
    forbidden : masks in samples
    """

    reference_s: Float64
    vectors: Float32
    other_s: Float64
    other_vectors: Float32
    anchors: tuple[Anchor, ...]
    forbidden: tuple[Rectangle, ...]
    options: AlignOptions
    monitor: Monitor | None = None

    @cached_property
    def pair(self) -> Pair:
        """Both recordings, without masks."""
        centre, monitor = self.options.centre, self.monitor
        return Pair(Look(self.vectors, centre, monitor), Look(self.other_vectors, centre, monitor))

    @cached_property
    def costs(self) -> Costs:
        """Costs of all pairs, masks included."""
        return Costs(self.pair.reference.rows, self.pair.other.rows, self.forbidden)

    @cached_property
    def pins(self) -> list[tuple[int, int]]:
        """The pairs of samples nearest to the anchors."""
        found: list[tuple[int, int]] = []
        for anchor in self.anchors:
            i = int(np.abs(self.reference_s - anchor.reference_s).argmin())
            j = int(np.abs(self.other_s - anchor.other_s).argmin())
            if (i, j) not in found:
                found.append((i, j))
        return found

    @property
    def straight(self) -> float:
        """Price of a step that holds one recording."""
        best, usual = self.pair.typical
        return self.options.straight_price * max(usual - best, 0.0)

    @property
    def loose_straight(self) -> float:
        """The same where open ends or gaps are asked for by name."""
        best, usual = self.pair.typical
        return min(self.options.straight_price, LOOSE[0]) * max(usual - best, 0.0)

    @property
    def skip(self) -> float:
        """Price of a sample without counterpart where open ends or gaps are asked for by name."""
        best, usual = self.pair.typical
        return best + min(self.options.skip_price, LOOSE[1]) * max(usual - best, 0.0)


def warped(problem: Problem, method: str, ends: Ends) -> Candidate:
    """Dynamic time warping with these ends."""
    options = problem.options
    straight = problem.straight if ends == Ends() else problem.loose_straight
    if options.exact and ends == Ends() and not problem.pins and not problem.forbidden:
        path = solve_checkpointed(
            problem.costs,
            pattern=options.step_pattern,
            straight=straight,
            monitor=problem.monitor,
        )
    else:
        path = solve_between(
            problem.costs,
            problem.pins,
            pattern=options.step_pattern,
            ends=ends,
            straight=straight,
            monitor=problem.monitor,
        )
    other_s = playing_map(
        problem.reference_s,
        problem.other_s,
        path,
        problem.costs,
        anchors=problem.anchors,
        options=options,
    )

    def solver(pair: Pair) -> Solved:
        return Solved(
            solve_exact(pair.costs, pattern=options.step_pattern, ends=ends, straight=straight)
        )

    reason = extent_of(problem, path)
    return Candidate(method, other_s, path, solver, straight, reason)


def searched(problem: Problem) -> Candidate:
    """Return the best path over several paces and open ends, on costs that know the structure."""
    options, pair = problem.options, problem.pair
    n, m = pair.shape
    found = search(pair, options, monitor=problem.monitor)
    path = to_samples(found.path, found.size, pair.costs)
    ours = path.reference[-1] - path.reference[0] + 1
    theirs = path.other[-1] - path.other[0] + 1
    open_ends = found.open_ends and ours + theirs < (1.0 - _WHOLE_ENOUGH) * (n + m)
    if max(n, m) > COARSE or open_ends != found.open_ends:
        found = replace(found, open_ends=open_ends)
        path = refined(pair, found, options, monitor=problem.monitor)

    def solver(null: Pair) -> Solved:
        # The whole search, not only the pace that suited the real pair: that would be no fair null.
        answer = search(null, options, longest=NULL_LONGEST, rounds=NULL_ROUNDS)
        return Solved(answer.path, answer.score)

    if problem.monitor is not None:
        problem.monitor.check()
    other_s = playing_map(problem.reference_s, problem.other_s, path, pair.costs, options=options)
    if problem.monitor is not None:
        problem.monitor.check()
    i0, i1 = int(path.reference[0]), int(path.reference[-1])
    j0, j1 = int(path.other[0]), int(path.other[-1])
    if not open_ends:
        method = "dtw"
    elif (i0, i1) == (0, n - 1) or (j0, j1) == (0, m - 1):
        method = "subsequence"
    else:
        method = "open-end"
    reason = extent_of(problem, path) + _repetitions(pair, path, found.repeats)
    return Candidate(method, other_s, path, solver, problem.straight, reason, NULL_LONGEST)


def gapped(problem: Problem) -> Candidate:
    """Warping with open ends that may also drop stretches in the middle.

    Raises
    ------
    AlignmentError
        With anchors: a gap could leave one out.
    """
    if problem.anchors:
        raise AlignmentError(
            "The method 'gaps' takes no anchors: a gap could leave one out. Remove them, or choose "
            "'auto' or 'open-end'; a mask keeps a stretch from being matched."
        )
    options, straight = problem.options, problem.loose_straight
    ends = every_end_open(problem)
    each = problem.skip

    def solved(costs: Costs) -> Path:
        opening = _GAP_OPENING * each * min(costs.shape)
        return solve_with_gaps(
            costs,
            GapPrices(each, opening),
            pattern=options.step_pattern,
            ends=ends,
            straight=straight,
            monitor=problem.monitor,
        )

    def solver(pair: Pair) -> Solved:
        return Solved(solved(pair.costs))

    path = solved(problem.costs)
    other_s = playing_map(
        problem.reference_s, problem.other_s, path, problem.costs, options=options
    )
    return Candidate("gaps", other_s, path, solver, straight, extent_of(problem, path))


def every_end_open(problem: Problem) -> Ends:
    """Either recording may begin earlier and end later, at a price."""
    return Ends(problem.skip, problem.skip, problem.skip, problem.skip)


def inside_reference(problem: Problem) -> Ends:
    """Let the whole other lie anywhere inside the reference."""
    return Ends(problem.skip, CLOSED, problem.skip, CLOSED)


def inside_other(problem: Problem) -> Ends:
    """Let the whole reference lie anywhere inside the other."""
    return Ends(CLOSED, problem.skip, CLOSED, problem.skip)


def _repetitions(pair: Pair, path: Path, are_matched: bool) -> str:
    """Say which repetitions were matched; empty where nothing repeats, or only one seems to."""
    ours, theirs = period_of(pair.reference), period_of(pair.other)
    if not are_matched and (ours is None or theirs is None):
        return ""
    reference = (ours or 1.0) < (theirs or 1.0)
    at = path.reference if reference else path.other
    count = pair.shape[0] if reference else pair.shape[1]
    matched = (float(at[0]) / count, float(at[-1] + 1) / count)
    clause = describe(ours, theirs, matched, reference=reference)
    return f"; {clause}" if clause else ""


def extent_of(problem: Problem, path: Path) -> str:
    """Say what of the two recordings belongs together."""
    t, u = problem.reference_s, problem.other_s
    i0, i1 = int(path.reference[0]), int(path.reference[-1])
    j0, j1 = int(path.other[0]), int(path.other[-1])
    ours = i0 == 0 and i1 == len(t) - 1
    theirs = j0 == 0 and j1 == len(u) - 1
    gaps = len(runs_of(path.reference, path.other)) - 1
    more = f", with {gaps} gap{'s' if gaps > 1 else ''} in between" if gaps else ""
    if ours and theirs:
        return f"both are matched from beginning to end{more}"
    if theirs:
        where = f"the whole other lies between {t[i0]:.2f} s and {t[i1]:.2f} s of the reference"
    elif ours:
        where = f"the whole reference lies between {u[j0]:.2f} s and {u[j1]:.2f} s of the other"
    else:
        where = (
            f"{t[i0]:.2f} s to {t[i1]:.2f} s of the reference belong to "
            f"{u[j0]:.2f} s to {u[j1]:.2f} s of the other"
        )
    return where + more
