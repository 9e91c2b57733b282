"""Encoder files the user has imported."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import platformdirs

from carl_core.assets import asset_path
from carl_core.encoder.onnx import load_encoder
from carl_core.errors import ModelError

BUNDLED = "bundled"


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
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".part")
        shutil.copyfile(path, partial)
        partial.replace(target)
    except OSError as error:
        raise ModelError(
            f"The encoder cannot be copied to {target}: {error.strerror or error}. "
            "Free some space or set CARL_MODELS to another folder."
        ) from error
    return target
