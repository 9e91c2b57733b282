"""The program: a table with controls on a labelled folder, and clear refusals."""

from __future__ import annotations

import csv
import itertools
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
from carl_core.runs import EventWriter, Step
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.videos import make_video
from training import evaluate
from training.config import ModelConfig
from training.evaluate import run_cli
from training.evaluation.heads import head_file
from training.evaluation.material import CentralFrames
from training.export import save_head
from training.model import CarlModel

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

pytestmark = pytest.mark.torch

SHAPE = ModelConfig(
    image_size=32, width=32, heads=2, ffn=32, dim=16, projection=16, layers=1, tokens=1,
    token_dim=64, pooling="max",
)  # fmt: skip
FPS = 10


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five videos in which a bright bar moves across at changing speed; phases are its thirds."""
    folder = tmp_path_factory.mktemp("labelled")
    rows = []
    for number, power in enumerate((1.0, 0.7, 1.4, 0.9, 1.2)):
        count = 24 + 4 * number
        content = np.linspace(0, 1, count) ** power

        def draw(frame: int, size: tuple[int, int], content: np.ndarray = content) -> np.ndarray:
            x = np.arange(size[0]) / size[0]
            level = 30 + 200 * np.exp(-0.5 * ((x - 0.1 - 0.8 * content[frame]) / 0.08) ** 2)
            return np.broadcast_to(level[None, :, None], (size[1], size[0], 3)).astype(np.uint8)

        name = f"clip{number}.mp4"
        make_video(folder / name, frames=count, fps=FPS, size=(64, 64), draw=draw)
        edges = [*np.searchsorted(content, [0, 1 / 3, 2 / 3]), count]
        for phase, (first, last) in enumerate(itertools.pairwise(edges)):
            rows.append((name, f"phase {phase}", first / FPS - 0.01, last / FPS - 0.01))
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("recording", "name", "start_s", "end_s"))
        writer.writerows([(name, phase, max(0.0, a), b) for name, phase, a, b in rows])
    return folder


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    path = make_tiny_encoder(tmp_path / "tiny.onnx")
    save_head(CarlModel(SHAPE), head_file(path))
    return path


def test_a_labelled_folder_gives_a_table_with_controls(
    labelled: Path, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with EventWriter(run) as writer:
        for k in range(5):
            writer.write(Step(0.0, k, {"total": 1.0, "scl": 1.0}, 1e-3, 1.0, 1.0, 0.1, 1.0))
    code = run_cli(
        ["--model", str(encoder), str(encoder), "--data", str(labelled), "--labels",
         str(labelled / "labels.csv"), "--quick", "--stride", "1", "--run", str(run),
         "-o", str(tmp_path / "out")]
    )  # fmt: skip
    printed = capsys.readouterr()
    assert code == 0, printed.err
    document = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert printed.out == (tmp_path / "out" / "report.md").read_text("utf-8")
    rows = {row["metric"]: row["columns"] for row in document["rows"]}
    assert "3 training and 2 validation recordings" in document["facts"]["data"]
    columns = {"model", "position only", "raw trunk", "untrained head", "raw pixels"}
    assert all(set(found) == columns for found in rows.values())
    assert [len(found["values"]) for found in rows["AP@5 (stride 1)"].values()] == [2, 1, 1, 1, 1]
    # The bar can be seen, and a clock is wrong about where it is but keeps the order.
    assert rows["Kendall's τ (stride 1)"]["position only"]["mean"] > 0.99
    whole = rows["boundary error, whole"]
    assert whole["model"]["mean"] < 0.5 * whole["position only"]["mean"]
    assert rows["labels carried over, trimmed"]["model"]["mean"] > 80
    assert rows["τ, rotated"]["position only"]["mean"] < 0.3
    assert "frames/s" in printed.err
    for name in document["plots"]:
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")
    assert set(document["plots"]) == {
        "embeddings.png", "similarity.png", "similarity_copies.png", "losses.png",
    }  # fmt: skip


def test_without_labels_only_what_needs_none_is_reported(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = make_tiny_encoder(tmp_path / "tiny.onnx")
    arguments = ["--model", str(encoder), "--data", str(labelled), "--quick"]
    assert run_cli([*arguments, "--tasks", "published"]) == 0
    out = capsys.readouterr().out
    assert "Kendall's τ" in out
    assert "phase classification" not in out
    assert "Metrics that nothing here defines are left out." in out
    assert "untrained head |" not in out  # no head lies beside this encoder


def test_nothing_given_is_the_known_warp_test(
    encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(["--model", str(encoder), "--simulated", "1"]) == 0
    out = capsys.readouterr().out
    assert "known-warp error, simulated" in out
    assert "- simulated: 1 pairs from seed 1000000" in out


def test_encoders_with_trunks_of_their_own_are_fed_by_their_own(tmp_path: Path) -> None:
    paths = [
        make_tiny_encoder(tmp_path / "fine.onnx"),
        make_tiny_encoder(tmp_path / "a.onnx", grid=2),
    ]

    def values(*models: Path) -> list[float]:
        out = tmp_path / f"out{len(models)}{models[0].stem}"
        arguments = ["--model", *map(str, models), "--simulated", "2", "-o", str(out)]
        assert run_cli([*arguments, "--tasks", "simulated"]) == 0
        document = json.loads((out / "report.json").read_text("utf-8"))
        found: list[float] = document["rows"][0]["columns"]["model"]["values"]
        return found

    both = values(*paths)
    assert both == [*values(paths[0]), *values(paths[1])]
    assert both[0] != both[1]


def options_of(*arguments: str) -> argparse.Namespace:
    return evaluate._parser().parse_args(["--model", "m.onnx", "--data", "d", *arguments])


@pytest.mark.parametrize(
    ("arguments", "longest_s"),
    [
        ([], 60.0),
        (["--sampling", "native"], 0.0),
        (["--sampling", "native", "--max-clip-s", "5"], 5.0),
    ],
)
def test_the_published_sampling_sees_whole_recordings(
    arguments: list[str], longest_s: float
) -> None:
    assert evaluate._data_set(options_of(*arguments)).config.max_clip_s == longest_s


def test_finegym_is_evaluated_by_the_probe_unless_told_otherwise() -> None:
    assert evaluate._tasks(options_of()) == set(evaluate.TASKS)
    found = evaluate._tasks(options_of("--kind", "finegym99"))
    assert found == set(evaluate.TASKS) - {"published"}
    asked = options_of("--kind", "finegym99", "--tasks", "published")
    assert evaluate._tasks(asked) == {"published"}


def test_the_centre_crop_shows_the_middle_without_resizing(
    labelled: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filmed = np.random.default_rng(0).integers(0, 256, (4, 40, 64, 3), dtype=np.uint8)
    shown = CentralFrames(filmed, 32)
    assert shown.shape == (4, 32, 32, 3)
    np.testing.assert_array_equal(shown[np.array([1, 3])], filmed[[1, 3], 4:36, 16:48])
    arguments = ["--model", str(encoder), "--data", str(labelled), "--labels"]
    arguments += [str(labelled / "labels.csv"), "--quick", "--tasks", "boundary", "--centre-crop"]
    assert run_cli(arguments) == 0
    assert "10 per second, their middle not resized" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--data", "nowhere"], 3, "There is no folder nowhere"),
        (["--stride", "0"], 2, "--stride 0: must be at least 1"),
        (["--kind", "pouring", "--labels", "x.csv"], 2, "--labels goes with --kind folder"),
        (["--moments", "."], 3, "labels.json"),
    ],
)
def test_refusals_are_sentences(
    encoder: Path, arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(["--model", str(encoder), *arguments]) == code
    printed = capsys.readouterr()
    assert said in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_a_missing_encoder_is_an_input_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli(["--model", str(tmp_path / "none.onnx")]) == 3
    assert "none.onnx" in capsys.readouterr().err
