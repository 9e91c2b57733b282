"""Make an encoder file of a network of torchvision, without training.

    python -m training.export --backbone torchvision:resnet50 --weights download -o resnet50.onnx
    python -m training.export --backbone torchvision:resnet18 --weights FILE.pth -o resnet18.onnx

The embedding of a frame is what the network hands to its last layer, at unit length. Every network
of torchvision with one linear layer at its end will do: resnet*, resnext*, wide_resnet*,
mobilenet*, efficientnet*, convnext*, regnet*, densenet*, mnasnet*, shufflenet*, swin*, vit*.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from carl_core.encoder.spec import FITS
from carl_core.errors import CarlError, ExportError, ModelError
from carl_core.progress import Monitor, Progress
from training.export.classifier import export_classifier

EXIT_FAULT, EXIT_USAGE, EXIT_INPUT, EXIT_INTERRUPTED = 1, 2, 3, 130
PREFIX = "torchvision:"


def run_cli(arguments: list[str] | None = None) -> int:
    """Run ``python -m training.export``; 0 ok, 1 a fault, 2 usage, 3 unreadable weights."""
    parser = argparse.ArgumentParser(
        prog="python -m training.export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--backbone", required=True, metavar="torchvision:NAME")
    parser.add_argument(
        "--weights", required=True, metavar="FILE|download", help="state dict, or torchvision's own"
    )
    parser.add_argument("--head", choices=("none",), default="none", help="nothing about time")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="MODEL.onnx")
    parser.add_argument("--size", type=int, metavar="N", help="side of the input in pixels")
    parser.add_argument("--fps", type=float, default=10.0, help="default sampling rate")
    parser.add_argument("--fit", choices=FITS, default="squash")
    parser.add_argument("--name", help="of the encoder, default: the network's")
    options = parser.parse_args(arguments)
    if not options.backbone.startswith(PREFIX):
        parser.error(f"--backbone must be {PREFIX}NAME")
    if options.output.suffix != ".onnx":
        parser.error("-o must end in .onnx")
    if options.size is not None and options.size < 1:
        parser.error("--size must be at least 1")
    if not options.fps > 0:
        parser.error("--fps must be positive")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        path = export_classifier(
            options.backbone.removeprefix(PREFIX),
            options.weights,
            options.output,
            size=options.size,
            sample_fps=options.fps,
            fit=options.fit,
            encoder_name=options.name,
            monitor=Monitor(_tell, interval_s=2.0),
        )
    except ValueError as error:
        parser.error(str(error))
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


def _tell(progress: Progress) -> None:
    total = f" of {progress.total:.0f}" if progress.total else ""
    print(f"{progress.stage}: {progress.done:.0f}{total} {progress.unit}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(run_cli())
