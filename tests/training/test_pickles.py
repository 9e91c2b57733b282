"""Reading pickles: plain data comes back, nothing in a hostile one runs."""

from __future__ import annotations

import io
import os
import pickle
import struct
from argparse import Namespace
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from training.pickles import PLAIN, PickleError, pickle_module, read_pickle, unpickler

if TYPE_CHECKING:
    from pathlib import Path

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def written(path: Path, value: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


class Calls:
    """Pickles as a call of ``function`` with ``arguments``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.parts = function, arguments

    def __reduce__(self) -> Any:
        return self.parts


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_data_comes_back(tmp_path: Path, protocol: int) -> None:
    value = (
        [{"id": 3, "name": "0001_bowl", "seq_len": 7, "ratio": 0.5, "raw": b"\x00\xff", "no": b""}],
        OrderedDict(b=None, a=True),
        {1, 2},
        1 + 2j,
        range(3),
    )
    assert read_pickle(written(tmp_path / "a.pkl", value, protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([1, 300], dtype=">i2"),
        np.array(["a", "longer"]),
        np.zeros((0, 4), dtype=np.float32),
        np.array([True, False]),
    ],
)
def test_arrays_come_back_as_plain_arrays(
    tmp_path: Path, protocol: int, array: np.ndarray[Any, Any]
) -> None:
    found = read_pickle(written(tmp_path / "a.pkl", [{"x": array}], protocol))[0]["x"]
    assert type(found) is np.ndarray
    assert found.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    assert found.shape == array.shape
    assert (found == array).all()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_numbers_types_and_objects_come_back(tmp_path: Path, protocol: int) -> None:
    lists = np.empty(2, dtype=object)
    lists[:] = [[1, 2], [np.arange(3)]]
    value = (np.float64(2.5), np.int32(-7), np.str_("ab"), np.dtype("float32"), lists)
    found = read_pickle(written(tmp_path / "a.pkl", value, protocol))
    assert found[:4] == value[:4]
    assert [type(item) for item in found[:3]] == [np.float64, np.int32, np.str_]
    assert found[4][0] == [1, 2]
    assert type(found[4][1][0]) is np.ndarray
    assert found[4][1][0].tolist() == [0, 1, 2]


def test_a_list_that_holds_itself_is_read(tmp_path: Path) -> None:
    value: list[Any] = [1]
    value.append(value)
    found = read_pickle(written(tmp_path / "a.pkl", value))
    assert found[1] is found


@pytest.mark.torch
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tensors_come_back(tmp_path: Path, protocol: int) -> None:
    torch = pytest.importorskip("torch")
    whole = torch.arange(12, dtype=torch.float64).reshape(3, 4)
    value = {"whole": whole, "part": whole[1:, ::2].T, "empty": torch.zeros(0), "int": whole.int()}
    value["parameter"] = torch.nn.Parameter(torch.ones(2))
    found = read_pickle(written(tmp_path / "a.pkl", value, protocol))
    for name, tensor in value.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def hostile(marker: Path) -> dict[str, bytes]:
    """Pickles that would make the file ``marker``, each another way."""
    code = f"open({str(marker)!r}, 'w').close()"
    touch = f"touch {marker}"
    texts = {
        "os.system": Calls(os.system, touch),
        "eval": Calls(eval, code),
        "exec": Calls(exec, code),
        "getattr": Calls(getattr, "x", "upper"),
        "nested": [{"labels": (Calls(list, [Calls(os.system, touch)]),)}],
        "argument of an array": Calls(np.array, Calls(os.system, touch)),
        "module": Calls(__import__, "os"),
        "subclass": Calls(np.fromfile, str(marker)),
        "open": Calls(open, str(marker), "w"),
    }
    found = {
        f"{name}, protocol {protocol}": pickle.dumps(value, protocol=protocol)
        for name, value in texts.items()
        for protocol in PROTOCOLS
    }
    found["dotted name"] = (  # STACK_GLOBAL of an allowed module with a path through it
        b"\x80\x04\x8c\x05numpy\x8c\x0bos.system\x93\x8c\x04true\x85R."
    )
    found["attribute of an allowed name"] = (
        b"\x80\x04\x8c\x0bcollections\x8c\x1fOrderedDict.__init__.__globals__\x93."
    )
    found["extension registry"] = b"\x80\x02\x82\x01."
    found["old instance"] = f"(S'{touch}'\nios\nsystem\n.".encode()
    found["object"] = f"(cos\nsystem\nS'{touch}'\no.".encode()
    found["persistent id"] = b"Pos.system\n."
    return found


def test_nothing_hostile_runs(tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "a.pkl"
    for name, content in hostile(marker).items():
        path.write_bytes(content)
        with pytest.raises(PickleError) as caught:
            read_pickle(path)
        assert str(path) in str(caught.value), name
        assert not marker.exists(), name


def test_the_hostile_examples_would_run_elsewhere(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    for name in ("eval, protocol 4", "old instance", "object"):
        pickle.loads(hostile(marker)[name])
        assert marker.exists(), name
        marker.unlink()


def test_what_was_refused_is_named(tmp_path: Path) -> None:
    with pytest.raises(PickleError, match=r"builtins\.eval.*not run") as caught:
        read_pickle(written(tmp_path / "a.pkl", Calls(eval, "1")))
    assert caught.value.refused == "builtins.eval"


def test_what_an_allowed_name_stands_for_cannot_be_changed_for_good(tmp_path: Path) -> None:
    """BUILD sets attributes of whatever lies on the stack."""
    path = tmp_path / "a.pkl"
    names = {key for key in PLAIN if key[0] != "__builtin__"}
    for module, name in sorted(names):
        state = pickle.dumps((None, {"__init__": 1, "_function": 1, "dtype": 1}), protocol=2)[2:-1]
        path.write_bytes(f"c{module}\n{name}\n".encode() + state + b"b.")
        try:
            read_pickle(path)
        except PickleError:
            continue
    value = [np.arange(3), OrderedDict(a=1), b"", {1}]
    for protocol in PROTOCOLS:
        found = read_pickle(written(path, value, protocol))
        assert found[0].tolist() == [0, 1, 2]
        assert found[1:] == value[1:]


def test_types_whose_flags_would_be_believed_are_refused(tmp_path: Path) -> None:
    structured = np.zeros(2, dtype=[("a", "i4"), ("b", "O")])
    with pytest.raises(PickleError, match="V"):
        read_pickle(written(tmp_path / "a.pkl", structured))


def test_contents_of_another_size_than_the_array_are_refused(tmp_path: Path) -> None:
    for array, good, bad in (
        (np.arange(4, dtype=np.int8), b"\x00\x01\x02\x03", b"\x00\x01\x02"),
        (np.array([None, None]), b"N", b"."),
    ):
        content = pickle.dumps(array, protocol=4)
        assert good in content
        if array.dtype == object:
            content = pickle.dumps(array[:1], protocol=4).replace(b"K\x01\x85", b"K\x09\x85", 1)
        else:
            content = content.replace(b"C\x04" + good, b"C\x03" + bad)
        path = tmp_path / "a.pkl"
        path.write_bytes(content)
        with pytest.raises(PickleError):
            read_pickle(path)


@pytest.mark.torch
def test_a_tensor_does_not_reach_beyond_its_storage(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    storage = torch.arange(4).untyped_storage()

    class Reaching:
        def __reduce__(self) -> Any:
            typed = torch.storage.TypedStorage(
                wrap_storage=storage, dtype=torch.int64, _internal=True
            )
            return torch._utils._rebuild_tensor_v2, (typed, 1, (4,), (1,), False, OrderedDict())

    with pytest.raises(PickleError, match="beyond"):
        read_pickle(written(tmp_path / "a.pkl", Reaching()))


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80", b"not a pickle", b"\x80\x04]", b"\x80\x04K\x01\x85R.", struct.pack(">q", 77)],
)
def test_what_is_no_pickle_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train.pkl"
    path.write_bytes(content)
    with pytest.raises(PickleError, match=r"train\.pkl"):
        read_pickle(path)


def test_a_missing_file_and_a_folder_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(PickleError, match="no file"):
        read_pickle(tmp_path / "missing.pkl")
    with pytest.raises(PickleError, match="cannot be read"):
        read_pickle(tmp_path)


def test_every_cut_of_a_pickle_is_an_error_and_never_a_fault(tmp_path: Path) -> None:
    content = pickle.dumps([{"a": np.arange(5), "b": np.float32(1)}, OrderedDict(c="d")])
    path = tmp_path / "a.pkl"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(PickleError):
            read_pickle(path)


def test_a_stand_in_replaces_a_class() -> None:
    content = pickle.dumps({"cfg": Namespace(frames=80)})
    stood_in = {**PLAIN, ("argparse", "Namespace"): Stub}
    found = unpickler(stood_in)(io.BytesIO(content)).load()
    assert type(found["cfg"]) is Stub
    assert found["cfg"].frames == 80
    with pytest.raises(PickleError, match=r"argparse\.Namespace"):
        unpickler(PLAIN)(io.BytesIO(content)).load()


class Stub:
    frames: int


@pytest.mark.torch
@pytest.mark.parametrize("zipped", [True, False])
def test_torch_reads_a_checkpoint_through_the_allow_list(tmp_path: Path, zipped: bool) -> None:
    torch = pytest.importorskip("torch")
    state = OrderedDict(weight=torch.arange(6.0).reshape(2, 3), half=torch.ones(2).half())
    path, marker = tmp_path / "a.pth", tmp_path / "ran"
    torch.save(
        {"model_state": state, "cfg": Namespace(frames=80)},
        path,
        _use_new_zipfile_serialization=zipped,
    )
    module = pickle_module({**PLAIN, ("argparse", "Namespace"): Stub})
    found = torch.load(path, map_location="cpu", pickle_module=module, weights_only=False)
    assert torch.equal(found["model_state"]["weight"], state["weight"])
    assert found["model_state"]["half"].dtype == torch.float16
    assert found["cfg"].frames == 80
    torch.save(
        {"model_state": state, "cfg": Calls(os.system, f"touch {marker}")},
        path,
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(PickleError, match=r"system"):
        torch.load(path, map_location="cpu", pickle_module=module, weights_only=False)
    assert not marker.exists()
