"""Every error that a user may see.

::

    CarlError
    ├── MediaError                 a recording cannot be used
    │   ├── UnreadableMediaError   missing, empty, truncated, corrupt, unknown format
    │   └── NoVideoStreamError     it opens, but holds nothing to look at
    ├── ModelError                 an encoder file is missing, not ours, or fails
    ├── StoreError                 the cache of derived data cannot be read or written
    ├── AlignmentError             inputs or constraints that allow no alignment
    │   └── NothingInCommonError   sounds or timecodes that have no moment in common
    ├── ProjectError               a project, alignment or labels file that cannot be used
    └── ExportError                a result cannot be written

``Cancelled`` is not a ``CarlError``: nothing went wrong.

Messages are whole sentences: what happened, why, and what the user can do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os


class CarlError(Exception):
    """An error with a message a user can act on."""


class MediaError(CarlError):
    """A recording cannot be used.

    Attributes
    ----------
    path : path of the recording as given, may hold undecodable bytes (surrogates)
    frame : number of the frame where it happened, or None
    """

    def __init__(
        self, message: str, *, path: str | os.PathLike[str] = "", frame: int | None = None
    ) -> None:
        super().__init__(message)
        self.path = path
        self.frame = frame


class UnreadableMediaError(MediaError):
    """The file is missing, empty, truncated, corrupt or of an unknown format."""


class NoVideoStreamError(MediaError):
    """The file opens but holds no video stream (cover art is not one)."""


class ModelError(CarlError):
    """An encoder file is missing, is not one of ours, or fails when run."""


class StoreError(CarlError):
    """Derived data cannot be read from or written to its store."""


class AlignmentError(CarlError):
    """The inputs or the user's constraints allow no alignment."""


class NothingInCommonError(AlignmentError):
    """What the recordings were to be aligned by has no moment in common."""


class ProjectError(CarlError):
    """A project, alignment or labels file cannot be read or written."""


class ExportError(CarlError):
    """A result cannot be written."""


class Cancelled(Exception):
    """The user stopped the work; what was finished is kept."""
