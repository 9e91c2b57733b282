from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from app.bootstrap import instance as module
from app.bootstrap.instance import Instance, message_of, paths_of, socket_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot


@pytest.fixture
def name(tmp_path: Path) -> str:
    return str(tmp_path / "carl.socket")


@pytest.fixture
def first(name: str, qtbot: QtBot) -> Iterator[Instance]:
    instance = Instance(name)
    assert instance.listen()
    yield instance
    instance.close()


def sent(name: str, paths: list[Path], qtbot: QtBot) -> bool:
    """Send from another process."""
    code = (
        "import sys; from pathlib import Path; from app.bootstrap.instance import Instance; "
        "sys.exit(not Instance(sys.argv[1]).send([Path(p) for p in sys.argv[2:]]))"
    )
    root = Path(__file__).parents[2]
    sender = subprocess.Popen(
        [sys.executable, "-c", code, name, *map(str, paths)],
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    qtbot.waitUntil(lambda: sender.poll() is not None, timeout=60_000)
    return sender.returncode == 0


def answer_to(name: str, text: bytes, qtbot: QtBot) -> bytes:
    socket = QLocalSocket()
    socket.connectToServer(name)
    socket.write(text)
    qtbot.waitUntil(lambda: socket.state() == QLocalSocket.LocalSocketState.UnconnectedState)
    return bytes(socket.readAll().data())


def test_a_second_start_hands_its_files_over(
    first: Instance, name: str, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    got: list[list[Path]] = []
    first.received.connect(got.append)
    odd = Path(os.fsdecode(b"/v/\xff %41 \xc3\xa4\n.mp4"))
    assert sent(name, [Path("take.mp4"), odd], qtbot)
    assert got == [[tmp_path / "take.mp4", odd]]
    assert sent(name, [], qtbot)


def test_without_a_window_nothing_is_sent(name: str, qtbot: QtBot) -> None:
    assert not Instance(name).send([Path("/a.mp4")])


def test_only_one_listens_and_the_next_one_can_when_it_is_gone(
    first: Instance, name: str, qtbot: QtBot
) -> None:
    second = Instance(name)
    assert not second.listen()
    first.close()
    assert second.listen()
    second.close()
    assert not Path(name).exists()


def test_a_socket_left_behind_is_replaced(name: str, qtbot: QtBot) -> None:
    Path(name).touch()
    instance = Instance(name)
    assert not instance.send([Path("/a.mp4")])
    assert instance.listen()
    instance.close()


def test_nobody_else_may_connect(first: Instance, name: str) -> None:
    assert Path(name).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"carl": 2, "files": []}',
        b'{"carl": 1}',
        b'{"carl": 1, "files": ["relative.mp4"]}',
        b'{"carl": 1, "files": [7]}',
        b'{"carl": 1, "files": ["/a\\u0000b"]}',
        json.dumps({"carl": 1, "files": ["/a"] * 1001}).encode(),
        b"\xff\xfe",
    ],
)
def test_what_is_no_request_is_refused(
    first: Instance, name: str, qtbot: QtBot, line: bytes
) -> None:
    got: list[list[Path]] = []
    first.received.connect(got.append)
    assert paths_of(line) is None
    assert answer_to(name, line + b"\n", qtbot) == b"no\n"
    assert got == []


def test_a_line_without_end_is_cut_off(first: Instance, name: str, qtbot: QtBot) -> None:
    first._limit_bytes = 1000
    assert answer_to(name, b"x" * 5000, qtbot) == b"no\n"
    long = message_of([Path("/" + "x" * 2000)])
    assert answer_to(name, long, qtbot) == b"no\n"


def test_who_says_nothing_is_hung_up_on(first: Instance, name: str, qtbot: QtBot) -> None:
    first._limit_ms = 20
    assert answer_to(name, b"", qtbot) == b""


def test_a_window_that_hangs_is_not_waited_for(
    name: str, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = QLocalServer()
    assert silent.listen(name)
    monkeypatch.setattr(module, "ANSWER_MS", 20)
    assert not Instance(name).send([Path("/a.mp4")])
    silent.close()


def test_sockets_of_different_users_differ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert Path(socket_name()).parent == tmp_path
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    mine = socket_name()
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    assert socket_name() != mine
    assert "4711" in socket_name()
