from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from carl_core.errors import ProjectError
from carl_core.project import edits, files
from carl_core.project.project import (
    Anchor,
    Loop,
    Marker,
    Mask,
    Media,
    Moment,
    Project,
    Span,
    View,
)
from carl_core.project.relink import find_in, media_of, missing, moved_along
from carl_core.video.recording import fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Callable


def moment(recording: str, time_s: float) -> Moment:
    return Moment(recording=recording, pts=round(time_s * 1000), time_s=time_s)


def anchor(one_s: float, other_s: float, one: str = "a", other: str = "b") -> Anchor:
    return Anchor(first=moment(one, one_s), second=moment(other, other_s), author="me", made="2026")


def full(folder: str = "/videos") -> Project:
    return Project(
        recordings=(
            Media(id="a", path=f"{folder}/a.mp4", fingerprint="1" * 32, size=10),
            Media(id="b", path=f"{folder}/b.mp4", name="Béa \U0001f3cc"),
            Media(id="c", path=f"{folder}/c\udcff.mp4"),
        ),
        reference="a",
        anchors=(anchor(1, 2), anchor(3, 5, "a", "c")),
        masks=(
            Mask(
                first=Span(recording="a", start_s=0, end_s=1),
                second=Span(recording="b", start_s=4, end_s=5.5),
                kind="together",
            ),
        ),
        markers=(
            Marker(id="m1", name="top", start=moment("a", 1.5), colour="#1a2B3c", note="high"),
            Marker(id="m2", name="down", start=moment("b", 1), end=moment("b", 2)),
        ),
        method="sound",
        base="mean",
        maps={"c": "linear"},
        model="abc",
        loop=Loop(start_s=1, end_s=2),
        view=View(mode="wipe", wipe=0.25),
    )


def test_a_project_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "p.carl"
    files.write_project(path, full())
    assert files.read_project(path) == full()
    document = json.loads(path.read_text())
    assert document["format"] == "carl-project"
    assert document["version"] == 1
    assert list(tmp_path.iterdir()) == [path]  # nothing else is left


def test_a_folder_moved_with_its_project_is_found_again(tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    clip = before / "a.mp4"
    clip.write_bytes(b"0123456789")
    project = edits.add_recordings(Project(), [Media(id="a", path=str(clip), size=10)])
    files.write_project(before / "p.carl", project)
    after = before.rename(tmp_path / "after")
    assert files.read_project(after / "p.carl").recordings[0].path == str(after / "a.mp4")
    # Another file of that name is not it.
    (after / "a.mp4").write_bytes(b"something else")
    assert files.read_project(after / "p.carl").recordings[0].path == str(clip)


def test_the_three_versions_before_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "p.carl"
    for k in range(6):
        files.write_project(path, Project(model=str(k)))
    kept = [path, *(tmp_path / f"p.carl.{n}" for n in (1, 2, 3))]
    assert [files._read(p).project.model for p in kept] == ["5", "4", "3", "2"]
    assert sorted(tmp_path.iterdir()) == kept


def test_what_was_there_survives_a_failed_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.carl"
    files.write_project(path, full())

    def full_disk(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(ProjectError, match=r"cannot be saved: No space left.*Save it in another"):
        files.write_project(path, Project())
    assert files.read_project(path) == full()
    assert not list(tmp_path.glob(".p.carl*"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be used"),
        ("not json", "cannot be used"),
        ("{}", "no project of this program"),
        ('{"format": "carl-alignment", "version": 1}', "no project of this program"),
        ('{"format": "carl-project", "version": 2}', "newer program"),
        ('{"format": "carl-project", "version": 1}', "project"),
        ('{"format": "carl-project", "version": 1, "project": {"reference": "x"}}', "reference"),
        (
            '{"format": "carl-project", "version": 1, "project": {"loop": {"start_s": NaN, '
            '"end_s": 1}}}',
            "NaN",
        ),
        (
            '{"format": "carl-project", "version": 1, "project": {"markers": [{"id": 3}]}}',
            r"\$\.project\.markers\[0\]",
        ),
        ("[" * 100_000, "cannot be used"),
        (
            '"\ud83d"'.encode("utf-8", "surrogatepass").decode("latin-1"),
            "no project|cannot be used",
        ),
    ],
)
def test_a_damaged_project_is_refused_with_the_place(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "p.carl"
    path.write_text(text)
    (tmp_path / "p.carl.1").write_text("{}")
    with pytest.raises(ProjectError, match=message) as caught:
        files.read_project(path)
    assert str(path) in str(caught.value)
    if "cannot be used" in str(caught.value):
        assert "p.carl.1" in str(caught.value)


def test_a_missing_or_binary_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="cannot be read"):
        files.read_project(tmp_path / "none.carl")
    (tmp_path / "b.carl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProjectError, match="not text"):
        files.read_project(tmp_path / "b.carl")


@given(st.binary(max_size=400))
def test_no_bytes_bring_reading_down(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "p.carl"
    text = files.to_text(full(), path.parent).encode()
    at = len(data) * 7 % len(text)
    path.write_bytes(text[:at] + data + text[at + len(data) :])
    try:
        files.read_project(path)
    except ProjectError:
        pass


def test_unsaved_work_of_a_process_that_is_gone_is_found(tmp_path: Path) -> None:
    saved = tmp_path / "work" / "p.carl"
    files.write_project(saved, Project())
    folder = tmp_path / "state"
    mine = files.autosave_path(None, folder)
    files.write_autosave(mine, full(), None)
    beside = files.autosave_path(saved, folder)
    files.write_autosave(beside, full(), saved)
    assert files.find_unsaved(folder, (saved,)) == ()  # this process is alive
    for path in (mine, beside):
        document = json.loads(path.read_text())
        path.write_text(json.dumps(document | {"process": 2**22 + 12345}))  # above the largest pid
    first, second = files.find_unsaved(folder, (saved,))
    assert first.project == second.project == full()
    assert (first.saved_as, second.saved_as) == (None, saved)
    assert files.read_project(saved) == Project()  # never over the project
    files.drop_autosave(mine)
    files.drop_autosave(mine)
    beside.write_text("{")
    assert files.find_unsaved(folder, (saved,)) == ()
    assert beside.with_name(beside.name + ".damaged").is_file()


def test_unsaved_work_of_a_stranger_cannot_say_where_it_is_saved(tmp_path: Path) -> None:
    theirs = tmp_path / "download" / "p.carl"
    files.write_project(theirs, Project())
    beside = files.autosave_path(theirs, tmp_path)
    files.write_autosave(beside, full(), tmp_path / "home" / ".bashrc")
    assert files.read_autosave(beside).saved_as == theirs
    assert files.read_autosave(beside).name == "p.carl"
    unsaved = files.autosave_path(None, tmp_path / "state", 5)
    files.write_autosave(unsaved, full(), tmp_path / "home" / ".bashrc")
    assert files.read_autosave(unsaved).saved_as is None
    assert files.read_autosave(unsaved).name == ".bashrc"  # shown, and no more
    assert str(tmp_path / "home") not in unsaved.read_text()


@pytest.mark.parametrize("path", ["/x" * 5000, "/a\0b", "/dev/null/x", "/" + "y" * 300 + ".mp4"])
def test_recordings_at_impossible_places_are_missing(tmp_path: Path, path: str) -> None:
    project = Project(recordings=(Media(id="a", path=path, size=3),), reference="a")
    files.write_project(tmp_path / "p.carl", project)
    text = json.loads((tmp_path / "p.carl").read_text())
    text["relative"] = {"a": path.strip("/")}
    (tmp_path / "p.carl").write_text(json.dumps(text))
    read = files.read_project(tmp_path / "p.carl")
    assert [media.id for media in missing(read)] == ["a"]


def test_anchors_keep_their_order() -> None:
    project = edits.add_anchor(full(), anchor(3, 4))
    assert [(p.time_s, q.time_s) for p, q in project.anchors_of("b")] == [(1, 2), (3, 4)]
    with pytest.raises(ProjectError, match="keep their order"):
        edits.add_anchor(project, anchor(2, 5))
    # The other way round says the same.
    with pytest.raises(ProjectError, match="keep their order"):
        edits.add_anchor(project, anchor(5, 2, "b", "a"))
    moved = edits.move_anchor(project, anchor(3, 4), anchor(0.5, 1))
    assert [(p.time_s, q.time_s) for p, q in moved.anchors_of("b")] == [(0.5, 1), (1, 2)]
    # A moment can be pinned once only.
    again = edits.add_anchor(project, anchor(3, 4.5))
    assert [q.time_s for _, q in again.anchors_of("b")] == [2, 4.5]
    assert edits.clear_anchors(project, "b", "a").anchors == (anchor(3, 5, "a", "c"),)


def test_removing_a_recording_takes_what_belongs_to_it() -> None:
    project = edits.remove_recording(full(), "a")
    assert project.reference == "b"
    assert project.anchors == project.masks == ()
    assert [marker.id for marker in project.markers] == ["m2"]
    assert project.loop is None
    empty = edits.remove_recording(edits.remove_recording(project, "b"), "c")
    assert (empty.recordings, empty.reference, empty.maps) == ((), "", {})


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: edits.remove_recording(p, "x"),
        lambda p: edits.set_reference(p, "x"),
        lambda p: edits.set_map(p, "x", "linear"),
        lambda p: edits.add_recordings(p, [Media(id="a", path="/z.mp4")]),
        lambda p: edits.add_markers(p, [p.markers[0]]),
        lambda p: edits.change_marker(p, replace(p.markers[0], id="x")),
        lambda p: edits.move_anchor(p, anchor(9, 9), anchor(8, 8)),
    ],
)
def test_edits_that_make_no_sense_are_told(edit: Callable[[Project], Project]) -> None:
    with pytest.raises(ProjectError):
        edit(full())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Moment(recording="a", pts=0, time_s=float("nan")),
        lambda: Span(recording="a", start_s=2, end_s=2),
        lambda: Marker(id="m", name="", start=moment("a", 2), end=moment("a", 1)),
        lambda: Marker(id="m", name="", start=moment("a", 2), end=moment("b", 3)),
        lambda: Marker(id="m", name="", start=moment("a", 2), colour="red"),
        lambda: anchor(1, 2, "a", "a"),
        lambda: replace(full(), reference="x"),
        lambda: replace(full(), anchors=(anchor(1, 2, "a", "x"),)),
        lambda: replace(full(), recordings=(*full().recordings, full().recordings[0])),
    ],
)
def test_values_check_themselves(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        make()


def test_missing_recordings_are_found_by_content_then_by_name(tmp_path: Path) -> None:
    deep = tmp_path / "disk" / "2026" / "may"
    deep.mkdir(parents=True)
    (deep / "renamed.mp4").write_bytes(b"content of a")
    (deep / "same-size.mp4").write_bytes(b"content of x")
    (deep / "b.mp4").write_bytes(b"whatever")
    wanted = (
        Media(
            id="a",
            path="/gone/a.mp4",
            size=12,
            fingerprint=fingerprint_of(deep / "renamed.mp4", 12),
        ),
        Media(id="b", path="/gone/b.mp4"),
        Media(id="c", path="/gone/c.mp4"),
    )
    project = edits.add_recordings(Project(), wanted)
    assert missing(project) == wanted
    found = find_in(tmp_path / "disk", wanted)
    assert {key: (Path(f.media.path).name, f.is_certain) for key, f in found.items()} == {
        "a": ("renamed.mp4", True),
        "b": ("b.mp4", False),
    }
    assert missing(edits.relink(project, media_of(found))) == wanted[2:]


def test_what_was_moved_together_is_found_together(tmp_path: Path) -> None:
    for name in ("one/a.mp4", "two/b.mp4", "two/c.mp4"):
        path = tmp_path / "disk" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    sizes = {n: fingerprint_of(tmp_path / "disk" / n, 9) for n in ("one/a.mp4", "two/b.mp4")}
    wanted = (
        Media(id="a", path="/gone/one/a.mp4", size=9, fingerprint=sizes["one/a.mp4"]),
        Media(id="b", path="/gone/two/b.mp4", size=9, fingerprint=sizes["two/b.mp4"]),
        Media(id="c", path="/gone/two/c.mp4", size=9, fingerprint="of another"),
        Media(id="d", path="/gone2/two/c.mp4"),
    )
    found = find_in(tmp_path / "disk" / "one", wanted)
    assert list(found) == ["a"]
    more = moved_along(wanted, found)
    assert {key: (f.media.path, f.is_certain) for key, f in more.items()} == {
        "b": (str(tmp_path / "disk/two/b.mp4"), True),
        "c": (str(tmp_path / "disk/two/c.mp4"), False),
    }
    assert moved_along(wanted, {}) == {}
