"""How long something takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")


def taken(work: Callable[[], Found]) -> tuple[Found, tuple[float, float]]:
    """Return what ``work`` returns, and the seconds of the clock and of CPU that it takes."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    found = work()
    return found, (time.perf_counter() - wall_s, time.process_time() - cpu_s)
