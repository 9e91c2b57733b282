"""The last log records, kept in memory; for "copy diagnostics" without names and paths."""

from __future__ import annotations

import logging
import traceback
from collections import deque
from datetime import datetime
from pathlib import Path

from app.faults.private import without_paths

RECORDS_KEPT = 2000


_HIDDEN = "…"


class RecentRecords(logging.Handler):
    """Keeps the newest ``RECORDS_KEPT`` records as formatted lines."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        self._lines: deque[tuple[str, str]] = deque(maxlen=RECORDS_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record. Called by logging on any thread."""
        try:
            self._lines.append((self.format(record), discreet(record)))
        except Exception:
            self.handleError(record)

    def text(self, last: int = 200) -> str:
        """Return the newest ``last`` lines, oldest first."""
        return "\n".join(line for line, _ in list(self._lines)[-last:])

    def discreet_text(self, last: int = 200) -> str:
        """Return the same without what tells of the user's files."""
        return "\n".join(line for _, line in list(self._lines)[-last:])


def discreet(record: logging.LogRecord) -> str:
    """Return a record as a line without names, paths or words of the user.

    What the program itself says stays, with its numbers; of everything put into it only the kind is
    told, of an exception also where it was raised in the sources.
    """
    arguments = record.args if isinstance(record.args, tuple) else (record.args,)
    shown = tuple(a if isinstance(a, int | float) else _Kind(a) for a in arguments if a is not None)
    text = str(record.msg) if shown else without_paths(str(record.msg))
    try:
        said = text % shown if shown else text
    except (TypeError, ValueError):  # "%d" of what is no number
        said = without_paths(text)
    where = ""
    if record.exc_info and record.exc_info[0] is not None:
        frames = traceback.extract_tb(record.exc_info[2])
        places = (f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-4:])
        where = f" ({record.exc_info[0].__name__} at {' < '.join(reversed(list(places)))})"
    when = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
    return f"{when} {record.levelname} {record.name} {said}{where}"


class _Kind:
    """Stands for a value in a line that must not show it."""

    def __init__(self, value: object) -> None:
        kind = type(value).__name__
        self._text = _HIDDEN if isinstance(value, str | bytes) else f"<{kind}>"

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__
