"""One window per user: files of a second start go to the window that is open.

A local socket of this user takes one line of JSON, ``{"carl": 1, "files": [absolute paths]}``, and
answers ``ok``. Nothing else is read from it, and nobody but the user may connect.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from app.presenters.timers import single_shot

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger("carl.instance")

VERSION = 1
MOST_BYTES = 256 * 1024
MOST_FILES = 1000
CONNECT_MS = 500
ANSWER_MS = 3000
"""A window that does not answer for so long is left alone; another one opens."""

_OK, _NO = b"ok\n", b"no\n"


def socket_name() -> str:
    """Name of this user's socket: in the user's runtime folder where there is one."""
    user = str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    if folder and Path(folder).is_dir():
        return str(Path(folder) / f"carl-{user}.socket")
    return f"carl-{hashlib.sha256(user.encode()).hexdigest()[:16]}-{user}"


class Instance(QObject):
    """The door of this user's window.

    Signals
    -------
    received(list[Path]) : another start was asked to open these

    Parameters
    ----------
    name : of the socket; None = this user's
    """

    received = Signal(object)

    def __init__(self, name: str | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = name or socket_name()
        self._server: QLocalServer | None = None
        self._limit_bytes = MOST_BYTES
        self._limit_ms = ANSWER_MS

    def send(self, paths: Sequence[Path]) -> bool:
        """Hand files to the open window; false when there is none, or it does not answer."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(CONNECT_MS):
            return False
        if not _is_ours(socket.fullServerName()):
            log.warning("the socket %s belongs to somebody else", socket.fullServerName())
            socket.abort()
            return False
        socket.write(message_of(paths))
        answer = b""
        while b"\n" not in answer and socket.waitForReadyRead(ANSWER_MS):
            answer += bytes(socket.readAll().data())
        socket.disconnectFromServer()
        return answer == _OK

    def listen(self) -> bool:
        """Become the window that takes files; false when another one already is."""
        probe = QLocalSocket()
        probe.connectToServer(self._name)
        if probe.waitForConnected(CONNECT_MS):
            probe.abort()
            return False
        # Nobody answers: what is there is left from a window that ended badly.
        QLocalServer.removeServer(self._name)
        server = QLocalServer(self)
        server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        server.newConnection.connect(self._on_connection)
        if not server.listen(self._name):
            log.info("no socket for further starts: %s", server.errorString())
            server.deleteLater()
            return False
        self._server = server
        return True

    def close(self) -> None:
        """Take no more files; the socket is removed."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _on_connection(self) -> None:
        assert self._server is not None
        while (socket := self._server.nextPendingConnection()) is not None:
            _Caller(socket, self, self._limit_bytes, self._limit_ms)


class _Caller(QObject):
    """One connection: reads a line, answers, ends."""

    def __init__(
        self, socket: QLocalSocket, instance: Instance, limit_bytes: int, limit_ms: int
    ) -> None:
        super().__init__(instance)
        self._socket = socket
        self._instance = instance
        self._limit_bytes = limit_bytes
        self._text = b""
        self._is_over = False
        socket.setParent(self)
        socket.readyRead.connect(self._read)
        socket.disconnected.connect(self.deleteLater)
        # Not QTimer.singleShot, whose timer would outlive this object.
        single_shot(self, limit_ms, socket.abort).start()
        self._read()

    def _read(self) -> None:
        if self._is_over:
            return
        self._text += bytes(self._socket.readAll().data())
        if b"\n" not in self._text:
            if len(self._text) > self._limit_bytes:
                self._answer(_NO)
            return
        line = self._text.split(b"\n", 1)[0]
        paths = paths_of(line) if len(line) <= self._limit_bytes else None
        self._answer(_NO if paths is None else _OK)
        if paths is not None:
            self._instance.received.emit(paths)

    def _answer(self, answer: bytes) -> None:
        self._is_over = True
        self._socket.write(answer)
        self._socket.flush()
        self._socket.disconnectFromServer()


def message_of(paths: Sequence[Path]) -> bytes:
    """Write the line that asks for files; relative paths are those of this process."""
    files = [str(path.absolute()) for path in paths]
    return json.dumps({"carl": VERSION, "files": files}).encode("ascii") + b"\n"


def paths_of(line: bytes) -> list[Path] | None:
    """Read such a line; None = it is none of ours."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.get("carl") != VERSION:
        return None
    files = data.get("files")
    if not isinstance(files, list) or len(files) > MOST_FILES:
        return None
    if not all(isinstance(f, str) and "\0" not in f and Path(f).is_absolute() for f in files):
        return None
    return [Path(f) for f in files]


def _is_ours(server: str) -> bool:
    """Whether a socket file belongs to this user; true where sockets are no files."""
    if not hasattr(os, "getuid") or not Path(server).exists():
        return True
    return Path(server).stat().st_uid == os.getuid()
