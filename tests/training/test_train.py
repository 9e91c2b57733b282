"""The whole loop on tiny data: it learns, resumes exactly, exports, and stops with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from carl_core.encoder.onnx import load_encoder  # noqa: E402
from carl_core.runs import Failed, Finished, Step, read_events  # noqa: E402
from carl_core.video.writer import VideoWriter  # noqa: E402
from training import train  # noqa: E402
from training.checkpoint import latest_checkpoint  # noqa: E402
from training.config import ConfigError, TrainConfig, load_config  # noqa: E402

pytestmark = pytest.mark.torch

SMOKE = Path(__file__).parents[2] / "training" / "configs" / "smoke.toml"


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short videos in which a bright square wanders over a still background."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(3):
        rng = np.random.default_rng(number)
        background = rng.integers(0, 120, (12, 16, 3), dtype=np.uint8)
        background = background.repeat(8, axis=0).repeat(8, axis=1)
        with VideoWriter(folder / f"clip{number}.mp4", size=(128, 96), rate=15) as writer:
            for frame in range(45):
                picture = background.copy()
                x = 10 + round(90 * frame / 44)
                y = 35 + round(25 * np.sin(frame / 6 + number))
                picture[y : y + 24, x : x + 20] = (250, 220, 40 * number)
                writer.write(picture)
    return folder


@pytest.fixture
def without_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """The export takes seconds and is tested in the first test and on its own."""
    monkeypatch.setattr(train, "export_encoder", lambda model, spec, path: path)


def config(videos: Path, run: Path, *settings: str) -> TrainConfig:
    return load_config(
        SMOKE,
        [
            f"data.root={videos}",
            f"run.dir={run}",
            f"data.cache_dir={run.parent / 'cache'}",
            "data.batch_clips=2",
            "sampling.frames=8",
            "model.image_size=48",
            "model.width=32",
            "model.heads=2",
            "model.ffn=32",
            "model.dim=16",
            "model.projection=16",
            "model.layers=1",
            *settings,
        ],
    )


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    path = latest_checkpoint(run)
    assert path is not None
    weights: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["weights"]
    return weights


def test_twenty_steps_lower_the_loss_and_leave_an_encoder(videos: Path, tmp_path: Path) -> None:
    outcome = train.main(config(videos, tmp_path / "run", "data.batch_clips=3"))
    assert outcome.step == 20
    assert np.mean(outcome.losses[-5:]) < 0.9 * np.mean(outcome.losses[:5])
    assert outcome.encoder == tmp_path / "run" / "encoder.onnx"
    encoder = load_encoder(outcome.encoder, device="cpu")
    frames = np.random.default_rng(0).integers(0, 255, (5, 48, 48, 3), dtype=np.uint8)
    vectors = encoder.encode(frames, np.arange(5) / 10)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5), abs=1e-4)
    events = list(read_events(tmp_path / "run"))
    assert isinstance(events[-1], Finished)
    assert events[-1].complete
    assert [event.step for event in events if isinstance(event, Step)] == [5, 10, 15, 20]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["run"]["steps"] == 20


@pytest.mark.usefixtures("without_export")
def test_a_resumed_run_equals_an_uninterrupted_one(videos: Path, tmp_path: Path) -> None:
    settings = ("run.steps=6", "run.checkpoint_every=3", "model.dropout=0.2", "data.workers=0")
    whole = train.main(config(videos, tmp_path / "whole", *settings))

    interrupted = config(videos, tmp_path / "parts", *settings)
    steps_done = []
    original = train.losses_of

    def stop_after_three(*arguments: object) -> object:
        if len(steps_done) == 3:
            raise KeyboardInterrupt
        steps_done.append(1)
        return original(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "losses_of", stop_after_three)
        stopped = train.main(interrupted)
    assert (stopped.step, stopped.encoder) == (3, None)
    torch.rand(7)  # whatever happens in between
    resumed = train.main(config(videos, tmp_path / "parts", *settings))
    assert resumed.losses == whole.losses[3:]
    first, second = weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts")
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.usefixtures("without_export")
def test_threads_that_prepare_batches_change_nothing(videos: Path, tmp_path: Path) -> None:
    none = train.main(config(videos, tmp_path / "none", "run.steps=3", "data.workers=0"))
    two = train.main(config(videos, tmp_path / "two", "run.steps=3", "data.workers=2"))
    assert none.losses == two.losses


@pytest.mark.usefixtures("without_export")
def test_other_settings_in_the_same_folder_are_refused(videos: Path, tmp_path: Path) -> None:
    train.main(config(videos, tmp_path / "run", "run.steps=1"))
    with pytest.raises(ConfigError, match=r"optimizer\.rate"):
        train.main(config(videos, tmp_path / "run", "run.steps=2", "optimizer.rate=1e-5"))


def test_a_non_finite_loss_stops_the_run_and_names_the_clips(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = train.losses_of

    def spoiled(learner: train.Learner, batch: train.Batch, settings: TrainConfig) -> object:
        parts = original(learner, batch, settings)
        return (
            {name: value * float("nan") for name, value in parts.items()} if batch.step else parts
        )

    monkeypatch.setattr(train, "losses_of", spoiled)
    with pytest.raises(train.NonFiniteError, match="step 1"):
        train.main(config(videos, tmp_path / "run"))
    report = json.loads((tmp_path / "run" / train.REPORT_NAME).read_text())
    assert report["step"] == 1
    assert report["clips"]
    assert set(report["clips"]) <= {f"clip{number}.mp4" for number in range(3)}
    assert isinstance(list(read_events(tmp_path / "run"))[-1], Failed)


def arguments(root: Path, run: Path) -> list[str]:
    return ["--config", str(SMOKE), "--set", f"data.root={root}", "--set", f"run.dir={run}"]


def test_bad_input_is_a_sentence_and_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert train.run_cli(arguments(empty, tmp_path / "run")) == 3
    assert "holds no video" in capsys.readouterr().err.replace("\n", " ")
    assert train.run_cli(arguments(tmp_path / "none", tmp_path / "run")) == 3
    assert "no folder" in capsys.readouterr().err.replace("\n", " ")
    assert train.run_cli(["--config", str(tmp_path / "none.toml")]) == 2
    assert train.run_cli(["--config", str(SMOKE), "--set", "run.stesp=1"]) == 2
    assert "run.stesp" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.usefixtures("without_export")
def test_unreadable_videos_are_left_out_with_a_warning_or_refused(
    videos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "bad.mp4").write_bytes(b"no video" * 100)
    assert train.run_cli(arguments(folder, tmp_path / "run")) == 3
    (folder / "good.mp4").write_bytes((videos / "clip0.mp4").read_bytes())
    outcome = train.main(config(folder, tmp_path / "run2", "run.steps=1"))
    assert outcome.step == 1
    assert "bad.mp4" in caplog.text
    with pytest.raises(train.MediaError, match=r"bad\.mp4"):
        train.main(config(folder, tmp_path / "run3", "data.skip_unreadable=false"))
