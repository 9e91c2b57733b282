"""``carl models``, ``carl cache`` and ``carl doctor``."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from carl_core.cli.console import message, result
from carl_core.cli.models import (
    BUNDLED,
    CHECKPOINTS,
    import_model,
    make_of_checkpoint,
    make_of_network,
    make_variant_of,
    model_paths,
    models_folder,
    resolve_model,
)
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder.onnx import load_encoder
from carl_core.errors import CarlError
from carl_core.paths import is_there, settings_file, state_folder
from carl_core.pipeline import Engine
from carl_core.project.traces import fingerprint_named, forget
from carl_core.retrieval.libraries import clear_libraries
from carl_core.video.proxy import ProxyStore
from carl_core.video.writer import usable_codecs

if TYPE_CHECKING:
    import argparse

_PACKAGES = ("av", "numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "numba", "PySide6-Essentials")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the parser."""
    models = commands.add_parser("models", help="encoders at hand")
    actions = models.add_subparsers(metavar="ACTION", required=True)
    actions.add_parser("list", help="names and files").set_defaults(run=run_list)
    show = actions.add_parser("show", help="what an encoder file says of itself")
    show.add_argument("model", metavar="M")
    show.set_defaults(run=run_show)
    take = actions.add_parser(
        "import", help="take an encoder file, or a checkpoint of the official CARL code"
    )
    take.add_argument("file", metavar="FILE", help=f".onnx, or {', '.join(CHECKPOINTS)}")
    take.add_argument("--name", metavar="N", help="of the encoder made of a checkpoint")
    take.add_argument(
        "--frames", type=int, metavar="T", help="of the checkpoint's training, if it does not say"
    )
    take.set_defaults(run=run_import)
    fetch = actions.add_parser(
        "download", help="make an encoder of a network of torchvision, without training"
    )
    fetch.add_argument("network", metavar="torchvision:NAME", help="e.g. torchvision:resnet50")
    fetch.add_argument(
        "--weights", metavar="FILE", default="download", help="a file in place of the download"
    )
    fetch.set_defaults(run=run_download)

    smaller = actions.add_parser(
        "quantize", help="make a faster variant of an encoder, kept only if it sees the same"
    )
    smaller.add_argument(
        "files", nargs="+", metavar="FILE", help="recordings of the kind you embed"
    )
    smaller.add_argument("--model", metavar="M", help="encoder file or name; else the bundled one")
    smaller.add_argument(
        "--kind",
        choices=("int8", "float16"),
        default="int8",
        help="int8 for CPUs, float16 for GPUs",
    )
    smaller.add_argument("--name", metavar="N", help="of the variant")
    smaller.set_defaults(run=run_quantize)

    cache = commands.add_parser("cache", help="the embeddings that are kept")
    cache.add_argument(
        "action",
        choices=("size", "prune", "clear", "forget"),
        help="forget: remove every trace of the recordings named",
    )
    cache.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="recording, or its fingerprint (32 hex digits) if it is gone",
    )
    cache.set_defaults(run=run_cache)

    doctor = commands.add_parser("doctor", help="what works on this machine, and what does not")
    doctor.set_defaults(run=run_doctor)


def run_list(_: argparse.Namespace) -> int:
    """Print names and files of the encoders."""
    for name, path in model_paths().items():
        result(f"{name:20s} {path}")
    message(f"imported encoders live in {models_folder()}")
    return 0


def run_show(options: argparse.Namespace) -> int:
    """Print the metadata of an encoder."""
    encoder = load_encoder(resolve_model(options.model), device="cpu")
    result(f"file             {encoder.path}")
    result(f"model_id         {encoder.model_id}")
    for key, value in encoder.spec.to_metadata().items():
        result(f"{key:16s} {value}")
    return 0


def run_import(options: argparse.Namespace) -> int:
    """Check and copy an encoder file, or make one of a checkpoint."""
    path = Path(options.file)
    if path.suffix.lower() in CHECKPOINTS:
        result(f"{make_of_checkpoint(path, name=options.name, frames=options.frames)}")
        return 0
    if options.name is not None or options.frames is not None:
        raise CarlError(
            f"--name and --frames go with a checkpoint ({', '.join(CHECKPOINTS)}), and {path.name} "
            "is none."
        )
    result(f"{import_model(path)}")
    return 0


def run_download(options: argparse.Namespace) -> int:
    """Make an encoder of a network whose weights are downloaded, or lie in a file."""
    result(f"{make_of_network(options.network, options.weights)}")
    return 0


def run_quantize(options: argparse.Namespace) -> int:
    """Make a variant of an encoder that agrees with it."""
    model = resolve_model(options.model or BUNDLED)
    files = [Path(file) for file in options.files]
    result(f"{make_variant_of(model, options.kind, files, options.name)}")
    return 0


def run_cache(options: argparse.Namespace) -> int:
    """Show, prune or clear the cache, or forget single recordings."""
    if bool(options.files) != (options.action == "forget"):
        raise CarlError(
            "Name the recordings to forget: carl cache forget FILE…"
            if options.action == "forget"
            else f"carl cache {options.action} takes no files."
        )
    store = EmbeddingStore()
    for name in options.files:
        _forget(name, store)
    if options.action == "prune":
        store.prune()
    elif options.action == "clear":
        store.clear()
        clear_libraries(store)
        ProxyStore(store.root.parent / "proxies").clear()
    usage = store.usage()
    result(f"{usage.size_bytes / 1e6:.1f} MB of {usage.limit_bytes / 1e6:.0f} MB in {store.root}")
    return 0


def _forget(name: str, store: EmbeddingStore) -> None:
    path = Path(name) if is_there(name) else None
    found = forget(
        fingerprint_named(name), path, store=store, state=state_folder(), settings=settings_file()
    )
    result(
        f"{name}: forgot {found.entries} embeddings ({found.size_bytes / 1e6:.1f} MB), "
        f"{found.indices} indices, {found.recent} recent projects with their pictures, "
        f"{found.unsaved} files of unsaved work, {found.lines} lines of the log"
    )


def run_doctor(_: argparse.Namespace) -> int:
    """Check the parts one by one; 1 when one that is needed does not work."""
    faults = 0
    result(f"python           {platform.python_version()} on {platform.platform()}")
    for package in _PACKAGES:
        try:
            result(f"{package:16s} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            if not package.startswith("onnxruntime"):
                faults += 1
                result(f"{package:16s} MISSING: install the program again")
    try:
        engine = Engine()
        encoder = engine.encoder
        result(
            f"encoder          {encoder.spec.name} {encoder.model_id} runs on {encoder.provider}"
        )
        for note in engine.notes:
            result(f"note             {note}")
        if engine.store is not None:
            usage = engine.store.usage()
            result(f"cache            {engine.store.root}, {usage.size_bytes / 1e6:.1f} MB")
    except CarlError as error:
        faults += 1
        result(f"encoder          {error}")
    codecs = usable_codecs()
    result(f"video encoders   {', '.join(codecs) or 'NONE: videos cannot be exported'}")
    faults += not codecs
    # Qt lives in the window only; whether its system libraries are there, a child process tells.
    probe = "from PySide6 import QtGui, QtWidgets"
    window = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    if window.returncode == 0:
        result("window           Qt loads")
    else:
        reason = (window.stderr.strip().splitlines() or ["no reason given"])[-1]
        result(f"window           Qt does not load: {reason}")
        result("                 On Debian or Ubuntu: make system-libraries")
    return 1 if faults else 0
