from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.cli import library as cli_library
from carl_core.embeddings.embeddings import EmbeddingKey, Embeddings
from carl_core.errors import Cancelled
from carl_core.pipeline import Engine
from carl_core.progress import Monitor, Progress
from carl_core.retrieval import library as library_of_everything
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
    limited = carl("library", "show", *model)
    assert " MB of 32000 MB in " in limited.out
    monkeypatch.setenv("CARL_LIBRARY_GB", "much")
    refused = carl("library", "show", *model)
    assert refused.code == 2
    assert "CARL_LIBRARY_GB" in refused.err
    monkeypatch.delenv("CARL_LIBRARY_GB")
    assert carl("library", "clear", *model).code == 0
    assert carl("library", "show", *model).out.startswith("0 recordings")
    without = carl("library", "show", "--no-cache", *model)
    assert without.code == 2
    assert "cache" in without.err


def test_a_picture_is_looked_for_in_everything_the_cache_holds(
    carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARL_CACHE", str(tmp_path / "cache"))
    write_png(tmp_path / "query.png", draw_scene(4000))
    model = ("--model", tiny_model)
    search = ("search", tmp_path / "query.png", "--library", "-k", "2", *model)
    nothing = carl(*search)
    assert nothing.code == 4
    assert "no frames" in nothing.err
    assert carl("library", "add", clips / "whole.mp4", clips / "late.mp4", *model).code == 0
    found = carl(*search, "--json").json
    times_s = {hit["path"]: hit["time_s"] for hit in found["hits"]}  # both show it
    assert times_s == {
        str(clips / "whole.mp4"): pytest.approx(4.0, abs=0.11),
        str(clips / "late.mp4"): pytest.approx(3.0, abs=0.11),
    }
    assert found["library"]["recordings"] == 2
    assert found["library"]["exact"] is True
    assert found["library"]["left_out"] == 0
    store = Engine(model=tiny_model).store
    assert store is not None
    store.clear()
    assert "2 more cannot be compared with a picture" in carl(*search).err
    assert carl("library", "forget", clips / "late.mp4", *model).code == 0
    assert "1 more cannot be" in carl(*search).err


def test_a_search_in_a_large_library_has_its_index_built_by_another_process(
    carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARL_CACHE", str(tmp_path / "cache"))
    for module in (library_of_everything, cli_library):
        monkeypatch.setattr(module, "CELLS_FROM", 30)
    model = ("--model", tiny_model)
    assert carl("library", "add", clips / "whole.mp4", clips / "late.mp4", *model).code == 0
    done = carl("search", f"{clips / 'whole.mp4'}@4.0", "--library", *model)
    assert "in the background" in done.err
    assert cli_library._builds[-1].wait(timeout=100) == 0
    assert "measured recall" in carl("library", "show", *model).out
    again = carl("search", f"{clips / 'whole.mp4'}@4.0", "--library", "--json", "-k", "1", *model)
    assert again.json["library"]["exact"] is False
    assert again.json["hits"][0]["score"] == pytest.approx(1.0, abs=1e-3)
    assert "in the background" not in again.err


def test_a_build_is_seen_and_stopped_from_elsewhere_and_goes_on_later(
    carl: Carl, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARL_CACHE", str(tmp_path / "cache"))
    library = Engine(model=tiny_model).library
    assert library is not None
    chance = np.random.default_rng(0)
    for name in ("a" * 32, "b" * 32):
        rows = chance.normal(size=(60_000, 16)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        at = np.arange(len(rows))
        library.add([Embeddings(EmbeddingKey(name, library.model_id, "10/1"), at, at / 10, rows)])
    model = ("--model", str(tiny_model))
    assert carl("library", "stop", *model).code == 4

    def show_and_stop(progress: Progress) -> None:
        if progress.stage == "sorting into cells" and progress.done > 0:
            shown.append(carl("library", "show", *model).out)
            assert carl("library", "stop", *model).code == 0

    shown: list[str] = []
    with pytest.raises(Cancelled):
        library.build(Monitor(show_and_stop, interval_s=0), least=1000)
    assert "being built, sorting into cells" in shown[0]
    assert carl("library", "stop", *model).code == 4
    command = [sys.executable, "-m", "carl_core.cli.main", "library", "build", "--idle"]
    done = subprocess.run(
        [*command, "--least", "1000", *model], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "measured recall" in done.stdout
    assert library.building is None
    assert not list(library.folder.rglob("*.part"))
