"""What a benchmark claims: our figure, a peer's from the same run, and the bound they must keep.

A script makes `Claim` values and gives them to `report`, which prints them as a table. When
``python -m benchmarks`` runs the script, `report` also appends them, a JSON object a line, to the
file that the environment variable ``CARL_CLAIMS`` names, and one table is made of all of them.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FILE_VARIABLE = "CARL_CLAIMS"
HEAD = ("claim", "ours", "peer", "ratio", "wanted", "holds?")


@dataclass(frozen=True, slots=True)
class Claim:
    """One measured figure and its bound.

    Where there is a peer the bound is on the ratio ours / peer, else on our figure itself.

    Attributes
    ----------
    name : what was measured, with its unit: "tile of 512 x 512, ms"
    ours : our figure, in that unit; NaN when it could not be measured
    peer : what it is compared with, measured in the same run, same unit; None = nothing
    peer_name : what the peer is; needed when there is one
    at_most, at_least : the bound; both None = printed for information
    note : what a reader must know to read the figure, such as why it could not be measured
    """

    name: str
    ours: float
    peer: float | None = None
    peer_name: str = ""
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if (self.peer is None) == bool(self.peer_name):
            raise ValueError(f"{self.name}: a peer needs a figure and a name, or neither")

    @property
    def ratio(self) -> float | None:
        """Our figure over the peer's."""
        if self.peer is None:
            return None
        return self.ours / self.peer if self.peer else math.nan

    @property
    def holds(self) -> bool | None:
        """Whether the bound is kept; None without a bound. What was not measured does not hold."""
        if self.at_most is None and self.at_least is None:
            return None
        judged = self.ours if self.ratio is None else self.ratio
        if math.isnan(judged):
            return False
        above = self.at_most is not None and judged > self.at_most
        below = self.at_least is not None and judged < self.at_least
        return not above and not below

    def cells(self) -> tuple[str, ...]:
        """Return its row of the table, one text per column of `HEAD`."""
        peer = "" if self.peer is None else f"{_number(self.peer)} ({self.peer_name})"
        bounds = [
            f"{sign} {_number(bound)}"
            for sign, bound in (("<=", self.at_most), (">=", self.at_least))
            if bound is not None
        ]
        said = {True: "yes", False: "NO", None: ""}[self.holds]
        return (
            self.name + (f" ({self.note})" if self.note else ""),
            _number(self.ours),
            peer,
            "" if self.ratio is None else _number(self.ratio),
            ", ".join(bounds),
            said,
        )


def report(claims: Iterable[Claim]) -> None:
    """Print claims as a table, and hand them on to ``python -m benchmarks``."""
    claims = tuple(claims)
    print("\n".join(as_table([claim.cells() for claim in claims])), flush=True)
    target = os.environ.get(FILE_VARIABLE)
    if target:
        with Path(target).open("a", encoding="utf-8") as file:
            for claim in claims:
                file.write(json.dumps(asdict(claim)) + "\n")


def read_claims(path: Path) -> tuple[Claim, ...]:
    """Return what scripts reported to a file; none when there is no such file."""
    if not path.exists():
        return ()
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(Claim(**json.loads(line)) for line in lines)


def as_table(rows: Sequence[Sequence[str]], *, head: Sequence[str] = HEAD) -> list[str]:
    """Return the lines of a Markdown table, padded so that it reads well as plain text too."""
    widths = [max(len(row[k]) for row in (head, *rows)) for k in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    padded = [[t.ljust(w) for t, w in zip(line, widths, strict=True)] for line in lines]
    return ["| " + " | ".join(line) + " |" for line in padded]


def _number(value: float) -> str:
    if math.isnan(value):
        return "not measured"
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.1e}"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
