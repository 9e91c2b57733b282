"""docs/reliability.md says what the records hold, and every fault in it is a test that is there."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from scripts import reliability

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_made_of_the_records() -> None:
    """After a change of docs/reliability/*.json: python -m scripts.reliability table."""
    assert reliability.PAGE.read_text(encoding="utf-8") == reliability.page()


def test_every_fault_of_the_page_is_a_test() -> None:
    rows = json.loads((reliability.FOLDER / "faults.json").read_text(encoding="utf-8"))["faults"]
    for row in rows:
        file, _, name = row["test"].partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name.partition("[")[0] in defined, row["test"]


def test_every_fault_that_a_test_records_is_on_the_page() -> None:
    rows = json.loads((reliability.FOLDER / "faults.json").read_text(encoding="utf-8"))["faults"]
    on_page = {row["test"].partition("[")[0] for row in rows}
    for path in sorted((ROOT / "tests" / "faults").glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and "recorded" in {a.arg for a in node.args.args}:
                test = f"{path.relative_to(ROOT).as_posix()}::{node.name}"
                assert test in on_page, f"{test}: run python -m scripts.reliability faults table"
