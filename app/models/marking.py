"""What the panel shows of markers and phases."""

from __future__ import annotations

from dataclasses import dataclass

from app.actions.spec import QT_TRANSLATE_NOOP

PALETTE: tuple[tuple[str, str], ...] = (
    ("#e69f00", QT_TRANSLATE_NOOP("MarkerColours", "orange")),
    ("#56b4e9", QT_TRANSLATE_NOOP("MarkerColours", "sky blue")),
    ("#009e73", QT_TRANSLATE_NOOP("MarkerColours", "green")),
    ("#f0e442", QT_TRANSLATE_NOOP("MarkerColours", "yellow")),
    ("#0072b2", QT_TRANSLATE_NOOP("MarkerColours", "blue")),
    ("#d55e00", QT_TRANSLATE_NOOP("MarkerColours", "vermilion")),
    ("#cc79a7", QT_TRANSLATE_NOOP("MarkerColours", "purple")),
    ("#999999", QT_TRANSLATE_NOOP("MarkerColours", "grey")),
)
"""Colours that people with any colour vision tell apart (Okabe and Ito 2008), with their names."""


@dataclass(frozen=True, slots=True)
class MarkerLine:
    """One marker in the list.

    Attributes
    ----------
    id : of the marker
    letter : of the recording
    frame : number of its first frame
    start_s, length_s : seconds of its recording; ``length_s`` None = a moment
    source : letter of the recording it is carried over from, "" = made here
    is_derived : carried over and not accepted yet
    """

    id: str
    recording: str
    letter: str
    name: str
    start_s: float
    frame: int
    length_s: float | None
    colour: str
    note: str
    source: str = ""
    is_derived: bool = False
