"""Moving pictures: drawn by the graphics card where there is one, painted elsewhere."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from app import settings as keys
from app.bootstrap.parts import Feature
from app.presenters.preferences import read_preferences
from app.views.surface import probe
from carl_core.video.planes import Making

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from app.bootstrap.parts import Parts

log = logging.getLogger("carl.play")


class PicturesFeature(Feature):
    """Decides once, before the window is shown: a window cannot change what draws it unseen."""

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parts, parent)
        stage = parts.window.stage
        self._is_drawn = self._can_draw(read_preferences(parts.settings).pictures)
        stage.grid.surfaces_failed.connect(self._on_failed)
        stage.refresh_wanted.connect(self._choose)
        if self._is_drawn:
            stage.grid.set_surfaces(True)
        self._choose()

    def _can_draw(self, wanted: str) -> bool:
        if wanted == "painted":
            return False
        settings = self.parts.settings
        if settings.get(keys.TRYING_OPENGL):
            # A driver that takes the program down does it once.
            log.warning("trying OpenGL ended the program at its last start: pictures are painted")
            settings.set(keys.TRYING_OPENGL, False)
            settings.set(keys.PICTURES, "painted")
            return False
        settings.set(keys.TRYING_OPENGL, True)
        settings.sync()
        found = probe()
        settings.set(keys.TRYING_OPENGL, False)
        settings.sync()
        reason = found.problem
        if not reason and wanted != "card":
            if not found.is_hardware:
                reason = "no graphics card stands behind it"
            elif not found.is_quick:
                reason = "painting is quicker"
        what = "drawn with OpenGL" if not reason else f"painted ({reason})"
        renderer = found.renderer or "none"
        log.info("moving pictures: %s; %s, %.1f ms a picture", what, renderer, found.picture_ms)
        return not reason

    def _choose(self) -> None:
        """Two recordings in one picture are mixed by the processor: it needs their pixels."""
        is_drawn = self._is_drawn and not self.parts.window.stage.look.is_composite
        self.parts.frames.set_motion(Making.PLANES if is_drawn else Making.QUICK)

    def _on_failed(self, reason: str) -> None:
        log.warning("OpenGL does not draw (%s); pictures are painted from now on", reason)
        self._is_drawn = False
        self._choose()
