"""Published weights in their wrappings, read without running anything of them."""

from __future__ import annotations

import pickle
import sys
import types
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from carl_core.errors import ModelError  # noqa: E402
from training.config import ModelConfig  # noqa: E402
from training.model import build_model  # noqa: E402
from training.weights import load_weights, read_weights, weights_path  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.torch


class Net(nn.Module):
    """Named as the networks of torchvision are."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.conv1 = nn.Conv2d(3, 4, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(nn.Conv2d(4, 4, 3))
        self.fc = nn.Linear(4, 10)


def published() -> dict[str, torch.Tensor]:
    return {k: v for k, v in Net(1).state_dict().items() if not k.startswith("fc.")}


def as_torchvision(state: dict[str, Any]) -> dict[str, Any]:
    old = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    return old | {"fc.weight": torch.zeros(1000, 4), "fc.bias": torch.zeros(1000)}


def as_training_script(state: dict[str, Any]) -> dict[str, Any]:
    return {"model": {f"module.{k}": v for k, v in state.items()}, "epoch": 90}


def as_byol(state: dict[str, Any]) -> dict[str, Any]:
    model = {f"module.encoder.{k}": v for k, v in state.items()}
    model |= {f"module.encoder_k.{k}": v + 1 for k, v in state.items()}
    model |= {
        "module.encoder.projector.weight": torch.zeros(2),
        "module.predictor.w": torch.ones(1),
    }
    return {"model": model, "epoch": 1000}


def as_moco(state: dict[str, Any]) -> dict[str, Any]:
    inner = {f"module.encoder_q.{k}": v for k, v in state.items()}
    inner |= {f"module.encoder_k.{k}": v + 1 for k, v in state.items()}
    inner |= {"module.encoder_q.fc.0.weight": torch.zeros(4, 4), "module.queue": torch.zeros(2)}
    return {"state_dict": inner, "arch": "resnet50"}


def as_simclr(state: dict[str, Any]) -> dict[str, Any]:
    inner = {f"encoder.{k}": v for k, v in state.items() if k != "conv1.weight"}
    inner |= {
        "encoder.v1.weight": state["conv1.weight"],
        "projection.model.0.weight": torch.ones(1),
    }
    inner |= {f"momentum_encoder.{k}": v + 1 for k, v in state.items()}
    return {"state_dict": inner}


WRAPPINGS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "resnet50-0676ba61.pth": as_torchvision,
    "checkpoint.pth": as_training_script,
    "BYOL_1000.pth": as_byol,
    "moco_v2_200ep_pretrain.pth.tar": as_moco,
    "simclr_imagenet.ckpt": as_simclr,
}


@pytest.mark.parametrize("is_legacy", [False, True])
@pytest.mark.parametrize("name", WRAPPINGS)
@pytest.mark.parametrize("is_named", [True, False])
def test_every_wrapping_is_undone(
    tmp_path: Path, name: str, is_named: bool, is_legacy: bool
) -> None:
    path = tmp_path / (name if is_named else "weights.bin")
    content = WRAPPINGS[name](published())
    torch.save(content, path, _use_new_zipfile_serialization=not is_legacy)
    net = Net(2)
    head = net.fc.weight.clone()
    load_weights(net, str(path))
    for key, value in published().items():
        assert torch.equal(net.state_dict()[key], value), key
    assert torch.equal(net.fc.weight, head)


def test_the_kind_can_be_said(tmp_path: Path) -> None:
    path = tmp_path / "byol-but-moco.pth"
    torch.save(as_moco(published()), path)
    with pytest.raises(ModelError, match=r"as a byol file.*'model'.*weights_format"):
        load_weights(Net(2), str(path))
    load_weights(Net(2), str(path), kind="moco")


def test_safetensors_are_read(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(published(), tmp_path / "net.safetensors")
    net = Net(2)
    load_weights(net, str(tmp_path / "net.safetensors"))
    assert torch.equal(net.conv1.weight, published()["conv1.weight"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("layer1.0.weight"), r"they lack layer1\.0\.weight"),
        (lambda s: s.clear(), r"they lack bn1\.bias, bn1\.running_mean.* and 4 more"),
        (lambda s: s.update({"layer9.w": torch.zeros(1)}), r"they also hold layer9\.w"),
        (lambda s: s.update({"conv1.weight": torch.zeros(4, 3, 7, 7)}), r"other shapes in conv1"),
        (lambda s: s.update({"conv1.weight": "text"}), r"other shapes in conv1"),
    ],
)
def test_other_weights_are_refused_by_name(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    state = published()
    change(state)
    torch.save(state, tmp_path / "w.pth")
    net = Net(2)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(ModelError, match=words):
        load_weights(net, str(tmp_path / "w.pth"))
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


class Malicious:
    """Runs a function when unpickled, if unpickling runs anything."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("is_legacy", [False, True])
def test_nothing_of_a_file_runs(tmp_path: Path, is_legacy: bool) -> None:
    foreign = types.ModuleType("utils_of_somebody")
    kind = type("Meter", (), {"__module__": "utils_of_somebody"})
    foreign.Meter = kind  # type: ignore[attr-defined]
    sys.modules["utils_of_somebody"] = foreign
    meter = kind()
    meter.values = [1, 2]
    content = as_byol(published()) | {
        "meter": meter,
        "trap": Malicious(tmp_path / "ran"),
        "more": {"list": [Malicious(tmp_path / "ran")]},
    }
    path = tmp_path / "BYOL_1000.pth"
    torch.save(content, path, _use_new_zipfile_serialization=not is_legacy)
    del sys.modules["utils_of_somebody"]
    net = Net(2)
    load_weights(net, str(path))
    assert torch.equal(net.conv1.weight, published()["conv1.weight"])
    assert not (tmp_path / "ran").exists()
    assert "utils_of_somebody" not in sys.modules


@pytest.mark.parametrize("kind", ["empty", "text", "list", "cut", "program", "folder", "pickle"])
def test_a_file_without_weights_is_a_sentence(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "w.pth"
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("no weights")
    elif kind == "list":
        torch.save([1, 2], path)
    elif kind == "pickle":
        path.write_bytes(pickle.dumps({"conv1.weight": 3}))
    elif kind == "program":
        with zipfile.ZipFile(path, "w") as archive:  # what torch takes for a TorchScript program
            archive.writestr("w/constants.pkl", pickle.dumps(()))
            archive.writestr("w/data.pkl", pickle.dumps({}))
    else:
        torch.save(published(), path)
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"w\.pth.*Check model\.weights") as caught:
        load_weights(Net(2), str(path))
    assert str(caught.value).endswith(".")


def test_a_whole_network_begins_with_the_weights_of_a_file(tmp_path: Path) -> None:
    from torchvision.models import resnet18

    torch.manual_seed(3)
    source = resnet18(weights=None)
    torch.save(source.state_dict(), tmp_path / "resnet18.pth")
    shape = {"image_size": 32, "pooling": "max", "tokens": 1, "layers": 1}
    trunk = build_model(
        ModelConfig(backbone="resnet18", weights=str(tmp_path / "resnet18.pth"), **shape)  # type: ignore[arg-type]
    ).trunk
    assert torch.equal(trunk.early[0].weight, source.conv1.weight)
    assert torch.equal(trunk.late[1].bn2.running_var, source.layer4[1].bn2.running_var)
    assert torch.equal(trunk.late[1].conv2.weight, source.layer4[1].conv2.weight)


def test_published_weights_are_named_when_there_is_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARL_OFFLINE", "1")
    monkeypatch.setenv("CARL_WEIGHTS", str(tmp_path))
    with pytest.raises(ModelError, match=r"https://.*resnet50-0676ba61\.pth.*put it at") as caught:
        load_weights(Net(2), "download", name="resnet50")
    assert str(tmp_path / "resnet50-0676ba61.pth") in str(caught.value)
    with pytest.raises(ModelError, match="no published weights of 'light'"):
        weights_path("download", name="light")


def test_a_packed_archive_is_not_unfolded(tmp_path: Path) -> None:
    """Torch packs nothing; a packed archive of 100 kB may hold 100 MB of zeros, or 100 GB."""
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", bytes(10_000_000))
    with pytest.raises(ModelError, match="packed archive"):
        read_weights(path)
