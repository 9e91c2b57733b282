"""Files of recordings, read so that a drive which stalls ends in a sentence and not in silence."""

from __future__ import annotations

import errno
import io
import os
from typing import TYPE_CHECKING, TypeVar

import av.error

from carl_core.errors import Cancelled, UnreadableMediaError
from carl_core.paths import reachable
from carl_core.video.info import display_text
from carl_core.waiting import Questions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

_Answer = TypeVar("_Answer")

# After a jump little is read, and more with each block that follows: a table is looked at here and
# there, a recording is read in one go.
_FIRST_BYTES = 8 * 1024
_GROWTH = 4
_MOST_BYTES = 1024 * 1024


class DriveFile:
    """A file open for reading; every wait for its drive has a limit. One thread at a time.

    FFmpeg reads through it, see `carl_core.video.container`. What is raised here comes out of the
    PyAV call that reads, but only the first time: FFmpeg may go on reading in the same call, and
    PyAV has room for one error and prints the others. From then on what cannot be read counts as
    the end of the file; who finds an end asks `check_answers` whether it is one.

    Parameters
    ----------
    path : an ordinary file
    check : looks at the path before it is opened, on the thread that may be left behind

    Raises
    ------
    UnreadableMediaError
        When the drive does not answer in time; and what ``check`` raises.
    OSError
        When it cannot be opened.
    Cancelled
        When the work this belongs to was cancelled meanwhile; see `carl_core.waiting`.
    """

    def __init__(self, path: Path, check: Callable[[Path], object] | None = None) -> None:
        self._path = path
        self.name = display_text(path.name)  # FFmpeg looks at its ending
        self._drive = Questions(path)
        self._position = self._start = 0
        self._block = memoryview(b"")
        self._ahead = _FIRST_BYTES
        self._failure: Exception | None = None
        try:
            self._file, self.size = self._ask(lambda: _opened(path, check))
        except BaseException:
            self._drive.close()
            raise

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, fewer only at the end; all that is left for a negative one.

        Raises
        ------
        UnreadableMediaError
            When the drive does not answer in time.
        OSError
            When it cannot be read, as one of PyAV's errors.
        Cancelled
            When the work this belongs to was cancelled meanwhile.
        """
        if size < 0:
            size = max(0, self.size - self._position)
        parts = []
        while size > 0:
            offset = self._position - self._start
            if not 0 <= offset < len(self._block):
                self._fetch(size)
                offset = 0
                if not self._block:
                    break
            part = self._block[offset : offset + size]
            parts.append(part)
            self._position += len(part)
            size -= len(part)
        return b"".join(parts)

    def check_answers(self) -> None:
        """Raise what reading ended with when its drive did not answer, as `read` did."""
        if self._failure is not None and not isinstance(self._failure, OSError):
            raise self._failure

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place; the drive is not asked."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._position

    def close(self) -> None:
        """Let go of the file; one that is still waited for is closed when its drive answers."""
        self._block = memoryview(b"")
        self._drive.close(self._file.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _fetch(self, wanted: int) -> None:
        follows = bool(self._block) and self._position == self._start + len(self._block)
        self._ahead = min(_MOST_BYTES, self._ahead * _GROWTH) if follows else _FIRST_BYTES
        position, count = self._position, max(wanted, self._ahead)
        file = self._file
        self._block, self._start = memoryview(b""), position
        is_first = self._failure is None
        try:
            self._block = memoryview(self._ask(lambda: _read(file, position, count)))
        except OSError as exc:
            # As FFmpeg itself would have said it: who reads through it knows its errors only.
            number = exc.errno or errno.EIO
            self._failure = av.error.OSError(number, os.strerror(number), self.name)
        except (UnreadableMediaError, Cancelled) as exc:
            self._failure = exc
        else:
            return
        if is_first:
            raise self._failure

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        try:
            return self._drive.ask(question)
        except TimeoutError as exc:
            raise no_answer(self._path) from exc
        except KeyboardInterrupt:
            # NOTE: inside one of FFmpeg's calls Python would print and forget it.
            raise Cancelled from None


def no_answer(path: Path) -> UnreadableMediaError:
    """Return the error for a drive that does not answer."""
    return UnreadableMediaError(
        f"{display_text(path)} cannot be read: its drive does not answer. Check the network or "
        "the cable, or copy the file to this computer, then open it again.",
        path=path,
    )


def _opened(path: Path, check: Callable[[Path], object] | None) -> tuple[io.FileIO, int]:
    if check is not None:
        check(path)
    file = io.FileIO(reachable(path))
    try:
        return file, os.fstat(file.fileno()).st_size
    except BaseException:
        file.close()
        raise


def _read(file: io.FileIO, position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count)
