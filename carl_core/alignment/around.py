"""Anchors change a path that was searched only around them; what lies farther away stays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from carl_core.alignment.alignment import Alignment
from carl_core.alignment.candidates import Candidate, every_end_open, extent_of, searched
from carl_core.alignment.confidence import Solved
from carl_core.alignment.dtw import solve_exact
from carl_core.alignment.nearby import resolve
from carl_core.alignment.warping_path import Ends, Path, step_weights

if TYPE_CHECKING:
    from carl_core.alignment.candidates import Problem
    from carl_core.alignment.looks import Pair


def around_anchors(problem: Problem) -> Candidate | None:
    """Return the path found without anchors, changed only around them; None = not possible."""
    free = searched(replace(problem, anchors=()))
    count = len(problem.reference_s)
    unpinned = Alignment(
        method=free.method,
        cost=free.path.mean_cost,
        match=0.0,
        verdict="none",
        reason="",
        reference_s=problem.reference_s,
        other_s=free.other_s,
        confidence=np.zeros(count),
        gaps=(),
        anchors=(),
        raw_reference=free.path.reference,
        raw_other=free.path.other,
    )
    found = resolve(
        unpinned,
        problem.pair,
        problem.other_s,
        problem.anchors,
        problem.options,
        monitor=problem.monitor,
    )
    return None if found is None else as_warped(problem, found)


def as_warped(problem: Problem, alignment: Alignment) -> Candidate:
    """Return a warped alignment as a candidate: nulls are solved by plain warping."""
    ends = Ends() if alignment.method == "dtw" else every_end_open(problem)
    straight = problem.straight if ends == Ends() else problem.loose_straight
    pattern = problem.options.step_pattern
    rows, columns = alignment.raw_reference, alignment.raw_other
    path = Path(
        rows,
        columns,
        problem.pair.costs.at(rows, columns),
        step_weights(rows, columns, pattern),
        0.0,
    )

    def solver(pair: Pair) -> Solved:
        return Solved(solve_exact(pair.costs, pattern=pattern, ends=ends, straight=straight))

    reason = extent_of(problem, path)
    return Candidate(alignment.method, alignment.other_s, path, solver, straight, reason)
