"""Pages of the settings dialog: encoder, device, cache, playing, look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QLocale, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.models.preferences import LEAST_CACHE_GB, MOST_CACHE_GB

if TYPE_CHECKING:
    from app.models.preferences import CacheFacts, EncoderFacts, Preferences


class Page(QWidget):
    """A form with explanations.

    Signals
    -------
    edited(dict) : fields of ``Preferences`` the user has changed, and their values
    """

    edited = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self.form = QFormLayout()
        self.form.setHorizontalSpacing(16)
        self.form.setVerticalSpacing(12)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        outer.addLayout(self.form)
        outer.addStretch(1)

    def choice(
        self, field: str, label: str, tip: str, options: tuple[tuple[str, str], ...]
    ) -> QComboBox:
        """Add a list of (value, text) to choose from."""
        box = QComboBox()
        box.setObjectName(f"settings-{field}")
        box.setAccessibleName(label)
        box.setToolTip(tip)
        for value, text in options:
            box.addItem(text, value)
        box.currentIndexChanged.connect(lambda _index: self.edited.emit({field: box.currentData()}))
        self.form.addRow(label, box)
        return box

    def text(self, label: str = "", *, role: str = "dim") -> QLabel:
        """Add a line that is filled later."""
        line = QLabel()
        line.setProperty("role", role)
        line.setWordWrap(True)
        line.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        line.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        if label:
            self.form.addRow(label, line)
        else:
            self.form.addRow(line)
        return line


def _choose(box: QComboBox, value: str) -> None:
    with QSignalBlocker(box):
        box.setCurrentIndex(max(0, box.findData(value)))


class ModelPage(Page):
    """Which encoder.

    Signals
    -------
    file_wanted() : the user wants to choose a file
    """

    file_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._file = self.text(self.tr("Encoder"), role="value")
        row = QHBoxLayout()
        row.setSpacing(8)
        choose = QPushButton(self.tr("Choose a file…"))
        choose.setObjectName("settings-model-choose")
        choose.setToolTip(self.tr("Use an encoder from an .onnx file made for this program."))
        choose.clicked.connect(self.file_wanted)
        self.bundled = QPushButton(self.tr("Use the bundled one"))
        self.bundled.setObjectName("settings-model-bundled")
        self.bundled.setToolTip(self.tr("Use the encoder that comes with the program."))
        self.bundled.clicked.connect(lambda: self.edited.emit({"model": ""}))
        for button in (choose, self.bundled):
            button.setAutoDefault(False)
            row.addWidget(button)
        row.addStretch(1)
        self.form.addRow("", row)
        self._name = self.text(self.tr("Name"), role="value")
        self._id = self.text(self.tr("Id"), role="value")
        self.problem = self.text(role="error")
        self.problem.hide()
        self.text().setText(
            self.tr(
                "Another encoder holds at once: the open recordings are embedded and aligned "
                "again. Embeddings of the other one stay in the cache."
            )
        )
        for line in (self._name, self._id):
            line.setText(self.tr("not loaded yet"))

    def set_preferences(self, preferences: Preferences) -> None:
        """Show the choice."""
        self._file.setText(preferences.model or self.tr("the bundled one"))
        self.bundled.setEnabled(bool(preferences.model))

    def show_encoder(self, facts: EncoderFacts) -> None:
        """Say what the file says of itself."""
        self._name.setText(facts.name)
        self._id.setText(facts.model_id)
        self._name.setToolTip(facts.path)


class DevicePage(Page):
    """What the encoder runs on."""

    def __init__(self) -> None:
        super().__init__()
        self.device = self.choice(
            "device",
            self.tr("Run the encoder on"),
            self.tr("A graphics card embeds much faster; the results are the same."),
            (
                ("auto", self.tr("the graphics card where there is one")),
                ("cpu", self.tr("the processor (CPU)")),
                ("cuda", self.tr("the graphics card (CUDA)")),
            ),
        )
        self._provider = self.text(self.tr("In use"), role="value")
        self._provider.setText(self.tr("not loaded yet"))
        self._notes = self.text(role="warning")
        self._notes.hide()

    def set_preferences(self, preferences: Preferences) -> None:
        """Show the choice."""
        _choose(self.device, preferences.device)

    def show_encoder(self, facts: EncoderFacts) -> None:
        """Say what it runs on, and what would mend a missing library."""
        names = {
            "CPUExecutionProvider": self.tr("the processor (CPU)"),
            "CUDAExecutionProvider": self.tr("the graphics card (CUDA)"),
        }
        self._provider.setText(names.get(facts.provider, facts.provider))
        self._notes.setText("\n".join(facts.notes))
        self._notes.setVisible(bool(facts.notes))


class CachePage(Page):
    """How much is kept.

    Signals
    -------
    clear_wanted() : the user has confirmed that all embeddings are to be forgotten
    """

    clear_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._size = self.text(self.tr("In use"), role="value")
        self._size.setText(self.tr("being counted…"))
        self._folder = self.text(self.tr("Folder"), role="value")
        self.limit = QDoubleSpinBox()
        self.limit.setObjectName("settings-cache")
        self.limit.setRange(LEAST_CACHE_GB, MOST_CACHE_GB)
        self.limit.setDecimals(1)
        self.limit.setSuffix(self.tr(" GB"))
        self.limit.setAccessibleName(self.tr("Limit of the cache in gigabytes"))
        self.limit.setToolTip(self.tr("Above it, what was not used for longest goes."))
        self.limit.setKeyboardTracking(False)
        self.limit.valueChanged.connect(lambda value: self.edited.emit({"cache_gb": value}))
        self.form.addRow(self.tr("Limit"), self.limit)
        self.clear = QPushButton(self.tr("Clear the cache…"))
        self.clear.setObjectName("settings-cache-clear")
        self.clear.setToolTip(self.tr("Forget all embeddings and small copies; asks first."))
        self.clear.setAutoDefault(False)
        self.clear.clicked.connect(self._ask)
        row = QHBoxLayout()
        row.addWidget(self.clear)
        row.addStretch(1)
        self.form.addRow("", row)
        self.keep_nothing = QCheckBox(self.tr("Keep nothing, from the next start on"))
        self.keep_nothing.setObjectName("settings-keep-nothing")
        self.keep_nothing.setToolTip(
            self.tr(
                "No cache, no recent projects, no pictures, no log. What must lie on the disk "
                "while the window is open goes when it is closed."
            )
        )
        self.keep_nothing.toggled.connect(lambda is_on: self.edited.emit({"keeps_nothing": is_on}))
        self.form.addRow("", self.keep_nothing)
        self.text().setText(
            self.tr(
                "The cache holds what the encoder computed, so that a recording opens at once the "
                "second time. A lower limit takes effect when the next recording is embedded."
            )
        )

    def set_preferences(self, preferences: Preferences) -> None:
        """Show the limit."""
        with QSignalBlocker(self.limit):
            self.limit.setValue(preferences.cache_gb)
        with QSignalBlocker(self.keep_nothing):
            self.keep_nothing.setChecked(preferences.keeps_nothing)

    def show_cache(self, facts: CacheFacts) -> None:
        """Say how full it is."""
        size = QLocale().formattedDataSize(
            facts.size_bytes, 1, QLocale.DataSizeFormat.DataSizeSIFormat
        )
        self._size.setText(
            self.tr("{size}, recordings: {count}").format(size=size, count=facts.entries)
        )
        self._folder.setText(facts.folder)
        self.clear.setEnabled(facts.size_bytes > 0)

    def show_problem(self, text: str) -> None:
        """Say why it cannot be used."""
        self._size.setText(text)
        self.clear.setEnabled(False)

    def _ask(self) -> None:
        box = QMessageBox(self)
        box.setObjectName("ask-clear-cache")
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle(self.tr("Clear the cache"))
        box.setText(self.tr("Forget all embeddings and small copies?"))
        box.setInformativeText(
            self.tr(
                "Videos and projects stay. Each recording must be embedded again when it is opened "
                "the next time."
            )
        )
        clear = box.addButton(self.tr("Clear"), QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        clear.clicked.connect(self.clear_wanted)
        box.finished.connect(box.deleteLater)
        box.open()


class PlaybackPage(Page):
    """How it plays."""

    def __init__(self) -> None:
        super().__init__()
        self.step = self.choice(
            "step_rule",
            self.tr("One step is"),
            self.tr("What the arrow keys move by; the other recordings follow."),
            (
                ("active", self.tr("one frame of the active recording")),
                ("fastest", self.tr("the shortest frame of all recordings")),
            ),
        )
        self.base = self.choice(
            "time_base",
            self.tr("Time of a new comparison"),
            self.tr("What runs naturally while the others are warped to it."),
            (
                ("reference", self.tr("follows the reference")),
                ("mean", self.tr("follows the mean of all")),
                ("native", self.tr("native: nothing is warped")),
            ),
        )
        self.loop = QCheckBox(self.tr("Begin again at the end"))
        self.loop.setObjectName("settings-loop")
        self.loop.setToolTip(self.tr("Whether Loop is on when the window opens."))
        self.loop.toggled.connect(lambda is_on: self.edited.emit({"is_looping": is_on}))
        self.form.addRow("", self.loop)
        self.copies = QCheckBox(self.tr("Small copies for dragging"))
        self.copies.setObjectName("settings-copies")
        self.copies.setToolTip(
            self.tr(
                "Copies of 480 lines are made in the background. "
                "While you drag they show each frame at once, as a preview; the recording's own "
                "frame follows. They lie in the cache."
            )
        )
        self.copies.toggled.connect(lambda is_on: self.edited.emit({"makes_copies": is_on}))
        self.form.addRow("", self.copies)
        self.pictures = self.choice(
            "pictures",
            self.tr("Moving pictures"),
            self.tr("What turns them into colours and scales them. Holds from the next start on."),
            (
                ("auto", self.tr("drawn by the graphics card, if there is one")),
                ("card", self.tr("drawn with OpenGL, always")),
                ("painted", self.tr("painted by the processor")),
            ),
        )

    def set_preferences(self, preferences: Preferences) -> None:
        """Show the choices."""
        _choose(self.step, preferences.step_rule)
        _choose(self.base, preferences.time_base)
        with QSignalBlocker(self.loop):
            self.loop.setChecked(preferences.is_looping)
        with QSignalBlocker(self.copies):
            self.copies.setChecked(preferences.makes_copies)
        _choose(self.pictures, preferences.pictures)


class LookPage(Page):
    """Colours."""

    def __init__(self) -> None:
        super().__init__()
        self.theme = self.choice(
            "theme",
            self.tr("Colours"),
            self.tr("Dark makes pictures stand out."),
            (
                ("system", self.tr("as the system")),
                ("light", self.tr("light")),
                ("dark", self.tr("dark")),
            ),
        )

    def set_preferences(self, preferences: Preferences) -> None:
        """Show the choice."""
        _choose(self.theme, preferences.theme)
