"""Collect cyclic garbage on the main thread only.

Python runs its collector on whichever thread allocates. On a worker's thread it would destroy Qt
objects that belong to the main thread, and Qt crashes ("timers cannot be stopped from another
thread"). While a ``MainThreadCollector`` lives, only its timer collects.
"""

from __future__ import annotations

import gc
from typing import ClassVar

from PySide6.QtCore import QObject, QTimer

INTERVAL_MS = 400


class MainThreadCollector(QObject):
    """Takes the collector over from Python until ``stop``."""

    _has_spared: ClassVar[bool] = False

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._was_enabled = gc.isenabled()
        gc.disable()
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.collect_due)
        self._timer.start()

    def collect_due(self) -> None:
        """Collect the generations whose thresholds are passed, as Python itself would."""
        counts, thresholds = gc.get_count(), gc.get_threshold()
        for generation in (2, 1, 0):
            if counts[generation] > thresholds[generation]:
                gc.collect(generation)
                return

    @classmethod
    def spare_what_is_loaded(cls) -> None:
        """Leave everything that lives now out of later collections: libraries stay anyway.

        With numba and ONNX Runtime loaded a full collection takes some 100 ms otherwise. What is
        spared is never found to be garbage, so this is done once in a process, garbage goes first,
        and later calls (another encoder, another window) do nothing: they would keep whatever is
        open then for ever.
        """
        if not cls._has_spared:
            cls._has_spared = True
            gc.collect()
            gc.freeze()

    def stop(self) -> None:
        """Give the collector back."""
        self._timer.stop()
        if self._was_enabled:
            gc.enable()
