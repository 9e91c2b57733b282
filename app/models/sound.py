"""What is heard, as a view shows it."""

from __future__ import annotations

from dataclasses import dataclass

REFERENCE = ""
"""In place of a recording's id: whichever is the reference."""


@dataclass(frozen=True, slots=True)
class SoundChoice:
    """One recording that can be heard.

    Attributes
    ----------
    recording_id : ``REFERENCE`` for whichever is the reference
    has_sound : whether it has a sound track that can be decoded
    """

    recording_id: str
    text: str
    has_sound: bool


@dataclass(frozen=True, slots=True)
class SoundState:
    """Volume, and which recording is heard.

    Attributes
    ----------
    volume : 0 to 100
    chosen : ``recording_id`` of one of the choices
    letter : what the recording that is heard is called on its tile, "" = there is none
    note : a sentence on why nothing is heard although it should be, "" = all is well
    """

    volume: int = 0
    is_muted: bool = False
    chosen: str = REFERENCE
    letter: str = ""
    choices: tuple[SoundChoice, ...] = ()
    note: str = ""
