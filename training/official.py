"""Weights in the official code's names and in ours, both ways.

The official checkpoint is a dict of ``epoch``, ``model_state``, ``optimizer_state`` and ``cfg`` (an
EasyDict that holds an argparse Namespace); ``model_state`` names layers by their place in a
``Sequential`` (CARL, CVPR 2022, code of 2022-04-13, transformer model). Nothing of such a file
runs: those two classes are replaced by plain stand-ins, and any other is refused.
"""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from carl_core.errors import ModelError
from training.config import ModelConfig
from training.model import PIXEL_MEAN, PIXEL_STD, CarlModel, Projection, build_model
from training.pickles import PLAIN, PickleError, pickle_module
from training.weights import is_program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

# The published transformer model; depth, frozen stages, sizes and T come from the checkpoint.
PUBLISHED = ModelConfig(
    backbone="resnet50",
    freeze="early",
    frames_per_batch=40,
    image_size=224,
    pooling="max",
    tokens=1,
    token_dim=0,
    motion=False,
    norm="batch",
    layers=3,
    width=256,
    heads=8,
    ffn=1024,
    dim=128,
    projection=128,
    dropout=0.1,
    position="carl",
    train_frames=80,
)

_HEAD = (
    ("embed.fc_layers.1.", "head.from_features."),
    ("embed.fc_layers.2.", "head.hidden_norm.norm."),
    ("embed.fc_layers.5.", "head.hidden."),
    ("embed.fc_layers.6.", "head.hidden_norm2.norm."),
    ("embed.video_emb.", "head.to_width."),
    ("embed.embedding_layer.", "head.output."),
    ("ssl_projection.net.0.", "projection.first."),
    ("ssl_projection.net.1.", "projection.norm.norm."),
    ("ssl_projection.net.3.", "projection.second."),
)
_LAYER = (
    ("res_layer0.norm.", "norm1."),
    ("res_layer1.norm.", "norm2."),
    ("self_att.linear_d2Q.", "join."),
    ("feed_forward.fc1.", "expand."),
    ("feed_forward.fc2.", "contract."),
)
_QKV = ("self_att.linear_Q2d.", "self_att.linear_K2d.", "self_att.linear_V2d.")
_STACK = "embed.video_encoder.enc_layers."
_OUR_STACK = "head.layers."
_COUNT = "num_batches_tracked"
_PIXELS = ("trunk.pixel_mean", "trunk.pixel_std")
# Of a classifier trained with labels; embeddings do not need it.
_CLASSIFIER = "classifier."


@dataclass(frozen=True, slots=True, eq=False)
class Official:
    """An official checkpoint.

    Attributes
    ----------
    path : its file
    epoch : of training, -1 when it does not say
    state : weights by the official names
    settings : ``cfg`` as plain nested dictionaries, {} when there is none
    """

    path: Path
    epoch: int
    state: dict[str, Tensor]
    settings: dict[str, Any]

    def setting(self, *keys: str) -> Any:
        """Return one value of ``cfg``, e.g. ``setting("TRAIN", "NUM_FRAMES")``, or None."""
        value: Any = self.settings
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value


def read_official(path: Path) -> Official:
    """Read a checkpoint of the official code; nothing in it is run.

    Raises
    ------
    ModelError
        When it cannot be read, is none, or asks for more than data.
    """
    # Fresh classes each time: a pickle may write into what it finds.
    namespace = type("Namespace", (_Settings,), {})
    easy = type("EasyDict", (_Settings,), {})
    allowed: dict[tuple[str, str], Callable[..., Any]] = {
        **PLAIN,
        ("easydict", "EasyDict"): easy,
        ("argparse", "Namespace"): namespace,
    }
    try:
        if is_program(path):
            raise ModelError(
                f"{path} is a compiled TorchScript program, not a checkpoint of the official code."
            )
        content = torch.load(
            path, map_location="cpu", weights_only=False, pickle_module=pickle_module(allowed)
        )
    except FileNotFoundError as exc:
        raise ModelError(f"There is no checkpoint {path}. Check the name.") from exc
    except PickleError as exc:
        raise ModelError(f"{path} is no checkpoint of the official code: {exc}") from exc
    except (
        OSError, RuntimeError, pickle.UnpicklingError, AttributeError, TypeError, ValueError,
        LookupError, EOFError,
    ) as exc:  # fmt: skip
        reason = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
        raise ModelError(
            f"The checkpoint {path} cannot be read: {reason}. It is damaged, or no checkpoint."
        ) from exc
    state = content.get("model_state") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ModelError(
            f"{path} is no checkpoint of the official code: it has no entry 'model_state' with "
            "weights by name."
        )
    epoch = content.get("epoch")
    settings = _plain(content.get("cfg"))
    return Official(
        path,
        epoch if isinstance(epoch, int) else -1,
        {str(key).removeprefix("module."): value for key, value in state.items()},
        settings if isinstance(settings, dict) else {},
    )


def model_of(checkpoint: Official, *, train_frames: int) -> CarlModel:
    """Build our model with the weights of an official checkpoint, ready for evaluation.

    Raises
    ------
    ModelError
        Names weights that are missing, unknown or of another shape.
    """
    config = config_of(checkpoint, train_frames=train_frames)
    try:
        ours = from_official(checkpoint.state)
    except KeyError as exc:
        raise ModelError(
            f"The weights in {checkpoint.path} are not those of the official transformer model: "
            f"{exc.args[0]}."
        ) from exc
    with torch.device("meta"):  # nothing is drawn that would be thrown away
        model = build_model(config)
    own = model.state_dict()
    if not any(key.startswith("projection.") for key in ours):  # trained without this loss
        projection = Projection(config).state_dict()
        ours |= {f"projection.{key}": value for key, value in projection.items()}
    for name, values in zip(_PIXELS, (PIXEL_MEAN, PIXEL_STD), strict=True):
        ours[name] = torch.tensor(values).view(1, 3, 1, 1)
    for key in own:
        if key.endswith(_COUNT):
            ours.setdefault(key, torch.tensor(0))
    faults = {
        "they lack": sorted(set(own) - set(ours)),
        "they also hold": sorted(set(ours) - set(own)),
        "other shapes have": sorted(
            k for k in set(own) & set(ours) if own[k].shape != ours[k].shape
        ),
    }
    for what, keys in faults.items():
        if keys:
            shown = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
            raise ModelError(
                f"The weights in {checkpoint.path} are not those of the official transformer "
                f"model: {what} (by our names) {shown}."
            )
    model.load_state_dict(ours, assign=True)
    return model.eval()


def config_of(checkpoint: Official, *, train_frames: int) -> ModelConfig:
    """Infer our configuration from the shapes of an official state. Raises ``ModelError``."""
    state, path = checkpoint.state, checkpoint.path
    if any(key.startswith("embed.conv_layers.") for key in state):
        raise ModelError(
            f"{path} holds the convolutional model of the official code, which is not supported. "
            "Use a checkpoint of a transformer model (scl_transformer...)."
        )
    try:
        width = len(state["embed.video_emb.weight"])
        sizes: dict[str, Any] = {
            "width": width,
            "dim": len(state["embed.embedding_layer.weight"]),
            "ffn": len(state[f"{_STACK}0.feed_forward.fc1.weight"]),
        }
    except KeyError as exc:
        raise ModelError(
            f"The weights in {path} are not those of the official transformer model: they lack "
            f"{exc.args[0]}."
        ) from exc
    if "ssl_projection.net.0.weight" in state:
        sizes["projection"] = len(state["ssl_projection.net.0.weight"])
    freeze = "early"
    if any(key.startswith("backbone.7.") for key in state):
        freeze = "all"
    elif any(key.startswith("res_finetune.0.0.") for key in state):
        freeze = "earlier"
    heads = checkpoint.setting("MODEL", "EMBEDDER_MODEL", "NUM_HEADS")
    size = checkpoint.setting("IMAGE_SIZE")
    try:
        return replace(
            PUBLISHED,
            layers=depth_of(state),
            freeze=freeze,
            heads=heads if isinstance(heads, int) else PUBLISHED.heads,
            image_size=size if isinstance(size, int) else PUBLISHED.image_size,
            train_frames=train_frames,
            **sizes,
        )
    except ValueError as exc:
        raise ModelError(f"The settings in {path} make no model: {exc}.") from exc


def depth_of(state: Mapping[str, Tensor]) -> int:
    """Count the encoder layers of an official state."""
    found = (re.match(rf"{re.escape(_STACK)}(\d+)\.", key) for key in state)
    return len({match[1] for match in found if match})


def from_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name official weights as `CarlModel` does. Raises ``KeyError`` for names it does not know."""
    ours: dict[str, Tensor] = {}
    for key, value in state.items():
        layer = re.match(rf"{re.escape(_STACK)}(\d+)\.(.+)$", key)
        if key.startswith(_CLASSIFIER):
            continue
        if layer is None:
            ours[_renamed(key, (*_trunk(state), *_HEAD))] = value
        elif not layer[2].startswith(_QKV):
            ours[f"{_OUR_STACK}{layer[1]}.{_renamed(layer[2], _LAYER)}"] = value
        elif layer[2].startswith(_QKV[0]):
            kind = layer[2].removeprefix(_QKV[0])  # weight or bias
            parts = [f"{_STACK}{layer[1]}.{name}{kind}" for name in _QKV]
            absent = [part for part in parts if part not in state]
            if absent:
                raise KeyError(f"they lack {absent[0]}")
            ours[f"{_OUR_STACK}{layer[1]}.qkv.{kind}"] = torch.cat([state[part] for part in parts])
    return ours


def to_official(model: CarlModel) -> dict[str, Tensor]:
    """Name the weights of a faithful model as the official code does, in its order.

    Raises
    ------
    ModelError
        When the model is another than the published one can be.
    """
    config = model.config
    if replace(config, **_free(config)) != PUBLISHED:
        raise ModelError(
            "Only a model with the published trunk and head can be written as an official "
            "checkpoint (model.backbone = 'resnet50', norm = 'batch', position = 'carl', ...)."
        )
    backwards = [(ours, official) for official, ours in _HEAD]
    late = "backbone.7." if config.freeze == "all" else "res_finetune."
    backwards += [("trunk.early.", "backbone."), ("trunk.late.", late)]
    official: dict[str, Tensor] = {}
    for key, value in model.state_dict().items():
        if key in _PIXELS:
            continue
        layer = re.match(rf"{re.escape(_OUR_STACK)}(\d+)\.(.+)$", key)
        if layer is None:
            official[_renamed(key, backwards)] = value
            continue
        begin = f"{_STACK}{layer[1]}."
        if layer[2].startswith("qkv."):
            kind = layer[2].removeprefix("qkv.")
            for name, part in zip(_QKV, value.chunk(3), strict=True):
                official[f"{begin}{name}{kind}"] = part.clone()
        else:
            names = [(ours, theirs) for theirs, ours in _LAYER]
            official[begin + _renamed(layer[2], names)] = value
    return official


def official_checkpoint(model: CarlModel, *, epoch: int = 0) -> dict[str, Any]:
    """Return what the official code loads: weights by its names and the settings that matter."""
    config = model.config
    settings = {
        "IMAGE_SIZE": config.image_size,
        "TRAIN": {"NUM_FRAMES": config.train_frames},
        "MODEL": {"EMBEDDER_MODEL": {"NUM_HEADS": config.heads, "NUM_LAYERS": config.layers}},
    }
    return {
        "epoch": epoch,
        "model_state": to_official(model),
        "optimizer_state": {},
        "cfg": settings,
    }


def _trunk(state: Mapping[str, Tensor]) -> tuple[tuple[str, str], ...]:
    """Return the beginnings of the trunk's names; without layers to train it lies in one piece."""
    whole = (("backbone.7.", "trunk.late."),) if "backbone.7.0.conv1.weight" in state else ()
    return (*whole, ("backbone.", "trunk.early."), ("res_finetune.", "trunk.late."))


def _renamed(key: str, names: Any) -> str:
    for old, new in names:
        if key.startswith(old):
            return str(new + key.removeprefix(old))
    raise KeyError(f"they also hold {key}")


def _free(config: ModelConfig) -> dict[str, Any]:
    """Return the published values of what may differ in a faithful model."""
    free = ["layers", "train_frames", "image_size", "width", "heads", "ffn", "dim", "projection"]
    free += ["dropout", "weights", "weights_format", "freeze_norm", "frames_per_batch"]
    free += ["position_scale"]
    values = {name: getattr(PUBLISHED, name) for name in free}
    return values | ({"freeze": "early"} if config.freeze != "none" else {})


class _Settings(dict[str, Any]):
    """Stands for EasyDict and Namespace: their values, and nothing they do."""

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.update(state)


def _plain(value: Any, depth: int = 0) -> Any:
    """Return nested settings as plain dictionaries; what is deeper than they ever are is cut."""
    if isinstance(value, dict) and depth < 16:
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    return value
