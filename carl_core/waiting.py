"""Wait for what may never answer, a drive above all, without waiting for ever.

What is asked runs on a thread of its own. Who asks waits a limited time, and stops waiting at once
when the work it belongs to is cancelled (`given_up_when`). The thread of a question without answer
is left behind, for nothing can end it; until it comes back, nothing else is asked of the same
place, so that they do not pile up.
"""

from __future__ import annotations

import errno
import threading
import time
import weakref
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar, cast

from carl_core.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

Answer = TypeVar("Answer")

ANSWER_S = 20.0
"""Disks that slept need up to ten seconds; a network drive that is gone may never answer."""

_LOOK_S = 0.1
_END_S = 1.0
# What did not answer before is not waited for so long again.
_AGAIN = 0.1

_given_up: ContextVar[Callable[[], bool]] = ContextVar("given_up", default=lambda: False)
_hanging: dict[Hashable, threading.Thread] = {}


@contextmanager
def given_up_when(is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """Stop waiting for answers, in this thread and `together` with it, when work is cancelled.

    Work inside other work ends with that, too.
    """
    outer = _given_up.get()
    token = _given_up.set(lambda: is_cancelled() or outer())
    try:
        yield
    finally:
        _given_up.reset(token)


def together(work: Callable[[], Answer]) -> Callable[[], Answer]:
    """Return ``work`` for another thread, to be given up with the work of this one."""
    return partial(copy_context().run, work)


def answered(
    ask: Callable[[], Answer], limit_s: float | None = None, *, about: Hashable = None
) -> Answer:
    """Ask a drive something it may never answer, in a thread of its own.

    Parameters
    ----------
    limit_s : longest wait; None for ``ANSWER_S``
    about : what is asked, a path for one; None for nothing that could be asked twice

    Raises
    ------
    TimeoutError
        When there is no answer in time.
    Cancelled
        When the work was given up meanwhile.
    Exception
        What ``ask`` raises.
    """
    questions = Questions(about)
    try:
        return questions.ask(ask, limit_s)
    finally:
        questions.close()


class Questions:
    """A thread that answers questions one after another. One thread asks at a time.

    Parameters
    ----------
    about : what is asked, see `answered`
    """

    def __init__(self, about: Hashable = None) -> None:
        self._about = about
        self._asked: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_hanging = False
        # Whoever is dropped without being closed leaves no thread behind either.
        weakref.finalize(self, self._asked.put, None).atexit = False

    def ask(self, question: Callable[[], Answer], limit_s: float | None = None) -> Answer:
        """Return the answer. Once one did not come, none is waited for any more.

        Raises as `answered`.
        """
        limit_s = ANSWER_S if limit_s is None else limit_s
        if self._is_hanging:
            raise _no_answer()
        if self._thread is None:
            self._wait_for_older(time.monotonic() + _AGAIN * limit_s)
            self._thread = threading.Thread(
                target=_answer,
                args=(self._asked, self._answers),
                name="asking-a-drive",
                daemon=True,
            )
            self._thread.start()
        self._asked.put(question)
        try:
            is_answer, answer = self._next(time.monotonic() + limit_s)
        except BaseException:
            self._is_hanging = True
            if self._about is not None:
                _hanging[self._about] = self._thread
            raise
        if not is_answer:
            raise answer
        return cast(Answer, answer)

    def close(self, last: Callable[[], object] | None = None) -> None:
        """End the thread after ``last``: at once, or when its question is answered at last."""
        if last is not None:
            self._asked.put(last)
        self._asked.put(None)
        if self._thread is not None and not self._is_hanging:
            self._thread.join(_END_S)

    def _next(self, until: float) -> tuple[bool, Any]:
        while True:
            left_s = until - time.monotonic()
            try:
                return self._answers.get(timeout=max(0.0, min(_LOOK_S, left_s)))
            except Empty:
                if _given_up.get()():
                    raise Cancelled from None
                if left_s <= 0:
                    raise _no_answer() from None

    def _wait_for_older(self, until: float) -> None:
        older = _hanging.get(self._about) if self._about is not None else None
        while older is not None and older.is_alive():
            left_s = until - time.monotonic()
            if _given_up.get()():
                raise Cancelled
            if left_s <= 0:
                raise _no_answer()
            older.join(min(_LOOK_S, left_s))
        if older is not None and _hanging.get(self._about) is older:
            del _hanging[self._about]


def _answer(
    asked: SimpleQueue[Callable[[], Any] | None], answers: SimpleQueue[tuple[bool, Any]]
) -> None:
    # NOTE: knows the queues alone, so that the thread does not keep alive whoever asks.
    while (question := asked.get()) is not None:
        try:
            answers.put((True, question()))
        except Exception as exc:
            answers.put((False, exc))
        del question  # with the file it may hold


def _no_answer() -> TimeoutError:
    return TimeoutError(errno.ETIMEDOUT, "its drive does not answer")
