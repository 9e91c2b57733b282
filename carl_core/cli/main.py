"""``carl``: arguments, exit codes, and the border where errors become sentences.

Exit codes: 0 ok, 1 a fault of ours, 2 wrong usage, 3 unreadable input, 4 nothing found or no
convincing alignment, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from typing import TYPE_CHECKING

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
from carl_core.paths import KEEP_NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

OK, FAULT, USAGE, UNREADABLE, NOTHING, INTERRUPTED = 0, 1, 2, 3, 4, 130

COMMANDS: dict[str, tuple[str, str]] = {
    "probe": ("media", "what is in a file"),
    "embed": ("media", "embed recordings into the cache"),
    "align": ("align", "align recordings in time"),
    "search": ("search", "find the moments that look like a query"),
    "library": ("library", "everything that was embedded, to search in"),
    "render": ("render", "write the synchronised video"),
    "transfer": ("render", "carry labels to the aligned recordings"),
    "models": ("maintenance", "encoders at hand"),
    "cache": ("maintenance", "the embeddings that are kept"),
    "doctor": ("maintenance", "what works on this machine, and what does not"),
    "install-desktop": ("desktop", "put the window into the desktop's menus (Linux)"),
}
"""Module and help of each command. Only the module of the one that runs is imported: numba, PyAV
and ONNX Runtime take seconds to load, and help must come at once."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser(next((word for word in given if word in COMMANDS), None))
    options = parser.parse_args(given)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.ERROR,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    if options.keep_nothing:
        os.environ[KEEP_NOTHING] = "1"  # child processes keep nothing, either
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


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows the arguments of the chosen command, and the others by name."""
    parser = argparse.ArgumentParser(
        prog="carl", description="See recordings of the same thing together, aligned in time."
    )
    parser.add_argument("--verbose", action="store_true", help="log every decision to stderr")
    parser.add_argument(
        "--keep-nothing",
        action="store_true",
        help=f"no cache; the same as {KEEP_NOTHING}=1",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    if chosen is not None:
        importlib.import_module(f"carl_core.cli.{COMMANDS[chosen][0]}").add_commands(commands)
    for name, (_, text) in COMMANDS.items():
        if name not in commands.choices:
            commands.add_parser(name, help=text)
    return parser


if __name__ == "__main__":
    sys.exit(main())
