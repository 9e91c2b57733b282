"""The last log records, kept in memory for "copy details"."""

from __future__ import annotations

import logging
from collections import deque

RECORDS_KEPT = 2000


class RecentRecords(logging.Handler):
    """Keeps the newest ``RECORDS_KEPT`` records as formatted lines."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        self._lines: deque[str] = deque(maxlen=RECORDS_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record. Called by logging on any thread."""
        try:
            self._lines.append(self.format(record))
        except Exception:
            self.handleError(record)

    def text(self, last: int = 200) -> str:
        """Return the newest ``last`` lines, oldest first."""
        return "\n".join(list(self._lines)[-last:])
