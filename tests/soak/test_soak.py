"""Ten rounds of use; thousands by `python -m scripts.soak`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.helpers.soak import Sample, growth

ROOT = Path(__file__).parents[2]
ROUNDS, WARM_UP = 10, 4

# Every pair is new, and embeddings that stay at hand are files held open: their limit is to be
# reached while warming up.
CHILD = f"""
import sys
from carl_core import pipeline
pipeline._MOST_KEPT = 2 * {WARM_UP}
from scripts.soak import main
sys.exit(main())
"""


def test_ten_rounds_of_use_leave_no_thread_no_handle_no_error(tmp_path: Path) -> None:
    """In a process of its own: nothing that other tests left is counted."""
    found = tmp_path / "soak.json"
    rounds = ["--rounds", str(ROUNDS), "--warm-up", str(WARM_UP), "--json", str(found)]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *rounds], cwd=ROOT, capture_output=True, text=True
    )
    assert found.is_file(), done.stdout + done.stderr
    result = json.loads(found.read_text())
    assert (result["rounds"], result["errors"]) == (ROUNDS, 0), result
    assert result["threads_left"] == []
    grown = {name: result["growth_percent"][name] for name in ("private", "handles", "qt_objects")}
    assert all(percent < 5.0 for percent in grown.values()), grown
    # One of a handful may just be ending: over ten rounds that is no growth.
    assert result["last"]["threads"] - result["first"]["threads"] <= 1


def test_what_grows_is_seen() -> None:
    samples = [Sample(k, 1000 + 10 * k, 12, 5, 100, 100) for k in range(100)]
    assert growth(samples, warm_up=20, what="private") > 50
    assert growth(samples, warm_up=20, what="handles") == 0
