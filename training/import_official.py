"""Make an encoder file of a checkpoint of the official CARL code.

    python -m training.import_official checkpoint_epoch_00299.pth -o model.onnx

Depth, frozen stages and sizes are read off the weights, T (to which positions are stretched) from
the settings in the file. The file is read without running anything in it.

The encoder sees whole recordings (up to 1000 samples at once, as published) and its embedding
depends on the place in the recording: it is marked as a clock. ``--fit squash`` (default) shows the
whole picture, as the published Penn Action and Pouring files do, which are 224 x 224 pixels;
``--fit crop`` its middle. Nothing equals the published FineGym evaluation, which cuts 224 x 224
pixels out of 640 x 360 without resizing.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
from pathlib import Path

from carl_core.encoder.spec import FITS
from carl_core.errors import CarlError, ExportError, ModelError
from training.export import export_encoder, spec_of
from training.official import Official, model_of, read_official

log = logging.getLogger("carl.train")

EXIT_FAULT, EXIT_USAGE, EXIT_INPUT, EXIT_INTERRUPTED = 1, 2, 3, 130


def import_official(
    checkpoint: Path,
    output: Path,
    *,
    frames: int | None = None,
    name: str | None = None,
    fit: str = "squash",
    sample_fps: float = 25.0,
) -> Path:
    """Write the encoder file ``output`` and the head's state beside it.

    Parameters
    ----------
    checkpoint : of the official code
    frames : T of its training, None = as the checkpoint says
    name : in the file, None = the name of the checkpoint's run folder, or its own
    fit : "squash", "letterbox" or "crop"
    sample_fps : default sampling; published: every frame of 25 or 30 per second

    Raises
    ------
    ModelError
        When the file is no such checkpoint, or the export does not compute the same.
    """
    official = read_official(checkpoint)
    train_frames = frames if frames is not None else trained_frames(official)
    model = model_of(official, train_frames=train_frames)
    with checkpoint.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    epoch = f", epoch {official.epoch}" if official.epoch >= 0 else ""
    spec = spec_of(
        model,
        name=name or run_name(checkpoint),
        sample_fps=sample_fps,
        window_frames=0,
        overlap_frames=0,
        config_digest=digest,
        licence="not stated",
        data=f"Official CARL checkpoint {checkpoint.name}{epoch}.",
        fit=fit,
    )
    return export_encoder(model, spec, output)


def trained_frames(official: Official) -> int:
    """Return T as the checkpoint says, else the published value, with a warning.

    Published: 80 for Penn Action (3 layers) and Kinetics-400 (2), 240 for FineGym (3) and Pouring
    (2); the names of the published folders tell them apart.
    """
    told = official.setting("TRAIN", "NUM_FRAMES")
    if isinstance(told, int) and told >= 1:
        return told
    text = str(official.path.absolute()).lower()
    is_long = "finegym" in text or (
        "k400" not in text and not _has_three_layers(official) and "action" not in text
    )
    frames = 240 if is_long else 80
    log.warning(
        "The checkpoint does not say with how many frames it was trained. %d is assumed; a wrong "
        "number makes the embeddings worse without a sign of it. Set it with --frames.",
        frames,
    )
    return frames


def run_name(checkpoint: Path) -> str:
    """Name of the run a checkpoint belongs to: RUN/checkpoints/checkpoint_epoch_00299.pth."""
    folder = checkpoint.absolute().parent
    return folder.parent.name if folder.name == "checkpoints" else checkpoint.stem


def _has_three_layers(official: Official) -> bool:
    return any(key.startswith("embed.video_encoder.enc_layers.2.") for key in official.state)


def run_cli(arguments: list[str] | None = None) -> int:
    """Run ``python -m training.import_official``; 0 ok, 1 a fault, 2 usage, 3 unreadable."""
    parser = argparse.ArgumentParser(
        prog="python -m training.import_official",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, metavar="CKPT")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="MODEL.onnx")
    parser.add_argument("--frames", type=int, metavar="T", help="of training; overrides the file's")
    parser.add_argument("--name", help="of the encoder, default: the run's")
    parser.add_argument("--fit", choices=FITS, default="squash")
    parser.add_argument("--fps", type=float, default=25.0, help="default sampling rate")
    options = parser.parse_args(arguments)
    if options.output.suffix != ".onnx":
        parser.error("-o must end in .onnx")
    if options.frames is not None and options.frames < 1:
        parser.error("--frames must be at least 1")
    if not options.fps > 0:
        parser.error("--fps must be positive")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        path = import_official(
            options.checkpoint,
            options.output,
            frames=options.frames,
            name=options.name,
            fit=options.fit,
            sample_fps=options.fps,
        )
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_INPUT
    except ExportError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USAGE
    except CarlError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAULT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(run_cli())
