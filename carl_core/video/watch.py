"""Notice that a file is not the one that was opened: replaced, cut, or written over since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carl_core.errors import UnreadableMediaError
from carl_core.paths import reachable
from carl_core.video.recording import begins_with, fingerprint_of
from carl_core.waiting import answered

if TYPE_CHECKING:
    from carl_core.video.recording import Recording


class FileWatch:
    """Compares a recording's file with what it was. One thread at a time.

    A file that is as large and as old as at the last look is taken to be the same; otherwise its
    fingerprint decides, which reads 4 MiB at most. What was only added to at its end (a recorder
    still runs) is the same up to there, and no more of it is used.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._seen: tuple[int, int, int] | None = None

    def check(self) -> None:
        """Look once.

        A file that has gone says nothing here: who holds it open can read it to its end.

        Raises
        ------
        UnreadableMediaError
            When its content is another one.
        """
        recording = self._recording
        try:
            status = answered(reachable(recording.path).stat, about=recording.path)
            seen = (status.st_size, status.st_mtime_ns, status.st_ino)
            if seen == self._seen:
                return
            path, fingerprint = recording.path, recording.fingerprint
            is_same = fingerprint_of(path, status.st_size) == fingerprint or begins_with(
                path, recording.size, fingerprint
            )
        except OSError:
            return
        if not is_same:
            raise UnreadableMediaError(
                f"“{recording.name}” was replaced or changed since it was opened. Nothing of what "
                "is known of it is used for the new content. Close it and open it again.",
                path=recording.path,
            )
        self._seen = seen
