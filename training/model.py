"""The encoder as a torch module: trunk per frame, head over time, projection for the loss.

The trunk sees single frames and gives several spatial tokens, flattened to ``features``. The head
sees features, times and validity of one clip and gives one unit vector per frame. Both are exported
on their own (``training.export``) and the head alone can be trained again on stored features.

Time enters only through differences, so a constant added to ``times_s`` changes nothing; except for
``position = "seconds"`` they are divided by the clip's usual step, so that the sampling rate does
not either. The one clock is ``position = "carl"``, the published sinusoid stretched over the clip,
kept for comparison and marked as such.

``norm = "batch"`` is the published head throughout (CARL, CVPR 2022, and its code): batch norm over
all frames of a batch, padded ones too, no norm at its ends, layers that begin as copies of one, a
projection of the embeddings before they are scaled to unit length.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.backbones import StoredTrunk, backbone_of, pool_of
from training.timing import (
    mean_of_valid,
    motion_of,
    rotary_angles,
    rotated,
    stretched_sinusoid,
    times_in_steps,
)

if TYPE_CHECKING:
    from training.config import ModelConfig

# Means and deviations of ImageNet in RGB, the convention of every torchvision network.
PIXEL_MEAN = (0.485, 0.456, 0.406)
PIXEL_STD = (0.229, 0.224, 0.225)

MASKED = -1e4  # additive attention mask: finite, so that a clip without a valid frame gives no NaN


class CarlModel(nn.Module):
    """Trunk, head and projection of one encoder.

    Attributes
    ----------
    trunk : uint8 (N, S, S, 3) RGB -> float32 (N, C) features; for the backbone "encoder" it only
        knows C, and features come stored
    head : features (B, T, C), times_s (B, T), valid bool (B, T) -> (B, T, D) unit rows,
        zero where a frame is not valid
    dim : D, length of one embedding: what is learned, and ``config.plain`` beside it
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim + config.plain
        self.trunk: Trunk | StoredTrunk
        self.trunk = StoredTrunk(config) if config.backbone == "encoder" else Trunk(config)
        self.head = Head(config, self.trunk.channels)
        self.projection = Projection(config)

    def forward(self, frames: Tensor, times_s: Tensor, valid: Tensor) -> Tensor:
        """Embed clips: uint8 (B, T, S, S, 3), (B, T), bool (B, T) -> (B, T, D) unit rows."""
        features = self.trunk(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        embeddings: Tensor = self.head(features, times_s, valid)
        return embeddings

    def embed_and_project(
        self, features: Tensor, times_s: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return what is learned (B, T, D) and what the loss compares of it (B, T, P), unit rows.

        The published projection takes the embeddings as they leave the head, of unit length and
        zero where not valid only afterwards.
        """
        rows = self.head.rows(features, times_s, valid)
        embeddings = self.head.unit(rows, valid)
        return embeddings, self.project(rows if self.head.is_published else embeddings)

    def project(self, embeddings: Tensor) -> Tensor:
        """(B, T, D) embeddings -> (B, T, P) unit rows for the training loss."""
        projected: Tensor = self.projection(embeddings)
        return projected

    def train(self, mode: bool = True) -> CarlModel:
        """Switch between training and evaluation; what is frozen stays in evaluation."""
        super().train(mode)
        if self.config.freeze_norm:
            _freeze_norms(self)
        return self


def build_model(config: ModelConfig) -> CarlModel:
    """Build the model a configuration describes, with its backbone weights loaded if named."""
    return CarlModel(config).to(memory_format=torch.channels_last)


class Trunk(nn.Module):
    """One frame to several spatial tokens.

    Attributes
    ----------
    channels : C = tokens times token width
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.image_size = config.image_size
        early, late, channels = backbone_of(config)
        self.early = early
        self.late = late
        self._is_early_frozen = config.freeze != "none"
        self._is_late_frozen = config.freeze == "all"
        self._are_norms_frozen = config.freeze_norm
        with torch.no_grad():
            probe = torch.zeros(1, 3, config.image_size, config.image_size)
            height, width = self.late.eval()(self.early.eval()(probe)).shape[2:]
        self.pool = pool_of(config, channels, height, width)
        token_dim = config.token_dim or channels
        self.to_token = nn.Linear(channels, token_dim) if config.token_dim else nn.Identity()
        self.tokens = config.tokens
        self.channels = config.tokens * token_dim
        self.register_buffer("pixel_mean", torch.tensor(PIXEL_MEAN).view(1, 3, 1, 1))
        self.register_buffer("pixel_std", torch.tensor(PIXEL_STD).view(1, 3, 1, 1))
        for part, is_frozen in ((early, self._is_early_frozen), (late, self._is_late_frozen)):
            if is_frozen:
                part.requires_grad_(False)
        self.train()

    def forward(self, frames: Tensor) -> Tensor:
        """Uint8 (N, S, S, 3) RGB -> float32 (N, C)."""
        # The permuted view already lies in memory as channels_last.
        pixels = frames.permute(0, 3, 1, 2).to(torch.float32) / 255.0
        pixels = (pixels - self.pixel_mean) / self.pixel_std
        x = self.late(self.early(pixels))  # (N, channels, H, W)
        tokens = self.to_token(self.pool(x.flatten(2)))  # (N, tokens, token_dim)
        features: Tensor = tokens.flatten(1).float()
        return features

    def train(self, mode: bool = True) -> Trunk:
        """Switch between training and evaluation; frozen parts always stay in evaluation."""
        super().train(mode)
        if self._is_early_frozen:
            self.early.eval()
        if self._is_late_frozen:
            self.late.eval()
        if self._are_norms_frozen:
            _freeze_norms(self)
        return self


class Head(nn.Module):
    """Features of one clip to one unit vector per frame.

    What is learned sees the whole clip. Where ``config.plain`` is not 0, a fixed projection of the
    frame's own features stands beside it: what the frame looks like, whatever the head has made of
    it. The losses compare what is learned alone.
    """

    def __init__(self, config: ModelConfig, channels: int) -> None:
        super().__init__()
        width = config.width
        self.position = config.position
        self.position_scale = config.position_scale
        self.train_frames = config.train_frames
        self.is_published = config.norm == "batch"
        self.is_centred = config.centre
        hidden = 2 * width
        self.input_norm: nn.Module = nn.Identity() if self.is_published else nn.LayerNorm(channels)
        self.input_dropout = nn.Dropout(config.dropout)
        self.from_features = nn.Linear(channels, hidden)
        self.from_motion = nn.Linear(channels, hidden, bias=False) if config.motion else None
        self.hidden_norm = _Norm(hidden, config.norm)
        self.hidden_dropout = nn.Dropout(config.dropout)
        self.hidden = nn.Linear(hidden, hidden)
        self.hidden_norm2 = _Norm(hidden, config.norm)
        self.to_width = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList([TemporalLayer(config) for _ in range(config.layers)])
        if self.is_published and config.layers:
            # Published: the stack is made of copies of one layer, so all start alike.
            self.layers = nn.ModuleList(
                [copy.deepcopy(self.layers[0]) for _ in range(config.layers)]
            )
        self.output_norm: nn.Module = nn.Identity() if self.is_published else nn.LayerNorm(width)
        self.output = nn.Linear(width, config.dim)
        self.learned_weight = config.learned_weight
        self.plain: Tensor | None
        self.register_buffer("plain", _fixed_projection(channels, config.plain))
        self.head_width = width // config.heads

    def forward(self, features: Tensor, times_s: Tensor, valid: Tensor) -> Tensor:
        """(B, T, C), seconds (B, T), bool (B, T) -> (B, T, D) unit rows, zero where not valid."""
        learned = self.unit(self.rows(features, times_s, valid), valid)
        if self.plain is None:
            return learned
        plain = self.unit(features.float() @ self.plain, valid)
        return self.unit(torch.cat([plain, self.learned_weight * learned], dim=-1), valid)

    def unit(self, rows: Tensor, valid: Tensor) -> Tensor:
        """(B, T, D), bool (B, T) -> rows of unit length, zero where not valid."""
        return torch.where(valid.unsqueeze(-1), F.normalize(rows, dim=-1, eps=1e-6), 0.0)

    def rows(self, features: Tensor, times_s: Tensor, valid: Tensor) -> Tensor:
        """(B, T, C), (B, T), (B, T) -> what is learned (B, T, ``config.dim``), of any length."""
        x = features.float()
        if self.is_centred:
            x = x - mean_of_valid(x, valid)
        if not self.is_published:  # there, batch norm sees padded frames as well
            x = self.input_norm(torch.where(valid.unsqueeze(-1), x, 0.0))
        steps = times_in_steps(times_s, valid)  # (B, T), in units of the clip's usual step
        hidden = self.from_features(self.input_dropout(x))
        if self.from_motion is not None:
            hidden = hidden + self.from_motion(motion_of(x, steps, valid))
        hidden = torch.relu(self.hidden_norm(hidden))
        hidden = torch.relu(self.hidden_norm2(self.hidden(self.hidden_dropout(hidden))))
        tokens = self.to_width(hidden)  # (B, T, width)
        if self.position == "carl":
            tokens = tokens + stretched_sinusoid(times_s, tokens.shape[-1], self.train_frames)
        tokens = self.dropout(tokens)
        mask = torch.where(valid, 0.0, MASKED)[:, None, None, :]  # (B, 1, 1, T) over keys
        turn = self._turn(times_s) if self.position == "seconds" else None
        for layer in self.layers:
            tokens = layer(tokens, steps, mask, turn)
        rows: Tensor = self.output(self.output_norm(tokens)).float()
        return rows

    def _turn(self, times_s: Tensor) -> Tensor:
        """Return angles (B, 1, T, d / 2); in training each clip runs at a speed of its own.

        So that no learned angle can stand for a place in the clip, however long clips usually are.
        """
        seconds = times_s - times_s[:, :1]
        if self.training and self.position_scale > 1:
            reach = math.log(self.position_scale)
            drawn = torch.empty_like(seconds[:, :1]).uniform_(-reach, reach)
            seconds = seconds * drawn.exp()
        return rotary_angles(seconds, self.head_width // 2)


def _fixed_projection(channels: int, size: int) -> Tensor | None:
    """Return a random projection (C, ``size``), the same for every seed; it keeps distances."""
    if size == 0:
        return None
    generator = torch.Generator().manual_seed(0)
    projection: Tensor = torch.randn(channels, size, generator=generator) * size**-0.5
    return projection


class TemporalLayer(nn.Module):
    """Pre-norm attention over time and feed-forward, with a bias or a rotation by relative time."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm1 = nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.join = nn.Linear(config.width, config.width)
        self.norm2 = nn.LayerNorm(config.width)
        self.expand = nn.Linear(config.width, config.ffn)
        self.contract = nn.Linear(config.ffn, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.bias = RelativeTimeBias(config.heads) if config.position == "relative" else None
        is_published = config.norm == "batch"
        for linear in (self.qkv, self.join, self.expand, self.contract):
            nn.init.xavier_uniform_(linear.weight)
            if not is_published:
                nn.init.zeros_(linear.bias)
        if is_published:  # query, key and value are matrices of their own there
            for weight in self.qkv.weight.detach().chunk(3):
                nn.init.xavier_uniform_(weight)

    def forward(self, x: Tensor, steps: Tensor, mask: Tensor, turn: Tensor | None = None) -> Tensor:
        """(B, T, width), (B, T), additive (B, 1, 1, T), angles (B, 1, T, d / 2) -> as x."""
        parts = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, T, d)
        if turn is not None:
            query, key = rotated(query, turn), rotated(key, turn)
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5 + mask
        if self.bias is not None:
            scores = scores + self.bias(steps)
        weights = torch.softmax(scores.float(), dim=-1).to(value.dtype)  # (B, heads, T, T)
        x = x + self.dropout(self.join((weights @ value).transpose(1, 2).flatten(2)))
        x = x + self.dropout(self.contract(torch.relu(self.expand(self.norm2(x)))))
        return x


class RelativeTimeBias(nn.Module):
    """Attention bias from time differences: a slope per head and a learned smooth curve.

    The slope makes each head local (as in "Train Short, Test Long", ALiBi, but learned); the curve
    over the signed logarithm of the difference tells before from after. Neither knows where in the
    clip a frame lies.
    """

    def __init__(self, heads: int, hidden: int = 16) -> None:
        super().__init__()
        # Reach of the heads from about 2 to about 32 steps.
        self.log_slope = nn.Parameter(torch.linspace(-0.7, -3.5, heads))
        self.curve_in = nn.Linear(1, hidden)
        self.curve_out = nn.Linear(hidden, heads)
        nn.init.normal_(self.curve_in.weight)
        nn.init.normal_(self.curve_in.bias)
        nn.init.zeros_(self.curve_out.weight)
        nn.init.zeros_(self.curve_out.bias)

    def forward(self, steps: Tensor) -> Tensor:
        """(B, T) times in steps -> (B, heads, T, T) additive scores, [query, key]."""
        ahead = (steps[:, None, :] - steps[:, :, None]).unsqueeze(-1)  # (B, T, T, 1)
        distance = ahead.abs()
        curve = self.curve_out(torch.tanh(self.curve_in(ahead.sign() * torch.log1p(distance))))
        bias = curve - distance * self.log_slope.exp()
        bounded: Tensor = bias.permute(0, 3, 1, 2).clamp(-60.0, 60.0)
        return bounded


class Projection(nn.Module):
    """Linear, norm, ReLU, linear, unit length: only the training loss sees it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.first = nn.Linear(config.dim, config.projection)
        self.norm = _Norm(config.projection, config.norm)
        self.second = nn.Linear(config.projection, config.projection)

    def forward(self, embeddings: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, P) unit rows."""
        projected = self.second(torch.relu(self.norm(self.first(embeddings))))
        return F.normalize(projected.float(), dim=-1, eps=1e-6)


def _freeze_norms(module: nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()


class _Norm(nn.Module):
    """Layer norm, or batch norm over all frames of a batch, on (..., width)."""

    def __init__(self, width: int, kind: str) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width) if kind == "batch" else nn.LayerNorm(width)
        self._is_batch = kind == "batch"

    def forward(self, x: Tensor) -> Tensor:
        if self._is_batch:
            y: Tensor = self.norm(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            return y
        return self.norm(x)  # type: ignore[no-any-return]
