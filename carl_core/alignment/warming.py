"""Compile inner loops while something else is done: decoding, or looking."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from carl_core.alignment import kernels  # noqa: F401 - so that they are among all
from carl_core.compiled import compile_all

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("carl.align")


@contextmanager
def warming() -> Iterator[None]:
    """Compile, or load from the cache, on a thread of its own; at the end it is stopped.

    Some 7 s of one core where there is no cache yet, else one. A kernel that is needed before its
    turn is compiled by whoever needs it. Leaving waits for the kernel that is in work.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_compile, args=(stop,), name="carl-warming")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _compile(stop: threading.Event) -> None:
    try:
        compile_all(stop)
    except Exception:  # a border: whoever needs the kernel is told
        log.debug("kernels cannot be compiled ahead", exc_info=True)
