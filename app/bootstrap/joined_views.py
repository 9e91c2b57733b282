"""Views that are several widgets of the window in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.models.viewstate import Lane, Thumbnail, Transport
    from app.views.main_window import MainWindow
    from carl_core.video.reader import Frame


class TilesAndTransport:
    """Tiles and play buttons in one."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def show_frame(self, recording_id: str, frame: Frame, rate: float | None) -> None:
        """Show a picture in a tile."""
        self._window.stage.show_frame(recording_id, frame, rate)

    def set_counterpart(self, recording_id: str, has_counterpart: bool) -> None:
        """Dim a tile, or not."""
        self._window.stage.set_counterpart(recording_id, has_counterpart)

    def picture_size(self, recording_id: str) -> tuple[int, int]:
        """Return the pixels a picture covers."""
        return self._window.stage.picture_size(recording_id)

    def set_transport(self, transport: Transport) -> None:
        """Show time and speed."""
        self._window.transport.set_transport(transport)


class RoomyTimeline:
    """Lanes, with the window giving them room."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def set_lanes(self, lanes: tuple[Lane, ...]) -> None:
        """Show these lanes and give them room."""
        self._window.set_lanes(lanes)

    def set_pins(self, pins: Mapping[str, tuple[float, ...]]) -> None:
        """Show what is pinned, by recording."""
        self._window.timeline.set_pins(pins)

    def add_thumbnail(self, recording_id: str, thumbnail: Thumbnail) -> None:
        """Add a picture to a lane."""
        self._window.timeline.add_thumbnail(recording_id, thumbnail)

    def set_playheads(self, times_s: Mapping[str, float | None]) -> None:
        """Show each recording's own time."""
        self._window.timeline.set_playheads(times_s)
