from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.embeddings.store import EmbeddingStore
from carl_core.video.image import write_png
from tests.helpers.scenes import draw_scene

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Carl


def test_probe_lists_every_file_and_says_3_when_one_is_unreadable(
    carl: Carl, clips: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("not a video")
    done = carl("probe", clips / "whole.mp4", tmp_path / "notes.txt", "--json")
    assert done.code == 3
    good, bad = done.json
    keys = {
        "path", "codec", "size", "rotation", "sar", "frames", "duration_s", "vfr", "first_pts",
        "time_base", "audio", "problems",
    }  # fmt: skip
    assert set(good) == set(bad) == keys
    assert (good["codec"], good["size"], good["frames"]) == ("h264", [96, 72], 200)
    assert bad["frames"] is None
    assert len(bad["problems"]) == 1
    plain = carl("probe", clips / "whole.mp4")
    assert plain.code == 0
    assert "200 frames" in plain.out


@pytest.mark.parametrize("query", ["image", "moment", "range"])
def test_search_finds_the_moment(
    carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path, query: str
) -> None:
    write_png(tmp_path / "query.png", draw_scene(4000))
    text = {
        "image": tmp_path / "query.png",
        "moment": f"{clips / 'whole.mp4'}@4.0",
        "range": f"{clips / 'whole.mp4'}@3.5-4.5",
    }[query]
    done = carl(
        "search", text, "--in", clips / "fast.mp4", clips / "late.mp4", "--json", "-k", "2",
        "--model", tiny_model,
    )  # fmt: skip
    assert done.code == 0, done.err
    found = {hit["path"]: hit["time_s"] for hit in done.json["hits"]}
    expected = {str(clips / "fast.mp4"): 2.0, str(clips / "late.mp4"): 3.0}
    for path, time_s in found.items():
        assert time_s == pytest.approx(expected[path], abs=0.3)


def test_search_for_something_that_is_not_there_says_so(
    carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    write_png(tmp_path / "noise.png", np.kron(noise, np.ones((12, 12, 1), np.uint8)))
    done = carl(
        "search", tmp_path / "noise.png", "--in", clips / "whole.mp4", "--model", tiny_model
    )
    assert done.code == 4
    assert "Nothing convincing" in done.err


def test_embed_fills_the_cache_and_clear_empties_it(
    carl: Carl, clips: Path, tiny_model: Path
) -> None:
    done = carl(
        "embed", clips / "whole.mp4", clips / "late.mp4", "--jobs", "2", "--model", tiny_model
    )
    assert done.code == 0, done.err
    assert "whole.mp4: 80 vectors" in done.out
    assert not carl("cache", "size").out.startswith("0.0 MB")
    assert carl("cache", "clear").out.startswith("0.0 MB")
    native = carl("embed", clips / "whole.mp4", "--rate", "native", "--model", tiny_model)
    assert "200 vectors" in native.out


def test_a_scheduler_without_dask_says_what_to_install(
    carl: Carl, clips: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    given = [clips / "whole.mp4", "--model", tiny_model, "--scheduler", "tcp://127.0.0.1:1"]
    done = carl("embed", *given)
    assert done.code == 2
    assert "pip install distributed" in done.err


def test_a_full_cache_loses_nothing_of_one_command_and_says_so(
    carl: Carl, clips: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARL_CACHE_GB", "0.00001")
    files = [clips / "whole.mp4", clips / "late.mp4", clips / "fast.mp4"]
    done = carl("embed", *files, "--model", tiny_model)
    assert done.code == 0
    assert "CARL_CACHE_GB" in done.err
    kept = [path.name for path in EmbeddingStore().root.glob("*/vectors.f32")]
    assert len(kept) == len(files)
    monkeypatch.setenv("CARL_CACHE_GB", "much")
    assert "no number of gigabytes" in carl("embed", *files, "--model", tiny_model).err


def test_models_are_imported_shown_and_used_by_name(
    carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARL_MODELS", str(tmp_path / "models"))
    assert carl("models", "import", tiny_model).code == 0
    assert "tiny" in carl("models", "list").out
    assert "sample_fps" in carl("models", "show", "tiny").out
    assert carl("embed", clips / "late.mp4", "--model", "tiny").code == 0
    unknown = carl("embed", clips / "late.mp4", "--model", "nobody")
    assert unknown.code == 3
    assert "no encoder 'nobody'" in unknown.err


def test_a_faster_variant_is_made_and_used_by_name(
    carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARL_MODELS", str(tmp_path / "models"))
    done = carl("models", "quantize", clips / "whole.mp4", "--model", tiny_model)
    assert done.code == 0, done.err
    assert done.out.strip() == str(tmp_path / "models" / "tiny.int8.onnx")
    assert "mean cosine with the original" in done.err
    assert carl("embed", clips / "late.mp4", "--model", "tiny.int8").code == 0


@pytest.mark.slow
@pytest.mark.torch
def test_a_network_becomes_an_encoder_without_training(
    carl: Carl, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from torchvision.models import mobilenet_v3_small

    monkeypatch.setenv("CARL_MODELS", str(tmp_path / "models"))
    weights = tmp_path / "weights.pth"
    torch.save(mobilenet_v3_small(weights=None).state_dict(), weights)
    done = carl("models", "download", "torchvision:mobilenet_v3_small", "--weights", weights)
    assert done.code == 0, done.err
    path = tmp_path / "models" / "mobilenet_v3_small.onnx"
    assert done.out.strip() == str(path)
    assert "parity" in done.err
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert "torchvision" in carl("models", "show", "mobilenet_v3_small").out


@pytest.mark.torch
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["download", "torchvision:resnet17"], 2, "near it: resnet18"),
        (["download", "resnet50"], 2, "torchvision:resnet50"),
        (["import", "none.pth", "--frames", "80"], 3, "There is no checkpoint none.pth"),
        (["import", "none.pth", "--name", "bundled"], 3, "is taken"),
        (["import", "none.onnx", "--name", "x"], 2, "go with a checkpoint"),
    ],
)
def test_what_no_encoder_can_be_made_of_is_a_sentence(
    carl: Carl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("CARL_MODELS", str(tmp_path / "models"))
    done = carl("models", *arguments)
    assert done.code == code, done.err
    assert words in done.err
    assert "usage" not in done.err
    assert done.err.strip().endswith(".")
    assert not (tmp_path / "models").exists()


def test_without_the_training_part_it_says_how_to_get_it(
    carl: Carl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = carl("models", "download", "torchvision:resnet18")
    assert done.code == 2
    assert "uv sync --inexact --extra train" in done.err


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"", "empty.mp4"), (b"hello", "text.mp4"), (None, "missing.mp4")],
)
def test_unreadable_input_is_a_sentence_and_3(
    carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path, content: bytes | None, name: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = carl("align", clips / "whole.mp4", tmp_path / name, "--model", tiny_model)
    assert done.code == 3
    assert done.err.startswith("carl: ")
    assert name in done.err
    assert done.err.strip().endswith(".")


def test_a_model_that_is_not_ours_is_a_sentence_and_3(
    carl: Carl, clips: Path, tmp_path: Path
) -> None:
    (tmp_path / "m.onnx").write_bytes(b"nonsense")
    done = carl("align", clips / "whole.mp4", clips / "late.mp4", "--model", tmp_path / "m.onnx")
    assert done.code == 3
    assert "m.onnx" in done.err


def test_an_unwritable_cache_is_told_and_survived(
    carl: Carl, clips: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CARL_CACHE", str(tmp_path / "file" / "cache"))
    done = carl("align", clips / "whole.mp4", clips / "late.mp4", "--json", "--model", tiny_model)
    assert done.code == 0, done.err
    assert "cache" in done.err


@pytest.mark.parametrize(
    "arguments",
    [[], ["align"], ["align", "one.mp4"], ["embed", "x", "--rate", "fast"], ["dance"]],
)
def test_wrong_usage_is_2(carl: Carl, arguments: list[str]) -> None:
    assert carl(*arguments).code == 2


def test_stdout_holds_only_the_result(clips: Path, tiny_model: Path) -> None:
    """As a pipe sees it, in a process of its own, with a path that is not text."""
    odd = os.fsencode(clips) + b"/na\xefve \xe2\x82\xac.mp4"
    with contextlib.suppress(FileExistsError):
        os.link(clips / "late.mp4", odd)
    command = [sys.executable, "-m", "carl_core.cli.main", "align", str(clips / "whole.mp4"), odd]
    done = subprocess.run(
        [*command, "--json", "--model", str(tiny_model)], capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"{")
    assert done.stderr == b""


def test_doctor_tells_what_works(carl: Carl) -> None:
    done = carl("doctor")
    assert done.code in (0, 1)
    for word in ("python", "encoder", "cache", "video encoders", "window"):
        assert word in done.out
