"""Ten rounds of use; thousands by `python -m scripts.soak`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from app.resources.theme import THEME
from tests.helpers.soak import Sample, Soak, growth

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from PySide6.QtWidgets import QApplication

ROUNDS, WARM_UP = 10, 4


def test_ten_rounds_of_use_leave_no_thread_no_handle_no_error(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every pair is new, and embeddings that stay at hand are files held open: their limit is to be
    # reached while warming up.
    monkeypatch.setattr("carl_core.pipeline._MOST_KEPT", 2 * WARM_UP)
    before = {thread.name for thread in threading.enumerate()}  # the pools of other tests
    THEME.apply(qapp, "dark")
    soak = Soak(tmp_path)
    soak.run(ROUNDS)
    soak.close()
    assert not soak.errors
    left = {thread.name for thread in threading.enumerate()} - before
    assert not [name for name in left if name.startswith("carl-")]
    for what in ("handles", "threads", "qt_objects", "rss"):
        assert growth(soak.samples, warm_up=WARM_UP, what=what) < 5.0, (what, soak.samples)


def test_what_grows_is_seen() -> None:
    samples = [Sample(k, 1000 + 10 * k, 12, 5, 100, 100) for k in range(100)]
    assert growth(samples, warm_up=20, what="rss") > 50
    assert growth(samples, warm_up=20, what="handles") == 0
