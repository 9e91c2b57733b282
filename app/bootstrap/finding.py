"""Search: the panel of matches, pictures that are looked for, hits on the lanes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication, QImage

from app.actions import ActionId
from app.bootstrap.choosing import choose_files
from app.bootstrap.parts import Feature
from app.faults.messages import Message, Severity
from app.models.searching import Role
from app.presenters.indexing import IndexPresenter
from app.presenters.opening import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from app.presenters.search import SearchPresenter
from app.views.menus import pop_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtCore import QObject

    from app.bootstrap.parts import Handlers, Parts
    from carl_core.arrays import UInt8

_MATCH_MENU = (
    ActionId.MATCH_GO,
    ActionId.MATCH_ALONE,
    ActionId.MATCH_PIN,
    None,
    ActionId.MATCH_ALSO,
    ActionId.MATCH_UNLIKE,
)


class FindingFeature(Feature):
    """Connects ``SearchPresenter`` to its panel, the clipboard and dropped pictures.

    Signals
    -------
    link_wanted(str, float, str, float) : pin these moments of two recordings
    """

    link_wanted = Signal(str, float, str, float)

    needs_recordings = (
        ActionId.FIND_FRAME,
        ActionId.FIND_ALSO,
        ActionId.FIND_UNLIKE,
        *(which for which in _MATCH_MENU if which is not None),
    )

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parts, parent)
        window = parts.window
        self.search = SearchPresenter(
            parts.session,
            parts.jobs,
            parts.engine,
            parts.player,
            parts.reporter,
            window.search,
            self,
        )
        self.index = IndexPresenter(parts.jobs, parts.engine, parts.reporter, self)
        self.search.index_wanted.connect(self.index.look)
        parts.loading.engine_ready.connect(lambda _state: self.index.look())  # goes on
        # A picture dropped on the window can only be meant to be found.
        parts.opening.image_offered.connect(self.search.find_image_file)
        window.pixels_dropped.connect(self._find_pixels)
        panel = window.search
        panel.match_chosen.connect(self.search.open_match)
        panel.match_alone.connect(self.search.open_alone)
        panel.match_added.connect(self.search.add_match)
        panel.chip_removed.connect(self.search.remove_item)
        panel.frame_dropped.connect(self.search.find_shown_frame)
        panel.file_dropped.connect(self._on_file)
        panel.pixels_dropped.connect(self._find_pixels)
        panel.frame_wanted.connect(self.search.find_active_frame)
        panel.file_wanted.connect(self._choose_image)
        panel.link_wanted.connect(self.search.link)
        commands = [None if which is None else parts.actions[which] for which in _MATCH_MENU]
        panel.menu_requested.connect(lambda at: pop_up(panel, "match-menu", commands, at))
        panel.threshold.valueChanged.connect(lambda _value: self.search.show_hits(panel.shown))
        self.search.link_wanted.connect(self.link_wanted)
        self.search.file_wanted.connect(lambda path: parts.opening.add_paths([path]))
        panel.add_scope(parts.actions[ActionId.FIND_EVERYWHERE])
        self.search.started.connect(window.show_search)
        self.search.found.connect(parts.timeline.set_hits)
        self.search.curves_found.connect(parts.timeline.set_curves)

    def handlers(self) -> Handlers:
        """Return the ways to search."""
        return {
            ActionId.FIND_FRAME: self.search.find_active_frame,
            ActionId.FIND_ALSO: lambda: self.search.find_active_frame(Role.ALSO),
            ActionId.FIND_UNLIKE: lambda: self.search.find_active_frame(Role.NOT),
            ActionId.FIND_RANGE: self._find_range,
            ActionId.FIND_IMAGE: self._choose_image,
            ActionId.FIND_PASTED: self._find_pasted,
            ActionId.FIND_EVERYWHERE: self._set_everywhere,
            ActionId.MATCH_GO: lambda: self._with_chosen(self.search.open_match),
            ActionId.MATCH_ALONE: lambda: self._with_chosen(self.search.open_alone),
            ActionId.MATCH_PIN: lambda: self._with_chosen(self.search.link),
            ActionId.MATCH_ALSO: lambda: self._with_chosen(self._also),
            ActionId.MATCH_UNLIKE: lambda: self._with_chosen(self._unlike),
        }

    def _set_everywhere(self) -> None:
        self.search.set_everywhere(on=self.parts.actions[ActionId.FIND_EVERYWHERE].isChecked())

    def _with_chosen(self, use: Callable[[int], None]) -> None:
        """Do something with the match that is chosen in the list."""
        position = self.parts.window.search.chosen()
        if position is not None:
            use(position)
            return
        text = self.tr("No match is chosen. Press F on a frame to find the moments like it first.")
        self.parts.reporter.report(Message(text, Severity.INFO, topic="match"))

    def _also(self, position: int) -> None:
        self.search.add_match(position, Role.ALSO)

    def _unlike(self, position: int) -> None:
        self.search.add_match(position, Role.NOT)

    def _choose_image(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in sorted(IMAGE_SUFFIXES))
        choose_files(
            self.parts.window,
            self.parts.settings,
            self.tr("Find an image"),
            [self.tr("Images ({patterns})").format(patterns=patterns), self.tr("All files (*)")],
            lambda paths: self.search.find_image_file(paths[0]),
            is_many=False,
        )

    def _find_range(self) -> None:
        """Look for what the active recording shows from in to out."""
        project, schedule = self.parts.project.project, self.parts.session.schedule
        active = self.parts.session.active_id
        if project.loop is None or schedule is None:
            self.parts.reporter.report(
                Message(
                    self.tr("Set in and out around what is to be found first (I and O)."),
                    Severity.INFO,
                    topic="range",
                )
            )
            return
        ends = []
        for time_s in (project.loop.start_s, project.loop.end_s):
            master_s = schedule.master_time_of(self.parts.session.reference_id, time_s)
            ends.append(None if master_s is None else schedule.own_time_at(active, master_s))
        start_s, end_s = ends
        if start_s is None or end_s is None or end_s <= start_s:
            self.parts.reporter.report(
                Message(
                    self.tr("The active recording has no counterpart from in to out."),
                    Severity.INFO,
                    topic="range",
                )
            )
            return
        self.search.find_stretch(active, start_s, end_s)

    def _find_pasted(self) -> None:
        data = QGuiApplication.clipboard().mimeData()
        if data.hasImage() and isinstance(data.imageData(), QImage):
            self._find_pixels(data.imageData())
            return
        paths = [Path(u.toLocalFile()) for u in data.urls() if u.isLocalFile()]
        if paths and paths[0].suffix.lower() in IMAGE_SUFFIXES:
            self.search.find_image_file(paths[0])
        elif paths:
            self.parts.opening.add_paths(paths)
        else:
            self.parts.reporter.report(
                Message(
                    self.tr("There is no picture on the clipboard. Copy one, then paste again."),
                    Severity.INFO,
                    topic="paste",
                )
            )

    def _on_file(self, path: Path, role: Role) -> None:
        if path.suffix.lower() in VIDEO_SUFFIXES:
            self.parts.opening.add_paths([path])
        else:
            self.search.find_image_file(path, role)

    def _find_pixels(self, image: QImage, role: Role = Role.ONLY) -> None:
        self.search.find_pixels(self.tr("the pasted picture"), pixels_of(image), role)


def pixels_of(image: QImage) -> UInt8:
    """Copy a picture into uint8 (H, W, 3) RGB."""
    rgb = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(rgb.constBits(), dtype=np.uint8).reshape(rgb.height(), rgb.bytesPerLine())
    return rows[:, : rgb.width() * 3].reshape(rgb.height(), rgb.width(), 3).copy()
