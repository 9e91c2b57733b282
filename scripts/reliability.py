"""Try the faults at length and write docs/reliability.md from what came of them.

python -m scripts.reliability [faults] [kills] [soak] [table] [--times 100] [--rounds 2000]

Each part leaves its outcome as JSON in docs/reliability/, so that parts can be renewed one by one;
the table is made of all that is there. Without names all parts run, which takes an hour on two idle
cores. `make fuzz` renews fuzz.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reliability"
PAGE = ROOT / "docs" / "reliability.md"
PARTS = ("faults", "kills", "soak", "table")

# What a kind of work is, for the table of kills.
WORKS = {
    "save": "saving a project",
    "autosave": "keeping unsaved work",
    "align": "aligning and writing the alignment",
    "export": "exporting a video and labels",
    "embed": "embedding into the cache",
    "train": "training",
}


def main() -> int:
    """Return 0 where all went as it should."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--times", type=int, default=100, help="kills of each kind of work")
    parser.add_argument("--works", nargs="+", default=list(WORKS), help="kinds of work to kill")
    parser.add_argument("--rounds", type=int, default=2000, help="of the soak")
    options = parser.parse_args()
    parts = options.parts or list(PARTS)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    FOLDER.mkdir(parents=True, exist_ok=True)
    codes = []
    if "faults" in parts:
        codes.append(run_faults())
    if "kills" in parts:
        codes.append(run_kills(options.times, options.works))
    if "soak" in parts:
        out = str(FOLDER / "soak.json")
        codes.append(_call("scripts.soak", "--rounds", str(options.rounds), "--json", out))
    if "table" in parts:
        PAGE.write_text(page(), encoding="utf-8")
        sys.stdout.write(f"wrote {PAGE}\n")
    return max(codes, default=0)


def run_faults() -> int:
    """Run tests/faults and keep what each saw."""
    with tempfile.TemporaryDirectory() as scratch:
        rows = Path(scratch) / "rows.json"
        os.environ["CARL_RELIABILITY"] = str(rows)
        code = _call("pytest", "-q", "-p", "no:cacheprovider", "tests/faults")
        del os.environ["CARL_RELIABILITY"]
        if code == 0:
            _keep("faults", {"faults": json.loads(rows.read_text())})
    return code


def run_kills(times: int, works: list[str]) -> int:
    """Kill each kind of work so many times; a kind that is not named keeps its outcome."""
    code = 0
    outcomes = _read("kills").get("works", {})
    for name in works:
        with tempfile.TemporaryDirectory(prefix="carl-kills-") as scratch:
            out = Path(scratch) / "rounds.json"
            arguments = ["--times", str(times), "--works", name, "--json", str(out)]
            longest = {"train": "2", "align": "1.5", "export": "1.0"}.get(name, "0.5")
            _call("tests.helpers.kills", scratch, *arguments, "--longest", longest)
            rounds = json.loads(out.read_text()) if out.exists() else []
        bad = [one for one in rounds if not one["is_well"]]
        code |= bool(bad) or len(rounds) < times
        outcomes[name] = {
            "when": _today(),
            "kills": len(rounds),
            "bad": len(bad),
            "first_bad": bad[:3],
            "found": dict(Counter(one["found"] for one in rounds if one["is_well"])),
            "median_s": statistics.median([one["after_s"] for one in rounds] or [0.0]),
        }
        _keep("kills", {"works": outcomes})
    return code


def page() -> str:
    """Return docs/reliability.md."""
    lines = [
        "# What was tried, and what came of it",
        "",
        "Made by `make reliability` (scripts/reliability.py) from the files in docs/reliability/, "
        "not by hand.",
        "",
        *_faults_lines(_read("faults")),
        *_kills_lines(_read("kills")),
        *_soak_lines(_read("soak")),
        *_fuzz_lines(_read("fuzz")),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _faults_lines(document: dict[str, Any]) -> list[str]:
    rows = document.get("faults", [])
    if not rows:
        return []
    lines = [
        "## Faults on purpose",
        "",
        f"{document['when']}, {document['system']}: {len(rows)} faults, each a test of "
        "tests/faults that looks for the sentence, for lost work and for whether the program goes "
        "on. Names of folders are shortened here.",
        "",
        "| Fault | What the user sees | How it goes on |",
        "| --- | --- | --- |",
    ]
    for row in rows:
        cells = (row["fault"], row["sees"], row["then"])
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return [*lines, ""]


def _kills_lines(document: dict[str, Any]) -> list[str]:
    works = document.get("works", {})
    if not works:
        return []
    kills, bad = (sum(one[key] for one in works.values()) for key in ("kills", "bad"))
    lines = [
        "## Killed at random moments",
        "",
        f"{kills} kills (SIGKILL), {bad} that left something half written, lost what was finished "
        f"or could not go on. {document['system']}.",
        "",
        "| Work | Date | Kills | Wrong | What was there |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, one in works.items():
        found = ", ".join(f"{text}: {count}" for text, count in sorted(one["found"].items()))
        lines.append(
            f"| {WORKS[name]} | {one['when']} | {one['kills']} | {one['bad']} | {_cell(found)} |"
        )
    return [*lines, ""]


def _soak_lines(one: dict[str, Any]) -> list[str]:
    if not one:
        return []
    left = one["threads_left"]
    threads = "not looked at, it was stopped" if left is None else len(left)
    lines = [
        "## Used over and over",
        "",
        f"{one['when']}: {one['rounds']} rounds in {one['minutes']:g} minutes, each with two "
        "recordings nobody has seen before: open, embed, align, play, seek, search, pin, mark, "
        f"undo, other views, save, close. Errors: {one['errors']}; threads left at the end: "
        f"{threads}. Looked at when all is closed, growth after a warm-up of "
        f"{one['warm_up']} rounds (medians of the first and the last tenth):",
        "",
        "| | After the warm-up | At the end | Growth |",
        "| --- | --- | --- | --- |",
    ]
    names = {
        "private": "memory of its own (MB)",
        "handles": "open files and sockets",
        "threads": "threads",
        "qt_objects": "Qt objects",
    }
    for key, text in names.items():
        first, last = one["first"][key], one["last"][key]
        if key == "private":
            first, last = round(first / 1e6), round(last / 1e6)
        lines.append(f"| {text} | {first} | {last} | {one['growth_percent'][key]:+.1f} % |")
    if one["rounds"] < one.get("rounds_wanted", 0):
        lines += ["", f"The time was over before {one['rounds_wanted']} rounds were done."]
    return [*lines, ""]


def _fuzz_lines(one: dict[str, Any]) -> list[str]:
    targets = one.get("targets", {})
    if not targets:
        return []
    rows = targets if isinstance(targets, list) else list(targets.items())
    lines = ["## Damaged files", "", f"{one.get('what', '')} ({one.get('system', '')})", ""]
    columns: list[str] = []
    for _, row in rows:
        columns += [key for key in row if key not in columns]
    lines += ["| Target | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    for name, row in rows:
        lines.append(
            f"| {name} | " + " | ".join(_cell(str(row.get(c, ""))) for c in columns) + " |"
        )
    return [*lines, ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _call(module: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT).returncode


def _read(name: str) -> dict[str, Any]:
    path = FOLDER / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _keep(name: str, document: dict[str, Any]) -> None:
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    whole = {"when": _today(), "system": system, **document}
    text = json.dumps(whole, indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _today() -> str:
    return datetime.now(tz=UTC).date().isoformat()


if __name__ == "__main__":
    sys.exit(main())
