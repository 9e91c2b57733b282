"""The dialog that asks what to export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLayout,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from app.models.exporting import ExportChoice, ExportOffer, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

_HEIGHTS = (360, 540, 720, 1080)


class ExportDialog(QDialog):
    """Kind of export at the top, what belongs to it below.

    Signals
    -------
    chosen(ExportChoice) : choose a file for this, and write it
    """

    chosen = Signal(object)

    def __init__(self, offer: ExportOffer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("export-dialog")
        self.setWindowTitle(self.tr("Export"))
        layout = QVBoxLayout(self)
        layout.setSizeConstraint(QLayout.SizeConstraint.SetMinimumSize)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(10)
        self._kinds = QButtonGroup(self)
        names = {
            Kind.VIDEO: self.tr("&Video, recordings in step (MP4)"),
            Kind.STILL: self.tr("&Picture of this moment (PNG)"),
            Kind.ALIGNMENT: self.tr("&Alignment, for CARL and programs (JSON)"),
            Kind.TABLE: self.tr("Alignment as a &table, frame by frame (CSV)"),
            Kind.HEATMAP: self.tr("&Heatmap with the path (PNG)"),
            Kind.TIMELINE: self.tr("Timeline for &editing programs (OpenTimelineIO)"),
        }
        missing = {Kind.HEATMAP: offer.heatmap, Kind.TIMELINE: offer.timeline}
        for number, (kind, name) in enumerate(names.items()):
            button = QRadioButton(name)
            button.setObjectName(f"export-{kind.name.lower()}")
            self._kinds.addButton(button, number)
            layout.addWidget(button)
            if missing.get(kind):
                button.setEnabled(False)
                button.setText(f"{name} – {missing[kind]}")
        self._options = QWidget()
        form = QFormLayout(self._options)
        form.setContentsMargins(22, 6, 0, 0)
        self._view = QComboBox()
        views = {
            "grid": self.tr("All recordings, as a grid"),
            "overlay": self.tr("As shown: overlay of two"),
            "difference": self.tr("As shown: difference of two"),
            "wipe": self.tr("As shown: wipe of two"),
        }
        if offer.view != "grid":
            self._view.addItem(views[offer.view], True)
        elif offer.is_zoomed:
            self._view.addItem(self.tr("As shown: all recordings, zoomed"), True)
        self._view.addItem(views["grid"], False)
        self._view.setMinimumWidth(355)
        form.addRow(self.tr("View"), self._named(self._view, self.tr("View")))
        self._part = QComboBox()
        self._part.addItem(self.tr("From beginning to end"), False)
        if offer.has_range:
            self._part.addItem(self.tr("From in to out"), True)
            self._part.setCurrentIndex(1)
        form.addRow(self.tr("Part"), self._named(self._part, self.tr("Part")))
        self._height = QComboBox()
        for height in _HEIGHTS:
            self._height.addItem(self.tr("{n} pixels").format(n=height), height)
        self._height.setCurrentIndex(1)
        form.addRow(self.tr("Height"), self._named(self._height, self.tr("Height of a picture")))
        self._names = self._box(form, self.tr("Names, times and rates"), is_on=True)
        self._marks = self._box(form, self.tr("Markers"), is_on=offer.has_marks)
        self._marks.setEnabled(offer.has_marks)
        self._sound = self._box(form, self.tr("Sound of the reference"), is_on=not offer.sound)
        if offer.sound:
            self._sound.setEnabled(False)
            self._sound.setText(f"{self._sound.text()} – {offer.sound}")
        self._frames = self._box(
            form, self.tr("A list beside it: which frame each frame shows (CSV)"), is_on=False
        )
        layout.addWidget(self._options)
        self._note = QLabel()
        self._note.setProperty("role", "dim")
        self._note.setWordWrap(True)
        layout.addWidget(self._note)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        go = buttons.addButton(self.tr("Choose file…"), QDialogButtonBox.ButtonRole.AcceptRole)
        go.setObjectName("export-go")
        go.setProperty("role", "primary")
        go.setDefault(True)
        buttons.accepted.connect(self._on_accepted)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
        self._kinds.idToggled.connect(lambda _id, _on: self._on_kind())
        first = self._kinds.button(0)
        first.setChecked(True)
        self._on_kind()

    @property
    def kind(self) -> Kind:
        """The kind that is chosen."""
        return list(Kind)[self._kinds.checkedId()]

    def choice(self) -> ExportChoice:
        """Return everything that is chosen."""
        return ExportChoice(
            kind=self.kind,
            is_as_shown=bool(self._view.currentData()),
            is_range=bool(self._part.currentData()),
            height=int(self._height.currentData()),
            has_names=self._names.isChecked(),
            has_marks=self._marks.isChecked(),
            has_sound=self._sound.isChecked(),
            has_frames=self._frames.isChecked(),
        )

    def _on_kind(self) -> None:
        kind = self.kind
        is_picture = kind in (Kind.VIDEO, Kind.STILL)
        self._options.setVisible(is_picture)
        for widget in (self._part, self._sound, self._frames):
            widget.setVisible(kind is Kind.VIDEO)
        form = self._options.layout()
        if isinstance(form, QFormLayout):
            label = form.labelForField(self._part)
            if label is not None:
                label.setVisible(kind is Kind.VIDEO)
        notes = {
            Kind.ALIGNMENT: self.tr("Times, confidence and pins of every map; “carl” reads it."),
            Kind.TABLE: self.tr("Frame number, timestamp and seconds of every recording."),
            Kind.HEATMAP: self.tr("Of the reference and the active recording."),
            Kind.TIMELINE: self.tr(
                "One track per recording, cut where its speed changes; the files are not copied."
            ),
        }
        self._note.setText(notes.get(kind, ""))
        self._note.setVisible(kind in notes)
        self.adjustSize()

    def _on_accepted(self) -> None:
        choice = self.choice()
        self.accept()
        self.chosen.emit(choice)

    def _box(self, form: QFormLayout, text: str, *, is_on: bool) -> QCheckBox:
        box = QCheckBox(text)
        box.setChecked(is_on)
        form.addRow("", box)
        return box

    def _named(self, box: QComboBox, name: str) -> QComboBox:
        box.setAccessibleName(name)
        box.setToolTip(name)
        return box


def filters(kind: Kind, tr: Callable[[str], str]) -> list[str]:
    """Return what the file dialog lists."""
    return {
        Kind.VIDEO: [tr("Videos (*.mp4)")],
        Kind.STILL: [tr("Pictures (*.png)")],
        Kind.ALIGNMENT: [tr("Alignments (*.json)")],
        Kind.TABLE: [tr("Tables (*.csv)")],
        Kind.HEATMAP: [tr("Pictures (*.png)")],
        Kind.TIMELINE: [tr("Timelines (*.otio)")],
    }[kind]
