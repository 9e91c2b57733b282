"""Encoder files the user has imported, or had made of networks and checkpoints of others."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from carl_core.assets import asset_path
from carl_core.atomic import replacing
from carl_core.cli.console import message
from carl_core.encoder.modelfile import read_model_file
from carl_core.encoder.onnx import load_encoder
from carl_core.errors import CarlError, ModelError
from carl_core.video.recording import open_recording

if TYPE_CHECKING:
    from collections.abc import Sequence

BUNDLED = "bundled"
TORCHVISION = "torchvision:"
# Files of weights: checkpoints of the official CARL code.
CHECKPOINTS = (".pth", ".pt", ".ckpt", ".tar")
# What the programs of ``training`` leave with.
_VARIANT_FRAMES = 160  # of each recording
_USAGE, _UNREADABLE, _INTERRUPTED = 2, 3, 130


def models_folder() -> Path:
    """Folder of imported encoders (``CARL_MODELS`` overrides it)."""
    given = os.environ.get("CARL_MODELS")
    return Path(given) if given else platformdirs.user_data_path("carl") / "models"


def model_paths() -> dict[str, Path]:
    """Names and files of all encoders at hand, the bundled one first."""
    found = {BUNDLED: asset_path("encoder.onnx")}
    if models_folder().is_dir():
        found |= {path.stem: path for path in sorted(models_folder().glob("*.onnx"))}
    return found


def resolve_model(name: str) -> Path:
    """Return the file of an encoder given by path or by name.

    Raises
    ------
    ModelError
        When there is neither.
    """
    path = Path(name)
    if path.suffix.lower() == ".onnx" or path.exists():
        return path
    known = model_paths()
    if name not in known:
        raise ModelError(
            f"There is no encoder {name!r}: neither a file nor one of {', '.join(known)}. "
            "Import it with `carl models import FILE`."
        )
    return known[name]


def import_model(path: Path) -> Path:
    """Check an encoder file and copy it into the models folder. Raises ``ModelError``."""
    load_encoder(path, device="cpu")
    target = models_folder() / path.name
    if target.stem == BUNDLED:
        raise ModelError(f"The name {BUNDLED!r} is taken. Rename the file and import it again.")
    try:
        with replacing(target) as partial:
            shutil.copyfile(path, partial)
    except OSError as error:
        raise ModelError(
            f"The encoder cannot be copied to {target}: {error.strerror or error}. "
            "Free some space or set CARL_MODELS to another folder."
        ) from error
    return target


def make_variant_of(model: Path, kind: str, files: Sequence[Path], name: str | None) -> Path:
    """Make a smaller variant of an encoder in the models folder, and tell how well it agrees.

    Parameters
    ----------
    kind : "int8" or "float16"
    files : recordings of the kind that will be embedded
    name : of the variant, None = the encoder's with ``kind`` behind

    Raises
    ------
    MediaError, ModelError
        When a recording or the encoder cannot be used, or the variant does not agree.
    """
    # slow: the converters of ONNX Runtime come along
    from carl_core.encoder.quantize import clip_of, make_variant

    spec = read_model_file(model).spec
    stem = BUNDLED if model == asset_path("encoder.onnx") else model.stem
    target = models_folder() / f"{Path(name or f'{stem}.{kind}').name}.onnx"
    if target.stem == BUNDLED:
        raise ModelError(f"The name {BUNDLED!r} is taken. Choose another with --name.")
    clips = [clip_of(open_recording(file), spec, _VARIANT_FRAMES) for file in files]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        found = make_variant(model, target, kind, clips)
    except OSError as error:
        raise ModelError(
            f"The encoder cannot be written to {target}: {error.strerror or error}. "
            "Free some space or set CARL_MODELS to another folder."
        ) from error
    message(
        f"mean cosine with the original {found.mean:.4f}, 1 % of the samples below "
        f"{found.lowest:.4f}"
    )
    return target


def make_of_network(name: str, weights: str) -> Path:
    """Make an encoder of a network of torchvision in the models folder.

    Parameters
    ----------
    name : "torchvision:NAME"
    weights : file, or "download" = torchvision's own

    Raises
    ------
    ModelError
        When the weights cannot be had or do not fit.
    CarlError
        When there is no such network, or the [train] extra is missing.
    """
    if not name.startswith(TORCHVISION):
        raise CarlError(
            f"{name!r} is nothing that can be downloaded. Name a network of torchvision, for "
            f"example {TORCHVISION}resnet50."
        )
    arguments = ["--backbone", name, "--weights", weights, "--head", "none"]
    return _made("training.export", arguments, name.removeprefix(TORCHVISION))


def make_of_checkpoint(path: Path, *, name: str | None = None, frames: int | None = None) -> Path:
    """Make an encoder of a checkpoint of the official CARL code in the models folder.

    Parameters
    ----------
    path : of the checkpoint
    name : of the encoder, None = the file's
    frames : T of its training, None = as the checkpoint says

    Raises
    ------
    ModelError
        When the file is no such checkpoint.
    CarlError
        When the [train] extra is missing.
    """
    arguments = ["--name", name] if name else []
    arguments += ["--frames", str(frames)] if frames is not None else []
    # A checkpoint may be called like an option.
    return _made("training.import_official", [*arguments, "--", str(path)], name or path.stem)


def _made(module: str, arguments: list[str], name: str) -> Path:
    """Let a program of ``training`` write an encoder, in a process of its own: it needs torch."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("training") is None:
        raise CarlError(
            "This needs the training part of the program. Install it with: "
            "uv sync --inexact --extra train"
        )
    if name == BUNDLED:
        raise ModelError(f"The name {BUNDLED!r} is taken. Choose another with --name.")
    target = models_folder() / f"{Path(name).name}.onnx"
    # -P: the current folder may hold anything, also a file called torch.py.
    command = [sys.executable, "-P", "-m", module, "-o", str(target), *arguments]
    error = ""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as child:
        for line in child.stderr or ():
            found = re.match(r"(?:python -m [\w.]+: )?error: (.*)", line)
            if found:
                error = found[1]
            elif line.strip() and not line.startswith(("usage:", " ")):
                message(line.rstrip())
    if child.returncode == 0:
        return target
    if child.returncode == _INTERRUPTED:
        raise KeyboardInterrupt
    if child.returncode == _UNREADABLE:
        raise ModelError(error)
    if child.returncode == _USAGE:
        raise CarlError(f"{error[:1].upper()}{error[1:]}.")
    raise RuntimeError(error or f"{module} stopped with {child.returncode}")
