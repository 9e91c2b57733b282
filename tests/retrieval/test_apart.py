"""What becomes of a build in a process of its own, however that process ends."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from carl_core.errors import Cancelled, StoreError
from carl_core.progress import Monitor
from carl_core.retrieval import apart
from carl_core.retrieval.library import Library

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path, "m" * 16)


def run_as(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(apart, "PROGRAM", (sys.executable, "-c", script))


def test_it_is_asked_for_what_is_wanted(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "arguments"
    run_as(monkeypatch, f"import sys; open({str(out)!r}, 'w').write(' '.join(sys.argv[1:]))")
    apart.build_apart(library, "x.onnx", 77, Monitor())
    assert out.read_text() == "library build --idle --device cpu --least 77 --model x.onnx"


def test_a_build_stopped_from_elsewhere_counts_as_cancelled(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_as(monkeypatch, "import sys; sys.exit(130)")
    with pytest.raises(Cancelled):
        apart.build_apart(library, None, 1, Monitor())


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import sys; sys.exit('a line\\ncarl: The disk is full.')", "built: The disk is full."),
        ("import os; os._exit(9)", "its process ended with 9"),
    ],
)
def test_a_build_that_fails_says_why(
    library: Library, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    run_as(monkeypatch, script)
    with pytest.raises(StoreError, match=said):
        apart.build_apart(library, None, 1, Monitor())


def test_cancelling_ends_the_process(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    run_as(
        monkeypatch,
        f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(600);"
        f"pathlib.Path({str(ended)!r}).touch()",
    )
    started: list[object] = []
    start = apart.start_build
    monkeypatch.setattr(
        apart, "start_build", lambda *options: started.append(start(*options)) or started[-1]
    )
    monitor, raised = Monitor(), threading.Event()

    def build() -> None:
        with pytest.raises(Cancelled):
            apart.build_apart(library, None, 1, monitor)
        raised.set()

    thread = threading.Thread(target=build)
    thread.start()
    wait = threading.Event()
    while not begun.exists():
        wait.wait(0.01)
    monitor.cancel()
    assert raised.wait(20)
    thread.join()
    (process,) = started
    assert process.returncode is not None  # type: ignore[attr-defined]
    assert not ended.exists()


def test_nothing_is_started_before_other_work_is_over(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def is_free() -> bool:
        assert not (tmp_path / "begun").exists() or all(asked[-5:])
        asked.append(len(asked) > 3)
        return asked[-1]

    run_as(monkeypatch, f"import pathlib; pathlib.Path({str(tmp_path / 'begun')!r}).touch()")
    stages: list[str] = []
    apart.build_apart(library, None, 1, Monitor(lambda p: stages.append(p.stage)), is_free)
    assert stages == [apart.WAITING]
    assert (tmp_path / "begun").exists()
