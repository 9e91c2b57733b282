"""Tasks and their outcomes in this process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from carl_core.cluster.tasks import ATTEMPTS, Outcome, Task, embed_one, embed_with, tasks_for
from carl_core.embeddings.store import EmbeddingStore
from carl_core.errors import Cancelled
from carl_core.progress import Monitor, Progress
from tests.cluster.conftest import FRAMES

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path


def test_a_task_leaves_its_vectors_in_the_store(tasks: list[Task]) -> None:
    outcome = embed_one(tasks[0])
    assert not outcome.problem
    assert outcome.key is not None
    stored = EmbeddingStore().load(outcome.key)
    assert stored is not None
    assert stored.vectors.shape == (outcome.count, outcome.dim) == (FRAMES, 64)


def test_a_file_given_twice_is_one_task(files: list[Path], tmp_path: Path) -> None:
    twice = tasks_for([files[0], files[1], files[0]], None, "id", None, "cpu")
    assert [task.path for task in twice] == [str(files[0]), str(files[1])]


def test_a_missing_file_and_another_encoder_are_sentences(
    tasks: list[Task], tmp_path: Path
) -> None:
    missing = embed_one(replace(tasks[0], path=str(tmp_path / "none.mp4")))
    assert "none.mp4" in missing.problem
    other = embed_one(replace(tasks[0], model_id="f" * 16))
    assert "Put the same encoder file on all machines" in other.problem


class Elsewhere:
    """A pool whose tasks run at submit: the first attempts of a file fail as told."""

    at_once: int | None = 2

    def __init__(self, failures: dict[str, list[Exception | str]]) -> None:
        self.failures = failures
        self.attempts: list[str] = []

    def submit(self, task: Task) -> Future[Outcome]:
        from concurrent.futures import Future

        self.attempts.append(task.path)
        future: Future[Outcome] = Future()
        failure = self.failures[task.path].pop(0) if self.failures.get(task.path) else ""
        if isinstance(failure, Exception):
            future.set_exception(failure)
        else:
            future.set_result(Outcome(task, count=0 if failure else 5, problem=failure))
        return future

    def heard(self) -> list[tuple[str, float]]:
        return [("somebody else's", 0.5)]


def task(path: str) -> Task:
    return Task(path, None, "id", None, "cpu")


def test_what_fails_is_tried_again_and_then_reported() -> None:
    pool = Elsewhere({"shaky": ["busy"], "bad": ["cannot be read"] * ATTEMPTS})
    heard: list[Progress] = []
    monitor = Monitor(heard.append, interval_s=0)
    outcomes = list(embed_with(pool, [task("good"), task("shaky"), task("bad")], monitor))
    problems = {outcome.task.path: outcome.problem for outcome in outcomes}
    assert problems == {"good": "", "shaky": "", "bad": "cannot be read"}
    assert [pool.attempts.count(name) for name in ("good", "shaky", "bad")] == [1, 2, ATTEMPTS]
    assert heard[-1].done == pytest.approx(3)
    assert heard[-1].total == 3
    assert [value.done for value in heard] == sorted(value.done for value in heard)


def test_what_a_worker_raises_becomes_a_sentence() -> None:
    pool = Elsewhere({"odd": [ImportError("No module named 'carl_core'")] * ATTEMPTS})
    (outcome,) = embed_with(pool, [task("odd")], Monitor())
    assert "the same version of this program on all workers" in outcome.problem
    assert "No module named 'carl_core'" in outcome.problem


def test_cancelling_ends_it() -> None:
    monitor = Monitor()
    outcomes = embed_with(Elsewhere({}), [task(str(number)) for number in range(9)], monitor)
    next(outcomes)
    monitor.cancel()
    with pytest.raises(Cancelled):
        list(outcomes)
