"""Export from the window: the dialog, every kind of file, cancel, and what is shown is written."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from PySide6.QtWidgets import QCheckBox, QComboBox, QRadioButton

from app.actions import ActionId
from app.bootstrap.exporting import ExportFeature
from app.models.exporting import ExportChoice, ExportOffer, Kind
from app.models.looking import Zoom
from app.views.export_dialog import ExportDialog
from carl_core.video.image import read_image
from carl_core.video.reader import FrameReader
from carl_core.video.recording import open_recording
from tests.helpers.videos import read_number

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from app.presenters.exporting import ExportingPresenter


def exporting(program: Program) -> ExportingPresenter:
    return next(f for f in program.features if isinstance(f, ExportFeature)).exporting


def write(program: Program, qtbot: QtBot, choice: ExportChoice, path: Path) -> None:
    exporting(program).write(choice, path)
    qtbot.waitUntil(lambda: not program.jobs.is_active("export"), timeout=60_000)


def test_the_video_shows_what_the_window_shows(
    aligned: Program, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "out.mp4"
    choice = ExportChoice(height=120, has_frames=True)
    write(aligned, qtbot, choice, path)
    assert len(open_recording(path).index) > 20
    rows = list(csv.DictReader((tmp_path / "out.frames.csv").read_text().splitlines()))
    names = {e.id: e.recording.name for e in aligned.session.entries}
    for row in rows[:: len(rows) // 5]:
        aligned.player.seek(float(row["master_s"]))
        for recording_id, name in names.items():
            assert aligned.player.frame_due(recording_id) == int(row[f"{name} frame"])
    assert "is written" in "\n".join(m.text for m in aligned.window.banner.messages)


@pytest.mark.parametrize("view", [ActionId.VIEW_GRID, ActionId.VIEW_WIPE, ActionId.VIEW_OVERLAY])
def test_every_frame_of_the_file_is_the_frame_the_window_shows(
    aligned: Program, qtbot: QtBot, tmp_path: Path, view: ActionId
) -> None:
    """Read from the pixels of the decoded file, and by timestamp; a nudge is in it."""
    first, second = aligned.session.entries
    aligned.player.nudge(second.id, 3)
    aligned.actions[view].trigger()
    path = tmp_path / "out.mp4"
    aligned.project.set_view(replace(aligned.project.project.view, opacity=1.0, wipe=0.0))
    choice = ExportChoice(height=120, has_frames=True, has_names=False)
    write(aligned, qtbot, choice, path)
    rows = list(csv.DictReader((tmp_path / "out.frames.csv").read_text().splitlines()))
    page = open_recording(path)
    assert len(page.index) == len(rows) == 50
    is_grid = view is ActionId.VIEW_GRID
    left = 160 if is_grid else (page.info.width - 160) // 2
    with FrameReader(page) as reader:
        for frame, row in zip(reader.frames_at(range(len(rows))), rows, strict=True):
            aligned.player.seek(float(row["master_s"]))
            due = {e.recording.name: aligned.player.frame_due(e.id) for e in (first, second)}
            for entry in (first, second):
                name, shown = entry.recording.name, due[entry.recording.name]
                assert row[f"{name} frame"] == ("" if shown is None else str(shown))
                if shown is not None:
                    assert row[f"{name} pts"] == str(int(entry.recording.index.pts[shown]))
            if due["second.mp4"] is None:
                continue
            if is_grid:
                assert read_number(frame.pixels[:, :160]) == due["first.mp4"]
            number = read_number(frame.pixels[:, left : left + 160])
            assert number == due["second.mp4"]


@pytest.mark.parametrize("is_composite", [False, True])
def test_what_is_zoomed_is_exported_as_shown(
    aligned: Program, qtbot: QtBot, tmp_path: Path, is_composite: bool
) -> None:
    first = aligned.session.entries[0].id
    aligned.window.stage.set_zoom(Zoom(2.0, 0.5, 0.25))
    if is_composite:
        aligned.actions[ActionId.VIEW_OVERLAY].trigger()
    offer = exporting(aligned).offer()
    assert offer.is_zoomed
    dialog = ExportDialog(offer)
    qtbot.addWidget(dialog)
    assert dialog.choice().is_as_shown
    made = exporting(aligned)._made(ExportChoice(height=120))
    assert made is not None
    assert made[1].parts[first] == (0.25, 0.0, 0.5, 0.5)
    plain = exporting(aligned)._made(ExportChoice(height=120, is_as_shown=False))
    assert plain is not None
    assert not plain[1].parts
    path = tmp_path / "zoomed.mp4"
    write(aligned, qtbot, ExportChoice(height=120), path)
    assert path.is_file()


def test_a_still_shows_what_stands_alone_too(
    aligned: Program, qtbot: QtBot, tmp_path: Path
) -> None:
    second = aligned.session.entries[1]
    aligned.player.seek(0.8)
    aligned.session.set_active(second.id)
    aligned.actions[ActionId.SYNC].trigger()  # off: the active one steps alone
    for _ in range(5):
        aligned.actions[ActionId.FRAME_FORWARD].trigger()
    path = tmp_path / "still.png"
    write(aligned, qtbot, ExportChoice(kind=Kind.STILL, height=120, has_names=False), path)
    picture = read_image(path)
    assert read_number(picture[:, :160]) == aligned.player.frame_due(aligned.session.entries[0].id)
    assert read_number(picture[:, 160:]) == aligned.player.frame_due(second.id)


def test_markers_carried_over_are_exported_with_an_arrow(aligned: Program) -> None:
    aligned.player.seek(0.4)
    aligned.actions[ActionId.MARK].trigger()
    made = exporting(aligned)._made(ExportChoice())
    assert made is not None
    assert [name for _, name, _, _ in made[1].marks] == ["Marker 1", "← Marker 1"]


def test_in_and_out_cut_the_video(aligned: Program, qtbot: QtBot, tmp_path: Path) -> None:
    for time_s, which in ((0.4, ActionId.IN), (1.2, ActionId.OUT)):
        aligned.player.seek(time_s)
        aligned.actions[which].trigger()
    path = tmp_path / "part.mp4"
    write(aligned, qtbot, ExportChoice(height=120, is_range=True), path)
    assert open_recording(path).index.duration_s == pytest.approx(0.8, abs=0.1)


def test_every_other_kind_is_written(aligned: Program, qtbot: QtBot, tmp_path: Path) -> None:
    for kind in (Kind.STILL, Kind.ALIGNMENT, Kind.TABLE, Kind.HEATMAP, Kind.TIMELINE):
        path = tmp_path / exporting(aligned).suggestion(kind)
        write(aligned, qtbot, ExportChoice(kind=kind, height=120), path)
        assert path.exists(), aligned.window.banner.messages
        if path.suffix == ".png":
            assert read_image(path).shape[2] == 3
    document = json.loads((tmp_path / "first-aligned.json").read_text())
    assert document["format"] == "carl-alignment"
    assert len(document["maps"]) == 1


def test_the_view_of_two_is_exported_as_shown(
    aligned: Program, qtbot: QtBot, tmp_path: Path
) -> None:
    aligned.actions[ActionId.VIEW_DIFFERENCE].trigger()
    path = tmp_path / "difference.png"
    write(aligned, qtbot, ExportChoice(kind=Kind.STILL, height=120, has_names=False), path)
    wide = tmp_path / "grid.png"
    choice = ExportChoice(kind=Kind.STILL, height=120, has_names=False, is_as_shown=False)
    write(aligned, qtbot, choice, wide)
    assert read_image(wide).shape[1] == 2 * read_image(path)[:, :160].shape[1]


def test_cancelling_leaves_no_file(aligned: Program, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    exporting(aligned).write(ExportChoice(height=1080), path)
    aligned.jobs.cancel("export")
    qtbot.waitUntil(lambda: not aligned.jobs.is_active("export"), timeout=60_000)
    assert not list(tmp_path.glob("*out*"))
    assert "cancelled" in "\n".join(m.text for m in aligned.window.banner.messages)


def test_a_second_export_waits_its_turn(aligned: Program, qtbot: QtBot, tmp_path: Path) -> None:
    first, second = tmp_path / "one.mp4", tmp_path / "two.png"
    exporting(aligned).write(ExportChoice(height=120), first)
    exporting(aligned).write(ExportChoice(kind=Kind.STILL, height=120), second)
    assert "waits" in aligned.window.banner.messages[-1].text
    qtbot.waitUntil(lambda: second.exists(), timeout=60_000)
    qtbot.waitUntil(lambda: not aligned.jobs.is_active("export"), timeout=60_000)
    assert first.exists()


def test_a_folder_that_is_not_there_is_a_sentence(
    aligned: Program, qtbot: QtBot, tmp_path: Path
) -> None:
    write(aligned, qtbot, ExportChoice(kind=Kind.TABLE), tmp_path / "file.txt" / "x.csv")
    write(aligned, qtbot, ExportChoice(kind=Kind.STILL), tmp_path / "gone" / "x.png")
    assert "was not written" in "\n".join(m.text for m in aligned.window.banner.messages)


def test_the_dialog_offers_what_there_is(qtbot: QtBot) -> None:
    offer = ExportOffer("overlay", has_range=True, has_marks=False, sound="none", heatmap="none")
    dialog = ExportDialog(offer)
    qtbot.addWidget(dialog)
    dialog.show()
    choice = dialog.choice()
    assert choice.is_as_shown
    assert choice.is_range
    assert not choice.has_sound
    heatmap = dialog.findChild(QRadioButton, "export-heatmap")
    assert isinstance(heatmap, QRadioButton)
    assert not heatmap.isEnabled()
    table = dialog.findChild(QRadioButton, "export-table")
    assert isinstance(table, QRadioButton)
    table.setChecked(True)
    assert dialog.kind is Kind.TABLE
    assert not any(b.isVisible() for b in dialog.findChildren(QComboBox))
    assert not any(b.isVisible() for b in dialog.findChildren(QCheckBox))
    with qtbot.waitSignal(dialog.chosen, check_params_cb=lambda c: c.kind is Kind.TABLE):
        dialog._on_accepted()


def test_the_command_opens_the_dialog(aligned: Program) -> None:
    aligned.actions[ActionId.EXPORT].trigger()
    dialog = aligned.window.findChild(ExportDialog)
    assert dialog is not None
    assert dialog.isVisible()
    dialog.reject()
