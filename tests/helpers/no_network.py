"""Run a program that is killed when it opens a network socket (Linux).

``python -m tests.helpers.no_network MODULE ARGUMENT...`` runs a module as ``python -m`` would. The
kernel itself watches (seccomp), so that libraries and child processes cannot go around it. Local
sockets of the machine (AF_UNIX) are allowed.
"""

from __future__ import annotations

import ctypes
import platform
import runpy
import struct
import sys

# The number of socket(2), and of the kernel's name for the architecture.
_SOCKET = {"x86_64": 41, "aarch64": 198}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_AF_INET, _AF_INET6 = 2, 10
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def is_possible() -> bool:
    """Whether this machine can watch a process like that."""
    return sys.platform == "linux" and platform.machine() in _SOCKET


def forbid() -> None:
    """From here on, a network socket ends this process and its children."""
    machine = platform.machine()
    # Code, how many steps to go on if equal and if not, value. Offsets are those of seccomp_data.
    steps = (
        (_LOAD, 0, 0, 4),
        (_EQUAL, 0, 5, _ARCHITECTURE[machine]),
        (_LOAD, 0, 0, 0),
        (_EQUAL, 0, 3, _SOCKET[machine]),
        (_LOAD, 0, 0, 16),
        (_EQUAL, 2, 0, _AF_INET),
        (_EQUAL, 1, 0, _AF_INET6),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _KILL),
    )
    program = b"".join(struct.pack("HBBI", *step) for step in steps)
    libc = ctypes.CDLL(None, use_errno=True)
    watched = _Program(len(steps), program)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _FILTER, ctypes.byref(watched), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the kernel does not watch system calls here")


def main() -> None:
    """Run the module that is named first."""
    forbid()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
