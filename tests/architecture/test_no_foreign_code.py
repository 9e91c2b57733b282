"""Nothing in the sources can run code that came with a file, or reach the network by itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("carl_core", "app", "training")
SOURCES = sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))

# Modules that run what they read, or talk to other machines, and who may import them.
MODULES: dict[str, set[str]] = {
    "pickle": {"training/pickles.py", "training/weights.py", "training/official.py"},
    "urllib": {"training/downloads.py"},
    "http": {"training/downloads.py"},
    "socket": {"training/parallel.py"},
    "distributed": {"carl_core/cluster/scheduler.py"},
}
NOBODY = frozenset(
    "aiohttp asyncio cloudpickle code codeop dask dill ftplib joblib marshal pty requests shelve "
    "smtplib socketserver telnetlib xmlrpc yaml".split()
)
CALLS = frozenset({"eval", "exec", "compile", "__import__"})
ATTRIBUTES = frozenset(
    {
        "os.system", "os.popen", "os.execv", "os.execvp", "os.startfile", "subprocess.getoutput",
        "subprocess.getstatusoutput", "pickle.load", "pickle.loads", "torch.jit.load",
        "torch.hub.load", "numpy.fromregex", "tempfile.mktemp",
    }
)  # fmt: skip
METHODS = frozenset({"register_custom_ops_library", "load_state_dict_from_url"})


def names_in(tree: ast.AST) -> set[str]:
    """Modules that are imported."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def dangers_in(text: str, name: str = "x.py") -> list[str]:
    """What a source does that it must not."""
    tree = ast.parse(text)
    found = [
        f"imports {module}"
        for module in names_in(tree)
        if module.split(".")[0] in NOBODY or name not in MODULES.get(module.split(".")[0], {name})
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "PySide6.QtNetwork":
            found += [a.name for a in node.names if a.name not in ("QLocalServer", "QLocalSocket")]
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        words = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if called in CALLS or called in ATTRIBUTES or called.split(".")[-1] in METHODS:
            found.append(called)
        if words.get("shell", "False") != "False":
            found.append(f"{called}(shell)")
        if words.get("allow_pickle", "False") != "False":
            found.append(f"{called}(allow_pickle)")
        is_plain = words.get("weights_only") == "True" or "pickle_module" in words
        if called == "torch.load" and not is_plain:
            found.append("torch.load of anything")
        if called == "pickle.Unpickler":
            found.append(called)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_source_runs_what_it_reads(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    assert dangers_in(path.read_text(encoding="utf-8"), name) == []


@pytest.mark.parametrize(
    "text",
    [
        "eval('1')",
        "exec(code)",
        "import os\nos.system('ls')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import pickle",
        "from pickle import loads",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import torch\ntorch.load('x')",
        "import torch\ntorch.load('x', weights_only=False)",
        "options.register_custom_ops_library('x.so')",
        "from PySide6.QtNetwork import QTcpSocket",
        "import urllib.request",
        "from yaml import load",
    ],
)
def test_the_check_finds(text: str) -> None:
    assert dangers_in(text)


def test_the_check_lets_through_what_is_safe() -> None:
    assert not dangers_in(
        "import torch, subprocess\ntorch.load('x', weights_only=True)\nmodel.eval()\napp.exec()\n"
        "subprocess.run(['ls'])\nfrom PySide6.QtNetwork import QLocalSocket"
    )
