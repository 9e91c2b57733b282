from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from carl_core.video.image import write_png
from tests.helpers.scenes import draw_scene

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Carl


def test_everything_embedded_is_searched(
    carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARL_CACHE", str(tmp_path / "cache"))
    query = f"{clips / 'whole.mp4'}@4.0"
    model = ("--model", tiny_model)
    for name in ("fast.mp4", "late.mp4"):
        assert carl("embed", clips / name, *model).code == 0
    done = carl("search", query, "--library", "--json", "-k", "3", *model)
    assert done.code == 0, done.err
    assert done.json["library"]["exact"] is True
    assert done.json["library"]["recordings"] == 3  # the query's own recording, too
    found = {hit["path"]: hit["time_s"] for hit in done.json["hits"]}
    assert found[str(clips / "fast.mp4")] == pytest.approx(2.0, abs=0.3)
    assert found[str(clips / "late.mp4")] == pytest.approx(3.0, abs=0.3)
    plain = carl("search", query, "--library", *model)
    assert "3 recordings" in plain.err
    assert str(clips / "late.mp4") in plain.out


def test_the_library_is_shown_filled_and_emptied(
    carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARL_CACHE", str(tmp_path / "cache"))
    model = ("--model", tiny_model)
    assert carl("library", "add", clips / "fast.mp4", clips / "late.mp4", *model).code == 0
    shown = carl("library", "show", *model)
    assert shown.out.startswith("2 recordings")
    assert str(clips / "fast.mp4") in shown.out
    assert carl("library", "forget", clips / "fast.mp4", *model).code == 0
    assert carl("library", "forget", clips / "fast.mp4", *model).code == 4
    assert carl("library", "show", *model).out.startswith("1 recordings")
    assert carl("library", "clear", *model).code == 0
    assert carl("library", "show", *model).out.startswith("0 recordings")
    without = carl("library", "show", "--no-cache", *model)
    assert without.code == 2
    assert "cache" in without.err


def test_a_picture_is_refused_with_what_to_do(
    carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path
) -> None:
    write_png(tmp_path / "query.png", draw_scene(4000))
    done = carl("search", tmp_path / "query.png", "--library", "--model", tiny_model)
    assert done.code == 2
    assert "--in FILE" in done.err
