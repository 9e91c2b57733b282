"""The model card: seconds, sources and scores from made-up run folders and manifests."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import onnx
import pytest

torch = pytest.importorskip("torch")

from carl_core.encoder.onnx import load_encoder  # noqa: E402
from carl_core.errors import MediaError  # noqa: E402
from carl_core.runs import Evaluated, EventWriter, Finished, Started, Step  # noqa: E402
from tests.helpers.encoders import make_tiny_encoder  # noqa: E402
from training.card.__main__ import main  # noqa: E402
from training.card.provenance import finished_run, read_manifest  # noqa: E402
from training.card.write import model_card  # noqa: E402
from training.config import ConfigError, load_config  # noqa: E402
from training.distill.settings import DistillSettings, settings_of  # noqa: E402

pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[2]
BEGAN = 1_000_000.0
MANIFEST = """\
file,source_repo,licence,attribution,duration_s,provenance,dev_overlap
videos/jump.mp4,some/where,MIT,Copyright (c) 2020 Ann (github.com/some/where),90,first_party,
videos/run.mp4,some/where,MIT,Copyright (c) 2020 Ann (github.com/some/where),30,first_party,
videos/golf.mp4,secret/place,BSD-3-Clause,Bob,600,first_party,golf/one.mp4
images/000.tar/a.jpg,free/pictures,CC-BY-4.0,Cleo | Co,,third_party_or_stock,
"""


def write_events(folder: Path, *events: Any) -> None:
    with EventWriter(folder) as writer:
        for event in events:
            writer.write(event)


def step(at_s: float, done: int) -> Step:
    return Step(BEGAN + at_s, done, {"total": 1.25}, 1e-3, 0.5, 100.0, 0.0, 0.0)


def started(at_s: float, done: int, steps: int = 20) -> Started:
    return Started(BEGAN + at_s, done, steps, {}, "cpu")


def finished(at_s: float, done: int = 20) -> Finished:
    return Finished(BEGAN + at_s, done, complete=True)


def touch(path: Path, at_s: float, text: str = "{}") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (BEGAN + at_s, BEGAN + at_s))


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Path]:
    """A pool, a trunk's run folder, a head's on the same trunk."""
    pool, trunk, head = tmp_path / "pool", tmp_path / "trunk", tmp_path / "head"
    for folder in (pool, trunk, head):
        folder.mkdir()
    (pool / "manifest.csv").write_text(MANIFEST)
    usual = DistillSettings()
    teachers = tmp_path / "teachers"
    teachers.mkdir()
    (teachers / "movenet_single_pose_lightning_ptq.tflite").write_bytes(b"net")
    settings = dataclasses.replace(
        usual,
        views=dataclasses.replace(usual.views, pool=str(pool), teachers=str(teachers), seed=7),
        run=dataclasses.replace(usual.run, steps=20, batch=8),
    )
    (trunk / "config.json").write_text(json.dumps(dataclasses.asdict(settings)))
    looks = trunk / f"views-{settings.digest('views')}"
    for at_s, name, views in (
        (-200, "clip-jump", 40),
        (-100, "clip-run", 12),
        (-60, "actions-0", 8),
    ):
        touch(looks / f"{name}.json", at_s, json.dumps({"views": views}))
    write_events(
        trunk, started(0, 0), step(50, 10), started(5000, 10), step(5040, 20),
        Evaluated(BEGAN + 5050, 20, {"held back, places": 0.5}), finished(5060),
    )  # fmt: skip
    config = load_config(
        ROOT / "training" / "configs" / "bundled.toml",
        [f"data.root={pool / 'videos'}", "run.steps=20", "run.seed=3"],
    )
    (head / "config.json").write_text(json.dumps(config.to_json()))
    touch(head / "cache" / "features.npy", 5970)
    write_events(head, started(6000, 0), step(6100, 20), finished(6110))
    make_tiny_encoder(trunk / "trunk.onnx")
    make_tiny_encoder(head / "encoder.onnx")
    return {"trunk": trunk, "head": head, "pool": pool}


def card_of(made: dict[str, Path], **given: Any) -> str:
    usual: dict[str, Any] = {"scores": None, "compare": None, "notes": ""}
    return model_card(made["trunk"], made["head"], made["pool"], **{**usual, **given})


def test_seconds_leave_out_pauses_and_what_was_begun_anew(tmp_path: Path) -> None:
    touch(tmp_path / "config.json", 30)
    for at_s in (-1000, -400, -300, -250):  # a pause of 600 s after the first
        touch(tmp_path / "looks" / f"{at_s}.npy", at_s)
    write_events(
        tmp_path,
        started(-5000, 0), step(-4900, 10),  # given up
        started(0, 0), step(100, 10), step(200, 15),
        started(100_000, 10), step(100_150, 20), finished(100_160),
    )  # fmt: skip
    run = finished_run(tmp_path)
    assert (run.steps, run.pieces, run.devices) == (20, 2, ("cpu",))
    assert run.prepared_s == pytest.approx(100 + 50 + 250)
    assert run.trained_s == pytest.approx(200 + 160)
    assert (run.began_s, run.learned_s) == (BEGAN, BEGAN + 100_150)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([], "holds no run"),
        ([started(0, 0), step(5, 10)], "not finished"),
        ([started(0, 0), step(5, 20), finished(6), started(9, 20, steps=40)], "not finished"),
        ([started(0, 0), finished(6)], "no step"),
    ],
)
def test_a_run_that_is_not_finished_has_no_card(
    tmp_path: Path, events: list[Any], words: str
) -> None:
    write_events(tmp_path, *events)
    with pytest.raises(ConfigError, match=words):
        finished_run(tmp_path)


def test_the_card_says_what_the_runs_did_and_whom_to_thank(made: dict[str, Path]) -> None:
    text = card_of(made, notes="It cannot tell\nleft from right.")
    lines = text.splitlines()
    model_id = load_encoder(made["head"] / "encoder.onnx", device="cpu").model_id
    assert f"`{model_id}`" in text
    assert model_id == hashlib.sha256((made["head"] / "encoder.onnx").read_bytes()).hexdigest()[:16]
    assert "| looks and what the teachers say |  | 60 looks | 200 | 3.3 |" in lines
    assert "| trunk | 20 | 160 looks | 110 | 1.8 |" in lines
    assert "| features of the trunk |  |  | 30 | 0.5 |" in lines
    assert f"| head | 20 | {20 * 16 * 2 * 20:,} frames | 110 | 1.8 |" in lines
    assert "| all |  |  | 450 | 7.5 |" in lines
    assert "- 2 clips, 2.0 minutes, without those whose `dev_overlap` is filled" in lines
    assert "- 1 pictures" in lines
    assert "- looks at clips: 52, simulated actions: 8" in lines
    assert "| seeds | 1 (trunk), 7 (looks), 3 (head) |" in lines
    assert "| held back, places | 0.500 |" in lines
    first, second = lines[-2:]
    assert first == ("| some/where | MIT | Copyright (c) 2020 Ann | 2 | 2.0 |  | first party |")
    assert second == ("| free/pictures | CC-BY-4.0 | Cleo / Co |  |  | 1 | third party or stock |")
    assert "secret/place" not in text
    assert hashlib.sha256(b"net").hexdigest() in text
    assert "not at hand" in text  # the other teacher
    assert text.count("Apache-2.0") == 2
    assert "It cannot tell\nleft from right." in text
    assert text.count("Not measured.") == 2


def test_scores_come_from_the_reports_and_from_this_file_alone(
    made: dict[str, Path], tmp_path: Path
) -> None:
    model_id = load_encoder(made["head"] / "encoder.onnx", device="cpu").model_id
    report: dict[str, Any] = {
        "facts": {"encoder": f"tiny ({model_id})", "pairs": "golf 2, squat 6"},
        "groups": {
            "golf": {"ours": {"median_percent": 1.25}, "raw": {"median_percent": 9.0}},
            "squat": {"ours": {"median_percent": 3.75}},
        },
        "ap_at_5": {"golf": {"ours": 0.5}},
        "speed": {"ours": 500.4, "peer": 90.0},
        "verdicts": ["holds: it wins"],
        "notes": ["no poses"],
    }
    compare = {
        "facts": {"seeds": "1, 2"},
        "scores": {"scl": {"simulated": [2.0, 4.0]}, "raw trunk": {"simulated": [7.0]}},
    }
    scores, other = tmp_path / "scores.json", tmp_path / "compare.json"
    scores.write_text(json.dumps(report))
    other.write_text(json.dumps(compare))
    lines = card_of(made, scores=scores, compare=other).splitlines()
    assert "| ours | 1.2 | 3.8 | 2.5 |" in lines
    assert "| raw | 9.0 | – | 9.0 |" in lines
    assert "| ours | 50 | 50 |" in lines
    assert "Speed: 500 frames/s; MobileNetV2 of torchvision: 90." in lines
    assert {"- holds: it wins", "- note: no poses"} <= set(lines)
    assert {"| scl | 3.0 (1.4) |", "| raw trunk | 7.0 |"} <= set(lines)

    report["facts"]["encoder"] = "tiny (0123456789abcdef)"
    scores.write_text(json.dumps(report))
    with pytest.raises(ConfigError, match=f"0123456789abcdef.*not with {model_id}"):
        card_of(made, scores=scores)
    scores.write_text(json.dumps({"facts": 3}))
    with pytest.raises(ConfigError, match=r"no report of benchmarks\.alignment"):
        card_of(made, scores=scores)
    other.write_text("[]")
    with pytest.raises(ConfigError, match=r"no report of training\.compare"):
        card_of(made, compare=other)
    other.write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        card_of(made, compare=other)


def test_a_head_of_another_trunk_is_refused(made: dict[str, Path]) -> None:
    path = made["trunk"] / "trunk.onnx"
    network = onnx.load(path)
    (grey,) = (one for one in network.graph.initializer if one.name == "grey")
    reordered = onnx.numpy_helper.to_array(grey)[::-1].copy()  # blue for red
    grey.CopyFrom(onnx.numpy_helper.from_array(reordered, "grey"))
    onnx.save(network, path)
    with pytest.raises(ConfigError, match="does not hold the trunk"):
        card_of(made)
    make_tiny_encoder(path, grid=4)
    with pytest.raises(ConfigError, match="does not hold the trunk"):
        card_of(made)


def test_a_head_that_is_older_than_its_trunk_is_refused(made: dict[str, Path]) -> None:
    write_events(made["trunk"], started(6050, 10), step(6090, 20), finished(6095))
    with pytest.raises(ConfigError, match="before the trunk"):
        card_of(made)


def test_every_clip_the_trunk_saw_must_have_a_source(made: dict[str, Path]) -> None:
    manifest = made["pool"] / "manifest.csv"
    manifest.write_text(MANIFEST.replace("videos/run.mp4", "videos/walk.mp4"))
    with pytest.raises(ConfigError, match=r"1 clips .* run for one"):
        card_of(made)
    manifest.write_text(MANIFEST.replace("some/where,MIT", "some/where,"))
    with pytest.raises(MediaError, match="no licence"):
        card_of(made)
    with pytest.raises(MediaError, match=r"no column nonsense"):
        read_manifest(made["pool"], ["nonsense"])


def test_settings_of_a_run_from_before_a_setting_was_there() -> None:
    usual = json.loads(json.dumps(dataclasses.asdict(DistillSettings())))
    del usual["run"]["device"]
    assert settings_of(usual) == DistillSettings()
    with pytest.raises(ConfigError, match="no section"):
        settings_of({**usual, "more": {}})


def test_the_command_writes_the_card_or_says_what_is_missing(
    made: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "encoder.md"
    command = [f"--{name}={folder}" for name, folder in made.items()]
    assert main([*command, "-o", str(out)]) == 0
    assert out.read_text().startswith("# Model card")
    (made["head"] / "encoder.onnx").unlink()
    assert main([*command, "-o", str(out)]) == 3
    assert "encoder.onnx" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_encoder_skips_what_is_finished_and_says_what_it_needs(
    made: dict[str, Path], tmp_path: Path
) -> None:
    def make(*settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "-s", "encoder", *settings], cwd=ROOT, text=True, capture_output=True
        )

    refused = make("POOL=", "TEACHERS=")
    assert refused.returncode == 2
    assert "manifest.csv" in refused.stderr
    assert "movenet" in refused.stderr
    given = ["-n", f"POOL={made['pool']}", f"TEACHERS={tmp_path}", f"ENCODER={tmp_path}"]
    text = make(*given).stdout
    assert "training.distill" not in text
    assert "training.train" not in text
    assert "training.card" in text
    (made["head"] / "encoder.onnx").unlink()
    text = make(*given).stdout
    assert "training.distill" not in text
    assert f"model.weights={tmp_path}/trunk/trunk.onnx" in text
