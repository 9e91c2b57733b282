"""Fetch published weights once: over https, checked, resumed, and never behind anybody's back.

Only what the user asked for is fetched, and a machine without a network is told which file to put
where.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import platformdirs

from carl_core.embeddings.locks import FileLock
from carl_core.errors import ModelError
from carl_core.progress import Monitor

log = logging.getLogger("carl.train")

_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_ATTEMPTS = 3  # a broken connection is taken up again where it broke
_LOCAL = ("127.0.0.1", "localhost", "::1")


def weights_folder() -> Path:
    """Folder of downloaded weights (``CARL_WEIGHTS`` overrides it)."""
    given = os.environ.get("CARL_WEIGHTS")
    return Path(given) if given else platformdirs.user_cache_path("carl") / "weights"


def checksum_in(name: str) -> str:
    """Return the beginning of the sha256 in a name like ``resnet50-0676ba61.pth``, or ""."""
    found = re.search(r"-([0-9a-f]{8,64})(?:\.[A-Za-z0-9]+)+$", name)
    return found[1] if found else ""


def download(
    url: str,
    folder: Path | None = None,
    *,
    sha256: str | None = None,
    monitor: Monitor | None = None,
) -> Path:
    """Return the file behind ``url``, fetched only when it is not in ``folder`` yet.

    The file appears under its name only when it is complete and its checksum is right. What an
    interrupted download left is taken up again.

    Parameters
    ----------
    url : https (http only to this very machine)
    folder : where files are kept, None = ``weights_folder()``
    sha256 : beginning of the checksum, None = as the address (``...#sha256=HEX``) or the name of
        the file says; where nothing does, nothing is fetched
    monitor : progress in MB, and cancellation

    Raises
    ------
    ModelError
        Without network, with ``CARL_OFFLINE`` set, without or for a wrong checksum, or for an
        unwritable folder; it names the file, the address and where to put it.
    """
    folder = folder or weights_folder()
    target = folder / Path(urllib.parse.urlsplit(url).path).name
    expected = _stated_checksum(url) if sha256 is None else sha256
    if target.is_file():
        _check(target, expected, f"Delete {target} and try again.")
        return target
    by_hand = f"Download {url} on another machine and put it at {target}."
    if os.environ.get("CARL_OFFLINE", "0") not in ("", "0"):
        raise ModelError(f"{target.name} is needed, and CARL_OFFLINE is set. {by_hand}")
    _check_address(url)
    if not expected:
        raise ModelError(
            f"{url} is not fetched: nothing says what {target.name} should hold. End the address "
            f"in #sha256= and its checksum, as the publisher gives it, or else: {by_hand}"
        )
    partial = target.with_name(target.name + ".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.with_name(target.name + ".lock"))
        if not lock.acquire():
            raise ModelError(f"Another program is downloading {target} right now. Try again later.")
        try:
            log.info("downloading %s to %s", url, target)
            _fetch_all(url, partial, monitor or Monitor(), by_hand)
            try:
                _check(partial, expected, f"Try again, or else: {by_hand}")
            except ModelError:
                partial.unlink()
                raise
            partial.replace(target)
        finally:
            lock.release()
    except OSError as exc:
        raise ModelError(
            f"{target} cannot be written: {exc.strerror or exc}. Free some space, or set "
            "CARL_WEIGHTS to another folder."
        ) from exc
    return target


def _check_address(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL):
        return
    raise ModelError(f"{url} is not fetched: only https addresses are.")


def _stated_checksum(url: str) -> str:
    """Return the beginning of the sha256 that an address states. Raises ``ModelError``."""
    parts = urllib.parse.urlsplit(url)
    kind, _, value = parts.fragment.partition("=")
    if kind != "sha256":
        return checksum_in(Path(parts.path).name)
    if not re.fullmatch(r"[0-9a-fA-F]{8,64}", value):
        raise ModelError(f"{url}: a checksum is written #sha256= and 8 to 64 hex digits.")
    return value.lower()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, expected: str, advice: str) -> None:
    if not expected:
        return
    found = _sha256(path)
    if not found.startswith(expected):
        raise ModelError(
            f"{path} is damaged or another file: its sha256 begins with {found[: len(expected)]}, "
            f"expected {expected}. {advice}"
        )


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never away from https."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch_all(url: str, partial: Path, monitor: Monitor, by_hand: str) -> None:
    opener = urllib.request.build_opener(_SafeRedirects)
    reason: object = None
    for _ in range(_ATTEMPTS):
        try:
            if _fetch(opener, url, partial, monitor):
                return
            reason = "the connection broke off"
        except urllib.error.HTTPError as exc:
            exc.close()
            reason = f"the server answers {exc.code} {exc.reason}"
            if exc.code == 416:  # what is there does not fit the file behind the address any more
                partial.unlink(missing_ok=True)
            elif exc.code < 500:
                break
        except urllib.error.URLError as exc:
            reason = exc.reason
        except (TimeoutError, ConnectionError, http.client.HTTPException) as exc:
            reason = exc
    raise ModelError(
        f"{url} cannot be downloaded: {reason}. Check the network and try again, which goes on "
        f"where it stopped. Without a network: {by_hand}"
    )


def _fetch(
    opener: urllib.request.OpenerDirector, url: str, partial: Path, monitor: Monitor
) -> bool:
    """Fetch what is missing in ``partial``; return whether it is complete."""
    there = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "carl"})
    if there:
        request.add_header("Range", f"bytes={there}-")
    total: int | None
    with opener.open(request, timeout=_TIMEOUT_S) as answer:
        is_rest = answer.headers.get("Content-Range", "").startswith(f"bytes {there}-")
        if answer.status != 206 or not is_rest:
            there = 0  # the server sends the whole file
        length = answer.headers.get("Content-Length")
        total = there + int(length) if length else None
        monitor.start(
            f"downloading {partial.stem}", total / 1e6 if total else None, "MB", there / 1e6
        )
        with partial.open("ab" if there else "wb") as file:
            while block := answer.read(_CHUNK):
                file.write(block)
                there += len(block)
                monitor.advance(len(block) / 1e6)
            file.flush()
            os.fsync(file.fileno())
    return total is None or there == total
