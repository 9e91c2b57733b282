"""All tiles, in the arrangement that shows the largest pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtOpenGLWidgets import QOpenGLWidget
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QVBoxLayout, QWidget

from app.models.looking import Zoom
from app.views.painting import fitted
from app.views.tile import Tile

if TYPE_CHECKING:
    from PySide6.QtGui import QResizeEvent

    from app.models.viewstate import TileState
    from carl_core.video.reader import Frame

GAP = 4


def best_columns(aspects: list[float], width: float, height: float) -> int:
    """Return the number of columns that gives the pictures the largest area together."""

    def area(columns: int) -> float:
        rows = row_lengths(len(aspects), columns)
        wides = [width / length for length in rows for _ in range(length)]
        pictures = [
            fitted(QRectF(0, 0, wide, height / len(rows)), aspect)
            for wide, aspect in zip(wides, aspects, strict=True)
        ]
        return sum(p.width() * p.height() for p in pictures)

    choices = {row_lengths(len(aspects), columns)[0] for columns in range(1, len(aspects) + 1)}
    return max(choices, key=lambda columns: (round(area(columns)), columns))


def row_lengths(count: int, columns: int) -> list[int]:
    """Spread ``count`` tiles over rows of at most ``columns``, as evenly as can be."""
    rows = -(-count // columns)
    each, more = divmod(count, rows)
    return [each + (row < more) for row in range(rows)]


class SecondRecordingHint(QFrame):
    """Stands where the second recording will.

    Signals
    -------
    add_requested() : the button was pressed
    """

    add_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("second-recording-hint")
        self.setProperty("role", "card")
        layout = QVBoxLayout(self)
        layout.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.setSpacing(12)
        text = QLabel(self.tr("Add a second recording of the same action to compare."))
        text.setProperty("role", "dim")
        text.setWordWrap(True)
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        text.setMinimumWidth(200)
        button = QPushButton(self.tr("Add videos…"))
        button.setProperty("role", "primary")
        button.setObjectName("add-second")
        button.clicked.connect(self.add_requested)
        layout.addWidget(text)
        layout.addWidget(button, alignment=Qt.AlignmentFlag.AlignCenter)


class TileGrid(QWidget):
    """Holds one tile per recording.

    Signals
    -------
    tile_pressed(str) : a recording was chosen
    tile_resized(str) : a tile needs pictures of another size
    menu_requested(str, QPoint) : context menu of a tile, global position
    add_requested() : another recording is wanted
    tile_doubled(str) : a tile was double-clicked
    zoomed(Zoom) : the pictures were zoomed or moved
    surfaces_failed(str) : the graphics card did not draw; pictures are painted from now on

    Attributes
    ----------
    is_zoom_linked : whether all tiles zoom together
    """

    tile_pressed = Signal(str)
    tile_resized = Signal(str)
    menu_requested = Signal(str, QPoint)
    add_requested = Signal()
    tile_doubled = Signal(str)
    zoomed = Signal(object)
    surfaces_failed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.is_zoom_linked = True
        self._solo = ""
        self._zoom = Zoom()
        self.setObjectName("tile-grid")
        self.setAccessibleName(self.tr("Recordings"))
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._tiles: dict[str, Tile] = {}
        self._has_surfaces = False
        self._first_surface: QOpenGLWidget | None = None
        self._hint = SecondRecordingHint(self)
        self._hint.hide()
        self._hint.add_requested.connect(self.add_requested)

    @property
    def tiles(self) -> dict[str, Tile]:
        """Tiles by recording id, in order."""
        return dict(self._tiles)

    def set_tiles(self, states: tuple[TileState, ...]) -> None:
        """Show exactly these tiles, in this order."""
        wanted = {s.recording_id: s for s in states}
        for recording_id in [i for i in self._tiles if i not in wanted]:
            tile = self._tiles.pop(recording_id)
            tile.close_surface()
            tile.hide()
            tile.deleteLater()
        ordered: dict[str, Tile] = {}
        for recording_id, state in wanted.items():
            existing = self._tiles.get(recording_id)
            if existing is None:
                existing = Tile(state, self)
                existing.pressed.connect(self.tile_pressed)
                existing.resized.connect(self.tile_resized)
                existing.menu_requested.connect(self.menu_requested)
                existing.doubled.connect(self.tile_doubled)
                existing.zoomed.connect(self._on_zoomed)
                existing.surface_failed.connect(self._on_surface_failed)
                existing.set_surface(self._has_surfaces)
                existing.set_zoom(self._zoom)
                existing.show()
            existing.set_state(state)
            ordered[recording_id] = existing
        is_new = list(ordered) != list(self._tiles)
        self._tiles = ordered
        if is_new or self._hint.isVisible() is (len(ordered) != 1):
            self._arrange()

    def set_tile(self, state: TileState) -> None:
        """Change one tile."""
        tile = self._tiles.get(state.recording_id)
        if tile is not None:
            tile.set_state(state)

    def show_frame(self, recording_id: str, frame: Frame, rate: float | None) -> None:
        """Show a picture in a tile."""
        tile = self._tiles.get(recording_id)
        if tile is not None:
            tile.show_frame(frame, rate)

    def set_counterpart(self, recording_id: str, has_counterpart: bool) -> None:
        """Dim a tile, or not."""
        tile = self._tiles.get(recording_id)
        if tile is not None:
            tile.set_counterpart(has_counterpart)

    def set_match(self, recording_id: str, match: float | None) -> None:
        """Say how similar a tile's frame is to the reference's."""
        tile = self._tiles.get(recording_id)
        if tile is not None:
            tile.set_match(match)

    @property
    def solo(self) -> str:
        """Recording shown alone, "" = all."""
        return self._solo

    def set_solo(self, recording_id: str) -> None:
        """Show one recording alone, or all ("")."""
        solo = recording_id if recording_id in self._tiles else ""
        if solo != self._solo:
            self._solo = solo
            self._arrange()

    def set_zoom(self, zoom: Zoom) -> None:
        """Show this part of every picture."""
        self._zoom = zoom
        for tile in self._tiles.values():
            tile.set_zoom(zoom)

    def zoom_of(self, recording_id: str) -> Zoom:
        """Return which part of a picture is seen."""
        tile = self._tiles.get(recording_id)
        return self._zoom if tile is None else tile.zooming.zoom

    def set_surfaces(self, is_wanted: bool) -> None:
        """Have the graphics card draw the pictures, or paint them."""
        self._has_surfaces = is_wanted
        if is_wanted and self._first_surface is None:
            # Makes the window one that OpenGL draws before it is shown, not when a tile comes.
            self._first_surface = QOpenGLWidget(self)
            self._first_surface.hide()
        for tile in self._tiles.values():
            tile.set_surface(is_wanted)

    def _on_surface_failed(self, reason: str) -> None:
        if self._has_surfaces:
            self.set_surfaces(False)
            self.surfaces_failed.emit(reason)

    def _on_zoomed(self, recording_id: str, zoom: Zoom) -> None:
        if self.is_zoom_linked:
            self.set_zoom(zoom)
        else:
            self._tiles[recording_id].set_zoom(zoom)
        self.zoomed.emit(zoom)

    def picture_size(self, recording_id: str) -> tuple[int, int]:
        """Device pixels a tile's picture covers; a small picture for a tile that is not there."""
        tile = self._tiles.get(recording_id)
        return tile.picture_size() if tile is not None else (160, 120)

    def _arrange(self) -> None:
        if self._solo not in self._tiles:
            self._solo = ""
        tiles = [t for i, t in self._tiles.items() if not self._solo or i == self._solo]
        for tile in self._tiles.values():
            tile.setVisible(tile in tiles)
        cells: list[QWidget] = list(tiles)
        aspects = [t.state.aspect for t in tiles]
        self._hint.setVisible(len(self._tiles) == 1)
        if len(self._tiles) == 1:
            cells.append(self._hint)
            aspects.append(aspects[0])
        if not cells:
            return
        columns = best_columns(aspects, self.width(), self.height())
        rows = row_lengths(len(cells), columns)
        height = (self.height() - GAP * (len(rows) - 1)) / len(rows)
        waiting = iter(cells)
        for row, length in enumerate(rows):
            # A row with fewer tiles has wider ones: there is no hole.
            width = (self.width() - GAP * (length - 1)) / length
            top, bottom = round(row * (height + GAP)), round(row * (height + GAP) + height)
            for column in range(length):
                left = column * (width + GAP)
                right = round(left + width)
                cell = next(waiting)
                cell.setGeometry(QRect(round(left), top, right - round(left), bottom - top))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Arrange anew."""
        self._arrange()
        super().resizeEvent(event)

    def minimumSizeHint(self) -> QSize:
        """Return the least size that shows something."""
        return QSize(320, 200)
