"""What a training run is made of. Every value here can be set from a TOML file or by ``--set``."""

from __future__ import annotations

from dataclasses import dataclass

BACKBONES = ("light", "mobilenet_v3_small", "resnet18", "resnet50")
POSITIONS = ("relative", "none", "carl")
POOLINGS = ("grid", "attention", "max")
NORMS = ("layer", "batch")
FREEZES = ("none", "early", "all")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Shape of the encoder: trunk per frame, head over time, projection for training.

    Attributes
    ----------
    backbone : "light" (our lean dense-convolution net), or a torchvision network
    weights : file with a torchvision state dict for the backbone, "" = from scratch
    freeze : "none"; "early" = all but the last stage stays as loaded (no gradient, eval mode);
        "all" = the whole backbone stays as loaded (the pooling to tokens still learns)
    image_size : side S of the square input in pixels
    pooling : "grid" = means over a regular grid of cells, "attention" = learned spatial weights,
        "max" = one maximum over the picture (published; ``tokens`` must be 1)
    tokens : spatial tokens per frame, a square number for "grid"
    token_dim : channels per token; 0 = the backbone's own channels, without a linear layer
    motion : give the head the change of the features around each frame as well
    norm : normalisation in frame MLP and projection: "layer", or "batch" (published)
    layers, width, heads, ffn : temporal transformer
    dim : size D of the embedding
    projection : hidden and output width of the projection head (training only)
    dropout : everywhere the published model has it
    position : "relative" = bias on time differences in units of the clip's median step,
        "none", "carl" = published sinusoid stretched over the clip (a clock: marked in the file)
    train_frames : T of the training clips; "carl" stretches its positions to it
    """

    backbone: str = "light"
    weights: str = ""
    freeze: str = "none"
    image_size: int = 112
    pooling: str = "grid"
    tokens: int = 9
    token_dim: int = 48
    motion: bool = True
    norm: str = "layer"
    layers: int = 2
    width: int = 192
    heads: int = 6
    ffn: int = 512
    dim: int = 128
    projection: int = 128
    dropout: float = 0.1
    position: str = "relative"
    train_frames: int = 80

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("backbone", self.backbone, BACKBONES),
            ("freeze", self.freeze, FREEZES),
            ("pooling", self.pooling, POOLINGS),
            ("norm", self.norm, NORMS),
            ("position", self.position, POSITIONS),
        ):
            if value not in allowed:
                raise ValueError(f"model.{name} = {value!r}: must be one of {', '.join(allowed)}")
        for name in ("image_size", "tokens", "width", "heads", "ffn", "dim", "projection"):
            if getattr(self, name) < 1:
                raise ValueError(f"model.{name} = {getattr(self, name)}: must be at least 1")
        if self.layers < 0 or self.token_dim < 0 or self.train_frames < 1:
            raise ValueError("model.layers and model.token_dim must not be negative")
        if self.width % self.heads:
            raise ValueError(f"model.width = {self.width} must be a multiple of {self.heads} heads")
        if self.pooling == "grid" and round(self.tokens**0.5) ** 2 != self.tokens:
            raise ValueError(f"model.tokens = {self.tokens} must be a square number for a grid")
        if self.pooling == "max" and self.tokens != 1:
            raise ValueError(f"model.tokens = {self.tokens} must be 1 for max pooling")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model.dropout = {self.dropout} must lie in [0, 1)")
