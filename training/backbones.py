"""Backbones of the trunk, and the ways to pool their map of places into tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from carl_core.assets import asset_path
from carl_core.encoder.modelfile import ModelFile, read_model_file
from carl_core.errors import ModelError
from training.weights import load_weights

if TYPE_CHECKING:
    from training.config import ModelConfig


class _GridPool(nn.Module):
    """Means over a regular grid of (slightly overlapping) cells, as one matrix product."""

    cells: Tensor

    def __init__(self, tokens: int, height: int, width: int) -> None:
        super().__init__()
        side = round(tokens**0.5)
        each_place = torch.eye(height * width).view(height * width, 1, height, width)
        pooled = F.adaptive_avg_pool2d(each_place, (side, side)).flatten(1)  # (H W, tokens)
        self.register_buffer("cells", pooled)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H W) -> (N, tokens, channels)."""
        return (x.float() @ self.cells).transpose(1, 2)


class _AttentionPool(nn.Module):
    """Learned spatial weights per token over places that carry a learned position."""

    def __init__(self, channels: int, tokens: int, places: int) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.randn(places, channels) * 0.02)
        self.score = nn.Linear(channels, tokens)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H W) -> (N, tokens, channels)."""
        placed = x.transpose(1, 2) + self.place  # (N, H W, channels)
        weights = torch.softmax(self.score(placed).float(), dim=1)  # (N, H W, tokens)
        return weights.transpose(1, 2).to(placed.dtype) @ placed


class _MaxPool(nn.Module):
    """One maximum over the picture (published)."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H W) -> (N, 1, channels)."""
        return x.amax(dim=2).unsqueeze(1)


def pool_of(config: ModelConfig, channels: int, height: int, width: int) -> nn.Module:
    """Return the module (N, channels, H W) -> (N, tokens, channels) a configuration asks for."""
    if config.pooling == "max":
        return _MaxPool()
    if config.pooling == "attention":
        return _AttentionPool(channels, config.tokens, height * width)
    return _GridPool(config.tokens, height, width)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut, as in a basic residual network."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels_in, H, W) -> (N, channels, H / stride, W / stride)."""
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def _light() -> tuple[nn.Module, nn.Module, int]:
    """Lean dense residual net: a stride-4 stem leaves little work at high resolution.

    1.2 M weights; 112 px give 7 x 7 places of 256 channels. Chosen among ten shapes by training
    speed on 2 cores: depthwise networks are bound by memory, this one by arithmetic.
    """
    stem = nn.Sequential(nn.Conv2d(3, 32, 7, 4, 3, bias=False), nn.BatchNorm2d(32), nn.ReLU())
    early = nn.Sequential(stem, ResidualBlock(32, 64, 2), ResidualBlock(64, 128, 2))
    return early, ResidualBlock(128, 256, 1), 256


def backbone_of(config: ModelConfig) -> tuple[nn.Module, nn.Module, int]:
    """Return (first stages, the last stage, channels) of a backbone.

    With ``freeze = "earlier"`` the two last stages stand together (published ``LAYER = 2``).
    """
    is_earlier = config.freeze == "earlier"
    if is_earlier and not config.backbone.startswith("resnet"):
        raise ModelError(
            f"model.freeze = 'earlier' goes with a ResNet, and the backbone is {config.backbone}. "
            "Set model.freeze to 'early', 'all' or 'none'."
        )
    if config.backbone == "light":
        early, late, channels = _light()
        if config.weights:
            load_weights(nn.ModuleDict({"early": early, "late": late}), config.weights)
        return early, late, channels
    # Only these backbones need torchvision, and its import takes seconds.
    import torchvision

    net: nn.Module = getattr(torchvision.models, config.backbone)(weights=None)
    if config.weights:
        load_weights(net, config.weights, kind=config.weights_format, name=config.backbone)
    parts = dict(net.named_children())
    if config.backbone == "mobilenet_v3_small":
        stages = list(parts["features"].children())
        return nn.Sequential(*stages[:9]), nn.Sequential(*stages[9:12]), 96
    first = [parts[name] for name in ("conv1", "bn1", "relu", "maxpool")]
    first += [parts["layer1"], parts["layer2"]]
    channels = 2048 if config.backbone == "resnet50" else 512
    if is_earlier:
        return nn.Sequential(*first), nn.Sequential(parts["layer3"], parts["layer4"]), channels
    return nn.Sequential(*first, parts["layer3"]), parts["layer4"], channels


BUNDLED = "bundled"


class StoredTrunk(nn.Module):
    """The trunk of an encoder file: a head is trained on its features, which come stored.

    It holds no weights and computes nothing: ``carl_core.encoder`` computes the features once, and
    the export joins the new head to the file's own trunk graph.

    Attributes
    ----------
    path : the encoder file
    model_id : of the file whose features these are
    channels : C, length of one frame's features
    tokens : spatial tokens in them
    image_size : side S of the file's input in pixels
    fit : how the file wants a picture to become square
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        file = read_model_file(encoder_path(config.weights))
        if config.image_size != file.spec.size:
            raise ModelError(
                f"The encoder {file.path} takes pictures of {file.spec.size} pixels, and "
                f"model.image_size is {config.image_size}. Set model.image_size={file.spec.size}."
            )
        self.path = file.path
        self.model_id = file.model_id
        self.channels = file.spec.channels
        self.tokens = file.spec.tokens
        self.image_size = file.spec.size
        self.fit = file.spec.fit

    def read(self) -> ModelFile:
        """Read the encoder file again. Raises ``ModelError`` when it is another one by now."""
        file = read_model_file(self.path)
        if file.model_id != self.model_id:
            raise ModelError(
                f"The encoder {self.path} has changed since its features were stored: it was "
                f"{self.model_id} and is {file.model_id}. Put the old file back, or train again."
            )
        return file

    def forward(self, frames: Tensor) -> Tensor:
        """Refuse: features come stored."""
        raise ModelError(
            f"The trunk of the encoder {self.path} computes nothing in training: its features come "
            "stored. Set data.looks to at least 1."
        )


def encoder_path(weights: str) -> Path:
    """Return the encoder file that ``model.weights`` names. Raises ``ModelError`` for none."""
    if not weights:
        raise ModelError(
            "model.backbone = 'encoder' needs an encoder file: set model.weights to its path, or "
            f"to {BUNDLED!r} for the one that comes with the program."
        )
    return asset_path("encoder.onnx") if weights == BUNDLED else Path(weights)
