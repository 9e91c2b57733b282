"""An encoder file of a network that classifies pictures, without training.

The features are what the network hands to its last layer, the embedding is the same at unit length:
no head, nothing about time. It is what a trained encoder has to beat, and with a large network a
strong choice of its own.
"""

from __future__ import annotations

import difflib
import hashlib
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from carl_core.encoder.spec import EncoderSpec
from carl_core.errors import ModelError
from training.export.encoder import export_encoder
from training.model import PIXEL_MEAN, PIXEL_STD
from training.weights import load_weights, weights_path

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.progress import Monitor

# Families whose last layer is one linear layer on pooled features, trained on ImageNet's means.
FAMILIES = (
    "convnext", "densenet", "efficientnet", "mnasnet", "mobilenet", "regnet", "resnet", "resnext",
    "shufflenet", "swin", "vit", "wide_resnet",
)  # fmt: skip
_LAST = ("fc", "classifier", "heads", "head")
_OPTION = "--weights"


def network_names() -> list[str]:
    """Return the networks of torchvision an encoder can be made of."""
    import torchvision  # takes seconds

    return [n for n in torchvision.models.list_models(torchvision.models) if n.startswith(FAMILIES)]


def near_names(name: str) -> list[str]:
    """Return networks whose names look like ``name``."""
    known = network_names()
    near = difflib.get_close_matches(name.lower(), known, n=4, cutoff=0.5)
    return near or [other for other in known if other[:3] == name.lower()[:3]][:4]


def usual_size(name: str) -> int:
    """Return the side of the pictures that torchvision's weights of a network were trained for."""
    from torchvision.models import get_model_weights

    first: Any = next(iter(get_model_weights(name)))
    return int(first.transforms().crop_size[0])


class Classifier(nn.Module):
    """A network of torchvision as trunk, and a head that only scales to unit length.

    Attributes
    ----------
    trunk : uint8 (N, S, S, 3) RGB -> float32 (N, C)
    head : features (B, T, C), times_s, valid -> (B, T, C) unit rows, zero where not valid
    dim : C
    """

    def __init__(self, name: str, weights: str, *, size: int) -> None:
        super().__init__()
        self.trunk = _ClassifierTrunk(name, weights, size=size)
        self.head = _UnitHead()
        self.dim = self.trunk.channels


class _ClassifierTrunk(nn.Module):
    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, name: str, weights: str, *, size: int) -> None:
        super().__init__()
        import torchvision

        options: dict[str, Any] = {"weights": None}
        if name.startswith("vit"):
            options["image_size"] = size
        self.net: nn.Module = torchvision.models.get_model(name, **options)
        load_weights(self.net, weights, name=name, option=_OPTION, optional=_without_last(self.net))
        self.image_size = size
        self.tokens = 1
        self.register_buffer("pixel_mean", torch.tensor(PIXEL_MEAN).view(1, 3, 1, 1))
        self.register_buffer("pixel_std", torch.tensor(PIXEL_STD).view(1, 3, 1, 1))
        self.eval()
        with torch.inference_mode():
            probe = torch.zeros(1, size, size, 3, dtype=torch.uint8)
            try:
                self.channels = int(self(probe).shape[1])
            except RuntimeError as exc:
                raise ModelError(
                    f"{name} cannot take pictures of {size} pixels: {str(exc).splitlines()[0]}. "
                    "Choose another --size."
                ) from exc

    def forward(self, frames: Tensor) -> Tensor:
        """Uint8 (N, S, S, 3) RGB -> float32 (N, C)."""
        pixels = frames.permute(0, 3, 1, 2).to(torch.float32) / 255.0
        features: Tensor = self.net((pixels - self.pixel_mean) / self.pixel_std)
        return features.flatten(1)


class _UnitHead(nn.Module):
    def forward(self, features: Tensor, times_s: Tensor, valid: Tensor) -> Tensor:
        rows = F.normalize(features, dim=-1, eps=1e-6)
        # A frame without a time is none; the times play no other part.
        return torch.where((valid & (times_s == times_s)).unsqueeze(-1), rows, 0.0)


def _without_last(net: nn.Module) -> tuple[str, ...]:
    """Cut off the classifying layers; return the beginnings of the names of their weights."""
    parts = dict(net.named_children())
    name = next(name for name in _LAST if name in parts)
    last = parts[name]
    kept: list[nn.Module] = []
    if name == "classifier" and isinstance(last, nn.Sequential):
        for part in last:
            if isinstance(part, nn.Linear):
                break
            kept.append(part)
        setattr(net, name, nn.Sequential(*kept))
        return tuple(f"{name}.{place}." for place in range(len(kept), len(last)))
    setattr(net, name, nn.Identity())
    return (f"{name}.",)


def export_classifier(
    name: str,
    weights: str,
    path: Path,
    *,
    size: int | None = None,
    sample_fps: float = 10.0,
    fit: str = "squash",
    encoder_name: str | None = None,
    monitor: Monitor | None = None,
) -> Path:
    """Write an encoder file of a network of torchvision.

    Parameters
    ----------
    name : of the network, one of ``network_names()``
    weights : file, https address, or "download" = torchvision's ImageNet weights
    size : side of its input in pixels, None = what torchvision's weights were trained for
    sample_fps : default sampling of the encoder
    fit : "squash", "letterbox" or "crop"
    encoder_name : in the file, None = the network's
    monitor : of the download

    Raises
    ------
    ModelError
        When the weights are missing or do not fit, or the export does not compute the same.
    ValueError
        When there is no such network.
    """
    if name not in network_names():
        near = ", ".join(near_names(name)) or ", ".join(FAMILIES)
        raise ValueError(f"there is no network {name!r} to make an encoder of; near it: {near}")
    file = weights_path(weights, name=name, option=_OPTION, monitor=monitor)
    model = Classifier(name, str(file), size=size or usual_size(name)).eval()
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()[:16]
    spec = EncoderSpec(
        name=encoder_name or name,
        size=model.trunk.image_size,
        fit=fit,
        dim=model.dim,
        channels=model.trunk.channels,
        tokens=1,
        sample_fps=sample_fps,
        window_frames=64,
        overlap_frames=0,
        position="none",
        clock=False,
        config_digest=digest,
        licence="not stated",
        data=f"{name} of torchvision with the weights {file.name}; no head, not trained further.",
    )
    return export_encoder(model, spec, path)
