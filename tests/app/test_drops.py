from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QImage, QPixmap

from app.presenters.opening import MOST_RECORDINGS, videos_in
from carl_core.export.labels import Label, write_labels
from tests.app.conftest import wait_settled
from tests.helpers.videos import make_video

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from app.faults.messages import Message


def drop(program: Program, data: QMimeData) -> None:
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    program.window.dropEvent(event)


def said(program: Program) -> list[str]:
    texts: list[str] = []

    def keep(message: Message) -> None:
        texts.append(message.text)

    program.reporter.reported.connect(keep)
    return texts


def test_videos_of_a_folder_are_counted_as_people_do(tmp_path: Path) -> None:
    names = ["take10.mp4", "take2.MOV", "Take1.mkv", "b.mp4", ".hidden.mp4", "notes.txt", "07.ts"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "folder.mp4").mkdir()
    order = ["07.ts", "b.mp4", "Take1.mkv", "take2.MOV", "take10.mp4"]
    assert [p.name for p in videos_in(tmp_path)] == order


def test_a_folder_gives_nine_recordings_and_names_the_others(
    make_program: Callable[..., Program], qtbot: QtBot, tmp_path: Path
) -> None:
    folder = tmp_path / "takes"
    folder.mkdir()
    for number in range(1, MOST_RECORDINGS + 3):
        make_video(folder / f"take{number}.mp4", frames=8 + number, fps=25, size=(32, 32))
    (folder / "take3.mp4").write_bytes(b"no video")
    program = make_program()
    texts = said(program)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(folder))])
    drop(program, data)
    wait_settled(qtbot, program, MOST_RECORDINGS - 1)
    names = [e.recording.path.name for e in program.session.entries]
    assert names == [f"take{n}.mp4" for n in (1, 2, 4, 5, 6, 7, 8, 9)]
    assert any("Left out: take10.mp4, take11.mp4." in text for text in texts)
    assert any("take3.mp4" in text for text in texts), "one bad file does not spoil the folder"


def test_percent_encoded_addresses_of_files_are_opened(
    make_program: Callable[..., Program], qtbot: QtBot, tmp_path: Path, videos: list[Path]
) -> None:
    path = tmp_path / "50% größer #1.mp4"
    shutil.copy(videos[0], path)
    program = make_program()
    data = QMimeData()
    data.setData("text/uri-list", bytes(QUrl.fromLocalFile(str(path)).toEncoded().data()) + b"\r\n")
    drop(program, data)
    wait_settled(qtbot, program, 1)
    assert program.session.entries[0].recording.path.name == path.name


def test_what_is_open_already_is_said(
    make_program: Callable[..., Program], qtbot: QtBot, videos: list[Path]
) -> None:
    program = make_program()
    texts = said(program)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(videos[0]))] * 2)
    drop(program, data)
    wait_settled(qtbot, program, 1)
    assert any("is already open as A" in text for text in texts)


@pytest.mark.parametrize("kind", ["urls", "text"])
def test_addresses_on_the_network_are_refused_in_words(
    make_program: Callable[..., Program], kind: str
) -> None:
    program = make_program()
    texts = said(program)
    data = QMimeData()
    address = "https://me:secret@example.org/a%20b.mp4?token=1"
    if kind == "urls":
        data.setUrls([QUrl(address)])
    else:
        data.setText(address)
    drop(program, data)
    assert len(texts) == 1
    assert "Download it first" in texts[0]
    assert "opens nothing from the network" in texts[0]
    assert "example.org" in texts[0]
    assert "secret" not in texts[0]
    assert "token" not in texts[0]


@pytest.mark.parametrize("make", [QImage, QPixmap])
def test_pixels_beside_an_address_are_searched(
    make_program: Callable[..., Program], make: type[QImage | QPixmap]
) -> None:
    program = make_program()
    texts = said(program)
    got: list[QImage] = []
    program.window.pixels_dropped.connect(got.append)
    picture = QImage(12, 8, QImage.Format.Format_RGB32)
    picture.fill(0xFF336699)
    data = QMimeData()
    data.setUrls([QUrl("https://example.org/picture.png")])
    data.setImageData(picture if make is QImage else QPixmap.fromImage(picture))
    drop(program, data)
    assert [image.width() for image in got] == [12]
    assert not any("network" in text for text in texts)


def test_plain_words_are_nothing(make_program: Callable[..., Program]) -> None:
    program = make_program()
    texts = said(program)
    data = QMimeData()
    data.setText("see http://example.org for more")
    drop(program, data)
    assert texts == []


def test_markers_dropped_on_the_window_are_read(
    aligned: Program, qtbot: QtBot, tmp_path: Path
) -> None:
    recording = aligned.session.entries[0].recording
    labels = tmp_path / "labels.csv"
    write_labels(labels, [Label(recording.name, "swing", 0.4, 0.4)])
    aligned.opening.add_paths([labels])
    qtbot.waitUntil(lambda: bool(aligned.project.project.markers), timeout=10_000)
    assert [m.name for m in aligned.project.project.markers] == ["swing"]


def test_markers_without_a_recording_say_what_to_do(
    make_program: Callable[..., Program], tmp_path: Path
) -> None:
    program = make_program()
    program.opening.add_paths([tmp_path / "labels.eaf"])
    assert "Add the recording first" in program.window.banner.messages[-1].text


def test_a_folder_takes_only_what_has_room_beside_what_is_open(
    aligned: Program, qtbot: QtBot, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(MOST_RECORDINGS):
        make_video(folder / f"take{number}.mp4", frames=4 + number, fps=10, size=(64, 48))
    aligned.opening.add_paths([folder])
    wait_settled(qtbot, aligned, MOST_RECORDINGS)
    text = "\n".join(m.text for m in aligned.window.banner.messages)
    assert "take7.mp4, take8.mp4" in text
    assert "take6.mp4" not in text
