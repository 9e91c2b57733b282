"""Keep the memory of pictures that went for those that come."""

from __future__ import annotations

import ctypes
import platform

# Names of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_PICTURE_BYTES = 16 * 1024 * 1024
"""Larger blocks than a picture of a screen of 2560 x 1440 go back to the system at once."""

_KEPT_BYTES = 16 * 1024 * 1024


def keep_freed_memory() -> bool:
    """Have blocks of a picture's size stay with the process when they are freed, up to 16 MiB.

    Otherwise each picture's memory goes back to the system and comes again page by page, which
    takes a sixth of the time of scaling it. The 16 MiB are of each thread that makes pictures. For
    programs that play; false where the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(
        mallopt(_M_MMAP_THRESHOLD, _PICTURE_BYTES) and mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    )
