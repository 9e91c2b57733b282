"""Files that are no encoders are refused with a sentence."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from carl_core.encoder.modelfile import read_model_file
from carl_core.encoder.onnx import load_encoder
from carl_core.errors import ModelError
from tests.helpers.encoders import make_tiny_encoder, tiny_model, tiny_spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def model() -> onnx.ModelProto:
    return tiny_model(tiny_spec())


def write(path: Path, model: onnx.ModelProto) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def refused(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_encoder(path, device="cpu")
    sentence = str(caught.value)
    assert str(path) in sentence
    assert sentence.endswith(".")
    return sentence


def test_model_id_is_the_head_of_the_sha256(tmp_path: Path) -> None:
    path = make_tiny_encoder(tmp_path / "tiny.onnx")
    expected = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert load_encoder(path).model_id == expected


def test_metadata_come_back_from_the_file(tmp_path: Path) -> None:
    path = make_tiny_encoder(tmp_path / "tiny.onnx", name="Ä name", sample_fps=12.5)
    assert load_encoder(path).spec == tiny_spec(name="Ä name", sample_fps=12.5)


def test_missing_file(tmp_path: Path) -> None:
    assert "There is no encoder file" in refused(tmp_path / "nothing.onnx")


def test_folder(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path)


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()
    assert "is empty" in refused(tmp_path / "empty.onnx")


def test_text_file(tmp_path: Path) -> None:
    (tmp_path / "notes.onnx").write_text("these are my notes, not a model\n" * 20)
    assert "is not an ONNX model" in refused(tmp_path / "notes.onnx")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_truncated_file(tmp_path: Path, share: float) -> None:
    content = make_tiny_encoder(tmp_path / "tiny.onnx").read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: int(len(content) * share)])
    refused(path)


def test_onnx_model_of_somebody_else(tmp_path: Path, model: onnx.ModelProto) -> None:
    del model.metadata_props[:]
    assert "says nothing about itself" in refused(write(tmp_path / "theirs.onnx", model))


def test_wrong_version(tmp_path: Path, model: onnx.ModelProto) -> None:
    helper.set_model_props(model, tiny_spec().to_metadata() | {"carl.format_version": "99"})
    assert "format 99" in refused(write(tmp_path / "new.onnx", model))


def _rename_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "images"


def _wrong_type(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def _wrong_size(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 64


def _fixed_length(model: onnx.ModelProto) -> None:
    model.graph.input[1].type.tensor_type.shape.dim[1].dim_value = 80


def _drop_output(model: onnx.ModelProto) -> None:
    del model.graph.output[0]


def _wrong_dim(model: onnx.ModelProto) -> None:
    model.graph.output[1].type.tensor_type.shape.dim[2].dim_value = 7


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_rename_input, "inputs are images, times_s, valid"),
        (_wrong_type, "frames is float"),
        (_wrong_size, "frames is uint8 (any, any, 64, 32, 3)"),
        (_fixed_length, "times_s is float (any, 80)"),
        (_drop_output, "outputs are embeddings"),
        (_wrong_dim, "embeddings is float (any, any, 7)"),
    ],
)
def test_wrong_signature(
    tmp_path: Path, model: onnx.ModelProto, change: Callable[[onnx.ModelProto], None], said: str
) -> None:
    change(model)
    assert said in refused(write(tmp_path / "wrong.onnx", model))


def test_external_data_are_refused_and_not_read(tmp_path: Path, model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    (tmp_path / "secret.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    assert "Its weights lie in another file" in refused(write(tmp_path / "outside.onnx", model))


def test_external_data_in_a_constant_node_are_refused(
    tmp_path: Path, model: onnx.ModelProto
) -> None:
    hidden = TensorProto(name="hidden", data_type=TensorProto.FLOAT, dims=[1])
    hidden.data_location = TensorProto.EXTERNAL
    hidden.external_data.add(key="location", value="/etc/passwd")
    model.graph.node.append(helper.make_node("Constant", [], ["unused"], value=hidden))
    assert "Its weights lie in another file" in refused(write(tmp_path / "outside.onnx", model))


@pytest.mark.parametrize("domain", ["com.microsoft", "ai.onnx.ml", "strange.operators"])
def test_operators_beyond_the_standard_are_refused(
    tmp_path: Path, model: onnx.ModelProto, domain: str
) -> None:
    model.graph.node.append(helper.make_node("EPContext", [], ["unused"], domain=domain))
    model.opset_import.append(helper.make_opsetid(domain, 1))
    assert "only those of the ONNX standard are run" in refused(write(tmp_path / "x.onnx", model))


def test_operators_hidden_in_a_branch_or_a_function_are_refused(
    tmp_path: Path, model: onnx.ModelProto
) -> None:
    inner = helper.make_node("EPContext", [], ["inside"], domain="com.microsoft")
    branch = helper.make_graph([inner], "branch", [], [])
    inside = onnx.ModelProto.FromString(model.SerializeToString())
    inside.graph.node.append(helper.make_node("If", ["valid"], ["unused"], then_branch=branch))
    assert "EPContext" in refused(write(tmp_path / "branch.onnx", inside))
    function = helper.make_function("mine", "F", [], ["inside"], [inner], [])
    model.functions.append(function)
    assert "EPContext" in refused(write(tmp_path / "function.onnx", model))


def test_what_may_never_end_is_refused(tmp_path: Path, model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Loop", ["", ""], ["unused"]))
    assert "may never end" in refused(write(tmp_path / "loop.onnx", model))


def test_names_that_are_not_text_are_refused(tmp_path: Path, model: onnx.ModelProto) -> None:
    content = model.SerializeToString()
    for name in (b"pixels", b"times_s"):
        path = tmp_path / "odd.onnx"
        path.write_bytes(content.replace(name, b"\xff" + name[1:]))
        refused(path)


@pytest.mark.parametrize(
    ("key", "value"), [("size", "5000"), ("channels", "999999999"), ("window_frames", "99999999")]
)
def test_immense_sizes_are_refused(
    tmp_path: Path, model: onnx.ModelProto, key: str, value: str
) -> None:
    helper.set_model_props(model, tiny_spec().to_metadata() | {f"carl.{key}": value})
    assert "must be at most" in refused(write(tmp_path / "immense.onnx", model))


def test_an_output_of_another_shape_than_promised_is_refused(
    tmp_path: Path, model: onnx.ModelProto
) -> None:
    for tensor in model.graph.initializer:
        if tensor.name == "per_frame":
            tensor.raw_data = np.array([32], np.int64).tobytes()
    encoder = load_encoder(write(tmp_path / "odd.onnx", model), device="cpu")
    with pytest.raises(ModelError, match=r"gave an array of|failed while running"):
        encoder.encode(np.zeros((4, 32, 32, 3), np.uint8), np.arange(4) / 10)


def test_a_head_that_looks_at_the_frames_cannot_be_cut(
    tmp_path: Path, model: onnx.ModelProto
) -> None:
    for node in model.graph.node:
        if node.op_type == "Sub" and "features" in node.input:
            node.input[0] = "cells"  # an inner edge of the trunk
    assert "cannot be cut into trunk and head" in refused(write(tmp_path / "knot.onnx", model))


def test_an_operator_nobody_knows_is_refused(tmp_path: Path, model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Conjure"
    assert "ONNX Runtime cannot run the model" in refused(write(tmp_path / "magic.onnx", model))


def test_the_cut_parts_hold_only_their_own_weights(tmp_path: Path) -> None:
    file = read_model_file(make_tiny_encoder(tmp_path / "tiny.onnx"))
    trunk = onnx.ModelProto.FromString(file.trunk)
    head = onnx.ModelProto.FromString(file.head)
    assert "grey" in {t.name for t in trunk.graph.initializer}
    assert "grey" not in {t.name for t in head.graph.initializer}
    assert [v.name for v in head.graph.input] == ["features", "times_s", "valid"]
