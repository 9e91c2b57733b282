"""The settings: a list of pages and the page chosen. Everything holds at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.models.preferences import Preferences
from app.views.keys_page import KeysPage
from app.views.settings_pages import CachePage, DevicePage, LookPage, ModelPage, PlaybackPage

if TYPE_CHECKING:
    from app.models.preferences import CacheFacts, EncoderFacts

_SIZE = QSize(980, 620)


class SettingsDialog(QDialog):
    """Shows and changes ``Preferences`` and keys.

    Signals
    -------
    changed(Preferences) : the user has chosen something
    model_file_wanted() : the user wants to choose an encoder file
    clear_cache_wanted() : all embeddings are to be forgotten
    """

    changed = Signal(object)
    model_file_wanted = Signal()
    clear_cache_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("settings")
        self.setWindowTitle(self.tr("Settings"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._preferences = Preferences()
        self.model = ModelPage()
        self.device = DevicePage()
        self.cache = CachePage()
        self.playback = PlaybackPage()
        self.look = LookPage()
        self.keys = KeysPage()
        self._forms = (self.model, self.device, self.cache, self.playback, self.look)
        self.list = QListWidget()
        self.list.setObjectName("settings-list")
        self.list.setAccessibleName(self.tr("Pages of the settings"))
        self.list.setToolTip(self.tr("Choose what to set."))
        self.list.setFixedWidth(150)
        self._pages = QStackedWidget()
        self._names = ("model", "device", "cache", "playback", "look", "keys")
        titles = (
            self.tr("Encoder"),
            self.tr("Device"),
            self.tr("Cache"),
            self.tr("Playing"),
            self.tr("Look"),
            self.tr("Keys"),
        )
        for title, page in zip(titles, (*self._forms, self.keys), strict=True):
            item = QListWidgetItem(title)
            item.setSizeHint(QSize(100, self.fontMetrics().height() + 16))
            self.list.addItem(item)
            self._pages.addWidget(self._framed(title, page))
        self.list.currentRowChanged.connect(self._pages.setCurrentIndex)
        self.list.setCurrentRow(0)
        for form in self._forms:
            form.edited.connect(self._on_edited)
        self.model.file_wanted.connect(self.model_file_wanted)
        self.cache.clear_wanted.connect(self.clear_cache_wanted)
        row = QHBoxLayout()
        row.setSpacing(18)
        row.addWidget(self.list)
        row.addWidget(self._pages, 1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(16, 16, 16, 14)
        outer.setSpacing(12)
        outer.addLayout(row, 1)
        outer.addWidget(buttons)
        self.resize(_SIZE.boundedTo(self.screen().availableSize() * 0.95))

    def _framed(self, title: str, page: QWidget) -> QWidget:
        frame = QWidget()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(14)
        heading = QLabel(title)
        heading.setProperty("role", "title")
        layout.addWidget(heading)
        if page is self.keys:
            layout.addWidget(page, 1)
            return frame
        area = QScrollArea()
        area.setWidget(page)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout.addWidget(area, 1)
        return frame

    def show_page(self, name: str) -> None:
        """Turn to a page: "model", "device", "cache", "playback", "look" or "keys"."""
        self.list.setCurrentRow(self._names.index(name))

    def set_preferences(self, preferences: Preferences) -> None:
        """Show the choices."""
        self._preferences = preferences
        for form in self._forms:
            form.set_preferences(preferences)

    def show_encoder(self, facts: EncoderFacts) -> None:
        """Say which encoder is in use, and on what."""
        self.model.show_encoder(facts)
        self.device.show_encoder(facts)

    def show_encoder_problem(self, text: str) -> None:
        """Say why an encoder cannot be used; "" takes that away."""
        self.model.problem.setText(text)
        self.model.problem.setVisible(bool(text))

    def show_cache(self, facts: CacheFacts) -> None:
        """Say how full the cache is."""
        self.cache.show_cache(facts)

    def show_cache_problem(self, text: str) -> None:
        """Say why the cache cannot be used."""
        self.cache.show_problem(text)

    def _on_edited(self, fields: dict[str, Any]) -> None:
        wanted = replace(self._preferences, **fields)
        if "model" not in fields:  # a file counts once it has been loaded
            self._preferences = wanted
        self.changed.emit(wanted)
