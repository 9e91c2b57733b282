"""Find the files that come with the program: the bundled encoder, demo recordings, icons."""

from __future__ import annotations

from pathlib import Path

from carl_core.errors import CarlError


def assets_folder() -> Path:
    """Folder of the bundled files, in the source tree or in an installed wheel."""
    package = Path(__file__).resolve().parent
    installed = package / "_assets"
    return installed if installed.is_dir() else package.parent / "assets"


def asset_path(name: str) -> Path:
    """Path of one bundled file, e.g. ``encoder.onnx`` or ``demo/reference.mp4``.

    Raises
    ------
    CarlError
        When the file is missing, i.e. the installation is incomplete.
    """
    path = assets_folder() / name
    if not path.exists():
        raise CarlError(
            f"The bundled file {name} is missing: the installation is incomplete. "
            "Install the program again."
        )
    return path
