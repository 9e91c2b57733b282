"""What playing needs of the window and of the decoders, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from app.models.viewstate import Transport
    from carl_core.video.reader import Frame

Size = tuple[int, int]


class PlayerView(Protocol):
    """The tiles and the play buttons, as playing sees them."""

    def show_frame(self, recording_id: str, frame: Frame, rate: float | None) -> None:
        """Show a picture in a tile."""
        ...

    def set_counterpart(self, recording_id: str, has_counterpart: bool) -> None:
        """Dim a tile, or not."""
        ...

    def picture_size(self, recording_id: str) -> Size:
        """Return the pixels (width, height) a tile's picture covers on the screen."""
        ...

    def set_transport(self, transport: Transport) -> None:
        """Show time, speed and whether it plays."""
        ...


class FrameSource(Protocol):
    """What playing needs of ``FrameService``."""

    def want(self, recording_id: str, plan: tuple[int, ...], size: Size) -> None:
        """Ask for frames."""
        ...


@dataclass
class TileFigures:
    """What a tile has shown since the figures were reset.

    Attributes
    ----------
    shown : pictures shown
    pts : different presentation timestamps among them
    late : pictures whose time on the screen was over when they came
    """

    shown: int = 0
    late: int = 0
    pts: set[int] = field(default_factory=set)
