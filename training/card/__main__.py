r"""Write the model card of an encoder from the facts its runs left: ``python -m training.card``.

    python -m training.card --trunk runs/encoder/trunk --head runs/encoder/head --pool POOL \
        [--scores alignment.json] [--compare compare.json] [--notes notes.md] -o encoder.md

``--trunk`` is a run folder of ``training.distill``, ``--head`` one of ``training.train`` on that
trunk. ``--scores`` is what ``python -m benchmarks.alignment --model ENCODER --json FILE`` wrote,
``--compare`` the ``compare.json`` of ``training.compare``. ``--notes`` is put in as it stands,
under "Weaknesses". Nothing in the card is typed by hand but the notes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from carl_core.atomic import write_atomic
from carl_core.errors import CarlError
from training.card.write import model_card


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; 3 when something cannot be read or used."""
    parser = argparse.ArgumentParser(
        prog="python -m training.card",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name in ("trunk", "head", "pool"):
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="FOLDER")
    for name in ("scores", "compare", "notes"):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    chosen = parser.parse_args(arguments)
    try:
        notes = chosen.notes.read_text(encoding="utf-8") if chosen.notes else ""
        text = model_card(
            chosen.trunk, chosen.head, chosen.pool,
            scores=chosen.scores, compare=chosen.compare, notes=notes,
        )  # fmt: skip
        write_atomic(chosen.output, text)
    except (CarlError, OSError, UnicodeDecodeError) as exc:
        print(exc, file=sys.stderr)
        return 3
    print(chosen.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
