"""The student: a picture to what is where in it, and where which joint is.

Its features speak the teachers' language: means of the image teacher's map over a grid of cells,
and the joints, on the body and in the picture. So they can be compared without a trained head, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.backbones import ResidualBlock
from training.distill.views import JOINTS
from training.model import PIXEL_MEAN, PIXEL_STD

if TYPE_CHECKING:
    from training.distill.settings import StudentSettings

PLACE_CHANNELS = 320


class Student(nn.Module):
    """Trunk of an encoder.

    Attributes
    ----------
    image_size : S
    tokens : cells of the grid, and one token for the pose
    channels : C = tokens times 320; the pose fills its token with zeros
    """

    pixel_mean: Tensor
    pixel_std: Tensor
    place_mean: Tensor
    place_std: Tensor
    pose_scale: Tensor
    cells: Tensor
    columns: Tensor
    rows: Tensor

    def __init__(self, settings: StudentSettings) -> None:
        super().__init__()
        first, second, third, last = settings.widths
        self.image_size = settings.size
        self.tokens = settings.tokens + 1
        self.channels = self.tokens * PLACE_CHANNELS
        self.stages = nn.Sequential(
            nn.Conv2d(3, first, 7, 4, 3, bias=False), nn.BatchNorm2d(first), nn.ReLU(),
            ResidualBlock(first, first, 1),
            ResidualBlock(first, second, 2), ResidualBlock(second, second, 1),
            ResidualBlock(second, third, 2),
            ResidualBlock(third, last, 1), ResidualBlock(last, last, 1),
        )  # fmt: skip
        self.to_places = nn.Conv2d(last, PLACE_CHANNELS, 1)
        self.to_joints = nn.Conv2d(last, 4 * JOINTS, 1)
        self.to_nowhere = nn.Linear(last, JOINTS)
        side = settings.size // 16
        grid = round(settings.tokens**0.5)
        each = torch.eye(side * side).view(side * side, 1, side, side)
        self.register_buffer("cells", F.adaptive_avg_pool2d(each, grid).flatten(1))
        middles = (torch.arange(2 * side) + 0.5) / (2 * side)
        self.register_buffer("columns", middles.repeat(2 * side))
        self.register_buffer("rows", middles.repeat_interleave(2 * side))
        self.register_buffer("pixel_mean", torch.tensor(PIXEL_MEAN).view(1, 3, 1, 1))
        self.register_buffer("pixel_std", torch.tensor(PIXEL_STD).view(1, 3, 1, 1))
        self.register_buffer("place_mean", torch.zeros(PLACE_CHANNELS))
        self.register_buffer("place_std", torch.ones(PLACE_CHANNELS))
        self.register_buffer("pose_scale", torch.ones(()))

    def look(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Say what the teachers would.

        Parameters
        ----------
        pixels : float32 (N, 3, S, S), 0..1

        Returns
        -------
        standardised places (N, 320, 7, 7), logits of the joints' cells (N, 17, 14, 14), and of
        being nowhere (N, 17)
        """
        x = self.stages((pixels - self.pixel_mean) / self.pixel_std)
        scores = F.pixel_shuffle(self.to_joints(x), 2)
        return self.to_places(x), scores, self.to_nowhere(x.mean(dim=(2, 3)))

    def forward(self, frames: Tensor) -> Tensor:
        """Uint8 (N, S, S, 3) RGB -> float32 (N, C)."""
        pixels = frames.permute(0, 3, 1, 2).to(torch.float32) / 255.0
        places, scores, nowhere = self.look(pixels)
        cells = self.tokens_of(places.float())
        tokens = cells.transpose(1, 2) * self.place_std + self.place_mean
        pose = self.pose(scores, nowhere) * self.pose_scale
        pose = F.pad(pose, (0, PLACE_CHANNELS - pose.shape[1])).unsqueeze(1)
        features: Tensor = torch.cat([tokens, pose], dim=1).flatten(1)
        return features

    def tokens_of(self, places: Tensor) -> Tensor:
        """(N, channels, 7, 7) -> (N, channels, grid cells), means over the cells."""
        return places.flatten(2) @ self.cells

    def pose(self, scores: Tensor, nowhere: Tensor) -> Tensor:
        """Logits -> (N, 85): joints on the body, in the picture, and how sure they are.

        On the body: from the joints' centre, in units of their spread, each by its certainty.
        """
        logits = torch.cat([scores.flatten(2), nowhere.unsqueeze(-1)], dim=-1).float()
        shares = torch.softmax(logits, dim=-1)[..., :-1]  # (N, J, cells)
        sure = shares.sum(dim=-1)  # (N, J)
        known = sure.clamp(min=1e-4)
        x = (shares * self.columns).sum(-1) / known
        y = (shares * self.rows).sum(-1) / known
        weight = sure / sure.sum(dim=-1, keepdim=True).clamp(min=1e-3)
        from_x = x - (weight * x).sum(-1, keepdim=True)
        from_y = y - (weight * y).sum(-1, keepdim=True)
        spread = (weight * (from_x.square() + from_y.square())).sum(-1, keepdim=True).sqrt() + 0.05
        return torch.cat(
            [
                sure * from_x / spread, sure * from_y / spread,
                sure * (x - 0.5), sure * (y - 0.5), 0.5 * sure,
            ],
            dim=1,
        )  # fmt: skip
