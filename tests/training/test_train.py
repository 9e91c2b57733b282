"""The whole loop on tiny data: it learns, resumes exactly, exports, and stops with a reason."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from carl_core.encoder.onnx import load_encoder  # noqa: E402
from carl_core.runs import Failed, Finished, Step, read_events  # noqa: E402
from carl_core.video.writer import VideoWriter  # noqa: E402
from tests.helpers.processes import (  # noqa: E402
    SMALL,
    config_of,
    share_of,
    sources_of_noise,
)
from training import learner, train  # noqa: E402
from training.checkpoint import latest_checkpoint  # noqa: E402
from training.config import ConfigError, TrainConfig, load_config  # noqa: E402
from training.forecast import forecast, synthetic_batch  # noqa: E402
from training.learner import Learner  # noqa: E402

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
            "run.tensorboard=false",
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


def noise_config(run: Path, *settings: str) -> TrainConfig:
    """Settings of a run on recordings of noise that are in memory, two clips per batch."""
    return config_of(
        f"run.dir={run}", "run.steps=6", "run.checkpoint_every=0", "run.tensorboard=false",
        "run.device=cpu", "data.batch_clips=2", "data.workers=0", *settings,
    )  # fmt: skip


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch, without_export: None) -> None:
    """Five recordings of noise stand for whatever data is named."""
    monkeypatch.setattr(train, "load_sources", sources_of_noise)


def stopped_after(done: int, settings: TrainConfig) -> train.Outcome:
    """Run until Ctrl-C comes in the middle of step ``done``."""
    original = learner.losses_of

    def interrupted(*arguments: object) -> object:
        if arguments[3] == done - 1:
            signal.raise_signal(signal.SIGINT)
        return original(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learner, "losses_of", interrupted)
        return train.main(settings)


@pytest.mark.usefixtures("noise")
@pytest.mark.parametrize(
    "settings",
    [
        ("model.dropout=0.2",),
        ("model.dropout=0.2", "run.accumulate=2"),
        (
            "run.epochs=3", "data.draw=epochs", "optimizer.schedule=cosine_epochs",
            "optimizer.name=adam", "optimizer.warmup_steps=0",
        ),
    ],
)  # fmt: skip
def test_a_resumed_run_equals_an_uninterrupted_one(
    tmp_path: Path, settings: tuple[str, ...]
) -> None:
    whole = train.main(noise_config(tmp_path / "whole", *settings))
    parts = noise_config(tmp_path / "parts", *settings)
    stopped = stopped_after(3, parts)
    assert (stopped.step, stopped.encoder, stopped.is_complete) == (3, None, False)
    torch.rand(7)  # whatever happens in between
    resumed = train.main(parts)
    assert whole.step == resumed.step == 6
    assert stopped.losses + resumed.losses == whole.losses
    first, second = weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts")
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    kinds = [event.kind for event in read_events(tmp_path / "parts")]
    assert kinds.count("started") == 2
    assert [
        event.complete for event in read_events(tmp_path / "parts") if isinstance(event, Finished)
    ] == [False, True]


@pytest.mark.usefixtures("noise")
def test_a_run_stopped_inside_a_step_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    settings = ("run.checkpoint_every=2", "model.dropout=0.2")
    whole = train.main(noise_config(tmp_path / "whole", *settings))
    original = learner.losses_of

    def broken(*arguments: object) -> object:
        found = original(*arguments)  # type: ignore[arg-type]
        if arguments[3] == 3:
            raise KeyboardInterrupt
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learner, "losses_of", broken)
        stopped = train.main(noise_config(tmp_path / "parts", *settings))
    assert (stopped.step, stopped.is_complete) == (3, False)
    resumed = train.main(noise_config(tmp_path / "parts", *settings))
    assert resumed.losses == whole.losses[2:]


@pytest.mark.usefixtures("noise")
def test_an_epoch_shows_every_recording_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[str, ...]] = []
    original = learner.losses_of

    def watched(*arguments: object) -> object:
        shown.append(arguments[1].names)  # type: ignore[attr-defined]
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(learner, "losses_of", watched)
    outcome = train.main(
        noise_config(tmp_path / "run", "run.epochs=2", "data.draw=epochs", "run.steps=1000")
    )
    assert outcome.step == 4  # five recordings fill two batches of two, twice
    for epoch in (shown[:2], shown[2:]):
        assert len({name for names in epoch for name in names}) == 4
    resolved = json.loads((tmp_path / "run" / "config.json").read_text())
    assert resolved["run"]["steps"] == 4


@pytest.mark.usefixtures("noise")
def test_halves_of_a_batch_add_up_to_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where both halves count equally many frames, and no norm and no negative spans clips."""
    settings = ("model.freeze_norm=true", "loss.negatives=single", "loss.reach=0", "run.steps=3")

    def streamed(parts: int) -> object:
        def stream(first: int, last: int, *unused: object, **ignored: object) -> object:
            for number in range(first, last):
                whole = synthetic_batch(noise_config(tmp_path), clips=4, frames=6)
                yield share_of(whole, slice(0, 4) if parts == 1 else HALVES[number % 2])

        return stream

    monkeypatch.setattr(train, "batches", streamed(1))
    whole = train.main(noise_config(tmp_path / "whole", *settings))
    monkeypatch.setattr(train, "batches", streamed(2))
    halves = train.main(noise_config(tmp_path / "halves", *settings, "run.accumulate=2"))
    assert halves.losses == pytest.approx(whole.losses, rel=1e-5)
    first, second = weights_of(tmp_path / "whole"), weights_of(tmp_path / "halves")
    for name, value in first.items():
        if not name.endswith(WITHOUT_EFFECT):
            torch.testing.assert_close(second[name], value, rtol=1e-3, atol=3e-5, msg=name)


HALVES = (slice(0, 2), slice(2, 4))
# Biases that cancel in the softmax: Adam makes steps out of the rounding of their gradients.
WITHOUT_EFFECT = ("qkv.bias", "bias.curve_out.bias")


@pytest.mark.usefixtures("noise")
def test_curves_are_written_and_a_resumed_run_adds_to_them(tmp_path: Path) -> None:
    settings = noise_config(tmp_path / "run", "run.tensorboard=true", "run.log_every=1")
    stopped_after(2, settings)
    train.main(settings)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curves = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    curves.Reload()
    points = curves.Scalars("loss/total")
    assert [point.step for point in points] == [1, 2, 3, 4, 5, 6]
    written = [event for event in read_events(tmp_path / "run") if isinstance(event, Step)]
    assert [point.value for point in points] == pytest.approx(
        [event.losses["total"] for event in written]
    )
    names = ("loss/scl", "optimizer/rate", "speed/data_share")
    assert set(names) <= set(curves.Tags()["scalars"])


def test_a_dry_run_says_what_a_run_would_do_and_writes_nothing(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [f"--set={one}" for one in (*SMALL, f"data.root={videos}", "data.batch_clips=1")]
    command = [*settings, f"--set=run.dir={tmp_path / 'run'}", "--dry-run", "--set=run.epochs=4"]
    assert train.run_cli(command) == 0
    said = capsys.readouterr().out
    assert not (tmp_path / "run").exists()
    assert "run.steps = 12" in said  # three videos, four times
    assert re.search(r"^steps +12 of 1 x 1 clips x 2 views x 6 frames$", said, re.MULTILINE)
    assert re.search(r"^epochs +4\.0 of 3 steps$", said, re.MULTILINE)
    made = Learner(config_of(), joints=1)
    weights = sum(one.numel() for one in made.carl.parameters())  # nothing asks for joints
    trained = sum(one.numel() for one in made.parameters() if one.requires_grad)
    assert re.search(rf"^all +{weights:,d} +{trained:,d}$", said, re.MULTILINE)
    assert re.search(r"^memory +\d+ MiB: ", said, re.MULTILINE)
    assert re.search(r"^time +\d+\.\d+ s per step, ", said, re.MULTILINE)


def test_memory_and_time_of_a_forecast_grow_with_the_batch() -> None:
    small, large = (
        forecast(config_of(f"data.batch_clips={clips}", "model.freeze_norm=true"), 1)
        for clips in (2, 8)
    )
    activations = [
        int(found[1].replace(",", ""))
        for found in (re.search(r"activations ([\d,]+) MiB", text) for text in (small, large))
        if found
    ]
    assert activations[1] == pytest.approx(4 * activations[0], abs=4)


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


@pytest.mark.usefixtures("noise")
def test_a_non_finite_loss_stops_the_run_and_names_the_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = learner.losses_of

    def spoiled(*arguments: object) -> dict[str, torch.Tensor]:
        parts = original(*arguments)  # type: ignore[arg-type]
        factor = float("nan") if arguments[3] else 1.0
        return {name: value * factor for name, value in parts.items()}

    monkeypatch.setattr(learner, "losses_of", spoiled)
    with pytest.raises(train.NonFiniteError, match="step 1"):
        train.main(noise_config(tmp_path / "run", "run.accumulate=2"))
    report = json.loads((tmp_path / "run" / train.REPORT_NAME).read_text())
    assert report["step"] == 1
    assert report["losses"] == {"scl": "nan"}
    assert len(report["clips"]) == 4  # of both batches of the step
    assert set(report["clips"]) <= {f"clip{number}" for number in range(5)}
    assert isinstance(list(read_events(tmp_path / "run"))[-1], Failed)


@pytest.mark.usefixtures("noise")
def test_stored_looks_of_a_frozen_trunk_stand_for_pictures(tmp_path: Path) -> None:
    settings = ("model.freeze=all", "data.looks=2", "run.steps=2")
    outcome = train.main(noise_config(tmp_path / "run", *settings))
    assert outcome.is_complete
    stored = list((tmp_path / "run" / "cache" / "looks").glob("*.npy"))
    assert len(stored) == 5
    assert np.load(stored[0]).shape == (2, 40, 32)


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
