"""The table: mean and spread by hand, nothing made up where nothing is known."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")
from carl_core.errors import ExportError
from training.evaluation.report import (
    HIGHER,
    LOWER,
    Report,
    Row,
    spread,
    to_json,
    to_markdown,
    write_report,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.torch


def report() -> Report:
    rows = [
        Row("First", "accuracy", "%", HIGHER, 2,
            {"model": [80.0, 82.0, 84.0], "position only": [50.0], "raw trunk": [math.nan]},
            "Note."),
        Row("First", "error", "s", LOWER, 3, {"model": [0.1, math.nan, 0.3]}),
        Row("Second", "other", "", HIGHER, 4, {"raw pixels": [1.0]}, "Note."),
    ]  # fmt: skip
    return Report("Title", {"encoder": "e (id)"}, rows, ["General."], ["losses.png"])


def test_spread_is_two_sample_deviations() -> None:
    assert spread([80.0, 82.0, 84.0]) == (82.0, pytest.approx(4.0))
    assert spread([5.0]) == (5.0, None)
    assert spread([5.0, math.nan]) == (5.0, None)
    mean, two_sigma = spread([math.nan])
    assert math.isnan(mean)
    assert two_sigma is None


def test_markdown_has_a_row_a_metric_and_a_column_a_control() -> None:
    lines = to_markdown(report()).splitlines()
    assert "| metric | model | position only | raw trunk | raw pixels |" in lines
    assert "| accuracy, % ↑ [2] | 82.00 ± 4.00 | 50.00 | – | – |" in lines
    assert "| error, s ↓ | 0.200 ± 0.283 | – | – | – |" in lines
    assert "| other ↑ [2] | – | – | – | 1.0000 |" in lines
    assert lines.count("2. Note.") == 1
    assert "1. General." in lines
    assert "![losses](losses.png)" in lines
    assert [line for line in lines if line.startswith("## ")] == ["## First", "## Second"]


def test_json_keeps_every_draw_and_writes_the_unknown_as_null(tmp_path: Path) -> None:
    write_report(report(), tmp_path / "new" / "folder")
    text = (tmp_path / "new" / "folder" / "report.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    document = json.loads(text)
    assert document == to_json(report())
    model = document["rows"][1]["columns"]["model"]
    assert model["values"] == [0.1, None, 0.3]
    assert model["mean"] == pytest.approx(0.2)
    assert document["rows"][0]["columns"]["raw trunk"]["mean"] is None
    assert (tmp_path / "new" / "folder" / "report.md").read_text("utf-8") == to_markdown(report())


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="Choose another folder with -o"):
        write_report(report(), tmp_path / "file")
