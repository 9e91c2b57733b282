"""Kill work at random moments, and look at what it left.

    python -m tests.helpers.kills FOLDER --times 20 [--works save autosave] [--seed 1] [--json F]

All is imported once; every round forks a child that does one kind of work over and over, tells
through a pipe what it has finished, and is killed (SIGKILL) at a random moment. What it left is
looked at by a second child. A round is well when

- what is there is whole: the last that was told to be finished, or the one after it;
- nothing finished was lost, so that at most the piece under way is done again;
- the work can go on from there.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import select
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from carl_core.alignment.files import read_alignment, write_alignment
from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder import embed as embedding
from carl_core.encoder.embed import embed_recording
from carl_core.encoder.onnx import load_encoder
from carl_core.export.labels import Label, read_labels, write_labels
from carl_core.pipeline import Engine, alignment_file
from carl_core.progress import Monitor
from carl_core.project import files
from carl_core.project.project import Marker, Media, Moment, Project
from carl_core.video.recording import open_recording
from carl_core.video.writer import VideoWriter
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.scenes import make_scene

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_S = 0.5
"""A child is killed within this time after it began, or finished its first piece of work."""

READY_S = 120.0
LATE = 0.8
"""Share of the rounds in which something is finished before the kill."""
BATCH = 8


class Work(Protocol):
    """One kind of work: what is needed, what is done over and over, what must be there after."""

    def prepare(self, folder: Path) -> None:
        """Make what every round needs; in a child of its own."""
        ...

    def forget(self, folder: Path) -> None:
        """Let a round begin with nothing done."""
        ...

    def go(self, folder: Path, told: Callable[[int], None]) -> None:
        """Work for ever; tell the number of every piece that is finished, from 0."""
        ...

    def check(self, folder: Path, told: int) -> str:
        """Look at what is there, ``told`` the last number heard, -1 = none; what was found."""
        ...


def _expect(found: int, told: int) -> str:
    assert found in (told, told + 1), f"{found} is there, {told} was finished"
    return "the last one finished" if found == told else "the one that was being finished"


# Projects --------------------------------------------------------------------------------------


def _project(number: int) -> Project:
    markers = tuple(_marker(k) for k in range(number % 50))
    media = Media(id="a", path="/somewhere/a.mp4", name=str(number))
    return Project(recordings=(media,), reference="a", markers=markers)


def _marker(number: int) -> Marker:
    at = Moment(recording="a", pts=number, time_s=number / 10)
    return Marker(id=f"m{number}", name=f"moment {number}", start=at)


class Save:
    """Saving a project, with its backups."""

    def prepare(self, folder: Path) -> None: ...

    def forget(self, folder: Path) -> None:
        shutil.rmtree(folder / "project", ignore_errors=True)
        (folder / "project").mkdir()

    def go(self, folder: Path, told: Callable[[int], None]) -> None:
        number = 0
        while True:
            files.write_project(folder / "project" / "p.carl", _project(number))
            told(number)
            number += 1

    def check(self, folder: Path, told: int) -> str:
        path = folder / "project" / "p.carl"
        if not path.exists():
            assert told == -1, "the project has gone"
            return "nothing yet"
        found = files.read_project(path)
        number = int(found.recordings[0].name)
        assert found == _project(number)
        for backup in path.parent.glob("p.carl.[0-9]"):
            older = files.read_project(backup)
            assert int(older.recordings[0].name) <= number
        outcome = _expect(number, told)
        files.write_project(path, _project(number + 1))
        return outcome


class Autosave:
    """Keeping unsaved work."""

    def prepare(self, folder: Path) -> None: ...

    def forget(self, folder: Path) -> None:
        shutil.rmtree(folder / "unsaved", ignore_errors=True)
        (folder / "unsaved").mkdir()

    def go(self, folder: Path, told: Callable[[int], None]) -> None:
        claim = files.claim_unsaved(folder / "unsaved")
        assert claim is not None
        path = files.autosave_path(None, folder / "unsaved")
        number = 0
        while True:
            files.write_autosave(path, _project(number), None)
            told(number)
            number += 1

    def check(self, folder: Path, told: int) -> str:
        found = files.find_unsaved(folder / "unsaved")
        if not found:
            assert told == -1, "unsaved work has gone"
            return "nothing yet"
        (unsaved,) = found
        number = int(unsaved.project.recordings[0].name)
        assert unsaved.project == _project(number)
        return _expect(number, told)


# Results ---------------------------------------------------------------------------------------


class Align:
    """Aligning from the cache and writing alignment.json."""

    def prepare(self, folder: Path) -> None:
        make_scene(folder / "one.mp4", end_s=2.0)
        make_scene(folder / "two.mp4", start_s=0.3, end_s=2.0, speed=0.8)
        make_tiny_encoder(folder / "tiny.onnx")

    def forget(self, folder: Path) -> None:
        shutil.rmtree(folder / "aligned", ignore_errors=True)
        (folder / "aligned").mkdir()

    def go(self, folder: Path, told: Callable[[int], None]) -> None:
        store = EmbeddingStore(folder / "aligned" / "cache")
        engine = Engine(folder / "tiny.onnx", device="cpu", store=store)
        one, two = (open_recording(folder / f"{name}.mp4") for name in ("one", "two"))
        number = 0
        while True:
            made = dataclasses.replace(engine.align(one, two), reason=f"{number}.")
            document = alignment_file(engine, one, [two], {two.id: made})
            write_alignment(folder / "aligned" / "alignment.json", document)
            told(number)
            number += 1

    def check(self, folder: Path, told: int) -> str:
        path = folder / "aligned" / "alignment.json"
        if not path.exists():
            assert told == -1, "the alignment has gone"
            return "nothing yet"
        found = read_alignment(path).maps[0].alignment
        return _expect(int(found.reason.rstrip(".")), told)


class Export:
    """Writing a video and labels over the ones before."""

    def prepare(self, folder: Path) -> None: ...

    def forget(self, folder: Path) -> None:
        shutil.rmtree(folder / "exported", ignore_errors=True)
        (folder / "exported").mkdir()

    def go(self, folder: Path, told: Callable[[int], None]) -> None:
        pictures = np.random.default_rng(0).integers(0, 256, (16, 48, 64, 3), dtype=np.uint8)
        number = 0
        while True:
            path = folder / "exported" / "out.mp4"
            with VideoWriter(path, size=(64, 48), rate=25) as writer:
                for k in range(5 + number % 7):
                    writer.write(pictures[k])
            labels = [Label("a", f"label {k}", k, k + 1) for k in range(1 + number)]
            write_labels(folder / "exported" / "out.csv", labels)
            told(number)
            number += 1

    def check(self, folder: Path, told: int) -> str:
        path = folder / "exported" / "out.mp4"
        if not path.exists():
            assert told == -1, "the video has gone"
            return "nothing yet"
        frames = len(open_recording(path).index)
        assert frames in {5 + n % 7 for n in (told, told + 1)}, f"{frames} frames after {told}"
        table = path.with_name("out.csv")
        if not table.exists():
            assert told == -1
            return "the one that was being finished"
        return _expect(len(read_labels(table)) - 1, told)


# Long work -------------------------------------------------------------------------------------


class _Telling(Monitor):
    def __init__(self, told: Callable[[int], None], before: int) -> None:
        super().__init__()
        self._told, self._at = told, before

    def start(self, stage: str, total: float | None, unit: str = "", done: float = 0) -> None:
        self._at = int(done)
        super().start(stage, total, unit, done)

    def advance(self, amount: float = 1) -> None:
        super().advance(amount)
        self._at += int(amount)
        self._told(self._at)


class Embed:
    """Embedding into the cache; here the numbers are frames."""

    def prepare(self, folder: Path) -> None:
        make_scene(folder / "long.mp4", end_s=16.0)
        make_tiny_encoder(folder / "tiny.onnx")
        recording = open_recording(folder / "long.mp4")
        whole = embed_recording(recording, load_encoder(folder / "tiny.onnx"), sampling="native")
        np.save(folder / "whole.npy", whole.vectors)

    def forget(self, folder: Path) -> None:
        shutil.rmtree(folder / "store", ignore_errors=True)

    def go(self, folder: Path, told: Callable[[int], None]) -> None:
        embedding._CHUNK_S = 0.0  # every batch is stored
        encoder = load_encoder(folder / "tiny.onnx")
        recording = open_recording(folder / "long.mp4")
        store = EmbeddingStore(folder / "store")
        while True:
            found = embed_recording(
                recording,
                encoder,
                sampling="native",
                store=store,
                monitor=_Telling(told, 0),
                batch=BATCH,
            )
            told(len(found.frames))
            time.sleep(60)

    def check(self, folder: Path, told: int) -> str:
        encoder = load_encoder(folder / "tiny.onnx")
        recording = open_recording(folder / "long.mp4")
        store = EmbeddingStore(folder / "store")
        resumed: list[int] = []
        found = embed_recording(
            recording,
            encoder,
            sampling="native",
            store=store,
            monitor=_Telling(resumed.append, 0),
        )
        np.testing.assert_allclose(found.vectors, np.load(folder / "whole.npy"), atol=1e-4)
        computed = resumed[-1] - resumed[0] + 32 if resumed else 0
        again = computed - (len(found.frames) - max(told, 0))
        assert again <= 32 + BATCH, f"{again} frames were computed again"
        return "resumed" if told > 0 else "begun anew"


class Train:
    """Training; the numbers are steps, and every step is kept."""

    def prepare(self, folder: Path) -> None: ...

    def forget(self, folder: Path) -> None:
        shutil.rmtree(folder / "run", ignore_errors=True)

    def go(self, folder: Path, told: Callable[[int], None]) -> None:
        from training import train

        real = train.save_checkpoint

        def telling(*arguments: object, step: int, **options: object) -> Path:
            path = real(*arguments, step=step, **options)  # type: ignore[arg-type]
            told(step)
            return path

        train.save_checkpoint = telling  # type: ignore[assignment]
        _trained(folder, steps=1_000_000)

    def check(self, folder: Path, told: int) -> str:
        import torch

        from carl_core.runs import read_events
        from training.checkpoint import latest_checkpoint

        list(read_events(folder / "run"))
        latest = latest_checkpoint(folder / "run")
        if latest is None:
            assert told <= 0, "the checkpoint has gone"
            return "nothing yet"
        step = int(torch.load(latest, weights_only=True)["step"])
        outcome = _expect(step, max(told, 0))
        _trained(folder, steps=step + 1)
        after = latest_checkpoint(folder / "run")
        assert after is not None
        assert int(torch.load(after, weights_only=True)["step"]) == step + 1
        return outcome


def _trained(folder: Path, steps: int) -> None:
    import pytest
    import torch
    from rich.console import Console

    from tests.helpers.processes import config_of, sources_of_noise
    from training import train

    torch.set_num_threads(1)
    config = config_of(
        f"run.dir={folder / 'run'}", f"run.steps={steps}", "run.tensorboard=false",
        "run.device=cpu", "run.checkpoint_every=1", "data.workers=0", "optimizer.warmup_steps=0",
        "optimizer.rate=1e-3", "loss.negatives=batch", "model.freeze_norm=true",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "load_sources", sources_of_noise)
        patch.setattr(train, "export_encoder", lambda model, spec, path: path)
        train.main(config, console=Console(quiet=True))


WORKS: dict[str, Work] = {
    "save": Save(),
    "autosave": Autosave(),
    "align": Align(),
    "export": Export(),
    "embed": Embed(),
    "train": Train(),
}


# Rounds ----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Round:
    """How one kill went.

    Attributes
    ----------
    after_s : seconds to the kill, see ``kill_once``
    told : number of the last piece that was finished
    found : what was there, or what was wrong
    is_well : whether it is as it should be
    """

    work: str
    after_s: float
    told: int
    found: str
    is_well: bool


def kill_once(name: str, folder: Path, after_s: float, *, is_late: bool) -> Round:
    """Fork a child that works, kill it, look at what it left.

    Parameters
    ----------
    after_s : from the fork to the kill; with ``is_late`` from the first piece that was finished
    """
    work = WORKS[name]
    work.forget(folder)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _as_child(lambda: work.go(folder, lambda number: _tell(writing, number)))
    os.close(writing)
    heard = b""
    if is_late:
        select.select([reading], [], [], READY_S)
    until = time.monotonic() + after_s
    while (left := until - time.monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            part = os.read(reading, 65536)
            if not part:
                break  # it ended by itself: a fault of its own
            heard += part
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    while part := os.read(reading, 65536):
        heard += part
    os.close(reading)
    lines = heard.decode().split()
    told = int(lines[-1]) if lines else -1
    if not os.WIFSIGNALED(status):
        return Round(name, after_s, told, "the work failed by itself", False)
    found, is_well = _in_child(lambda: work.check(folder, told))
    return Round(name, round(after_s, 3), told, found, is_well)


def run(
    folder: Path, times: int, works: list[str], seed: int, longest_s: float = LONGEST_S
) -> list[Round]:
    """Kill every kind of work so many times."""
    chance = random.Random(seed)
    rounds = []
    for name in works:
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        if name == "train":
            # Once, not in every child; an optimizer imports the compiler when it is made.
            import torch._dynamo  # noqa: F401

            import tests.helpers.processes  # noqa: F401
        said, is_well = _in_child(lambda: WORKS[name].prepare(place) or "ready")  # noqa: B023
        if not is_well:
            rounds.append(Round(name, 0.0, -1, said, False))
            continue
        for _ in range(times):
            after_s, is_late = chance.uniform(0.002, longest_s), chance.random() < LATE
            rounds.append(kill_once(name, place, after_s, is_late=is_late))
    return rounds


def _tell(pipe: int, number: int) -> None:
    os.write(pipe, f"{number}\n".encode())


def _as_child(work: Callable[[], object]) -> None:
    """Do the work of a forked child; never returns."""
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _in_child(work: Callable[[], object]) -> tuple[str, bool]:
    """Run in a forked child: libraries that keep threads must not run before a fork."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            text, code = str(work()), 0
        except BaseException:
            text, code = traceback.format_exc()[-1500:], 1
        os.write(writing, text.encode()[:60000])
        os._exit(code)
    os.close(writing)
    said = b""
    while part := os.read(reading, 65536):
        said += part
    os.close(reading)
    _, status = os.waitpid(child, 0)
    return said.decode(errors="replace"), os.waitstatus_to_exitcode(status) == 0


def main() -> int:
    """Return the number of rounds that went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--works", nargs="+", choices=list(WORKS), default=list(WORKS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=LONGEST_S, help="seconds")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rounds = run(options.folder, options.times, options.works, options.seed, options.longest)
    document = [dataclasses.asdict(one) for one in rounds]
    text = json.dumps(document, indent=1)
    if options.json is not None:
        options.json.write_text(text + "\n", encoding="utf-8")
    else:
        sys.stdout.write(text + "\n")
    return sum(not one.is_well for one in rounds)


if __name__ == "__main__":
    sys.exit(main())
