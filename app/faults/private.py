"""Take out of a text what says whose files were open: it goes into reports others read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = "(file)"

_MEDIA = "mp4|mov|m4v|mkv|webm|avi|mts|m2ts|ts|mpg|mpeg|wmv|flv|3gp|ogv|mxf|gif|y4m"
_ENDS = f"(?:{_MEDIA}|png|jpe?g|webp|bmp|tiff?|carl|autosave|onnx|csv|json|eaf|otio|npy|ini)"
_PATTERNS = (
    # An absolute path up to a suffix, spaces and all; then what is left of one without a suffix.
    re.compile(rf"(?:[A-Za-z]:[\\/]|(?<![\w)])[/~])[^\n\"\'“”<>|]*?\.{_ENDS}\b", re.IGNORECASE),
    re.compile(r"(?:[A-Za-z]:\\|(?<![\w)<])~?/)[^\s\"\'“”,;:<>|]+"),
    re.compile(rf"“[^”\n]*\.{_ENDS}”|[^\s\"\'“”,;:()/]+\.{_ENDS}\b", re.IGNORECASE),
)


def without_paths(text: str, names: Iterable[tuple[str, str]] = ()) -> str:
    """Return ``text`` with paths and names of files replaced.

    Parameters
    ----------
    names : (path or name, what to write instead); the rest becomes ``FILE``
    """
    for name, instead in sorted(names, key=lambda pair: -len(pair[0])):
        if name:
            text = text.replace(name, instead)
    for pattern in _PATTERNS:
        text = pattern.sub(FILE, text)
    return text
