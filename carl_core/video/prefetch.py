"""Let an iterator work ahead in a thread of its own."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from carl_core.waiting import given_up_when, together

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

_Item = TypeVar("_Item")

_DEPTH = 8


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Box(Generic[_Item]):
    def __init__(self, item: _Item) -> None:
        self.item = item


def prefetched(items: Iterable[_Item], depth: int = _DEPTH) -> Generator[_Item, None, None]:
    """Yield ``items`` while up to ``depth`` more are made in a background thread.

    An error in the thread is raised here, at its place. Closing the generator (or leaving its
    loop and dropping it) stops the thread after the item it is working on and waits for it.
    ``items`` must not be used by anyone else meanwhile.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")
    return _prefetched(items, depth)


def _prefetched(items: Iterable[_Item], depth: int) -> Generator[_Item, None, None]:
    ready: queue.Queue[_Box[_Item] | _End] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def hand_over(entry: _Box[_Item] | _End) -> bool:
        while not stopped.is_set():
            try:
                ready.put(entry, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        error: BaseException | None = None
        try:
            iterator = iter(items)
            with given_up_when(stopped.is_set):
                try:
                    for item in iterator:
                        if not hand_over(_Box(item)):
                            return
                finally:
                    close = getattr(iterator, "close", None)
                    if close is not None:
                        close()
        except BaseException as exc:
            # NOTE: not swallowed; it is raised again on the consumer's side.
            error = exc
        hand_over(_End(error))

    thread = threading.Thread(target=together(work), name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            entry = ready.get()
            if isinstance(entry, _End):
                if entry.error is not None:
                    raise entry.error
                return
            yield entry.item
    finally:
        stopped.set()
        thread.join()
