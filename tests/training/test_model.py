"""The model: shapes, masks, time without a clock, published sizes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from carl_core.errors import ModelError  # noqa: E402
from training.config import ModelConfig  # noqa: E402
from training.model import CarlModel, Head, Trunk, build_model  # noqa: E402
from training.timing import (  # noqa: E402
    motion_of,
    rotary_angles,
    rotated,
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


@pytest.mark.parametrize("position", ["relative", "seconds", "none", "carl"])
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


def counted(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("layers", "encoder", "total", "trained"),
    [(3, 2_369_280, 27_388_608, 18_845_312), (2, 1_579_520, 26_598_848, 18_055_552)],
)
def test_published_model_has_the_published_sizes(
    layers: int, encoder: int, total: int, trained: int
) -> None:
    with torch.device("meta"):
        model = build_model(dataclasses.replace(PUBLISHED, layers=layers))
    head, trunk = model.head, model.trunk
    assert isinstance(trunk, Trunk)
    assert trunk.channels == 2048
    assert counted(trunk.early) == 8_543_296
    assert counted(trunk.late) == 14_964_736
    norms = counted(head.hidden_norm) + counted(head.hidden_norm2)
    assert counted(head.from_features) + counted(head.hidden) + norms == 1_313_792
    assert counted(head.to_width) == 131_328
    assert [counted(layer) for layer in head.layers] == [789_760] * layers
    assert counted(head.layers) == encoder
    assert counted(head.output) == 32_896
    assert counted(model.projection) == 33_280
    assert counted(model) == total
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == trained


def test_the_published_trunk_can_train_its_last_two_stages() -> None:
    with torch.device("meta"):
        model = build_model(dataclasses.replace(PUBLISHED, freeze="earlier"))
        plain = build_model(PUBLISHED)
    names = {name for name, p in model.trunk.named_parameters() if p.requires_grad}
    assert {name.split(".")[1] for name in names} == {"0", "1"}
    assert all(name.startswith("late.") for name in names)
    assert counted(model) == counted(plain)
    with pytest.raises(ModelError, match="goes with a ResNet"):
        small(freeze="earlier")


def test_the_published_head_begins_as_documented() -> None:
    """Copies of one layer; Xavier-uniform for each matrix; biases as linear layers have them."""
    torch.manual_seed(0)
    head = Head(dataclasses.replace(PUBLISHED, layers=3), channels=64)
    first, second, third = (layer.state_dict() for layer in head.layers)
    for name, value in first.items():
        assert torch.equal(value, second[name])
        assert torch.equal(value, third[name])
    matrices = [*first["qkv.weight"].chunk(3), *(first[f"{n}.weight"] for n in ("join", "expand"))]
    for matrix in (*matrices, first["contract.weight"]):
        bound = (6 / sum(matrix.shape)) ** 0.5
        assert 0.99 * bound < matrix.abs().max() <= bound
        assert matrix.std() == pytest.approx(bound / 3**0.5, rel=0.02)
    for name, fan_in in (("qkv", 256), ("join", 256), ("expand", 256), ("contract", 1024)):
        largest = first[f"{name}.bias"].abs().max()
        assert 0.9 * fan_in**-0.5 < largest <= fan_in**-0.5


def test_published_dropout_stands_in_its_places() -> None:
    """Before both frame layers, after the positions, after each sub-layer; nowhere else."""
    head = Head(dataclasses.replace(PUBLISHED, layers=3), channels=64).train()
    seen: list[tuple[int, ...]] = []
    for part in head.modules():
        if isinstance(part, torch.nn.Dropout):
            assert part.p == 0.1
            part.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
    frames = torch.randn(2, 5, 64)
    head(frames, torch.arange(5.0).repeat(2, 1), torch.ones(2, 5, dtype=torch.bool))
    assert seen == [(2, 5, 64), (2, 5, 512)] + [(2, 5, 256)] * (1 + 2 * 3)


def test_the_published_projection_sees_the_embeddings_as_they_leave_the_head() -> None:
    model = moved_off_its_start(small(position="carl", norm="batch", motion=False))
    features, times_s = torch.randn(2, 6, 32), torch.arange(6.0).repeat(2, 1)
    valid = torch.ones(2, 6, dtype=torch.bool)
    valid[1, 4:] = False
    with torch.no_grad():
        embeddings, projected = model.embed_and_project(features, times_s, valid)
        assert torch.equal(embeddings, model.head(features, times_s, valid))
        raw = model.head.rows(features, times_s, valid)
        assert not torch.allclose(raw.norm(dim=-1), torch.ones(2, 6), atol=0.01)
        assert torch.equal(projected, model.project(raw))
        ours = moved_off_its_start(small())
        embeddings, projected = ours.embed_and_project(features, times_s, valid)
        assert torch.equal(projected, ours.project(embeddings))


def test_batch_norm_sees_padded_frames_as_published_and_layer_norm_does_not() -> None:
    features, times_s = torch.randn(2, 6, 32), torch.arange(6.0).repeat(2, 1)
    valid = torch.ones(2, 6, dtype=torch.bool)
    valid[1, 4:] = False
    other = torch.where(valid.unsqueeze(-1), features, features + 3)
    for norm, position, is_touched in (("batch", "carl", True), ("layer", "relative", False)):
        model = small(norm=norm, position=position, motion=norm == "layer", dropout=0.0).train()
        with torch.no_grad():
            rows, projected = model.embed_and_project(features, times_s, valid)
            others, others_projected = model.embed_and_project(other, times_s, valid)
        assert torch.allclose(rows, others) != is_touched
        assert torch.allclose(projected[valid], others_projected[valid]) != is_touched


def test_norms_can_be_frozen() -> None:
    model = small(norm="batch", position="carl", motion=False, freeze_norm=True).train()
    assert model.head.training
    before = {name: value.clone() for name, value in model.named_buffers()}
    frames, times_s, valid = clip_of(2, 4)
    model.trunk.train()  # as a caller may do on its own
    model.project(model(frames, times_s, valid))[..., 0].sum().backward()
    for name, value in model.named_buffers():
        assert torch.equal(value, before[name]), name


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


@pytest.mark.parametrize("position", ["relative", "seconds", "none"])
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


def test_positions_in_seconds_equal_a_rotation_of_complex_numbers() -> None:
    generator = torch.Generator().manual_seed(4)
    query, key = torch.randn(2, 1, 1, 3, 7, generator=generator).unbind(0)  # an odd width
    times_s = torch.tensor([[2.0, 2.5, 9.0]])
    angles = rotary_angles(times_s, 3)
    np.testing.assert_allclose(
        angles[0, 0].numpy(), times_s[0, :, None].numpy() / np.array([0.05, 1, 20]), rtol=1e-5
    )
    scores = rotated(query, angles) @ rotated(key, angles).transpose(-1, -2)

    def complex_of(x: torch.Tensor) -> np.ndarray:  # type: ignore[type-arg]
        values = x[0, 0].double().numpy()
        return values[:, :3] + 1j * values[:, 3:6]

    for i in range(3):
        for j in range(3):
            turned = np.exp(1j * (times_s[0, i] - times_s[0, j]).item() / np.array([0.05, 1, 20]))
            pairs = complex_of(query)[i] * turned * complex_of(key)[j].conj()
            expected = pairs.real.sum() + float(query[0, 0, i, 6] * key[0, 0, j, 6])
            assert float(scores[0, 0, i, j]) == pytest.approx(expected, abs=1e-4)


def test_seconds_are_seen_and_scaled_at_random_in_training_only() -> None:
    model = moved_off_its_start(small(position="seconds", dropout=0.0))
    features, times_s = torch.randn(1, 12, 32), torch.arange(12.0)[None] * 0.1
    valid = torch.ones(1, 12, dtype=torch.bool)
    with torch.no_grad():
        plain = model.head(features, times_s, valid)
        assert torch.equal(model.head(features, times_s, valid), plain)
        assert (model.head(features, times_s * 3, valid) - plain).abs().max() > 1e-3
        model.train()
        drawn = [model.head(features, times_s, valid) for _ in range(2)]
        assert (drawn[0] - drawn[1]).abs().max() > 1e-4
        still = small(position="seconds", dropout=0.0, position_scale=1.0).train()
        again = [still.head(features, times_s, valid) for _ in range(2)]
        assert torch.equal(*again)


@pytest.mark.parametrize("position", ["relative", "seconds", "none"])
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


@pytest.mark.parametrize("position", ["relative", "seconds", "none", "carl"])
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


@pytest.mark.parametrize("position", ["relative", "seconds", "none", "carl"])
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


def test_a_centred_head_does_not_see_what_stays_the_same() -> None:
    model = moved_off_its_start(small(centre=True))
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(2, 9, 32, generator=generator)
    times_s = torch.arange(9.0).repeat(2, 1) * 0.1
    valid = torch.ones(2, 9, dtype=torch.bool)
    valid[1, 6:] = False
    place = torch.randn(2, 1, 32, generator=generator)
    plain = model.head(features, times_s, valid)
    moved = model.head(features + 3.0 * place, times_s, valid)
    torch.testing.assert_close(moved, plain, atol=1e-5, rtol=0)
    padding = features.clone()
    padding[1, 6:] = 50.0  # must not count in the mean
    torch.testing.assert_close(model.head(padding, times_s, valid), plain, atol=1e-6, rtol=0)
    other = moved_off_its_start(small()).head(features + 3.0 * place, times_s, valid)
    assert (other - moved_off_its_start(small()).head(features, times_s, valid)).abs().max() > 0.01


def test_features_stand_beside_what_is_learned_and_keep_their_distances() -> None:
    carl = small(centre=True, plain=512, learned_weight=0.5, dim=16)
    head = carl.head.eval()
    generator = torch.Generator().manual_seed(4)
    features = 3.0 + torch.randn(1, 40, 32, generator=generator) * torch.logspace(-1, 1, 32)
    times_s = torch.arange(40.0)[None] * 0.1
    valid = torch.ones(1, 40, dtype=torch.bool)
    valid[0, 37:] = False
    with torch.no_grad():
        rows = head(features, times_s, valid)[0]
        larger = head(7.0 * features, times_s, valid)[0]
        learned = head.unit(head.rows(features, times_s, valid), valid)[0]
        compared, _ = carl.embed_and_project(features, times_s, valid)
    assert rows.shape == (40, carl.dim) == (40, 512 + 16)
    torch.testing.assert_close(rows[:37].norm(dim=-1), torch.ones(37))
    assert not rows[37:].any()
    plain, beside = rows[:37, :512], rows[:37, 512:]
    torch.testing.assert_close(beside / plain.norm(dim=-1, keepdim=True), 0.5 * learned[:37])
    there = torch.pdist(torch.nn.functional.normalize(features[0, :37], dim=-1))
    here = torch.pdist(torch.nn.functional.normalize(plain, dim=-1))
    assert torch.corrcoef(torch.stack([there, here]))[0, 1] > 0.95
    torch.testing.assert_close(larger[:, :512], rows[:, :512], atol=1e-5, rtol=1e-4)
    assert compared.shape[-1] == 16  # losses see what is learned alone
    # Another seed has the same projection: vectors of two heads of one trunk can be compared.
    torch.manual_seed(99)
    other = small(centre=True, plain=512, dim=16).head
    assert torch.equal(other.plain, head.plain)
