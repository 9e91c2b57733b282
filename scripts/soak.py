"""Use the window for thousands of rounds and say what it keeps (docs/reliability.md).

python -m scripts.soak [--rounds 2000] [--warm-up 200] [--minutes M] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from carl_core.atomic import write_atomic

if TYPE_CHECKING:
    from tests.helpers.soak import Sample, Soak

FIGURES = ("private", "handles", "threads", "qt_objects", "python_objects")
MOST_GROWTH = 5.0
"""Per cent, after the warm-up."""


def main() -> int:
    """Return 0 where nothing grew, nothing was left and nothing went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--warm-up", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=math.inf, help="end after these")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--every", type=int, default=50, help="print every so many rounds")
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory(prefix="carl-soak-") as scratch:
        os.environ["CARL_CACHE"] = str(Path(scratch) / "cache")
        result = soak(Path(scratch), options)
    if options.json is not None:
        _keep(options.json, result)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0 if result["passed"] else 1


def soak(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """Run it; return what docs/reliability/soak.json holds.

    What is known so far is kept on the way: of a process that is stopped, its rounds are not lost.
    """
    # after QT_QPA_PLATFORM and CARL_CACHE are set
    from app.bootstrap.run import SWITCH_INTERVAL_S, import_engine, make_application
    from app.resources.theme import THEME
    from tests.helpers.soak import Soak

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    app = make_application()
    THEME.apply(app, "dark")
    import_engine()
    began = time.monotonic()
    runner = Soak(folder)

    def tell(sample: Sample) -> None:
        if sample.round % options.every == 0:
            text = ", ".join(f"{name} {getattr(sample, name)}" for name in FIGURES)
            minutes = (time.monotonic() - began) / 60
            sys.stderr.write(f"{minutes:6.1f} min, round {sample.round}: {text}\n")
            for error in runner.errors[-3:]:
                sys.stderr.write(f"  {error}\n")
            sys.stderr.flush()
            if options.json is not None and sample.round >= options.warm_up:
                _keep(options.json, outcome(None))

    def outcome(left: list[str] | None) -> dict[str, object]:
        return _outcome(runner, options, (time.monotonic() - began) / 60, left)

    runner.run(options.rounds, limit_s=60 * options.minutes, on_sample=tell)
    runner.close()
    return outcome([t.name for t in threading.enumerate() if t.name.startswith("carl-")])


def _outcome(
    runner: Soak, options: argparse.Namespace, minutes: float, left: list[str] | None
) -> dict[str, object]:
    """Sum up the rounds until now; ``left`` = threads that are there after the end, None before."""
    from tests.helpers.soak import growth

    rounds, warm_up = options.rounds, options.warm_up
    grown = {name: round(growth(runner.samples, warm_up=warm_up, what=name), 2) for name in FIGURES}
    watched = ("private", "handles", "threads", "qt_objects")
    return {
        "when": datetime.now(tz=UTC).date().isoformat(),
        "rounds": len(runner.samples),
        "rounds_wanted": rounds,
        "warm_up": warm_up,
        "minutes": round(minutes, 1),
        "growth_percent": grown,
        "first": asdict(runner.samples[min(warm_up, len(runner.samples) - 1)]),
        "last": asdict(runner.samples[-1]),
        "threads_left": left,
        "errors": len(runner.errors),
        "first_errors": runner.errors[:10],
        "passed": len(runner.samples) == rounds
        and not runner.errors
        and left == []
        and all(grown[n] < MOST_GROWTH for n in watched),
    }


def _keep(path: Path, result: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
