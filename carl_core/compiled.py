"""Inner loops that Numba compiles: when they are needed, or ahead, never because of an import.

That would hold up whoever imports, for seconds where there is no cache on disk yet. All release the
interpreter lock.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Kernel:
    """A function that is compiled for one signature when it is needed. Safe from any thread."""

    def __init__(
        self, function: Callable[..., Any], signature: Any, *, fastmath: bool | set[str]
    ) -> None:
        self._function = function
        self._signature = signature
        self._fastmath = fastmath
        self._compiled: Callable[..., Any] | None = None
        self._lock = threading.Lock()
        functools.update_wrapper(self, function)

    @property
    def is_compiled(self) -> bool:
        """Whether calling it takes no longer than its work."""
        return self._compiled is not None

    def compile(self) -> Callable[..., Any]:
        """Return the compiled function."""
        with self._lock:
            if self._compiled is None:
                from numba import njit  # half a second, which not everybody needs

                options = {"cache": True, "nogil": True, "fastmath": self._fastmath}
                self._compiled = njit(self._signature, **options)(self._function)
        assert self._compiled is not None
        return self._compiled

    def __call__(self, *arguments: Any) -> Any:
        """Run it."""
        return (self._compiled or self.compile())(*arguments)


KERNELS: list[Kernel] = []
"""Those of all modules imported so far."""


def kernel(
    signature: Any, *, fastmath: bool | set[str] = False
) -> Callable[[Callable[..., Any]], Kernel]:
    """Make a function one that is compiled for ``signature``, as Numba spells it."""

    def decorate(function: Callable[..., Any]) -> Kernel:
        KERNELS.append(Kernel(function, signature, fastmath=fastmath))
        return KERNELS[-1]

    return decorate


def compile_all(stop: threading.Event | None = None) -> None:
    """Compile every kernel, or load it from the cache, until told to stop."""
    for one in KERNELS:
        if stop is not None and stop.is_set():
            return
        one.compile()
