"""Read weights that others published into a backbone, whatever wraps them.

Files are pickles, and some name classes of the program that wrote them: every such name is replaced
by an empty stand-in, so that nothing of a file ever runs. The rules for the keys are those of
``load_pretrained_resnet50`` in the official CARL code.
"""

from __future__ import annotations

import logging
import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from carl_core.errors import ModelError
from training.downloads import download
from training.pickles import PLAIN, PickleError, pickle_module

if TYPE_CHECKING:
    from collections.abc import Mapping

    from carl_core.progress import Monitor

log = logging.getLogger("carl.train")

DOWNLOAD = "download"
# Layers that only classify ImageNet: no backbone needs them.
CLASSIFIERS = ("fc.", "classifier.", "heads.", "head.")


def load_weights(
    net: nn.Module,
    source: str,
    *,
    kind: str = "auto",
    name: str = "",
    option: str = "model.weights",
    optional: tuple[str, ...] = CLASSIFIERS,
) -> None:
    """Fill ``net`` with the weights in a file.

    Parameters
    ----------
    net : named as in torchvision
    source : file; an https address; or "download" = the ImageNet weights of torchvision's ``name``
    kind : "torchvision" (plain), "byol", "moco", "simclr", or "auto": by the file's name, else by
        its keys
    name : of the network in torchvision
    option : where the user said so, for messages
    optional : beginnings of names that may be missing or left over

    Raises
    ------
    ModelError
        When the file is missing, damaged, or holds other weights; it names what is missing.
    """
    path = weights_path(source, name=name, option=option)
    content = read_weights(path, option=option)
    kind = format_of(path, content) if kind == "auto" else kind
    try:
        state = _FORMATS[kind](content)
    except KeyError as exc:
        raise ModelError(
            f"The weights in {path} do not fit the backbone: as a {kind} file they would have an "
            f"entry {exc}. Check {option} and model.weights_format."
        ) from exc
    if kind != "torchvision":  # beside the backbone they hold what it was trained with
        state = {key: value for key, value in state.items() if key in net.state_dict()}
    fit_state(net, state, path, option=option, optional=optional)


def weights_path(
    source: str, *, name: str, option: str = "model.weights", monitor: Monitor | None = None
) -> Path:
    """Return the local file of ``source``, downloaded where asked for. Raises ``ModelError``."""
    if source.startswith(("https://", "http://")):
        return download(source, monitor=monitor)
    if source != DOWNLOAD:
        return Path(source)
    # Only these networks need torchvision, and its import takes seconds.
    from torchvision.models import get_model_weights

    try:
        # The first entry is the oldest: for ResNet-50 the one that the official code takes.
        first: Any = next(iter(get_model_weights(name)))
    except ValueError as exc:
        raise ModelError(
            f"There are no published weights of {name!r}. Set {option} to a file."
        ) from exc
    return download(str(first.url), monitor=monitor)


def read_weights(path: Path, *, option: str = "model.weights") -> dict[str, Any]:
    """Return what a file of weights holds; classes it names come as empty stand-ins."""
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        if is_program(path):
            raise ModelError(
                f"{path} is a compiled TorchScript program, not weights. Check {option}."
            )
        module, left_out = _stand_ins()
        content = torch.load(path, map_location="cpu", weights_only=False, pickle_module=module)
    except FileNotFoundError as exc:
        raise ModelError(f"There is no weights file {path}. Check {option}.") from exc
    except (
        OSError, RuntimeError, pickle.UnpicklingError, PickleError, SafetensorError,
        AttributeError, TypeError, ValueError, LookupError, EOFError,
    ) as exc:  # fmt: skip
        reason = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
        raise ModelError(
            f"The weights in {path} cannot be read: {reason}. The file is damaged, or holds no "
            f"weights. Check {option}."
        ) from exc
    if left_out:
        log.info("%s names %s: left out", path, ", ".join(sorted(left_out)))
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no weights by name. Check {option}.")
    return content


def is_program(path: Path) -> bool:
    """Whether a file is a TorchScript archive, which ``torch.load`` would load as a program.

    Raises
    ------
    ModelError
        When it is an archive whose contents cannot be listed, or one that is packed: torch packs
        nothing, and what is packed may unfold without end.
    """
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
                raise ModelError(
                    f"{path} is a packed archive, and files of weights are not packed."
                )
            if sum(part.file_size for part in parts) > path.stat().st_size:
                raise ModelError(f"{path} claims to hold more than it has: it is damaged.")
            return any(part.filename.endswith("/constants.pkl") for part in parts)
    except (zipfile.BadZipFile, NotImplementedError) as exc:
        raise ModelError(f"{path} cannot be read: {exc}. The file is damaged.") from exc


def format_of(path: Path, content: Mapping[str, Any]) -> str:
    """Tell whose weights a file holds, by its name, else by its keys."""
    for kind in ("byol", "simclr", "moco"):
        if kind in path.name.lower():
            return kind
    wraps = (("moco", "state_dict", _MOCO), ("simclr", "state_dict", "encoder."))
    for kind, entry, beginning in (*wraps, ("byol", "model", _BYOL)):
        inner = content.get(entry)
        if isinstance(inner, dict) and any(str(key).startswith(beginning) for key in inner):
            return kind
    return "torchvision"


def fit_state(
    net: nn.Module,
    state: Mapping[str, Any],
    path: Path,
    *,
    option: str = "model.weights",
    optional: tuple[str, ...] = CLASSIFIERS,
) -> None:
    """Load ``state`` into ``net``; only what is ``optional`` may be missing or left over.

    Raises
    ------
    ModelError
        Names weights that are missing, left over, or of another shape.
    """
    own = net.state_dict()
    needed = {key for key in own if not key.startswith(optional) and not key.endswith(_COUNT)}
    given = {key: value for key, value in state.items() if not key.startswith(optional)}
    missing = sorted(needed - set(given))
    left_over = sorted(set(given) - set(own))
    wrong = sorted(
        key
        for key in needed & set(given)
        if not isinstance(given[key], Tensor) or given[key].shape != own[key].shape
    )
    faults = {"lack": missing, "also hold": left_over, "have other shapes in": wrong}
    for what, keys in faults.items():
        if keys:
            shown = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
            raise ModelError(
                f"The weights in {path} do not fit the backbone: they {what} {shown}. "
                f"Check {option}."
            )
    net.load_state_dict({key: given[key] for key in own if key in given}, strict=False)


_COUNT = "num_batches_tracked"  # older files lack it, and nothing depends on it
_BYOL, _MOCO = "module.encoder.", "module.encoder_q."


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    """Unwrap what training scripts wrap around a state dict."""
    for entry in ("state_dict", "model"):
        if isinstance(content.get(entry), dict):
            content = content[entry]
    return {str(key).removeprefix("module."): value for key, value in content.items()}


def _byol(content: dict[str, Any]) -> dict[str, Any]:
    entries = {k: v for k, v in content["model"].items() if "encoder" in k and "encoder_k" not in k}
    return {k.removeprefix(_BYOL): v for k, v in entries.items() if k.startswith(_BYOL)}


def _moco(content: dict[str, Any]) -> dict[str, Any]:
    entries = content["state_dict"].items()
    return {k.removeprefix(_MOCO): v for k, v in entries if k.startswith(_MOCO)}


def _simclr(content: dict[str, Any]) -> dict[str, Any]:
    state = {}
    for key, value in content["state_dict"].items():
        _, found, name = key.partition("encoder.")
        if found and "momentum" not in key and not key.endswith(_COUNT):
            state["conv1.weight" if name == "v1.weight" else name] = value
    return state


_FORMATS = {"torchvision": _plain, "byol": _byol, "moco": _moco, "simclr": _simclr}


class _StandIn:
    """Takes the place of an object of a class that is not here, and forgets what it held."""

    def __init__(self, *unused: Any, **options: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def append(self, item: Any) -> None:
        """Forget an item."""

    def extend(self, items: Any) -> None:
        """Forget items."""


def _stand_ins() -> tuple[Any, set[str]]:
    """Return what ``torch.load`` takes for ``pickle``, and the set of names it will leave out."""
    module: Any = pickle_module(PLAIN)
    left_out: set[str] = set()

    class Unpickler(module.Unpickler):  # type: ignore[misc]
        def find_class(self, module_name: str, global_name: str, /) -> Any:
            try:
                return super().find_class(module_name, global_name)
            except PickleError:
                left_out.add(f"{module_name}.{global_name}")
                return type(global_name, (_StandIn,), {})

    module.Unpickler = Unpickler
    return module, left_out
