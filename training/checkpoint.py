"""States to resume a run from: weights, optimizer, step, random states, configuration.

A checkpoint is written beside and renamed, then ``latest`` is pointed at it, so a run that is
killed at any moment finds a whole one. What a run draws depends on its seed and step only; with
the saved generator of torch (dropout), a resumed run on the CPU equals an uninterrupted one.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from carl_core.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from training.config import TrainConfig

FORMAT_VERSION = 1
LATEST_NAME = "latest"


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """What a checkpoint holds.

    Attributes
    ----------
    path : its file
    step : steps done
    config : as plain dictionaries
    digest : of the configuration
    """

    path: Path
    step: int
    config: dict[str, Any]
    digest: str


def save_checkpoint(
    folder: Path,
    *,
    step: int,
    modules: nn.Module,
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
    keep: int,
) -> Path:
    """Write the state after ``step`` steps, point ``latest`` at it, drop all but ``keep``.

    Raises
    ------
    StoreError
        When the folder cannot be written.
    """
    state = {
        "format_version": FORMAT_VERSION,
        "step": step,
        "weights": modules.state_dict(),
        "optimizer": optimizer.state_dict(),
        "torch_rng": torch.get_rng_state(),
        "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "config": config.to_json(),
        "digest": config.digest,
        "torch_version": str(torch.__version__),
    }
    path = folder / f"step-{step:08d}.pt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(path, lambda partial: torch.save(state, partial))
        _replace(folder / LATEST_NAME, lambda partial: partial.write_text(path.name))
        for old in sorted(folder.glob("step-*.pt"))[:-keep]:
            old.unlink()
    except OSError as exc:
        raise StoreError(f"The checkpoint {path} cannot be written ({exc}).") from exc
    return path


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the newest whole checkpoint of a run folder, or None."""
    try:
        name = (folder / LATEST_NAME).read_text().strip()
    except OSError:
        return None
    path = folder / name
    return path if re.fullmatch(r"step-\d+\.pt", name) and path.is_file() else None


def load_checkpoint(
    path: Path,
    *,
    modules: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    restore_rng: bool = False,
    part: str = "",
) -> Saved:
    """Load weights, and where given the optimizer's state and the random states.

    ``part`` is the common beginning of the names that ``modules`` has in the checkpoint. Nothing
    but tensors and plain values is unpickled.

    Raises
    ------
    StoreError
        When the file cannot be read or belongs to another model.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as exc:  # torch raises a dozen types on damaged files
        raise StoreError(f"The checkpoint {path} cannot be read ({exc}).") from exc
    if not isinstance(state, dict) or state.get("format_version") != FORMAT_VERSION:
        raise StoreError(f"{path} is no checkpoint of this version of the program.")
    try:
        weights = state["weights"].items()
        modules.load_state_dict(
            {name.removeprefix(part): value for name, value in weights if name.startswith(part)}
        )
        if optimizer is not None:
            optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, ValueError) as exc:
        raise StoreError(
            f"The checkpoint {path} belongs to another model ({str(exc).splitlines()[0]}). "
            "Choose another run.dir, or the configuration it was made with."
        ) from exc
    if restore_rng:
        torch.set_rng_state(state["torch_rng"])
        if state["cuda_rng"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda_rng"])
    return Saved(path, int(state["step"]), state["config"], str(state["digest"]))


def _replace(path: Path, write: Any) -> None:
    partial = path.with_name(path.name + ".partial")
    write(partial)
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)
