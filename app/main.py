"""``carl-gui``: the window."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    result = argparse.ArgumentParser(
        prog="carl-gui",
        description="Compare two or more recordings of the same action, aligned in time.",
    )
    result.add_argument("files", nargs="*", type=Path, metavar="FILE", help="recordings to compare")
    result.add_argument("--demo", action="store_true", help="open the bundled sample recordings")
    result.add_argument(
        "--self-test",
        type=Path,
        metavar="OUT.png",
        help="open, align, play two seconds, write a screenshot, print figures as JSON",
    )
    result.add_argument(
        "--model", type=Path, metavar="FILE", help="encoder to use instead of the bundled one"
    )
    result.add_argument(
        "--new-window",
        action="store_true",
        help="open a window of its own, even where one is open that could take the files",
    )
    result.add_argument(
        "--keep-nothing",
        action="store_true",
        help="no cache, no recent projects, no pictures, no log; the same as CARL_KEEP_NOTHING=1",
    )
    result.add_argument(
        "--reset-settings",
        action="store_true",
        help="begin with first settings again; the old ones are kept beside them",
    )
    result.add_argument(
        "--limit",
        type=float,
        default=900.0,
        metavar="SECONDS",
        help="longest time a self-test may take (default: 900)",
    )
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``carl-gui``; return the exit code."""
    options = parser().parse_args(arguments)
    if options.self_test is not None and not options.demo and not options.files:
        parser().error("--self-test needs recordings to open: FILE... or --demo")
    if sys.platform.startswith("linux") and not _has_screen():
        if options.self_test is None:
            sys.stderr.write(
                "carl-gui: there is no screen to open a window on (neither DISPLAY nor "
                "WAYLAND_DISPLAY is set). Use the command line (carl), or set "
                "QT_QPA_PLATFORM=offscreen to run without one.\n"
            )
            return 1
        os.environ["QT_QPA_PLATFORM"] = "offscreen"  # a test runs without a screen, too
    try:
        # Qt's system libraries may be missing: say which, not how Python failed.
        from app.bootstrap.run import Start, run
        from app.settings import forget_settings
    except ImportError as exc:
        sys.stderr.write(
            f"carl-gui: the window cannot start, because a system library is missing: {exc}. "
            "On Debian or Ubuntu: apt-get install libgl1 libegl1 libglib2.0-0 libdbus-1-3 "
            "libfontconfig1 libxkbcommon0 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 "
            "libxcb-keysyms1 libxcb-shape0. The command line (carl) works without.\n"
        )
        return 1
    if options.reset_settings:
        try:
            kept = forget_settings()
        except OSError as exc:
            sys.stderr.write(
                f"carl-gui: the settings cannot be reset: {exc.strerror or exc} "
                f"({exc.filename}). Move that file away yourself.\n"
            )
            return 1
        if kept is not None:
            sys.stderr.write(f"carl-gui: first settings again; the old ones are in {kept}\n")
    return run(
        Start(
            files=tuple(options.files),
            is_demo=options.demo,
            self_test=options.self_test,
            limit_s=options.limit,
            model=options.model,
            is_new_window=options.new_window,
            keeps_nothing=options.keep_nothing,
        )
    )


def _has_screen() -> bool:
    names = ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY")
    return any(os.environ.get(name) for name in names)


if __name__ == "__main__":
    sys.exit(main())
