"""Every file of the product is written whole or not at all: through carl_core.atomic."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# What may write by itself, and why a half-written file is never taken for whole there.
EXCEPTIONS = {
    "carl_core/atomic.py": "the helper itself",
    "carl_core/runs.py": "events are appended line by line; an unfinished last line is dropped",
    "carl_core/embeddings/store.py": "an empty file shows whether the folder takes files",
    "carl_core/embeddings/writer.py": "chunks are appended and count only once they are listed",
    "carl_core/project/traces.py": "lines leave a log that may be open; half a log is a log",
    "carl_core/encoder/quantize.py": "works in a scratch folder; the result goes by the helper",
    "carl_core/retrieval/cells.py": "fills a partial folder, which is renamed when it is whole",
    "carl_core/retrieval/writer.py": "fills a partial folder, which is renamed when it is whole",
    "carl_core/video/writer.py": "FFmpeg writes to the helper's partial file",
    "training/downloads.py": "the partial file is kept to go on with; its checksum decides",
    "training/compare.py": "logs of children are appended",
    "training/adapt/run.py": "an empty file shows whether the folder takes files",
}
_WRITERS = frozenset({"write_text", "write_bytes", "touch", "savefig", "tofile"})
_SAVERS = frozenset({"save", "savez", "savez_compressed", "savetxt", "save_file", "imwrite"})
_MAKERS = frozenset({"mkstemp", "NamedTemporaryFile", "fdopen", "copyfile", "copy2"})


def _mode(call: ast.Call) -> str:
    """The mode of a call of ``open``: of a path the first argument, of the function the second."""
    is_method = isinstance(call.func, ast.Attribute)
    position = 0 if is_method else 1
    given = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    given += call.args[position : position + 1]
    if not given:
        return "r"
    spelled = [n.value for n in ast.walk(given[0]) if isinstance(n, ast.Constant)]
    modes = [text for text in spelled if isinstance(text, str) and len(text) <= 3]
    return "".join(modes)


def _name(call: ast.Call) -> str:
    func = call.func
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def _is_own(call: ast.Call) -> bool:
    """Whether it is a method of the same object, which is looked at where it is defined."""
    func = call.func
    return (
        isinstance(func, ast.Attribute)
        and isinstance(func.value, ast.Name)
        and func.value.id == "self"
    )


class _Finder(ast.NodeVisitor):
    """Finds writes whose target is not what an enclosing ``with replacing(...)`` gave."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []
        self._given: list[str] = []

    def visit_With(self, node: ast.With) -> None:
        before = len(self._given)
        for item in node.items:
            self.visit(item.context_expr)
            call, target = item.context_expr, item.optional_vars
            names = {n.id for n in ast.walk(call) if isinstance(n, ast.Name)}
            is_given = isinstance(call, ast.Call) and (
                _name(call) == "replacing" or bool(names & set(self._given))
            )
            if is_given and isinstance(target, ast.Name):
                self._given.append(target.id)
        for statement in node.body:
            self.visit(statement)
        del self._given[before:]

    def visit_Call(self, node: ast.Call) -> None:
        name = _name(node)
        writes = (
            name in _WRITERS
            or (name in _SAVERS and bool(node.args) and not _is_own(node))
            or name in _MAKERS
            or (name == "open" and set(_mode(node)) & set("wax+"))
        )
        used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        if writes and not used & set(self._given):
            self.found.append((node.lineno, ast.unparse(node)[:80]))
        self.generic_visit(node)


def writes_in(source: str) -> list[tuple[int, str]]:
    finder = _Finder()
    finder.visit(ast.parse(source))
    return finder.found


def test_no_file_is_written_past_the_helper() -> None:
    past = []
    for folder in ("carl_core", "app", "training"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name not in EXCEPTIONS:
                past += [f"{name}:{line}: {text}" for line, text in writes_in(path.read_text())]
    assert not past, "write these through carl_core.atomic:\n" + "\n".join(past)


def test_every_exception_still_writes() -> None:
    idle = [name for name in EXCEPTIONS if not writes_in((ROOT / name).read_text())]
    assert not idle


@pytest.mark.parametrize(
    "source",
    [
        "path.write_text('x')",
        "open('a', 'w')",
        "path.open('ab')",
        "path.open('ab' if there else 'wb')",
        "np.savez(path, a=1)",
        "with replacing(a) as partial:\n    other.write_bytes(b'')",
        "with other(a) as partial:\n    partial.write_bytes(b'')",
    ],
)
def test_a_write_past_the_helper_is_found(source: str) -> None:
    assert writes_in(source)


@pytest.mark.parametrize(
    "source",
    [
        "path.read_text()",
        "path.open('rb')",
        "painter.save()",
        "with replacing(a) as partial:\n    partial.write_bytes(b'')",
        "with replacing(a) as partial, partial.open('wb') as file:\n    np.save(file, x)",
    ],
)
def test_what_goes_through_the_helper_is_not(source: str) -> None:
    assert not writes_in(source)
