"""Learning: adaptation to the open recordings, and training on a folder of videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.actions import ActionId
from app.bootstrap.parts import Feature
from app.presenters.adaptation import AdaptationPresenter
from app.presenters.preferences import engine_from
from app.presenters.training import TrainingPresenter
from app.trainer import TRAIN, TrainerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtCore import QObject

    from app.bootstrap.parts import Handlers, Parts


class AdaptingFeature(Feature):
    """Connects ``AdaptationPresenter`` and ``TrainingPresenter`` to their panels."""

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
        board = parts.window.training
        self.training = TrainingPresenter(
            parts.jobs,
            parts.engine,
            TrainerProcess(self, module=TRAIN),
            board,
            parts.state / "runs",
            self,
        )
        board.folder_wanted.connect(self._choose_folder)
        board.start_wanted.connect(self.training.start)
        board.stop_wanted.connect(self.training.stop)
        board.export_wanted.connect(self.training.export)
        board.use_wanted.connect(self.training.use)
        self.training.encoder_chosen.connect(self._use_encoder)
        parts.loading.adapt_wanted.connect(self._show)

    def handlers(self) -> Handlers:
        """Return both ways to learn."""
        return {ActionId.ADAPT: self._show, ActionId.TRAIN: self._show_training}

    def working(self) -> str:
        """Return what learns."""
        if self.training.state.stage.is_running:
            return self.tr("Training an encoder")
        return self.tr("Adapting the encoder") if self.adaptation.state.stage.is_running else ""

    def on_theme(self) -> None:
        """Draw the curves anew."""
        self.parts.window.training.refresh_colours()

    def close(self) -> None:
        """Stop the trainers."""
        self.adaptation.close()
        self.training.close()

    def _show(self) -> None:
        self.adaptation.refresh()
        self.parts.window.show_adaptation()

    def _show_training(self) -> None:
        self.training.refresh()
        self.parts.window.show_training()

    def _choose_folder(self) -> None:
        self.parts.dialogs.ask_folder(
            self.tr("Folder of videos to learn from"), self.training.choose_folder
        )

    def _use_encoder(self, path: Path) -> None:
        self.parts.loading.use_engine(engine_from(self.parts.settings, path))
