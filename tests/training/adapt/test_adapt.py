"""Adapting a tiny encoder to tiny recordings: what is held back, what decides, what is written."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from carl_core.encoder.onnx import load_encoder  # noqa: E402
from carl_core.errors import ExportError, MediaError, ModelError  # noqa: E402
from carl_core.progress import Monitor  # noqa: E402
from carl_core.runs import Evaluated, Exported, Finished, Judged, Started  # noqa: E402
from carl_core.video.recording import open_recording  # noqa: E402
from tests.helpers.encoders import make_tiny_encoder  # noqa: E402
from tests.helpers.videos import make_video  # noqa: E402
from training.adapt import __main__ as program  # noqa: E402
from training.adapt import run, tune  # noqa: E402
from training.adapt.judge import copies_of, errors_of, verdict_of  # noqa: E402
from training.adapt.material import (  # noqa: E402
    HELD_LOOKS,
    LEAST_HELD,
    LEAST_SAMPLES,
    Held,
    Material,
    read_material,
    split_of,
)
from training.adapt.run import Outcome, Settings, adapt  # noqa: E402
from training.config import AugmentConfig, ModelConfig  # noqa: E402
from training.export import export_encoder, head_path, save_head, spec_of  # noqa: E402
from training.model import build_model  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from carl_core.runs import Event

pytestmark = pytest.mark.torch

HEAD = {"layers": 1, "width": 16, "heads": 2, "ffn": 16, "dim": 8, "projection": 8}
FRAMES = 120  # 6 s: 60 samples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adapt")


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    """An encoder with a tiny trunk, and a head that can learn beside it."""
    trunk = make_tiny_encoder(folder / "trunk.onnx", grid=4)
    torch.manual_seed(0)
    chosen = {"backbone": "encoder", "freeze": "all", "weights": str(trunk), "image_size": 32}
    tiny = build_model(ModelConfig(**(HEAD | chosen)))  # type: ignore[arg-type]
    spec = spec_of(
        tiny,
        name="tiny",
        sample_fps=10.0,
        window_frames=16,
        overlap_frames=6,
        config_digest="abc",
        licence="CC-BY-4.0",
        data="Nothing.",
    )
    return export_encoder(tiny, spec, folder / "tiny.onnx")


@pytest.fixture(scope="module")
def video(folder: Path) -> Path:
    return make_video(folder / "one.mp4", frames=FRAMES, fps=20, size=(64, 48))


@pytest.fixture(scope="module")
def material(model: Path, video: Path) -> Material:
    return read(model, video, seed=1)


def read(model: Path, video: Path, *, seed: int) -> Material:
    encoder = load_encoder(model, device="cpu")
    recordings = [open_recording(video)]
    return read_material(
        recordings, encoder, AugmentConfig(), looks=4, seed=seed, monitor=Monitor()
    )


def adapted(
    model: Path, video: Path, output: Path, **options: object
) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    settings = Settings(steps=3, looks=2, threads=1)
    outcome = adapt([video], model, output, settings, tell=events.append, **options)  # type: ignore[arg-type]
    return outcome, events


# What is learned from and what is held back ----------------------------------------------------


@pytest.mark.parametrize(("count", "stretches"), [(48, 1), (200, 1), (600, 3), (47, 0)])
def test_a_stretch_of_every_block_is_held_back(count: int, stretches: int) -> None:
    is_used, held = split_of(count, np.random.default_rng(0), most=6000)
    assert len(held) == stretches
    for stretch in held:
        assert stretch.stop - stretch.start >= LEAST_HELD
        around = slice(max(0, stretch.start - 2), stretch.stop + 2)
        assert not is_used[around].any()
    assert is_used.sum() >= 0.5 * count


def test_of_a_long_recording_pieces_are_used() -> None:
    is_used, held = split_of(50_000, np.random.default_rng(0), most=3000)
    assert 1500 < is_used.sum() <= 3000
    assert held[0].start < 300
    assert held[-1].stop > 49_700


def test_nothing_held_back_is_learned_from(material: Material) -> None:
    learned = sum(source.takes[0].features.shape[1] for source in material.sources)  # type: ignore[union-attr]
    held = sum(int(one.is_sample.sum()) for one in material.held)
    assert held >= LEAST_HELD
    assert learned + held <= 60
    for source in material.sources:
        assert source.takes[0].features is not None
        assert source.takes[0].features.shape[0] == 4
    for one in material.held:
        assert one.features.shape[:2] == (1 + HELD_LOOKS, len(one.times_s))
        assert len(one.times_s) == 2 * one.is_sample.sum() - 1  # between the samples as well


def test_the_first_look_is_the_recording_as_the_engine_sees_it(
    material: Material, model: Path, video: Path
) -> None:
    encoder = load_encoder(model, device="cpu")
    plain = material.sources[0].takes[0].features
    assert plain is not None
    changed = np.abs(plain[0].astype(float) - plain[2]).mean()
    assert changed > 0.02  # a look changes the features
    assert plain.shape[2] == encoder.spec.channels


def test_the_same_seed_gives_the_same_features(
    material: Material, model: Path, video: Path
) -> None:
    again, other = read(model, video, seed=1), read(model, video, seed=2)
    np.testing.assert_array_equal(again.held[0].features, material.held[0].features)
    assert not np.array_equal(other.held[0].features[1], material.held[0].features[1])


# The verdict -----------------------------------------------------------------------------------


def held_of(count: int, *, is_told_by_looks: bool) -> Held:
    """A stretch that one feature after the other lights up in; looks change nothing, or all."""
    apart = np.linspace(0, 40, count)[:, None] - np.arange(40)
    features = np.exp(-(apart**2) / 4).astype(np.float16)
    looks = np.repeat(features[None], 1 + HELD_LOOKS, axis=0)
    if is_told_by_looks:
        looks[1:] = np.random.default_rng(0).normal(size=looks[1:].shape)
    return Held("a", np.arange(count) / 20, np.arange(count) % 2 == 0, looks)


def test_features_that_tell_the_moment_have_no_error() -> None:
    easy = copies_of([held_of(80, is_told_by_looks=False)], range(HELD_LOOKS), fps=10, seed=0)
    hard = copies_of([held_of(80, is_told_by_looks=True)], range(HELD_LOOKS), fps=10, seed=0)
    assert len(easy) == HELD_LOOKS
    few, many = (errors_of(lambda features, _t: features, cases) for cases in (easy, hard))
    assert few.max() < 3.0
    assert many.mean() > 5.0


def test_only_a_gain_beyond_the_noise_is_better() -> None:
    before = np.array([5.0, 6.0, 5.5, 6.5])
    assert verdict_of(before, before - 1.0).is_better
    assert not verdict_of(before, before - 0.1).is_better
    assert not verdict_of(before, before - np.array([4.0, -3.0, 2.0, -2.5])).is_better
    worse = verdict_of(before, before + 1.0)
    assert not worse.is_better
    assert "not better" in worse.sentence()


# The whole -------------------------------------------------------------------------------------


def test_a_head_that_is_not_better_is_not_written(
    model: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "tuned", lambda *arguments: False)
    outcome, events = adapted(model, video, tmp_path / "new.onnx")
    assert outcome.encoder is None
    assert outcome.verdict is not None
    assert outcome.verdict.before == outcome.verdict.after
    assert not list(tmp_path.iterdir())
    kinds = [type(event) for event in events]
    assert (kinds[0], kinds[-2], kinds[-1]) == (Started, Judged, Finished)


@pytest.mark.slow
def test_a_better_head_is_joined_to_the_old_trunk_and_can_be_adapted_again(
    model: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = verdict_of(np.array([5.0, 6.0]), np.array([3.0, 4.0]))
    monkeypatch.setattr(run, "verdict_of", lambda before, after: judged)
    before = model.read_bytes()
    output = tmp_path / "new.onnx"
    outcome, events = adapted(model, video, output)
    assert outcome.encoder == output
    assert {path.name for path in tmp_path.iterdir()} == {"new.onnx", "new.head.safetensors"}
    assert model.read_bytes() == before
    old, new = load_encoder(model, device="cpu"), load_encoder(output, device="cpu")
    assert new.spec.name == "tiny (adapted)"
    assert new.spec.licence == "CC-BY-4.0"
    described = ("name", "data", "config_digest")
    kept = {name: getattr(old.spec, name) for name in described}
    assert dataclasses.replace(new.spec, **kept) == old.spec
    frames = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(new.features(frames), old.features(frames))
    assert str(model.parent).encode() not in head_path(output).read_bytes()
    assert any(isinstance(event, Exported) for event in events)
    config = tune.config_for(new, steps=1, looks=2, seed=1, threads=1)
    tune.learner_from(new, config)  # its head is beside it, and its own


def test_a_step_changes_the_head_and_the_best_state_stays(model: Path, material: Material) -> None:
    encoder = load_encoder(model, device="cpu")
    config = tune.config_for(encoder, steps=2, looks=4, seed=1, threads=1)
    copies = copies_of(material.held, [0], fps=10, seed=1)
    found = []
    for errors in ([5.0, 4.0], [5.0, 6.0]):
        learner = tune.learner_from(encoder, config)
        first = {name: value.clone() for name, value in learner.carl.head.state_dict().items()}
        told: list[Event] = []
        with pytest.MonkeyPatch.context() as patch:
            left = iter(errors)
            patch.setattr(tune, "errors_of", lambda embed, cases, left=left: np.array([next(left)]))
            is_new = tune.tuned(
                learner, encoder, config, material.sources, copies, told.append, lambda: False
            )
        last = learner.carl.head.state_dict()
        is_same = all(torch.equal(first[name], last[name]) for name in first)
        found.append((is_new, is_same))
        assert [e.scores["held_back_percent"] for e in told if isinstance(e, Evaluated)] == errors
    assert found == [(True, False), (False, True)]


def test_a_stop_before_anything_was_learned_leaves_nothing(
    model: Path, video: Path, tmp_path: Path
) -> None:
    outcome, events = adapted(model, video, tmp_path / "new.onnx", is_stopped=lambda: True)
    assert outcome == Outcome(None, None, is_stopped=True)
    assert isinstance(events[-1], Finished)
    assert not events[-1].complete
    assert not list(tmp_path.iterdir())


# What cannot be adapted ------------------------------------------------------------------------


def test_a_recording_that_can_spare_nothing_is_refused(
    model: Path, folder: Path, tmp_path: Path
) -> None:
    short = make_video(folder / "short.mp4", frames=2 * LEAST_SAMPLES - 6, fps=20, size=(64, 48))
    with pytest.raises(MediaError, match=r"too short .* 4\.8 s"):
        adapted(model, short, tmp_path / "new.onnx")


def test_an_encoder_without_the_state_of_its_head_is_refused(
    folder: Path, video: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"trunk\.head\.safetensors"):
        adapted(folder / "trunk.onnx", video, tmp_path / "new.onnx")


def test_the_head_of_another_encoder_is_refused(model: Path, video: Path, tmp_path: Path) -> None:
    encoder = load_encoder(model, device="cpu")
    config = tune.config_for(encoder, steps=1, looks=2, seed=1, threads=1)
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(model.read_bytes())
    torch.manual_seed(7)
    save_head(build_model(config.model), head_path(copy))
    with pytest.raises(ModelError, match="head of another encoder"):
        adapted(copy, video, tmp_path / "new.onnx")


def test_a_clock_is_refused(video: Path, tmp_path: Path) -> None:
    clock = make_tiny_encoder(
        tmp_path / "clock.onnx", clock=True, window_frames=0, overlap_frames=0
    )
    with pytest.raises(ModelError, match="clock"):
        adapted(clock, video, tmp_path / "new.onnx")


def test_the_encoder_to_adapt_is_never_overwritten(model: Path, video: Path) -> None:
    with pytest.raises(ExportError, match="never overwritten"):
        adapted(model, video, model)


@pytest.mark.parametrize(
    ("error", "code"),
    [(MediaError("No video."), 3), (ModelError("No encoder."), 3), (ExportError("No place."), 2)],
)
def test_an_error_is_a_sentence_and_an_exit_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object, **options: object) -> Outcome:
        raise error

    monkeypatch.setattr(program, "adapt", fail)
    assert program.run_cli(["a.mp4", "-o", "b.onnx"]) == code
    assert capsys.readouterr().err == f"error: {error}\n"


@pytest.mark.slow
def test_the_program_tells_events_and_its_verdict(model: Path, video: Path, tmp_path: Path) -> None:
    output = tmp_path / "new.onnx"
    command = [sys.executable, "-m", "training.adapt", str(video), "--model", str(model), "--json"]
    command += ["-o", str(output), "--steps", "2", "--looks", "2", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "started"
    assert kinds[-1] == "finished"
    (judged,) = (event for event in events if event["event"] == "judged")
    assert done.returncode == (0 if judged["better"] else 4), done.stderr
    assert output.exists() == judged["better"]
