"""``carl``: arguments, exit codes, and the border where errors become sentences.

Exit codes: 0 ok, 1 a fault of ours, 2 wrong usage, 3 unreadable input, 4 nothing found or no
convincing alignment, 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import TYPE_CHECKING

from carl_core.cli import align, desktop, maintenance, media, render, search
from carl_core.cli.console import message
from carl_core.errors import (
    AlignmentError,
    Cancelled,
    CarlError,
    ExportError,
    MediaError,
    ModelError,
    NothingInCommonError,
    ProjectError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

OK, FAULT, USAGE, UNREADABLE, NOTHING, INTERRUPTED = 0, 1, 2, 3, 4, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.ERROR,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except (KeyboardInterrupt, Cancelled):
        message("Stopped. What was finished is kept; the same command goes on from there.")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`carl … | head`): not an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (MediaError, ModelError, ProjectError) as error:
        message(str(error), is_error=True)
        return UNREADABLE
    except NothingInCommonError as error:
        message(str(error), is_error=True)
        return NOTHING
    except (AlignmentError, ExportError, CarlError) as error:
        message(str(error), is_error=True)
        return USAGE
    except Exception as error:
        logging.getLogger("carl.cli").debug("unexpected", exc_info=True)
        message(
            f"Something went wrong inside the program ({type(error).__name__}: {error}). "
            "Run the command again with --verbose in front and report what it prints.",
            is_error=True,
        )
        return FAULT
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="carl", description="See recordings of the same thing together, aligned in time."
    )
    parser.add_argument("--verbose", action="store_true", help="log every decision to stderr")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    media.add_commands(commands)
    align.add_command(commands)
    search.add_command(commands)
    render.add_commands(commands)
    maintenance.add_commands(commands)
    desktop.add_command(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
