"""Faults as sentences: what happened, why, and what the user can do."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject, Signal

from carl_core.errors import CarlError
from carl_core.video.info import display_text

if TYPE_CHECKING:
    from collections.abc import Callable


class Severity(Enum):
    """How loud a message is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Choice:
    """Something the user can do about a message: a button and what it does."""

    text: str
    action: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Message:
    """One message for the banner.

    Attributes
    ----------
    text : whole sentences: what, why, what to do
    severity : colour and icon
    details : for the fold and the copy button; empty = no fold
    choices : buttons
    topic : a newer message of the same topic takes the place of the older; empty = none
    """

    text: str
    severity: Severity = Severity.INFO
    details: str = ""
    choices: tuple[Choice, ...] = field(default=())
    topic: str = ""

    def __post_init__(self) -> None:
        # Paths come into these sentences, and not every path is text.
        object.__setattr__(self, "text", display_text(self.text))
        object.__setattr__(self, "details", display_text(self.details))


def describe(error: BaseException, *, topic: str = "") -> Message:
    """Say what an exception means. Never a traceback in the sentence; it goes into the details."""
    details = "".join(traceback.format_exception(error)).strip()
    if isinstance(error, CarlError):
        return Message(str(error), Severity.ERROR, details, topic=topic)
    if isinstance(error, MemoryError):
        text = QCoreApplication.translate(
            "Faults",
            "There is not enough memory for this. Close other programs or some recordings, "
            "then try again.",
        )
        return Message(text, Severity.ERROR, details, topic=topic)
    if isinstance(error, OSError) and error.strerror:
        name = f" ({error.filename})" if error.filename else ""
        text = QCoreApplication.translate(
            "Faults",
            "The system refused access to a file: {reason}{name}. Check that it exists and that "
            "you may use it, then try again.",
        ).format(reason=error.strerror, name=name)
        return Message(text, Severity.ERROR, details, topic=topic)
    text = QCoreApplication.translate(
        "Faults",
        "Something went wrong inside the program ({kind}). Your recordings are untouched and you "
        "can go on; if it happens again, copy the details and report them.",
    ).format(kind=type(error).__name__)
    return Message(text, Severity.ERROR, details, topic=topic)


class Reporter(QObject):
    """The way to the banner, from any thread.

    Signals
    -------
    reported(Message) : delivered on the thread of the receiver
    withdrawn(str) : messages of this topic are not true any more
    """

    reported = Signal(object)
    withdrawn = Signal(str)

    def report(self, message: Message) -> None:
        """Show ``message``. Safe from any thread."""
        self.reported.emit(message)

    def withdraw(self, topic: str) -> None:
        """Take back what was said about ``topic``. Safe from any thread."""
        self.withdrawn.emit(topic)
