"""The one way in which this package compiles: cached on disk, without the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Compile with numba; fast mathematics, so no NaN may come in."""
    decorate = njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
    return cast(_Function, decorate(function))
