"""Official checkpoints: names, parity with a plain reference, safe reading, the way back."""

from __future__ import annotations

import logging
import os
import sys
import types
import zipfile
from argparse import Namespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torchvision.models import resnet50  # noqa: E402

from carl_core.encoder.onnx import load_encoder  # noqa: E402
from carl_core.errors import ModelError  # noqa: E402
from training.import_official import run_cli, run_name, trained_frames  # noqa: E402
from training.model import PIXEL_MEAN, PIXEL_STD, build_model  # noqa: E402
from training.official import (  # noqa: E402
    PUBLISHED,
    Official,
    depth_of,
    model_of,
    official_checkpoint,
    read_official,
    to_official,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.torch

State = dict[str, "torch.Tensor"]


def documented(layers: int, *, layer: int = 3) -> dict[str, tuple[int, ...]]:
    """Every key and shape of an official state dict, as documented."""
    with torch.device("meta"):
        trunk = {key: tuple(value.shape) for key, value in resnet50().state_dict().items()}
    places = {"conv1": "backbone.0", "bn1": "backbone.1"}
    places |= {"layer1": "backbone.4", "layer2": "backbone.5", "layer3": "backbone.6"}
    places["layer4"] = "res_finetune"
    if layer == 2:
        places |= {"layer3": "res_finetune.0", "layer4": "res_finetune.1"}
    shapes: dict[str, tuple[int, ...]] = {}
    for key, shape in trunk.items():
        first, _, rest = key.partition(".")
        if first != "fc":
            shapes[f"{places[first]}.{rest}"] = shape

    def linear(name: str, rows: int, columns: int) -> None:
        shapes.update({f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)})

    def norm(name: str, width: int, *, batch: bool) -> None:
        shapes.update({f"{name}.weight": (width,), f"{name}.bias": (width,)})
        if batch:
            shapes.update({f"{name}.running_mean": (width,), f"{name}.running_var": (width,)})
            shapes[f"{name}.num_batches_tracked"] = ()

    linear("embed.fc_layers.1", 512, 2048)
    norm("embed.fc_layers.2", 512, batch=True)
    linear("embed.fc_layers.5", 512, 512)
    norm("embed.fc_layers.6", 512, batch=True)
    linear("embed.video_emb", 256, 512)
    for i in range(layers):
        stack = f"embed.video_encoder.enc_layers.{i}"
        norm(f"{stack}.res_layer0.norm", 256, batch=False)
        norm(f"{stack}.res_layer1.norm", 256, batch=False)
        for part in ("linear_Q2d", "linear_K2d", "linear_V2d", "linear_d2Q"):
            linear(f"{stack}.self_att.{part}", 256, 256)
        linear(f"{stack}.feed_forward.fc1", 1024, 256)
        linear(f"{stack}.feed_forward.fc2", 256, 1024)
    linear("embed.embedding_layer", 128, 256)
    linear("ssl_projection.net.0", 128, 128)
    norm("ssl_projection.net.1", 128, batch=True)
    linear("ssl_projection.net.3", 128, 128)
    return shapes


def drawn(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> State:
    """Random weights that keep signals at their size."""
    generator = torch.Generator().manual_seed(seed)
    state: State = {}
    for key, shape in shapes.items():
        values = torch.randn(shape, generator=generator)
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(7)
        elif key.endswith("running_var"):
            state[key] = values.abs() * 0.2 + 0.9
        elif len(shape) > 1:
            state[key] = values * (1.5 / values[0].numel()) ** 0.5
        elif key.endswith("weight"):
            state[key] = 0.6 + 0.1 * values
        else:
            state[key] = 0.1 * values
    return state


def reference(state: State, frames: torch.Tensor, train_frames: int) -> np.ndarray:  # type: ignore[type-arg]
    """Embed one clip, uint8 (T, S, S, 3), as the publication and its code describe it."""

    def conv(x: Any, name: str, stride: int = 1, padding: int = 0) -> Any:
        return F.conv2d(x, state[name + ".weight"], None, stride, padding)

    def batch_norm(x: Any, name: str) -> Any:
        parts = (state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *parts, training=False, eps=1e-5)

    def linear(x: Any, name: str) -> Any:
        return F.linear(x, state[name + ".weight"], state[name + ".bias"])

    def bottleneck(x: Any, name: str, stride: int) -> Any:
        y = F.relu(batch_norm(conv(x, f"{name}.conv1"), f"{name}.bn1"))
        y = F.relu(batch_norm(conv(y, f"{name}.conv2", stride, 1), f"{name}.bn2"))
        y = batch_norm(conv(y, f"{name}.conv3"), f"{name}.bn3")
        if f"{name}.downsample.0.weight" in state:
            x = batch_norm(conv(x, f"{name}.downsample.0", stride), f"{name}.downsample.1")
        return F.relu(x + y)

    x = frames.permute(0, 3, 1, 2).float() / 255
    x = (x - torch.tensor(PIXEL_MEAN)[:, None, None]) / torch.tensor(PIXEL_STD)[:, None, None]
    x = F.relu(batch_norm(conv(x, "backbone.0", 2, 3), "backbone.1"))
    x = F.max_pool2d(x, 3, 2, 1)
    nested = "res_finetune.0.0.conv1.weight" in state
    third, fourth = (
        ("res_finetune.0", "res_finetune.1") if nested else ("backbone.6", "res_finetune")
    )
    stages = (("backbone.4", 3, 1), ("backbone.5", 4, 2), (third, 6, 2), (fourth, 3, 2))
    for name, count, stride in stages:
        for block in range(count):
            x = bottleneck(x, f"{name}.{block}", stride if block == 0 else 1)
    x = F.adaptive_max_pool2d(x, 1).flatten(1)  # (T, 2048)
    x = F.relu(batch_norm(linear(x, "embed.fc_layers.1"), "embed.fc_layers.2"))
    x = F.relu(batch_norm(linear(x, "embed.fc_layers.5"), "embed.fc_layers.6"))
    x = linear(x, "embed.video_emb")
    length, width = x.shape
    places = (
        np.arange(length) if length == train_frames else np.linspace(0, train_frames - 1, length)
    )
    encoding = np.zeros((length, width))
    for row, place in enumerate(places):
        for k in range(width):
            angle = place * 10000 ** (-k / width)
            encoding[row, k] = np.cos(angle) if k % 2 else np.sin(angle)
    x = x + torch.from_numpy(encoding).float()
    for i in range(depth_of(state)):
        stack = f"embed.video_encoder.enc_layers.{i}"
        gain, shift = (state[f"{stack}.res_layer0.norm.{k}"] for k in ("weight", "bias"))
        y = F.layer_norm(x, (width,), gain, shift)
        query, key, value = (linear(y, f"{stack}.self_att.linear_{k}2d") for k in "QKV")
        heads = []
        for head in range(8):
            part = slice(32 * head, 32 * head + 32)
            weights = torch.softmax(query[:, part] @ key[:, part].T / 32**0.5, dim=-1)
            heads.append(weights @ value[:, part])
        x = x + linear(torch.cat(heads, dim=1), f"{stack}.self_att.linear_d2Q")
        gain, shift = (state[f"{stack}.res_layer1.norm.{k}"] for k in ("weight", "bias"))
        y = F.layer_norm(x, (width,), gain, shift)
        y = F.relu(linear(y, f"{stack}.feed_forward.fc1"))
        x = x + linear(y, f"{stack}.feed_forward.fc2")
    return F.normalize(linear(x, "embed.embedding_layer"), dim=-1).numpy()


def checkpoint_of(state: State, tmp_path: Path, *, size: int = 32) -> Official:
    return Official(tmp_path / "c.pth", 3, state, {"IMAGE_SIZE": size})


def clip_of(length: int, size: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randint(0, 256, (length, 8, 8, 3), dtype=torch.uint8, generator=generator)
    return coarse.repeat_interleave(size // 8, 1).repeat_interleave(size // 8, 2)


@pytest.mark.parametrize(("layers", "entries"), [(3, 393), (2, 377)])
@pytest.mark.parametrize("layer", [3, 2])
def test_an_official_state_has_the_documented_entries(
    layers: int, entries: int, layer: int
) -> None:
    shapes = documented(layers, layer=layer)
    assert len(shapes) == entries
    count = sum(key.startswith("backbone.") for key in shapes)
    tuned = sum(key.startswith("res_finetune.") for key in shapes)
    assert count + tuned == 318
    assert layer == 2 or (count, tuned) == (258, 60)
    assert depth_of(shapes) == layers  # type: ignore[arg-type]


@pytest.mark.parametrize(("layers", "layer", "train_frames"), [(3, 3, 80), (2, 3, 6), (2, 2, 9)])
def test_an_imported_model_computes_what_was_published(
    tmp_path: Path, layers: int, layer: int, train_frames: int
) -> None:
    state = drawn(documented(layers, layer=layer))
    model = model_of(checkpoint_of(state, tmp_path), train_frames=train_frames)
    assert model.config.layers == layers
    assert model.config.freeze == ("early" if layer == 3 else "earlier")
    frames = clip_of(6)
    with torch.no_grad():
        got = model(frames[None], torch.arange(6.0)[None], torch.ones(1, 6, dtype=torch.bool))[0]
        expected = reference(state, frames, train_frames)
    assert np.abs(expected[0] - expected[5]).max() > 0.01
    assert np.abs(got.numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("layer", [3, 2])
def test_official_to_ours_and_back_changes_no_bit(tmp_path: Path, layer: int) -> None:
    state = drawn(documented(2, layer=layer))
    back = to_official(model_of(checkpoint_of(state, tmp_path), train_frames=80))
    assert sorted(back) == sorted(state)
    for key, value in state.items():
        assert torch.equal(back[key], value), key


def test_ours_to_official_and_back_changes_no_bit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    with torch.device("meta"):
        model = build_model(PUBLISHED)
    model = model.to_empty(device="cpu")
    with torch.no_grad():
        for key, value in model.state_dict().items():
            if value.is_floating_point() and "pixel" not in key:
                value.normal_()
    content = official_checkpoint(model, epoch=5)
    assert set(content) == {"epoch", "model_state", "optimizer_state", "cfg"}
    assert {k: tuple(v.shape) for k, v in content["model_state"].items()} == documented(3)
    path = tmp_path / "checkpoint_epoch_00005.pth"
    torch.save(content, path)
    read = read_official(path)
    assert trained_frames(read) == 80
    again = model_of(read, train_frames=80).state_dict()
    for key, value in model.state_dict().items():
        if "pixel" not in key:
            assert torch.equal(again[key], value), key


def test_other_models_have_no_official_names() -> None:
    from training.config import ModelConfig

    with pytest.raises(ModelError, match="published trunk and head"):
        to_official(build_model(ModelConfig(image_size=32)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("backbone.4.0.conv1.weight"), r"they lack .*early\.4\.0\.conv1\.weight"),
        (lambda s: s.pop("embed.video_emb.weight"), r"they lack embed\.video_emb\.weight"),
        (lambda s: s.update({"embed.extra": torch.zeros(1)}), r"they also hold embed\.extra"),
        (lambda s: s.update({"backbone.9.w": torch.zeros(1)}), r"they also hold .*early\.9\.w"),
        (
            lambda s: s.update({"embed.fc_layers.1.weight": torch.zeros(768, 2048)}),
            r"other shapes have .*head\.from_features\.weight",
        ),
        (
            lambda s: s.pop("embed.video_encoder.enc_layers.0.self_att.linear_K2d.bias"),
            r"they lack .*linear_K2d\.bias",
        ),
        (lambda s: s.update({"embed.conv_layers.0.weight": torch.zeros(1)}), "convolutional"),
    ],
)
def test_other_weights_are_refused_by_name(tmp_path: Path, change: Any, words: str) -> None:
    state: State = {k: torch.zeros(v) for k, v in documented(2).items()}
    change(state)
    with pytest.raises(ModelError, match=words):
        model_of(checkpoint_of(state, tmp_path), train_frames=80)


def test_what_embeddings_do_not_need_may_differ(tmp_path: Path) -> None:
    """A supervised model has a classifier and no projection; counters are not needed."""
    state = drawn(documented(2))
    plain = model_of(checkpoint_of(state, tmp_path), train_frames=80).head.state_dict()
    other = {
        key: value
        for key, value in state.items()
        if not key.startswith("ssl_projection") and not key.endswith("num_batches_tracked")
    }
    other["classifier.fc_layers.1.weight"] = torch.zeros(5, 128)
    head = model_of(checkpoint_of(other, tmp_path), train_frames=80).head.state_dict()
    for key, value in plain.items():
        assert torch.equal(head[key], value) or key.endswith("num_batches_tracked")


class EasyDict(dict[str, Any]):
    """As the package of that name: values are attributes, too."""

    def __init__(self, **values: Any) -> None:
        super().__init__(values)
        self.__dict__.update(values)


EasyDict.__module__, EasyDict.__qualname__ = "easydict", "EasyDict"


@pytest.fixture
def easydict() -> Iterator[None]:
    module = types.ModuleType("easydict")
    module.EasyDict = EasyDict  # type: ignore[attr-defined]
    before = sys.modules.get("easydict")
    sys.modules["easydict"] = module
    yield
    if before is None:
        del sys.modules["easydict"]
    else:
        sys.modules["easydict"] = before


def written(path: Path, **entries: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = EasyDict(
        TRAIN=EasyDict(NUM_FRAMES=20, BATCH_SIZE=1),
        IMAGE_SIZE=32,
        args=Namespace(workdir="/somewhere", local_rank=0),
    )
    state = {"embed.video_emb.weight": torch.ones(2, 2)}
    content = {
        "epoch": 299,
        "model_state": state,
        "optimizer_state": {"state": {}},
        "cfg": settings,
    }
    torch.save(content | entries, path)
    return path


@pytest.mark.usefixtures("easydict")
def test_settings_are_read_without_their_packages(tmp_path: Path) -> None:
    path = written(tmp_path / "c.pth")
    del sys.modules["easydict"].EasyDict  # type: ignore[attr-defined]
    read = read_official(path)
    assert read.epoch == 299
    assert trained_frames(read) == 20
    assert read.setting("IMAGE_SIZE") == 32
    assert read.settings["args"] == {"workdir": "/somewhere", "local_rank": 0}
    assert type(read.settings["TRAIN"]) is dict
    assert read.setting("MODEL", "EMBEDDER_MODEL", "NUM_HEADS") is None


class Runs:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.parts = function, arguments

    def __reduce__(self) -> Any:
        return self.parts


@pytest.mark.usefixtures("easydict")
@pytest.mark.parametrize("place", ["cfg", "optimizer_state", "epoch", "inside"])
@pytest.mark.parametrize("is_legacy", [False, True])
def test_nothing_of_a_checkpoint_runs(tmp_path: Path, place: str, is_legacy: bool) -> None:
    trap = Runs(os.mkdir, str(tmp_path / "ran"))
    if place == "inside":
        entries: dict[str, Any] = {"cfg": EasyDict(TRAIN=EasyDict(NUM_FRAMES=trap))}
    else:
        entries = {place: trap}
    path = tmp_path / "c.pth"
    state = {"embed.video_emb.weight": torch.ones(2, 2)}
    torch.save({"model_state": state} | entries, path, _use_new_zipfile_serialization=not is_legacy)
    with pytest.raises(ModelError, match=r"mkdir.*not run"):
        read_official(path)
    assert not (tmp_path / "ran").exists()


def test_a_program_in_place_of_a_checkpoint_is_refused_before_torch_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.pth"
    with zipfile.ZipFile(path, "w") as archive:  # what torch takes for a TorchScript program
        archive.writestr("c/constants.pkl", b"")
        archive.writestr("c/data.pkl", b"")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch was asked"))
    with pytest.raises(ModelError, match="TorchScript program"):
        read_official(path)


def test_an_archive_that_cannot_be_listed_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    torch.save({"model_state": {}}, path)
    path.write_bytes(path.read_bytes().replace(b"PK\x01\x02", b"PK\x01\x00"))
    with pytest.raises(ModelError, match=r"c\.pth cannot be read.*damaged"):
        read_official(path)


@pytest.mark.parametrize(
    "content", [[1], {"a": 1}, {"model_state": [1]}, {"model_state": {"a": 1}}]
)
def test_other_files_are_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "c.pth")
    with pytest.raises(ModelError, match="no checkpoint of the official code"):
        read_official(tmp_path / "c.pth")


def test_missing_and_broken_files_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no checkpoint"):
        read_official(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("text")
    with pytest.raises(ModelError, match="damaged, or no checkpoint"):
        read_official(tmp_path / "text.pth")


@pytest.mark.parametrize(
    ("folder", "layers", "frames"),
    [
        ("scl_transformer_action_logs", 3, 80),
        ("scl_transformer_finegym_logs", 3, 240),
        ("scl_transformer_logs", 2, 240),
        ("scl_transformer_k400_pretrain_logs", 2, 80),
    ],
)
def test_frames_that_are_not_told_are_assumed_with_a_warning(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    folder: str,
    layers: int,
    frames: int,
) -> None:
    state: State = {
        f"embed.video_encoder.enc_layers.{i}.feed_forward.fc1.bias": torch.zeros(1)
        for i in range(layers)
    }
    path = tmp_path / folder / "checkpoints" / "checkpoint_epoch_00299.pth"
    with caplog.at_level(logging.WARNING):
        assert trained_frames(Official(path, 1, state, {})) == frames
    assert "--frames" in caplog.text
    assert run_name(path) == folder
    assert run_name(tmp_path / "mine.pth") == "mine"


@pytest.mark.slow
@pytest.mark.usefixtures("easydict")
def test_the_command_writes_an_encoder_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = drawn(documented(2))
    path = written(tmp_path / "my_run" / "checkpoints" / "c.pth", model_state=state)
    assert run_cli([str(path), "-o", str(tmp_path / "m.onnx"), "--frames", "9"]) == 0
    assert str(tmp_path / "m.onnx") in capsys.readouterr().out
    encoder = load_encoder(tmp_path / "m.onnx", device="cpu")
    assert encoder.spec.clock
    assert (encoder.spec.name, encoder.spec.size, encoder.spec.fit) == ("my_run", 32, "squash")
    assert (encoder.spec.window_frames, encoder.spec.channels) == (0, 2048)
    frames = clip_of(6)
    expected = reference(state, frames, 9)
    got = encoder.encode(frames.numpy(), np.arange(6) / 25)
    assert np.abs(got - expected).max() < 1e-5


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli([str(tmp_path / "none.pth"), "-o", str(tmp_path / "m.onnx")]) == 3
    assert capsys.readouterr().err.startswith("error: There is no checkpoint")
    for wrong in (["--frames", "0"], ["--fps", "0"], ["-o", "m.txt"]):
        with pytest.raises(SystemExit):
            run_cli(["c.pth", "-o", "m.onnx", *wrong])
