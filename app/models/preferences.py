"""What the settings dialog shows and changes."""

from __future__ import annotations

from dataclasses import dataclass

DEVICES = ("auto", "cpu", "cuda")
STEP_RULES = ("active", "fastest")
TIME_BASES = ("reference", "mean", "native")
PICTURES = ("auto", "card", "painted")
THEMES = ("system", "light", "dark")
LEAST_CACHE_GB, MOST_CACHE_GB = 0.5, 10_000.0


@dataclass(frozen=True, slots=True)
class Preferences:
    """The user's choices.

    Attributes
    ----------
    model : encoder file, "" = the bundled one
    device : one of ``DEVICES``
    cache_gb : limit of the cache in 10⁹ bytes
    step_rule : whose frame one step is: the active recording's, or the shortest one
    time_base : of a new comparison
    is_looping : whether playing begins anew at the end when the window opens
    pictures : what draws moving ones: "card" = OpenGL wherever it works, "painted" = the
        processor, "auto" = OpenGL where a graphics card stands behind it; from the next start on
    theme : one of ``THEMES``
    makes_copies : whether small copies are made in the background for dragging through recordings
    keeps_nothing : whether, from the next start, nothing is kept of what is looked at
    """

    model: str = ""
    device: str = "auto"
    cache_gb: float = 8.0
    step_rule: str = "active"
    time_base: str = "reference"
    is_looping: bool = False
    pictures: str = "auto"
    theme: str = "system"
    makes_copies: bool = False
    keeps_nothing: bool = False


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """The encoder in use: its name, id and file, what it runs on, and what to know about that."""

    name: str
    model_id: str
    path: str
    provider: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """How full the cache is: recordings kept, bytes of their embeddings, and where."""

    folder: str
    entries: int
    size_bytes: int
