"""Check a data set: ``python -m training.data check DIR`` says what is missing."""

from __future__ import annotations

import sys

from training.datasets.check import run_cli

_USAGE = "usage: python -m training.data check DIR [options]; --help after check explains them"


def main(arguments: list[str]) -> int:
    """Run the command named first; return the exit code."""
    if arguments[:1] == ["check"]:
        return run_cli(arguments[1:])
    print(_USAGE, file=sys.stdout if arguments[:1] in (["-h"], ["--help"]) else sys.stderr)
    return 0 if arguments[:1] in (["-h"], ["--help"]) else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
