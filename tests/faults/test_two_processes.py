"""Two programs on one cache: nothing is embedded twice, nothing waits for who is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from carl_core.embeddings.store import EmbeddingStore
from carl_core.encoder.embed import embed_recording
from carl_core.encoder.onnx import load_encoder
from carl_core.pipeline import Engine
from carl_core.retrieval.libraries import root_beside
from carl_core.retrieval.library import Library
from carl_core.video.recording import open_recording
from tests.app.conftest import wait_settled
from tests.helpers.encoders import make_tiny_encoder
from tests.helpers.scenes import make_scene
from tests.helpers.slow_embedding import ACCOUNT, BATCH_FRAMES, CHUNK_FRAMES, embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from app.bootstrap.program import Program
    from tests.faults.conftest import Recorded

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 200
WAIT_S = 120.0

# ``carl`` that keeps account, says on stderr what its progress shows, and after two chunks goes on
# only when it may.
SLOW_CARL = """
import os, sys, time
from tests.helpers import slow_embedding
slow_embedding.slow_down()
from carl_core.encoder.onnx import Encoder
features, seen = Encoder.features, [0]
def held(self, frames):
    seen[0] += len(frames)
    while seen[0] > 2 * slow_embedding.CHUNK_FRAMES and not os.path.exists(os.environ["GATE"]):
        time.sleep(0.02)
    return features(self, frames)
Encoder.features = held
from carl_core.cli.main import main
from carl_core.progress import Monitor
start = Monitor.start
def told(self, stage, *rest, **more):
    print(stage, file=sys.stderr, flush=True)
    start(self, stage, *rest, **more)
Monitor.start = told
sys.exit(main(sys.argv[1:]))
"""

if TYPE_CHECKING:
    Begin = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_scene(tmp_path / "long.mp4")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_tiny_encoder(tmp_path / "tiny.onnx")


@pytest.fixture
def begin(tmp_path: Path, clip: Path, model: Path, private_cache: Path) -> Iterator[Begin]:
    """Begin ``carl embed`` of the clip in a process; all have one cache."""
    begun: list[subprocess.Popen[str]] = []
    own = {ACCOUNT: str(tmp_path / "account"), "GATE": str(tmp_path / "gate")}
    own |= {"CARL_CACHE": str(private_cache), "CARL_STATE": str(tmp_path / "state")}
    options = ["embed", str(clip), "--model", str(model), "--rate", "native", "--device", "cpu"]

    def start() -> subprocess.Popen[str]:
        begun.append(
            subprocess.Popen(
                [sys.executable, "-c", SLOW_CARL, *options],
                cwd=ROOT,
                env=os.environ | own,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def second_that_waits(
    begin: Begin, account: Path
) -> tuple[subprocess.Popen[str], subprocess.Popen[str], str]:
    """Begin one, and when it is at work another; return both, and what the other says."""
    first = begin()
    wait_for(lambda: embedded(account).total() >= 2 * CHUNK_FRAMES)
    second = begin()
    assert second.stderr is not None
    stage = next(line for line in second.stderr if "waiting" in line)
    assert first.poll() is None
    return first, second, stage.strip()


def check_kept(clip: Path, model: Path) -> None:
    """What is in the cache is what embedding alone gives, and the library knows it once."""
    recording, encoder = open_recording(clip), load_encoder(model, device="cpu")
    alone = embed_recording(recording, encoder, sampling="native")
    store = EmbeddingStore()
    kept = store.load(alone.key)
    assert kept is not None
    np.testing.assert_allclose(kept.vectors, alone.vectors, atol=1e-4)
    assert store.usage().entries == 1
    assert len(Library(root_beside(store), encoder.model_id).catalogue.all()) == 1


def test_the_second_of_two_waits_and_nothing_is_embedded_twice(
    begin: Begin,
    clip: Path,
    model: Path,
    tmp_path: Path,
    recorded: Recorded,
) -> None:
    account = tmp_path / "account"
    first, second, stage = second_that_waits(begin, account)
    (tmp_path / "gate").touch()
    said = [process.communicate(timeout=WAIT_S) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    assert said[0][0] == said[1][0]
    assert "200 vectors" in said[0][0]
    assert embedded(account) == {first.pid: FRAMES}
    check_kept(clip, model)
    recorded(
        "two programs embed the same recording at once",
        sees=f"In the second’s progress: {stage}.",
        then="The second takes what the first leaves in the cache; nothing is embedded twice.",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_the_second_takes_up_what_the_first_left_when_it_was_killed(
    begin: Begin,
    clip: Path,
    model: Path,
    tmp_path: Path,
    recorded: Recorded,
) -> None:
    account = tmp_path / "account"
    first, second, stage = second_that_waits(begin, account)
    first.kill()
    first.communicate()
    (tmp_path / "gate").touch()
    out, err = second.communicate(timeout=WAIT_S)
    assert second.returncode == 0, err
    assert "200 vectors" in out
    done = embedded(account)
    assert done[second.pid] <= FRAMES - CHUNK_FRAMES
    assert FRAMES <= done.total() <= FRAMES + CHUNK_FRAMES + BATCH_FRAMES
    check_kept(clip, model)
    recorded(
        "of two programs that embed the same recording, the one that holds the lock is killed",
        sees=f"In the other’s progress: {stage}.",
        then="The other goes on where the cache ends.",
    )


def test_two_windows_on_one_cache_show_the_same_and_leave_it_whole(
    make_program: Callable[..., Program],
    videos: list[Path],
    qtbot: QtBot,
    model: Path,
    tmp_path: Path,
    recorded: Recorded,
) -> None:
    stores = [EmbeddingStore(tmp_path / "store") for _ in range(2)]
    programs = [make_program(Engine(model, device="cpu", store=store)) for store in stores]
    for program in programs:
        program.opening.add_paths(videos[:2])
    for program in programs:
        wait_settled(qtbot, program, 2)
        assert program.session.others[0].alignment is not None
        assert not [m for m in program.window.banner.messages if "cache" in m.text]
    for one, other in zip(*(program.session.entries for program in programs), strict=True):
        assert one.embeddings is not None
        assert other.embeddings is not None
        np.testing.assert_allclose(one.embeddings.vectors, other.embeddings.vectors, atol=1e-4)
        kept = stores[0].load(one.embeddings.key)
        assert kept is not None
        np.testing.assert_allclose(one.embeddings.vectors, kept.vectors, atol=1e-4)
    assert stores[0].usage().entries == 2
    recorded(
        "two windows embed the same recordings into one cache",
        sees="nothing",
        then="One keeps what it computes; the other, which must not wait for a paused one, "
        "computes the same in memory.",
    )
