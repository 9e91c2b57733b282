"""Playing: the transport bar, steps and jumps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.actions import ActionId
from app.bootstrap.parts import Feature

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from app.bootstrap.parts import Handlers, Parts


class PlayingFeature(Feature):
    """Commands of ``PlaybackPresenter``."""

    needs_recordings = (ActionId.PLAY,)

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parts, parent)
        window, player = parts.window, parts.player
        window.grid.tile_resized.connect(lambda _id: player.refresh())
        window.transport.speed_chosen.connect(player.set_speed)

    def handlers(self) -> Handlers:
        """Return the Play menu."""
        player, session = self.parts.player, self.parts.session
        return {
            ActionId.PLAY: player.toggle,
            ActionId.SHUTTLE_BACK: lambda: player.shuttle(-1),
            ActionId.SHUTTLE_STOP: player.pause,
            ActionId.SHUTTLE_FORWARD: lambda: player.shuttle(1),
            ActionId.FRAME_BACK: lambda: player.step(-1),
            ActionId.FRAME_FORWARD: lambda: player.step(1),
            ActionId.FRAMES_BACK: lambda: player.step(-10),
            ActionId.FRAMES_FORWARD: lambda: player.step(10),
            ActionId.FRAMES_BACK_HUNDRED: lambda: player.step(-100),
            ActionId.FRAMES_FORWARD_HUNDRED: lambda: player.step(100),
            ActionId.SECOND_BACK: lambda: player.seek_by(-1.0),
            ActionId.SECOND_FORWARD: lambda: player.seek_by(1.0),
            ActionId.TEN_SECONDS_BACK: lambda: player.seek_by(-10.0),
            ActionId.TEN_SECONDS_FORWARD: lambda: player.seek_by(10.0),
            ActionId.TENTH_BACK: lambda: player.seek_by_share(-0.1),
            ActionId.TENTH_FORWARD: lambda: player.seek_by_share(0.1),
            ActionId.START: lambda: player.seek_end(is_end=False),
            ActionId.END: lambda: player.seek_end(is_end=True),
            ActionId.SLOWER: lambda: player.change_speed(-1),
            ActionId.FASTER: lambda: player.change_speed(1),
            ActionId.NORMAL_SPEED: lambda: player.change_speed(0),
            ActionId.LOOP: self._set_looping,
            ActionId.NEXT_TILE: lambda: session.activate_neighbour(1),
            ActionId.PREVIOUS_TILE: lambda: session.activate_neighbour(-1),
        }

    def _set_looping(self) -> None:
        self.parts.player.set_looping(self.parts.actions[ActionId.LOOP].isChecked())
