"""Downloads against a server on this machine: whole, broken, wrong, redirected, offline."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from carl_core.errors import Cancelled, ModelError
from carl_core.progress import Monitor
from training.downloads import checksum_in, download, weights_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 9000  # 2.3 MB: more than one block
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAME = f"net-{DIGEST[:8]}.pth"


class Server(ThreadingHTTPServer):
    """Serves ``CONTENT`` under every name; its attributes say how badly."""

    breaks_after: list[int]  # bytes sent by the next answers before the connection breaks
    knows_ranges = True
    status = 200
    redirect = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.breaks_after = []
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{NAME}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range")
        server.ranges.append(wanted)
        if server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
            return
        if server.status != 200:
            self.send_error(server.status)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        if not server.knows_ranges:
            start = 0
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.breaks_after.pop(0)] if server.breaks_after else body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("CARL_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def files(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if not file.name.endswith(".lock")}


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    path = download(server.url, tmp_path / "weights")
    assert path == tmp_path / "weights" / NAME
    assert path.read_bytes() == CONTENT
    assert download(server.url, tmp_path / "weights") == path
    assert server.ranges == [None]
    assert files(path.parent) == {NAME}


def test_a_broken_connection_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.breaks_after = [1_100_000]
    assert download(server.url, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1100000-"]


def test_an_interrupted_program_goes_on(server: Server, tmp_path: Path) -> None:
    done: list[float] = []

    def stop(progress: object) -> None:
        done.append(progress.done)  # type: ignore[attr-defined]
        if progress.done > 1:  # type: ignore[attr-defined]
            monitor.cancel()

    monitor = Monitor(stop, interval_s=0)
    with pytest.raises(Cancelled):
        download(server.url, tmp_path, monitor=monitor)
    assert files(tmp_path) == {NAME + ".part"}
    assert download(server.url, tmp_path).read_bytes() == CONTENT
    assert server.ranges[1] is not None


def test_a_server_that_sends_everything_again_is_fine(server: Server, tmp_path: Path) -> None:
    server.knows_ranges = False
    (tmp_path / (NAME + ".part")).write_bytes(b"something")
    assert download(server.url, tmp_path).read_bytes() == CONTENT


def test_more_than_there_is_begins_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / (NAME + ".part")).write_bytes(CONTENT + b"more")
    assert download(server.url, tmp_path).read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"damaged or another file.*expected 00000000"):
        download(server.url.replace(DIGEST[:8], "00000000"), tmp_path)
    assert files(tmp_path) == set()
    (tmp_path / NAME).write_bytes(b"old and wrong")
    with pytest.raises(ModelError, match="Delete"):
        download(server.url, tmp_path)


def test_an_address_may_state_the_checksum(server: Server, tmp_path: Path) -> None:
    whole = hashlib.sha256(CONTENT).hexdigest()
    plain = server.url.replace(f"-{DIGEST[:8]}", "")
    assert download(f"{plain}#sha256={whole}", tmp_path).read_bytes() == CONTENT
    with pytest.raises(ModelError, match=r"damaged or another file.*expected 00000000"):
        download(f"{plain}#sha256=00000000", tmp_path)
    with pytest.raises(ModelError, match="hex digits"):
        download(f"{plain}#sha256=short", tmp_path / "other")


def test_what_nothing_checks_is_not_fetched(server: Server, tmp_path: Path) -> None:
    plain = server.url.replace(f"-{DIGEST[:8]}", "")
    with pytest.raises(ModelError, match=r"nothing says what .* should hold.*#sha256="):
        download(plain, tmp_path)
    assert server.ranges == []
    # What the user has put there by hand is the user's own.
    (tmp_path / plain.rsplit("/", 1)[1]).write_bytes(CONTENT)
    assert download(plain, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [404, 503])
def test_a_server_without_the_file_is_a_sentence(
    server: Server, tmp_path: Path, status: int
) -> None:
    server.status = status
    with pytest.raises(ModelError, match=rf"{status}.*put it at .*{NAME}"):
        download(server.url, tmp_path)


def test_no_server_is_a_sentence(server: Server, tmp_path: Path) -> None:
    url = server.url.replace(f":{server.server_address[1]}", ":9")
    with pytest.raises(ModelError, match=r"cannot be downloaded.*Check the network"):
        download(url, tmp_path)


def test_offline_nothing_is_asked_for(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARL_OFFLINE", "1")
    with pytest.raises(ModelError, match=r"CARL_OFFLINE.*http://.*put it at") as caught:
        download(server.url, tmp_path)
    assert NAME in str(caught.value)
    assert server.ranges == []
    (tmp_path / NAME).write_bytes(CONTENT)
    assert download(server.url, tmp_path) == tmp_path / NAME


@pytest.mark.parametrize("url", ["http://example.org/x.pth", "ftp://example.org/x", "file:///x"])
def test_only_https_is_fetched(server: Server, tmp_path: Path, url: str) -> None:
    with pytest.raises(ModelError, match="only https"):
        download(url, tmp_path)
    assert files(tmp_path) == set()


@pytest.mark.parametrize("url", ["http://example.org/x.pth", "ftp://example.org/x"])
def test_a_redirect_away_from_https_is_not_followed(
    server: Server, tmp_path: Path, url: str
) -> None:
    server.redirect = url
    with pytest.raises(ModelError, match="only https"):
        download(server.url, tmp_path)
    assert files(tmp_path) == set()


def test_a_folder_that_cannot_be_written_is_a_sentence(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="CARL_WEIGHTS"):
        download(server.url, tmp_path / "file" / "weights")


def test_the_name_tells_the_checksum() -> None:
    assert checksum_in("resnet50-0676ba61.pth") == "0676ba61"
    assert checksum_in("moco_v2_200ep_pretrain.pth.tar") == ""
    assert checksum_in("net-0123456789abcdef.pth.tar") == "0123456789abcdef"


def test_the_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CARL_WEIGHTS", str(tmp_path))
    assert weights_folder() == tmp_path
    monkeypatch.delenv("CARL_WEIGHTS")
    assert weights_folder().parts[-2:] == ("carl", "weights")
