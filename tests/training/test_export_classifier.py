"""Encoders of networks that classify pictures: features before the last layer, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torchvision  # noqa: E402

from carl_core.encoder.onnx import load_encoder  # noqa: E402
from training.export.__main__ import run_cli  # noqa: E402
from training.export.classifier import _without_last, near_names, network_names  # noqa: E402
from training.model import PIXEL_MEAN, PIXEL_STD  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

pytestmark = pytest.mark.torch


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    net: nn.Module = torchvision.models.get_model(name, weights=None).eval()
    return net


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(network("resnet18").state_dict(), path)
    return path


def test_the_command_writes_an_encoder_of_a_network(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.onnx"
    command = ["--backbone", "torchvision:resnet18", "--weights", str(weights), "-o", str(path)]
    assert run_cli([*command, "--head", "none", "--size", "64", "--fps", "5", "--fit", "crop"]) == 0
    assert capsys.readouterr().out.strip() == str(path)
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]
    encoder = load_encoder(path, device="cpu")
    spec = encoder.spec
    assert (spec.name, spec.size, spec.fit, spec.sample_fps) == ("resnet18", 64, "crop", 5.0)
    assert (spec.dim, spec.channels, spec.tokens) == (512, 512, 1)
    assert (spec.position, spec.clock) == ("none", False)
    assert "resnet18.pth" in spec.data
    frames = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    net = network("resnet18")
    seen: list[torch.Tensor] = []
    net.fc.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (PIXEL_MEAN, PIXEL_STD))
    with torch.no_grad():
        net((pixels - mean) / std)
    expected = seen[0].numpy()
    np.testing.assert_allclose(encoder.features(frames), expected, atol=1e-4)
    rows = encoder.encode(frames, np.arange(5) / 5)
    unit = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(rows, unit, atol=1e-5)
    later = encoder.encode(frames, 7 + np.arange(5) / 3)
    np.testing.assert_array_equal(later, rows)


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("resnet50", 2048),
        ("mobilenet_v2", 1280),
        ("mobilenet_v3_small", 576),
        ("efficientnet_b0", 1280),
        ("convnext_tiny", 768),
        ("regnet_y_400mf", 440),
        ("densenet121", 1024),
        ("vit_b_16", 768),
        ("swin_t", 768),
        ("shufflenet_v2_x0_5", 1024),
        ("mnasnet0_5", 1280),
    ],
)
def test_only_the_last_layers_are_cut_off(name: str, width: int) -> None:
    # RegNets compute their widths with tensors, which must hold numbers.
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        net = network(name).to("meta")
    before = set(net.state_dict())
    beginnings = _without_last(net)
    with torch.device("meta"):
        assert net(torch.zeros(2, 3, 224, 224)).flatten(1).shape == (2, width)
    lost = before - set(net.state_dict())
    assert lost == {key for key in before if key.startswith(beginnings)}
    assert any(key.endswith("weight") for key in lost)


def test_names_are_found_by_their_likeness() -> None:
    assert "resnet18" in network_names()
    assert "vgg16" not in network_names()
    assert "resnet50" in near_names("resnet5")
    assert "mobilenet_v3_small" in near_names("MobileNet_v3")


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"--backbone": "torchvision:resnet17"}, 2, "resnet18"),
        ({"--backbone": "torchvision:vgg16"}, 2, "no network 'vgg16'"),
        ({"--backbone": "resnet18"}, 2, "torchvision:NAME"),
        ({"-o": "m.txt"}, 2, "must end in .onnx"),
        ({"--size": "0"}, 2, "--size"),
        ({"--fps": "-1"}, 2, "--fps"),
        ({"--weights": "nowhere.pth"}, 3, "no weights file nowhere.pth"),
        ({"--backbone": "torchvision:resnet34"}, 3, "they lack layer1.2.bn1.bias"),
        ({"-o": "/dev/null/m.onnx"}, 2, "cannot be written to /dev/null/m.onnx"),
        ({"--weights": "download"}, 3, "CARL_OFFLINE is set"),
    ],
)
def test_the_command_says_what_is_wrong(
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str],
    code: int,
    words: str,
) -> None:
    monkeypatch.setenv("CARL_OFFLINE", "1")
    monkeypatch.setenv("CARL_WEIGHTS", str(tmp_path))
    options = {"--backbone": "torchvision:resnet18", "--weights": str(weights)}
    options |= {"-o": str(tmp_path / "m.onnx"), "--size": "64"} | changes
    try:
        done = run_cli([word for pair in options.items() for word in pair])
    except SystemExit as stop:  # argparse leaves this way
        done = int(stop.code or 0)
    error = capsys.readouterr().err
    assert done == code, error
    assert words in error
    assert list(tmp_path.iterdir()) == []
