"""Options that several commands share."""

from __future__ import annotations

import argparse
from fractions import Fraction
from typing import TYPE_CHECKING

from carl_core.cli.console import message
from carl_core.pipeline import Engine

if TYPE_CHECKING:
    from pathlib import Path


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``, ``--rate``, ``--device`` and ``--no-cache``."""
    parser.add_argument("--model", metavar="M", help="encoder file or the name of an imported one")
    parser.add_argument(
        "--rate", type=sampling, metavar="native|FPS", help="frames per second to embed"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--no-cache", action="store_true", help="keep no embeddings")


def sampling(text: str) -> str:
    """Parse ``native`` or a rate; return it as the store spells it (``native``, ``10/1``)."""
    if text == "native":
        return text
    try:
        rate = Fraction(text).limit_denominator(100_000)
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither 'native' nor a number") from error
    if not 0 < rate <= 1000:
        raise argparse.ArgumentTypeError(f"a rate must lie in 0 to 1000 frames/s, not {text}")
    return f"{rate.numerator}/{rate.denominator}"


def engine_of(options: argparse.Namespace) -> Engine:
    """Build the engine the options ask for and tell its notes."""
    from carl_core.cli.models import resolve_model

    model: Path | None = resolve_model(options.model) if options.model else None
    if options.no_cache:
        engine = Engine(model, device=options.device, store=None)
    else:
        engine = Engine(model, device=options.device)
    engine.encoder  # noqa: B018  a wrong model shows before anything is decoded
    for note in engine.notes:
        message(note)
    return engine
