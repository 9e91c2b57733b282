"""Aliases for array types, and read-only views."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Float16 = npt.NDArray[np.float16]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]
Int8 = npt.NDArray[np.int8]
Bool = npt.NDArray[np.bool_]

_Scalar = TypeVar("_Scalar", bound=np.generic)


class Rows(Protocol):
    """Rows that can be asked for piece by piece: an array, or a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows and length of one."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> npt.NDArray[Any]: ...


def read_only(array: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """Return a view of ``array`` that cannot be written through.

    The memory is shared: the caller gives up writing to ``array`` as well.
    """
    view = array.view()
    view.flags.writeable = False
    return view


def as_read_only(values: Any, dtype: type[_Scalar]) -> npt.NDArray[_Scalar]:
    """Return ``values`` as a C-contiguous read-only array of ``dtype`` (copied only if needed)."""
    return read_only(np.ascontiguousarray(values, dtype=dtype))
