"""Read an encoder file, check that it is one, and cut it into trunk and head.

The file is anybody's: nothing in it is trusted before it was checked, and no file beside it is
read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import onnx.utils
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from carl_core.encoder.spec import EncoderSpec
from carl_core.errors import ModelError
from carl_core.paths import read_bounded

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

# A protobuf message cannot be larger.
_MAX_BYTES = 2**31 - 1
_FRAMES, _TIMES, _VALID = "frames", "times_s", "valid"
_FEATURES, _EMBEDDINGS = "features", "embeddings"
# The operators of the ONNX standard, which ONNX Runtime brings. Others can read files (EPContext)
# or need libraries of strangers, which are never loaded.
_DOMAINS = frozenset({"", "ai.onnx"})
# A few bytes of these can keep a machine busy for ever, and no encoder needs them.
_ENDLESS = frozenset({"Loop", "Scan"})
# Characters of what a message quotes of the file.
_MOST_SHOWN = 60
_NO_TEXT = "Its names are not text: the file is damaged. Export it again."


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A checked encoder file.

    Attributes
    ----------
    path : where it was read
    model_id : first 16 hex digits of the sha256 of the file
    spec : what it says about itself
    trunk : serialised graph, ``frames`` -> ``features``
    head : serialised graph, ``features``, ``times_s``, ``valid`` -> ``embeddings``
    """

    path: Path
    model_id: str
    spec: EncoderSpec
    trunk: bytes
    head: bytes


def read_model_file(path: str | os.PathLike[str]) -> ModelFile:
    """Read, check and cut an encoder file.

    Raises
    ------
    ModelError
        When the file is missing or is not an encoder of this program; the sentence says why.
    """
    path = Path(path)
    content = _read(path)
    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError as exc:
        raise ModelError(
            f"{path} is not an ONNX model, or it is cut off: it cannot be parsed. "
            "Choose an encoder file made by this program (.onnx)."
        ) from exc
    if not model.graph.node or not model.graph.output:
        raise ModelError(
            f"{path} is not an ONNX model: it holds no graph. "
            "Choose an encoder file made by this program (.onnx)."
        )
    try:
        spec = EncoderSpec.from_metadata({p.key: p.value for p in model.metadata_props})
        _check_operators(model)
        _check_weights_inside(model)
        _check_signature(model, spec)
    except ModelError as exc:
        raise ModelError(f"{path} cannot be used as an encoder. {exc}") from exc
    return ModelFile(
        path=path,
        model_id=hashlib.sha256(content).hexdigest()[:16],
        spec=spec,
        trunk=_cut(path, model, [_FRAMES], [_FEATURES]),
        head=_cut(path, model, [_FEATURES, _TIMES, _VALID], [_EMBEDDINGS]),
    )


def _read(path: Path) -> bytes:
    try:
        content = read_bounded(path, _MAX_BYTES)
    except FileNotFoundError as exc:
        raise ModelError(f"There is no encoder file {path}. Check the name.") from exc
    except IsADirectoryError as exc:
        raise ModelError(
            f"{path} is a folder, not an encoder file. Choose the .onnx file."
        ) from exc
    except OSError as exc:
        raise ModelError(
            f"The encoder file {path} cannot be read: {exc.strerror or exc}. "
            "Check the name and the permissions."
        ) from exc
    if not content:
        raise ModelError(f"{path} is empty, not an encoder file. Choose another file.")
    return content


def _check_operators(model: onnx.ModelProto) -> None:
    values = (*model.graph.input, *model.graph.output, *model.graph.initializer)
    if not all(isinstance(value.name, str) for value in values):
        raise ModelError(_NO_TEXT)
    own = {function.domain for function in model.functions}
    for node in _nodes(model):
        words = (node.op_type, node.domain, *node.input, *node.output)
        if not all(isinstance(word, str) for word in words):  # bytes: they are no UTF-8
            raise ModelError(_NO_TEXT)
        if node.domain not in _DOMAINS | own:
            raise ModelError(
                f"It uses the operator {node.op_type[:_MOST_SHOWN]} of "
                f"{node.domain[:_MOST_SHOWN]!r}, and only those of the ONNX standard are run. "
                "Export it without."
            )
        if node.op_type in _ENDLESS:
            raise ModelError(
                f"It uses the operator {node.op_type}, which may never end. Export it without."
            )


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    waiting = [*model.graph.node]
    for function in model.functions:
        waiting += function.node
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                waiting += graph.node


def _check_weights_inside(model: onnx.ModelProto) -> None:
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise ModelError(
                f"Its weights lie in another file ({tensor.name!r} is external data), and files "
                "beside a model are never read. Export it with the weights inside."
            )


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        for node in function.node:
            yield from _node_tensors(node)


def _graph_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        yield from _node_tensors(node)


def _node_tensors(node: onnx.NodeProto) -> Iterator[onnx.TensorProto]:
    for attribute in node.attribute:
        yield from attribute.tensors
        if attribute.HasField("t"):
            yield attribute.t
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in (attribute.g, *attribute.graphs):
            yield from _graph_tensors(graph)


def _check_signature(model: onnx.ModelProto, spec: EncoderSpec) -> None:
    types = onnx.TensorProto
    size = spec.size
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    _check_values(
        "inputs",
        inputs,
        {
            _FRAMES: (types.UINT8, (None, None, size, size, 3)),
            _TIMES: (types.FLOAT, (None, None)),
            _VALID: (types.BOOL, (None, None)),
        },
    )
    _check_values(
        "outputs",
        list(model.graph.output),
        {
            _FEATURES: (types.FLOAT, (None, None, spec.channels)),
            _EMBEDDINGS: (types.FLOAT, (None, None, spec.dim)),
        },
    )


def _check_values(
    what: str,
    values: list[onnx.ValueInfoProto],
    expected: dict[str, tuple[int, tuple[int | None, ...]]],
) -> None:
    """Check names, element types and shapes; None in an expected shape means any length."""
    found = {value.name: value.type.tensor_type for value in values}
    if set(found) != set(expected):
        raise ModelError(
            f"Its {what} are {', '.join(sorted(found)) or 'none'}, and an encoder has "
            f"{', '.join(expected)}. Use an encoder made for this program."
        )
    for name, (element, shape) in expected.items():
        tensor = found[name]
        given = tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
        fits = len(given) == len(shape) and all(
            has is None if wanted is None else has in (None, wanted)
            for has, wanted in zip(given, shape, strict=True)
        )
        if tensor.elem_type != element or not fits:
            raise ModelError(
                f"Its {name} is {_type_text(tensor.elem_type, given)}, and its metadata ask for "
                f"{_type_text(element, shape)}. Export the model again."
            )


def _type_text(element: int, shape: tuple[int | None, ...]) -> str:
    name = onnx.TensorProto.DataType.Name(element).lower()
    return f"{name} ({', '.join('any' if d is None else str(d) for d in shape)})"


def _cut(path: Path, model: onnx.ModelProto, inputs: list[str], outputs: list[str]) -> bytes:
    try:
        part = onnx.utils.Extractor(model).extract_model(inputs, outputs)
    except (ValueError, AssertionError, KeyError, IndexError) as exc:
        raise ModelError(
            f"{path} cannot be cut into trunk and head: {exc}. Export the model again."
        ) from exc
    made = {name for node in part.graph.node for name in node.output}
    made |= {tensor.name for tensor in part.graph.initializer} | set(inputs) | {""}
    missing = {name for node in part.graph.node for name in node.input} - made
    if missing or not set(outputs) <= made:
        raise ModelError(
            f"{path} cannot be cut into trunk and head: computing {outputs[0]} from "
            f"{', '.join(inputs)} also needs {', '.join(sorted(missing | set(outputs) - made))}. "
            "Export trunk and head separately with training.export."
        )
    return bytes(part.SerializeToString())
