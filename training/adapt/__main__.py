"""Adapt an encoder to recordings of your own: ``python -m training.adapt FILE... -o model.onnx``.

No labels are needed. The trunk stays as it is; the small head learns from several augmented looks
of the recordings which moments are the same. A part of them is held back and decides: only when
the new encoder is better there, by more than chance, is a file written; the old one is never
changed. Ctrl-C ends learning and keeps the best so far.

Exit codes: 0 a better encoder was written, 4 the new one is not better and nothing was written,
2 wrong usage, 3 a recording or encoder cannot be used, 1 a fault of ours, 130 stopped before
anything was learned.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from carl_core.assets import asset_path
from carl_core.errors import CarlError, ExportError, MediaError, ModelError
from carl_core.runs import Evaluated, Failed, Judged, Progressed, Step, event_to_json
from training.adapt.run import Settings, adapt
from training.parallel import StopWish, listen_for_stop

if TYPE_CHECKING:
    from carl_core.runs import Event

EXIT_FAULT, EXIT_USAGE, EXIT_INPUT, EXIT_NOT_BETTER, EXIT_INTERRUPTED = 1, 2, 3, 4, 130


def run_cli(arguments: list[str] | None = None) -> int:
    """Read the command line, adapt, return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.adapt",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    defaults = Settings()
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="MODEL.onnx")
    parser.add_argument(
        "--model", type=Path, help="encoder file to adapt (default: the bundled one)"
    )
    parser.add_argument("--steps", type=int, default=defaults.steps, help="at most")
    parser.add_argument(
        "--looks", type=int, default=defaults.looks, help="augmented versions to learn from"
    )
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--threads", type=int, default=0, help="0 = all cores")
    parser.add_argument(
        "--json",
        action="store_true",
        help="events as JSON lines on stdout; a line 'stop' on stdin ends learning",
    )
    options = parser.parse_args(arguments)
    if options.output.suffix != ".onnx":
        parser.error("-o must end in .onnx")
    try:
        settings = Settings(options.steps, options.looks, options.seed, options.threads)
    except ValueError as error:
        parser.error(str(error))
    tell = _write_json if options.json else _Lines().tell
    code, sentence = EXIT_FAULT, ""
    try:
        with StopWish() as stop:
            if options.json:
                listen_for_stop(lambda: setattr(stop, "is_asked", True))
            outcome = adapt(
                options.files,
                options.model or asset_path("encoder.onnx"),
                options.output,
                settings,
                tell=tell,
                is_stopped=lambda: stop.is_asked,
            )
    except (MediaError, ModelError) as error:
        code, sentence = EXIT_INPUT, str(error)
    except ExportError as error:
        code, sentence = EXIT_USAGE, str(error)
    except CarlError as error:
        sentence = str(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    else:
        if outcome.verdict is None:
            return EXIT_INTERRUPTED
        if outcome.encoder is None:
            return EXIT_NOT_BETTER
        if not options.json:
            print(outcome.encoder)
        return 0
    if options.json:
        tell(Failed(time.time(), 0, sentence))
    print(f"error: {sentence}", file=sys.stderr)
    return code


def _write_json(event: Event) -> None:
    sys.stdout.write(event_to_json(event) + "\n")
    sys.stdout.flush()


class _Lines:
    """Events as sentences on stderr, no more than a few a second."""

    _EVERY_S = 2.0

    def __init__(self) -> None:
        self._told_s = 0.0

    def tell(self, event: Event) -> None:
        """Say what is worth a line."""
        now = time.monotonic()
        is_due = now - self._told_s >= self._EVERY_S
        line = ""
        if isinstance(event, Progressed) and (is_due or event.done >= event.total):
            line = f"{event.stage}: {event.done:.0f} of {event.total:.0f} {event.unit}"
        elif isinstance(event, Step) and is_due:
            loss = event.losses["total"]
            line = f"step {event.step}, loss {loss:.3f}, {event.remaining_s:.0f} s left at most"
        elif isinstance(event, Evaluated):
            line = f"step {event.step}: error {event.scores['held_back_percent']:.1f} % held back"
        elif isinstance(event, Judged):
            line = event.reason if event.better else f"{event.reason} The old encoder stays."
        if line:
            self._told_s = now
            print(line, file=sys.stderr)


if __name__ == "__main__":
    # A parent process may have told us to ignore Ctrl-C, and stops us with SIGTERM.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run_cli())
