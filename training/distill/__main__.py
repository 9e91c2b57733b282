"""Distil a trunk: ``python -m training.distill --config C [--set section.key=value ...]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from carl_core.errors import CarlError
from training.distill.loop import distill
from training.distill.settings import load_settings


def main() -> int:
    """Run from the command line; 3 when something cannot be read or used."""
    parser = argparse.ArgumentParser(
        prog="python -m training.distill",
        description="Train a trunk from scratch under two teachers; go on where it stopped.",
    )
    parser.add_argument("--config", type=Path, help="TOML with [views], [student], [run]")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="settings"
    )
    chosen = parser.parse_args()
    try:
        path = distill(load_settings(chosen.config, chosen.settings), console=Console(stderr=True))
    except CarlError as exc:
        print(exc, file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from the last saved state.", file=sys.stderr)
        return 130
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
