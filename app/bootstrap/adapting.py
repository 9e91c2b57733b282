"""Adaptation of the encoder to the user's recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.actions import ActionId
from app.bootstrap.parts import Feature
from app.models.engine import engine_maker
from app.presenters.adaptation import AdaptationPresenter
from app.trainer import TrainerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtCore import QObject

    from app.bootstrap.parts import Handlers, Parts


class AdaptingFeature(Feature):
    """Connects ``AdaptationPresenter`` to its panel."""

    needs_recordings = (ActionId.ADAPT,)

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parts, parent)
        panel = parts.window.adaptation
        self.adaptation = AdaptationPresenter(
            parts.session, parts.jobs, parts.engine, TrainerProcess(self), panel, self
        )
        panel.start_wanted.connect(self.adaptation.start)
        panel.stop_wanted.connect(self.adaptation.stop)
        panel.use_wanted.connect(self.adaptation.use)
        panel.dismissed.connect(self.adaptation.dismiss)
        panel.back_wanted.connect(self.adaptation.go_back)
        self.adaptation.encoder_chosen.connect(self._use_encoder)

    def handlers(self) -> Handlers:
        """Return the one command."""
        return {ActionId.ADAPT: self._show}

    def working(self) -> str:
        """Return that an adaptation runs."""
        return self.tr("Adapting the encoder") if self.adaptation.state.stage.is_running else ""

    def close(self) -> None:
        """Stop the trainer."""
        self.adaptation.close()

    def _show(self) -> None:
        self.adaptation.refresh()
        self.parts.window.show_adaptation()

    def _use_encoder(self, path: Path) -> None:
        self.parts.loading.use_engine(engine_maker(path))
