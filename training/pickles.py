"""Read pickles that others made without running anything they hold.

A pickle is a program: it names functions and has them called. Here only functions on a list are
found, each of them a harmless stand-in that makes plain data; any other name is an error before
anything runs. Sources: the data sets and checkpoints of the official code are pickles.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from carl_core.errors import CarlError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

# What a malformed pickle makes the unpickler, NumPy or torch raise.
_FAULTS = (
    pickle.UnpicklingError,
    EOFError,
    OSError,
    ValueError,  # also UnicodeError
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    MemoryError,
    RecursionError,
    RuntimeError,
    ImportError,
)
_KINDS = "biufcSUO"
_BUILTIN_MODULES = ("builtins", "__builtin__")


class PickleError(CarlError):
    """A pickle is damaged, or asks for what is not plain data.

    Attributes
    ----------
    refused : "module.name" that was asked for and not run, "" = the file is damaged
    """

    def __init__(self, message: str, *, refused: str = "") -> None:
        super().__init__(message)
        self.refused = refused


def read_pickle(path: Path) -> Any:
    """Read containers, numbers, text, bytes, NumPy arrays and torch tensors (on the CPU).

    Torch is needed only where the file holds tensors.

    Raises
    ------
    PickleError
        When the file cannot be read, is damaged, or asks for anything else; nothing of it is run.
    """
    try:
        with path.open("rb") as file:
            return _plain(unpickler(PLAIN)(file).load(), {})
    except PickleError as error:
        raise PickleError(f"{path}: {error}", refused=error.refused) from error.__cause__
    except FileNotFoundError as exc:
        raise PickleError(f"There is no file {path}.") from exc
    except _FAULTS as exc:
        raise PickleError(
            f"{path} cannot be read as a pickle ({exc}): it is damaged, or not a pickle. "
            "Copy or download it again."
        ) from exc


def unpickler(allowed: Mapping[tuple[str, str], Callable[..., Any]]) -> type[pickle.Unpickler]:
    """Make an ``Unpickler`` that finds nothing but what ``allowed`` holds.

    Parameters
    ----------
    allowed : what stands for each (module, name); usually `PLAIN` and some stand-ins more

    Its ``find_class`` raises `PickleError` for every other name.
    """
    known = dict(allowed)

    class SafeUnpickler(pickle.Unpickler):
        def find_class(self, module_name: str, global_name: str, /) -> Any:
            found = known.get((module_name, global_name))
            if found is None:
                refused = f"{module_name}.{global_name}"
                raise PickleError(
                    f"the pickle asks for {refused}, which is not plain data; it was not run. "
                    "Use the file only if you trust where it comes from, and convert it there "
                    "to plain lists, numbers and arrays.",
                    refused=refused,
                )
            # A pickle may set attributes of what it found: it gets a fresh object each time.
            return found if isinstance(found, type) else _Call(found)

    return SafeUnpickler


def pickle_module(allowed: Mapping[tuple[str, str], Callable[..., Any]]) -> ModuleType:
    """Make what ``torch.load(..., pickle_module=..., weights_only=False)`` takes for ``pickle``.

    Parameters
    ----------
    allowed : as `unpickler`
    """
    safe = unpickler(allowed)
    module = ModuleType("training.pickles.allowed")
    names: dict[str, Any] = {
        "Unpickler": safe,
        "UnpicklingError": pickle.UnpicklingError,
        "PickleError": pickle.PickleError,
        "load": lambda file, **options: safe(file, **options).load(),
        "loads": lambda data, **options: safe(io.BytesIO(data), **options).load(),
    }
    for name, value in names.items():
        setattr(module, name, value)
    return module


class _Call:
    """A function that a pickle may call, and no more than call."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)


class _Kind:
    """Stands for a NumPy dtype: a pickle may set its byte order and nothing else.

    NumPy's own dtypes believe the flags a pickle gives them, which can corrupt memory.
    """

    __slots__ = ("dtype",)

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array(np.ndarray[Any, Any]):
    """An array being rebuilt, whose contents are checked before NumPy sees them."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, is_fortran, content = state
        wanted = list if _dtype_of(kind).kind == "O" else bytes
        if not isinstance(content, wanted):
            raise PickleError("the pickle holds an array whose contents do not fit its type")
        if wanted is list and len(content) != int(np.prod(shape, dtype=np.int64)):
            raise PickleError("the pickle holds an array whose contents do not fit its shape")
        checked: Any = (1, shape, kind.dtype, bool(is_fortran), content)
        super().__setstate__(checked)


def _kind(name: Any, *unused: Any) -> _Kind:
    dtype = np.dtype(name) if isinstance(name, str) else None
    if dtype is None or dtype.kind not in _KINDS:
        raise PickleError(f"the pickle holds an array of type {name!r}, which is not read")
    return _Kind(dtype)


def _dtype_of(kind: Any) -> np.dtype[Any]:
    if not isinstance(kind, _Kind):
        raise PickleError("the pickle holds an array without a type")
    return kind.dtype


def _no_array(*unused: Any) -> Any:
    """Stand for ``numpy.ndarray``, which a pickle names but does not call."""
    raise PickleError("the pickle makes an array in an unusual way, which is not read")


def _reconstruct(*unused: Any) -> _Array:
    return _Array((0,), dtype=np.int8)


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any) -> Any:
    dtype = _dtype_of(kind)
    if dtype.kind == "O":
        raise PickleError("the pickle holds objects given as bytes, which are not read")
    return np.frombuffer(content, dtype=dtype).reshape(shape, order=order).copy()


def _scalar(kind: Any, content: Any) -> Any:
    dtype = _dtype_of(kind)
    if dtype.kind == "O":
        return content
    if dtype.itemsize == 0:
        return dtype.type()
    return np.frombuffer(content, dtype=dtype, count=1)[0]


def _encode(text: str, encoding: str) -> bytes:
    """Give back bytes that old protocols store as text."""
    if encoding not in ("latin1", "latin-1"):
        raise PickleError(f"the pickle holds bytes as {encoding!r}, which is not read")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


def _storage(content: bytes) -> Any:
    # Imported here because data sets without tensors are read without torch.
    import torch

    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *unused: Any) -> Any:
    """Rebuild a tensor; gradients and hooks stay out."""
    import torch

    rebuild: Any = torch._utils._rebuild_tensor
    is_typed = isinstance(storage, torch.storage.TypedStorage)
    size_of: Any = getattr(storage, "_size", None)
    if not is_typed or size_of is None:
        raise PickleError("the pickle holds a tensor without numbers")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if min([offset, *size, *stride], default=0) < 0 or (0 not in size and last >= size_of()):
        raise PickleError("the pickle holds a tensor that reaches beyond its numbers")
    return rebuild(storage, offset, tuple(size), tuple(stride))


def _parameter(tensor: Any, *unused: Any) -> Any:
    return tensor


def _plain(value: Any, seen: dict[int, Any]) -> Any:
    """Replace rebuilt arrays and stand-ins by what they stand for, inside containers too."""
    if isinstance(value, _Kind):
        return value.dtype
    if isinstance(value, _Array):
        array = value.view(np.ndarray)
        if array.dtype.kind == "O":
            array.flat[:] = [_plain(item, seen) for item in array.flat]
        return array
    if not isinstance(value, list | dict | tuple | set):
        return value
    if id(value) in seen:
        return seen[id(value)]
    seen[id(value)] = value
    if isinstance(value, list):
        value[:] = [_plain(item, seen) for item in value]
    elif isinstance(value, dict):
        for key in value:
            value[key] = _plain(value[key], seen)
    elif isinstance(value, tuple):
        seen[id(value)] = tuple(_plain(item, seen) for item in value)
    return seen[id(value)]


_BUILTINS: dict[str, Callable[..., Any]] = {
    "set": set,
    "frozenset": frozenset,
    "complex": complex,
    "range": range,
    "xrange": range,
    "slice": slice,
    "bytes": _no_bytes,
}

# What stands for each name that plain data asks for.
PLAIN: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _encode,
    **{(module, name): _BUILTINS[name] for module in _BUILTIN_MODULES for name in _BUILTINS},
    ("numpy", "ndarray"): _no_array,
    ("numpy", "dtype"): _kind,
    **{
        (f"numpy.{core}.{module}", name): function
        for core in ("core", "_core")
        for module, name, function in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
    ("torch.storage", "_load_from_bytes"): _storage,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): tuple,
}
