"""The model: shapes, masks, time without a clock, published sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from carl_core.errors import ModelError  # noqa: E402
from training.config import ModelConfig  # noqa: E402
from training.model import (  # noqa: E402
    CarlModel,
    build_model,
    motion_of,
    stretched_sinusoid,
    times_in_steps,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.torch

SMALL = {
    "image_size": 32,
    "tokens": 4,
    "token_dim": 8,
    "layers": 2,
    "width": 32,
    "heads": 4,
    "ffn": 48,
    "dim": 16,
    "projection": 12,
}
PUBLISHED = ModelConfig(
    backbone="resnet50",
    freeze="early",
    image_size=224,
    pooling="max",
    tokens=1,
    token_dim=0,
    motion=False,
    norm="batch",
    layers=3,
    width=256,
    heads=8,
    ffn=1024,
    dim=128,
    projection=128,
    position="carl",
    train_frames=80,
)


def small(**changes: object) -> CarlModel:
    torch.manual_seed(0)
    return build_model(ModelConfig(**(SMALL | changes)))  # type: ignore[arg-type]


def clip_of(clips: int, length: int, size: int = 32):  # type: ignore[no-untyped-def]
    generator = torch.Generator().manual_seed(1)
    shape = (clips, length, size, size, 3)
    frames = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    steps = torch.rand(clips, length, generator=generator) * 0.1 + 0.05
    return frames, steps.cumsum(1), torch.ones(clips, length, dtype=torch.bool)


def moved_off_its_start(model: CarlModel) -> CarlModel:
    """Give parameters that start at zero or one some value, as training would."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return model.eval()


@pytest.mark.parametrize("position", ["relative", "none", "carl"])
@pytest.mark.parametrize(("pooling", "tokens"), [("grid", 4), ("attention", 3), ("max", 1)])
def test_shapes_and_unit_rows(position: str, pooling: str, tokens: int) -> None:
    model = small(position=position, pooling=pooling, tokens=tokens)
    frames, times_s, valid = clip_of(2, 7)
    features = model.trunk(frames.flatten(0, 1))
    assert features.shape == (14, tokens * 8)
    assert model.trunk.channels == tokens * 8
    embeddings = model.head(features.unflatten(0, (2, 7)), times_s, valid)
    assert embeddings.shape == (2, 7, 16)
    projected = model.project(embeddings)
    assert projected.shape == (2, 7, 12)
    for rows in (embeddings, projected):
        torch.testing.assert_close(rows.norm(dim=-1), torch.ones(2, 7))


def test_published_model_has_the_published_sizes() -> None:
    model = build_model(PUBLISHED)
    parameters = list(model.parameters())
    assert sum(p.numel() for p in parameters) == 27_388_608
    assert sum(p.numel() for p in parameters if p.requires_grad) == 18_845_312
    assert model.trunk.channels == 2048
    first, second, third = (layer.state_dict() for layer in model.head.layers)
    for name, value in first.items():
        assert torch.equal(value, second[name])
        assert torch.equal(value, third[name])


def test_the_light_model_is_small_enough_to_come_along() -> None:
    model = build_model(ModelConfig())
    exported = sum(p.numel() for part in (model.trunk, model.head) for p in part.parameters())
    assert exported * 4 < 12e6


def test_published_positions_have_their_golden_values() -> None:
    positions = stretched_sinusoid(torch.zeros(1, 3), 4, 9)[0]
    golden = [
        [0, 1, 0, 1],
        [-0.756802, 0.921061, 0.039989, 0.999992],
        [0.989358, 0.696707, 0.079915, 0.999968],
    ]
    np.testing.assert_allclose(positions.numpy(), golden, atol=5e-6)


@pytest.mark.parametrize("position", ["relative", "none"])
@pytest.mark.parametrize("offset_s", [1.0, -3.0, 100.0])
def test_adding_a_constant_to_the_times_changes_nothing(position: str, offset_s: float) -> None:
    model = moved_off_its_start(small(position=position))
    frames, times_s, valid = clip_of(2, 30)
    with torch.no_grad():
        difference = model(frames, times_s + offset_s, valid) - model(frames, times_s, valid)
    assert difference.abs().max() < 1e-5


def test_only_the_ratio_of_the_steps_matters() -> None:
    model = moved_off_its_start(small())
    frames, times_s, valid = clip_of(1, 20)
    with torch.no_grad():
        plain = model(frames, times_s, valid)
        assert (model(frames, times_s * 7, valid) - plain).abs().max() < 1e-5
        regular = torch.arange(20.0)[None]
        assert (model(frames, regular, valid) - plain).abs().max() > 1e-3


@pytest.mark.parametrize("position", ["relative", "none"])
def test_a_still_picture_has_one_embedding_however_long_it_stands(position: str) -> None:
    """What a clock would break: nothing happens, so no row may differ."""
    model = moved_off_its_start(small(position=position))
    frames, times_s, valid = clip_of(1, 1)
    still = frames.expand(-1, 40, -1, -1, -1)
    with torch.no_grad():
        rows = model(still, torch.arange(40.0)[None] * 0.1, valid.expand(-1, 40))[0]
        alone = model(frames, times_s, valid)[0]
    assert (rows - alone).abs().max() < 1e-5


def test_the_published_positions_are_a_clock() -> None:
    model = moved_off_its_start(small(position="carl"))
    frames, _, valid = clip_of(1, 1)
    with torch.no_grad():
        rows = model(
            frames.expand(-1, 40, -1, -1, -1), torch.arange(40.0)[None], valid.expand(-1, 40)
        )[0]
    assert (rows - rows[0]).abs().max() > 1e-2


@pytest.mark.parametrize("position", ["relative", "none", "carl"])
def test_frames_that_are_not_valid_do_not_matter(position: str) -> None:
    model = moved_off_its_start(small(position=position))
    frames, times_s, valid = clip_of(2, 12)
    valid[0, 8:] = False
    valid[1, :3] = False
    other = frames.clone()
    other[~valid] = 255 - other[~valid]
    with torch.no_grad():
        embeddings = model(frames, times_s, valid)
        assert (model(other, times_s, valid) - embeddings).abs().max() < 1e-6
    assert embeddings[~valid].abs().max() == 0
    if position != "carl":
        with torch.no_grad():
            cut = model(frames[:1, :8], times_s[:1, :8], valid[:1, :8])
        assert (embeddings[:1, :8] - cut).abs().max() < 1e-5


@pytest.mark.parametrize("position", ["relative", "none", "carl"])
@pytest.mark.parametrize("length", [1, 2, 9])
def test_a_clip_without_a_valid_frame_gives_zeros_and_finite_gradients(
    position: str, length: int
) -> None:
    model = small(position=position).train()
    frames, times_s, valid = clip_of(2, length)
    valid[1] = False
    embeddings = model(frames, times_s, valid)
    assert embeddings[1].abs().max() == 0
    assert torch.isfinite(embeddings).all()
    model.project(embeddings)[valid].square().mean(-1).sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all()


def test_steps_are_counted_in_the_usual_step() -> None:
    times_s = torch.tensor([[10.0, 10.1, 10.2, 15.2, 15.3, 99.0]])
    valid = torch.tensor([[True, True, True, True, True, False]])
    expected = [[0, 1, 2, 52, 53, 890]]
    np.testing.assert_allclose(times_in_steps(times_s, valid).numpy(), expected, rtol=1e-4)
    alone = times_in_steps(torch.tensor([[7.0]]), torch.tensor([[True]]))
    assert alone.tolist() == [[0.0]]


def test_motion_equals_a_loop_over_the_frames() -> None:
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(1, 6, 2, generator=generator)
    steps = torch.tensor([[0.0, 1, 3, 3.1, 4, 5]])
    valid = torch.tensor([[True, True, False, True, True, True]])
    for t, row in enumerate(motion_of(features, steps, valid)[0]):
        before = t - 1 if t > 0 and valid[0, t - 1] else t
        after = t + 1 if t < 5 and valid[0, t + 1] else t
        elapsed = max(float(steps[0, after] - steps[0, before]), 0.25)
        torch.testing.assert_close(row, (features[0, after] - features[0, before]) / elapsed)


@pytest.mark.parametrize("freeze", ["early", "all"])
def test_what_is_frozen_stays(freeze: str) -> None:
    model = small(freeze=freeze).train()
    before = {name: value.clone() for name, value in model.trunk.early.state_dict().items()}
    late = {name: value.clone() for name, value in model.trunk.late.state_dict().items()}
    frames, times_s, valid = clip_of(2, 4)
    model.project(model(frames, times_s, valid))[..., 0].sum().backward()
    assert all(p.grad is None for p in model.trunk.early.parameters())
    assert all(torch.equal(v, before[n]) for n, v in model.trunk.early.state_dict().items())
    is_late_same = all(torch.equal(v, late[n]) for n, v in model.trunk.late.state_dict().items())
    assert is_late_same == (freeze == "all")
    assert any(p.grad is not None for p in model.head.parameters())


def test_backbone_weights_are_loaded(tmp_path: Path) -> None:
    source = small()
    parts = torch.nn.ModuleDict({"early": source.trunk.early, "late": source.trunk.late})
    path = tmp_path / "light.pt"
    torch.save(parts.state_dict(), path)
    torch.manual_seed(9)
    loaded = build_model(ModelConfig(**(SMALL | {"weights": str(path)})))  # type: ignore[arg-type]
    for name, value in source.trunk.late.state_dict().items():
        assert torch.equal(value, loaded.trunk.late.state_dict()[name])


@pytest.mark.parametrize("content", [None, "text", "other"])
def test_weights_that_do_not_fit_are_refused_with_a_sentence(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "weights.pt"
    if content == "text":
        path.write_text("no weights")
    elif content == "other":
        torch.save({"something": torch.zeros(3)}, path)
    with pytest.raises(ModelError, match=r"weights\.pt.*Check model\.weights"):
        build_model(ModelConfig(**(SMALL | {"weights": str(path)})))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"backbone": "vgg"},
        {"tokens": 5},
        {"pooling": "max"},
        {"width": 30},
        {"position": "clock"},
        {"dropout": 1.0},
    ],
)
def test_impossible_models_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"model\."):
        ModelConfig(**(SMALL | changes))  # type: ignore[arg-type]
