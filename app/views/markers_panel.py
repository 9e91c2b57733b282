"""The panel of markers and phases: a list that can be edited, and phases compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QItemSelectionModel,
    QPoint,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.models.marking import PALETTE, MarkerLine
from app.resources.text import format_time
from app.views.markers_table import ID_ROLE, NAME, NOTE, Index, MarkerTable, colour_name, swatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from carl_core.project.phases import PhaseRow


class MarkersPanel(QWidget):
    """Markers in a list, phases in a table.

    Signals
    -------
    go_wanted(str) : show this marker
    menu_requested(QPoint) : offer what can be done with the chosen markers; place on the screen
    add_wanted(), phase_wanted() : mark what is shown, or in to out
    renamed(str, str), noted(str, str), coloured(list[str], str), removed(list[str])
    accepted(list[str]) : take over what was carried, [] = all
    import_wanted(), export_wanted(), phases_export_wanted()
    """

    go_wanted = Signal(str)
    menu_requested = Signal(QPoint)
    add_wanted = Signal()
    phase_wanted = Signal()
    renamed = Signal(str, str)
    noted = Signal(str, str)
    coloured = Signal(object, str)
    removed = Signal(object)
    accepted = Signal(object)
    import_wanted = Signal()
    export_wanted = Signal()
    phases_export_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("markers-panel")
        self.setAccessibleName(self.tr("Markers and phases"))
        self.table = MarkerTable(self)
        self.table.renamed.connect(self.renamed)
        self.table.noted.connect(self.noted)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 8)
        tabs = QTabWidget()
        tabs.setDocumentMode(True)
        tabs.addTab(self._make_list(), self.tr("Markers"))
        tabs.addTab(self._make_phases(), self.tr("Phases compared"))
        layout.addWidget(tabs)
        self.set_markers(())
        self.set_phases((), ())

    def set_markers(self, lines: tuple[MarkerLine, ...]) -> None:
        """Show these markers, keeping what was chosen."""
        chosen = set(self.chosen())
        self.table.set_lines(lines)
        selection = self.view.selectionModel()
        for row, line in enumerate(lines):
            if line.id in chosen:
                at = self._proxy.mapFromSource(self.table.index(row, 0))
                flags = QItemSelectionModel.SelectionFlag
                selection.select(at, flags.Select | flags.Rows)
        count = sum(line.is_derived for line in lines)
        self._accept.setEnabled(bool(count))
        self._accept.setText(self.tr("Accept all ({n})").format(n=count))
        self._accept.setVisible(bool(count))
        self._empty.setVisible(not lines)
        self._save.setEnabled(bool(lines))

    def set_phases(self, rows: tuple[PhaseRow, ...], letters: tuple[str, ...]) -> None:
        """Compare phases; the first recording is the reference."""
        self._none.setVisible(not rows)
        self._phases.setVisible(bool(rows))
        self._copy.setEnabled(bool(rows))
        self._phases.setRowCount(len(rows))
        self._phases.setColumnCount(1 + len(letters))
        self._phases.setHorizontalHeaderLabels([self.tr("Phase"), *letters])
        for number, row in enumerate(rows):
            self._phases.setItem(number, 0, QTableWidgetItem(row.name))
            for column, cell in enumerate(row.cells, 1):
                text = "–"
                if cell is not None:
                    text = f"{cell.length_s:.3f} s"
                    if column > 1 and cell.ratio is not None:
                        text += f"   ×{cell.ratio:.2f}"
                item = QTableWidgetItem(text)
                if cell is not None:
                    said = self.tr("starts at {time}, {share} of all phases")
                    tip = said.format(time=format_time(cell.start_s), share=f"{cell.share:.0%}")
                    if cell.is_derived:
                        font = item.font()
                        font.setItalic(True)
                        item.setFont(font)
                        item.setText(f"{text}  ←")
                        tip += "; " + self.tr("carried over")
                    item.setToolTip(tip)
                self._phases.setItem(number, column, item)

    def edit_name(self, marker_id: str) -> None:
        """Open the name of a marker for typing."""
        for row, line in enumerate(self.table.lines):
            at = self._proxy.mapFromSource(self.table.index(row, NAME))
            if line.id == marker_id and at.isValid() and self.isVisible():
                self.view.setCurrentIndex(at)
                self.view.edit(at)

    def chosen(self) -> list[str]:
        """Ids of the selected markers."""
        rows = self.view.selectionModel().selectedRows()
        return [str(index.data(ID_ROLE)) for index in rows]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete takes out, Return goes there."""
        if event.key() == Qt.Key.Key_Delete and self.chosen():
            self.removed.emit(self.chosen())
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.chosen():
            self.go_wanted.emit(self.chosen()[0])
        else:
            super().keyPressEvent(event)

    def _make_list(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 6, 0, 0)
        row = QHBoxLayout()
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(self.tr("Filter"))
        self.filter.setAccessibleName(self.tr("Show only markers with these letters"))
        self.filter.setClearButtonEnabled(True)
        row.addWidget(self.filter, 1)
        row.addWidget(self._button("add", self.tr("Marker"), self.add_wanted.emit))
        row.addWidget(self._button("phase", self.tr("Phase"), self.phase_wanted.emit))
        column.addLayout(row)
        self._empty = QLabel(
            self.tr("Press M to mark this frame. I and O, then Ctrl+M, make a phase.")
        )
        self._empty.setProperty("role", "dim")
        self._empty.setWordWrap(True)
        column.addWidget(self._empty)
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self.table)
        self._proxy.setFilterKeyColumn(-1)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.filter.textChanged.connect(self._proxy.setFilterFixedString)
        self.view = QTableView()
        self.view.setObjectName("markers-list")
        self.view.setAccessibleName(self.tr("Markers"))
        self.view.setModel(self._proxy)
        self.view.setItemDelegate(_Typing(self.view))
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setShowGrid(False)
        self.view.setTabKeyNavigation(False)
        self.view.setWordWrap(False)
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(26)
        header = self.view.horizontalHeader()
        header.setMinimumSectionSize(28)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(NOTE, QHeaderView.ResizeMode.Interactive)
        header.resizeSection(NOTE, 56)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._on_menu)
        self.view.clicked.connect(lambda index: self.go_wanted.emit(str(index.data(ID_ROLE))))
        column.addWidget(self.view, 1)
        below = QHBoxLayout()
        self._accept = self._button("accept", "", lambda: self.accepted.emit([]))
        self._accept.setProperty("role", "primary")
        self._accept.setToolTip(
            self.tr("Make markers that were carried over along the alignment your own")
        )
        below.addWidget(self._accept)
        below.addStretch(1)
        below.addWidget(self._button("import", self.tr("Import…"), self.import_wanted.emit))
        self._save = self._button("export", self.tr("Export…"), self.export_wanted.emit)
        below.addWidget(self._save)
        column.addLayout(below)
        return page

    def _make_phases(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 6, 0, 0)
        self._none = QLabel(
            self.tr("Phases with the same name are compared here, across all recordings.")
        )
        self._none.setProperty("role", "dim")
        self._none.setWordWrap(True)
        column.addWidget(self._none)
        self._phases = QTableWidget()
        self._phases.setObjectName("phases")
        self._phases.setAccessibleName(self.tr("Phases compared"))
        self._phases.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._phases.setTabKeyNavigation(False)
        self._phases.verticalHeader().hide()
        self._phases.horizontalHeader().setDefaultAlignment(
            Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignVCenter
        )
        self._phases.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        column.addWidget(self._phases, 1)
        row = QHBoxLayout()
        row.addStretch(1)
        self._copy = self._button("copy", self.tr("Copy"), self._copy_phases)
        row.addWidget(self._copy)
        row.addWidget(
            self._button("phases-export", self.tr("Export…"), self.phases_export_wanted.emit)
        )
        column.addLayout(row)
        column.addStretch(0)
        return page

    def _copy_phases(self) -> None:
        """Put the table on the clipboard, columns parted by tabs."""
        table = self._phases
        columns = range(table.columnCount())
        names = [table.horizontalHeaderItem(c) for c in columns]
        cells = [[table.item(r, c) for c in columns] for r in range(table.rowCount())]
        rows = [
            [item.text() if item is not None else "" for item in row] for row in (names, *cells)
        ]
        QGuiApplication.clipboard().setText("\n".join("\t".join(row) for row in rows))

    def ask_colour(self, ids: Sequence[str]) -> None:
        """Offer colours for these markers."""
        own = [line.id for line in self.table.lines if line.id in ids and not line.is_derived]
        if not own:
            return
        menu = QMenu(self)
        menu.setObjectName("marker-colours")
        for colour, name in PALETTE:
            action = menu.addAction(swatch(colour), colour_name(name))
            action.triggered.connect(lambda _checked=False, c=colour: self.coloured.emit(own, c))
        menu.aboutToHide.connect(menu.deleteLater)
        at = self._proxy.mapFromSource(self.table.index(self._row_of(own[0]), NAME))
        menu.popup(self.view.viewport().mapToGlobal(self.view.visualRect(at).bottomLeft()))

    def _row_of(self, marker_id: str) -> int:
        return next((r for r, line in enumerate(self.table.lines) if line.id == marker_id), -1)

    def _on_menu(self, at: QPoint) -> None:
        if self.chosen():
            self.menu_requested.emit(self.view.viewport().mapToGlobal(at))

    def _button(self, name: str, text: str, pressed: Callable[[], None]) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(f"markers-{name}")
        button.clicked.connect(lambda _checked=False: pressed())
        return button

    def sizeHint(self) -> QSize:
        """Return a size in which the list can be read."""
        return QSize(430, 420)


class _Typing(QStyledItemDelegate):
    """Says what is typed over."""

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> None:
        """Place the field, and name it after its column.

        Here, for PySide keeps the wrapper of a field that ``createEditor`` or ``setEditorData``
        was overridden for, one for every word that is typed.
        """
        super().updateEditorGeometry(editor, option, index)
        name = index.model().headerData(index.column(), Qt.Orientation.Horizontal)
        editor.setAccessibleName(str(name))
