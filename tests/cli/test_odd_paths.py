"""A path whose bytes are no text, and one in many scripts, go through every command."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from carl_core.export.labels import Label, read_labels, write_labels
from carl_core.project import files
from carl_core.project.project import Media, Project
from carl_core.project.relink import missing
from tests.helpers.scenes import make_scene

if TYPE_CHECKING:
    from tests.cli.conftest import Carl

NAMES = [
    pytest.param(
        b"caf\xe9 \xff",
        marks=pytest.mark.skipif(
            sys.platform in ("win32", "darwin"), reason="paths are text there"
        ),
        id="no text",
    ),
    pytest.param("größe 手術 🎥".encode(), id="many scripts"),
]


@pytest.fixture(params=NAMES)
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + request.param))
    folder.mkdir()
    name = os.fsdecode(request.param)
    make_scene(tmp_path / "whole.mp4").rename(folder / f"{name} 1.mp4")
    make_scene(tmp_path / "fast.mp4", speed=2.0).rename(folder / f"{name} 2.mp4")
    return folder


def test_every_command_takes_it(carl: Carl, odd: Path, tiny_model: Path) -> None:
    one, two = sorted(odd.glob("*.mp4"))
    probed = carl("probe", one, "--json")
    assert probed.code == 0
    assert probed.json[0]["frames"] > 10
    assert carl("embed", one, "--model", tiny_model).code == 0
    out = odd / "out"
    done = carl("align", one, two, "--model", tiny_model, "-o", out, "--csv", "--plot")
    assert done.code in (0, 4), done.err
    assert {p.name for p in out.iterdir()} >= {"alignment.json"}
    document = json.loads((out / "alignment.json").read_text(encoding="ascii"))
    assert document["recordings"][0]["frames"] == probed.json[0]["frames"]
    labels = write_labels(odd / "labels.csv", [Label("", "a", 1.0, 2.0)])
    assert carl("transfer", out / "alignment.json", labels, "-o", out).code in (0, 4)
    found = carl("search", f"{one}@2", "--in", two, "--model", tiny_model)
    assert found.code in (0, 4), found.err
    rendered = carl("render", out / "alignment.json", "-o", out / "x.mp4", "--height", "64")
    assert rendered.code == 0, rendered.err
    for text in (probed, done, found, rendered):
        text.out.encode("utf-8")
        text.err.encode("utf-8")


def test_projects_and_labels_keep_it(odd: Path) -> None:
    one = min(odd.glob("*.mp4"))
    path = odd / "p.carl"
    project = Project(recordings=(Media(id="a", path=str(one), name=one.name),), reference="a")
    files.write_project(path, project)
    assert files.read_project(path) == project
    assert missing(project) == ()
    moved = odd.rename(odd.with_name("moved"))
    again = files.read_project(moved / "p.carl")
    assert again.recordings[0].path == str(moved / one.name)
    for suffix in ("csv", "json", "eaf"):
        target = moved / f"labels.{suffix}"
        write_labels(target, [Label(one.name, "a", 1.0, 2.0)])
        assert len(read_labels(target)) == 1
