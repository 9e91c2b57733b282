"""States to resume a run from: weights, optimizer, step, configuration.

A checkpoint is written beside and renamed, then ``latest`` is pointed at it, so a run that is
killed at any moment finds a whole one. What a run draws, dropout too, depends on its seed and on
the number of the batch alone, so no state of a generator is kept, and a resumed run on the CPU
equals an uninterrupted one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from carl_core.atomic import replacing, write_atomic
from carl_core.errors import StoreError
from training.config import ConfigError

if TYPE_CHECKING:
    from torch import nn

    from training.config import TrainConfig

FORMAT_VERSION = 1
LATEST_NAME = "latest"

# What may change when a run goes on: how long it is, where and how it reports and computes.
CHANGEABLE = {
    "run": (
        "dir", "steps", "epochs", "threads", "log_every", "evaluate_every", "checkpoint_every",
        "keep", "tensorboard",
    ),
    "data": ("workers", "cache_dir"),
}  # fmt: skip


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
        "config": config.to_json(),
        "digest": config.digest,
        "torch_version": str(torch.__version__),
    }
    path = folder / f"step-{step:08d}.pt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            torch.save(state, partial)
        write_atomic(folder / LATEST_NAME, path.name)
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
    part: str = "",
) -> Saved:
    """Load weights, and where given the optimizer's state.

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
    return Saved(path, int(state["step"]), state["config"], str(state["digest"]))


def named_checkpoint(name: str) -> Path:
    """Return the checkpoint a run starts from: a file, or the latest of a run folder.

    Raises
    ------
    ConfigError
        When the folder holds none.
    """
    path = Path(name)
    found = latest_checkpoint(path) if path.is_dir() else path
    if found is None:
        raise ConfigError(f"run.start_from = {name!r}: that folder holds no checkpoint.")
    return found


def check_same_run(before: dict[str, Any], now: TrainConfig, folder: Path) -> None:
    """Refuse to go on with other settings, except for those that ``CHANGEABLE`` names.

    Parameters
    ----------
    before : sections as the checkpoint holds them; settings it does not know are not compared
    now : settings of the run that wants to go on
    folder : for the message

    Raises
    ------
    ConfigError
        Names the first settings that differ.
    """
    changed = [
        f"{section}.{key}: {before[section][key]!r} -> {value!r}"
        for section, values in now.to_json().items()
        if section not in ("export", "evaluation")
        for key, value in values.items()
        if key not in CHANGEABLE.get(section, ())
        and before.get(section, {}).get(key, value) != value
    ]
    if changed:
        raise ConfigError(
            f"{folder} holds a run with other settings ({'; '.join(changed[:3])}). Choose another "
            "run.dir, or delete that folder."
        )
