"""Paths from files and people, asked about without ever raising."""

from __future__ import annotations

import os


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether a file lies at ``path``; false where that cannot be asked.

    Of a path without permission or of one that is too long, ``Path.is_file`` raises.
    """
    return os.path.isfile(path)  # noqa: PTH113
