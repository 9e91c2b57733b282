"""Sound: what is heard while playing, and how loud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.actions import ActionId
from app.audio.player import AudioPlayer
from app.bootstrap.parts import Feature
from app.presenters.sound import SoundPresenter

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from app.audio.output import Output
    from app.bootstrap.parts import Handlers, Parts


class SoundFeature(Feature):
    """Commands of ``SoundPresenter``.

    Parameters
    ----------
    output : the sound device; None = the system's
    """

    def __init__(self, parts: Parts, parent: QObject, output: Output | None = None) -> None:
        super().__init__(parts, parent)
        view = parts.window.transport.volume
        self.audio = AudioPlayer(self, output=output)
        self.sound = SoundPresenter(
            parts.session, parts.player, self.audio, parts.settings, view, self
        )
        view.mute_toggled.connect(self.sound.toggle_mute)
        view.volume_chosen.connect(self.sound.set_volume)
        view.source_chosen.connect(self.sound.choose)

    def handlers(self) -> Handlers:
        """Return mute, volume and what is heard."""
        sound = self.sound
        return {
            ActionId.MUTE: sound.toggle_mute,
            ActionId.LOUDER: lambda: sound.change_volume(1),
            ActionId.QUIETER: lambda: sound.change_volume(-1),
            ActionId.HEAR_ACTIVE: sound.choose_active,
        }

    def close(self) -> None:
        """Let go of the sound device."""
        self.audio.close()
