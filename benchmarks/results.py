"""The text of ``benchmarks/results.md``: one table of claims, then what each run printed.

Sections are read back from it, so that a run of some scripts replaces theirs and leaves the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.claims import HEAD, as_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_BROKEN = "It failed"
_FENCE = "```"


@dataclass(frozen=True, slots=True)
class Section:
    """What one run measured.

    Attributes
    ----------
    name : the script and its arguments
    rows : its claims, the texts of the columns of `benchmarks.claims.HEAD`
    measured : a sentence on when it ran and how busy the machine was; empty = not known
    output : what it printed
    """

    name: str
    rows: tuple[tuple[str, ...], ...] = ()
    measured: str = ""
    output: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether the script broke off."""
        return _BROKEN in self.measured

    @property
    def unkept(self) -> tuple[str, ...]:
        """The claims that do not hold."""
        return tuple(row[0] for row in self.rows if row[-1] == "NO")


def measured_text(when: str, load: str, seconds: float, *, status: int) -> str:
    """Return the sentence on when and how a run was measured.

    Parameters
    ----------
    when : date and time at its beginning
    load : how busy the machine was at its beginning
    seconds : how long it took
    status : its exit status
    """
    text = f"Measured {when}, load {load} at its beginning, {seconds:.0f} s."
    return text + (f" {_BROKEN} with exit status {status}." if status else "")


def merged(
    old: Mapping[str, Section], new: Iterable[Section], *, order: Sequence[str]
) -> tuple[Section, ...]:
    """Return the sections in ``order``, new ones for old ones; what is not in ``order`` goes."""
    found = {**old, **{section.name: section for section in new}}
    return tuple(found[name] for name in order if name in found)


def verdict(sections: Iterable[Section]) -> str:
    """Say which claims do not hold and which scripts failed; empty when there is none."""
    sections = tuple(sections)
    unkept = [f"* {s.name}: {claim}" for s in sections for claim in s.unkept]
    failed = [s.name for s in sections if s.has_failed]
    parts = []
    if unkept:
        parts.append("\n".join(["Does not hold:", "", *unkept]))
    if failed:
        parts.append(f"Failed: {', '.join(failed)}.")
    return "\n\n".join(parts)


def table(sections: Iterable[Section]) -> str:
    """Return the one table of the claims of all sections."""
    rows = [(section.name, *row) for section in sections for row in section.rows]
    return "\n".join(as_table(rows, head=("script", *HEAD)))


def render(head: str, sections: Sequence[Section]) -> str:
    """Return the text of the file: the head, the table and what does not hold, the sections."""
    parts = ["# Benchmarks", head, table(sections), verdict(sections)]
    for section in sections:
        parts += [f"## {section.name}", section.measured]
        parts.append(f"{_FENCE}\n{section.output.rstrip()}\n{_FENCE}")
    return "\n\n".join(part for part in parts if part) + "\n"


def parse(text: str) -> dict[str, Section]:
    """Return the sections of such a file by their names."""
    rows: dict[str, list[tuple[str, ...]]] = {}
    lines: dict[str, list[str]] = {}
    name, is_output = "", False
    for line in text.splitlines():
        is_fence = line.startswith(_FENCE)
        is_output ^= is_fence
        if not is_output and line.startswith("## "):
            name = line[3:].strip()
            lines[name] = []
        elif name:
            lines[name].append(line)
        elif line.startswith("| "):
            first, *cells = (cell.strip() for cell in line.strip().strip("|").split("|"))
            rows.setdefault(first, []).append(tuple(cells))
    return {name: _section(name, found, tuple(rows.get(name, ()))) for name, found in lines.items()}


def _section(name: str, lines: list[str], rows: tuple[tuple[str, ...], ...]) -> Section:
    fences = [k for k, line in enumerate(lines) if line.startswith(_FENCE)]
    begin, end = (fences[0], fences[-1]) if len(fences) > 1 else (len(lines), len(lines))
    return Section(
        name, rows, " ".join(lines[:begin]).strip(), "\n".join(lines[begin + 1 : end]).rstrip()
    )
