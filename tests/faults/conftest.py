"""Fixtures of the faults: the window's own, a small disk, and a record of what was seen.

With ``CARL_RELIABILITY`` set to a file, every fault that went as it should is written there, with
the sentence the user saw: what docs/reliability.md is made of.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.app.conftest import (  # noqa: F401
    aligned,
    make_program,
    no_leaks,
    themed,
    videos,
    wait_settled,
)
from tests.helpers.faults import Disk, small_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS: list[dict[str, str]] = []


class Recorded(Protocol):
    def __call__(self, fault: str, *, sees: str, then: str) -> None: ...


@pytest.fixture
def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> Recorded:
    """Note a fault at the end of its test: what happened, what the user sees, how it goes on."""

    def record(fault: str, *, sees: str, then: str) -> None:
        assert sees == "nothing" or sees.rstrip().endswith("."), f"no sentence: {sees}"
        assert "Traceback" not in sees
        sees, then = (text.replace(str(tmp_path), "FOLDER") for text in (sees, then))
        test = request.node.nodeid
        _ROWS.append({"fault": fault, "sees": sees, "then": then, "test": test})

    return record


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", monkeypatch) as made:
        yield made


def pytest_sessionfinish() -> None:
    target = os.environ.get("CARL_RELIABILITY")
    if target and _ROWS:
        rows = sorted(_ROWS, key=lambda row: row["test"])
        Path(target).write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
