from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from PySide6.QtCore import QObject, QTimer, Signal

from app.jobs import Job, JobRunner, JobState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

    from carl_core.progress import Progress


class Emitter(QObject):
    fired = Signal(bool)


@pytest.fixture
def runner() -> Iterator[JobRunner]:
    runner = JobRunner(workers=2)
    yield runner
    runner.close()


def test_one_signal_survives_5000_emits(qtbot: QtBot) -> None:
    """PySide6 6.12.0 on Python 3.11 aborts after some 550 of them."""
    emitter = Emitter()
    seen = [0]

    def on_fired(value: bool) -> None:
        seen[0] += value

    emitter.fired.connect(on_fired)
    for _ in range(5000):
        emitter.fired.emit(True)
    assert seen[0] == 5000


def test_done_runs_on_the_main_thread(qtbot: QtBot, runner: JobRunner) -> None:
    seen: list[tuple[int, threading.Thread]] = []
    runner.submit(
        lambda _job: 42, key="a", done=lambda r: seen.append((r, threading.current_thread()))
    )
    qtbot.waitUntil(lambda: bool(seen))
    assert seen == [(42, threading.main_thread())]
    assert not runner.active


def test_failure_reaches_failed_and_nothing_else(qtbot: QtBot, runner: JobRunner) -> None:
    errors: list[Exception] = []

    def work(_job: Job[int]) -> int:
        raise ValueError("no")

    runner.submit(work, key="a", done=lambda _r: pytest.fail("done"), failed=errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert str(errors[0]) == "no"


def test_failure_nobody_waits_for_is_announced(qtbot: QtBot, runner: JobRunner) -> None:
    def work(_job: Job[int]) -> int:
        raise ValueError("no")

    with qtbot.waitSignal(runner.faulted) as blocker:
        runner.submit(work, key="a")
    assert isinstance(blocker.args[0], ValueError)


def test_newest_of_a_key_wins(qtbot: QtBot, runner: JobRunner) -> None:
    release = threading.Event()
    seen: list[str] = []

    def slow(job: Job[str]) -> str:
        release.wait(10)
        job.monitor.check()
        return "old"

    older = runner.submit(slow, key="k", done=seen.append, cancelled=lambda: seen.append("gone"))
    runner.submit(lambda _job: "new", key="k", done=seen.append)
    qtbot.waitUntil(lambda: seen == ["new"])
    release.set()
    qtbot.waitUntil(lambda: older.state.is_over)
    assert seen == ["new"]


def test_result_after_cancel_is_dropped(qtbot: QtBot, runner: JobRunner) -> None:
    started, release = threading.Event(), threading.Event()
    seen: list[str] = []

    def deaf(_job: Job[str]) -> str:
        started.set()
        release.wait(10)
        return "late"

    job = runner.submit(deaf, key="k", done=seen.append, cancelled=lambda: seen.append("cancelled"))
    assert started.wait(10)
    runner.cancel("k")
    assert job.state is JobState.CANCELLING
    release.set()
    qtbot.waitUntil(lambda: bool(seen))
    assert seen == ["cancelled"]


def test_progress_and_partial_results_arrive_in_order(qtbot: QtBot, runner: JobRunner) -> None:
    seen: list[Any] = []
    shares: list[float] = []

    def work(job: Job[str]) -> str:
        job.monitor.start("counting", 5)
        for number in range(5):
            job.send(number)
            job.monitor.advance()
        return "end"

    def on_progress(progress: Progress) -> None:
        shares.append(progress.done)

    runner.submit(work, key="a", done=seen.append, received=seen.append, progress=on_progress)
    qtbot.waitUntil(lambda: "end" in seen)
    assert seen == [0, 1, 2, 3, 4, "end"]
    assert shares == sorted(shares)
    assert shares[-1] == 5


def test_many_jobs_all_arrive(qtbot: QtBot, runner: JobRunner) -> None:
    seen: list[int] = []
    for number in range(2000):
        runner.submit(lambda _job, n=number: n, key=f"k{number}", done=seen.append)  # type: ignore[misc]
    qtbot.waitUntil(lambda: len(seen) == 2000, timeout=60_000)
    assert sorted(seen) == list(range(2000))


def test_closing_while_busy_stops_everything(qtbot: QtBot) -> None:
    for _ in range(20):
        runner = JobRunner(workers=3)
        called: list[object] = []

        def endless(job: Job[None]) -> None:
            job.monitor.start("endless", None)
            while True:
                job.monitor.advance()
                time.sleep(0.0005)

        for number in range(6):
            runner.submit(endless, key=f"k{number}", done=called.append, failed=called.append)
        runner.close()
        assert not called
        assert not runner.active
        late = runner.submit(lambda _job: 1, key="late", done=called.append)
        assert late.state is JobState.CANCELLED
    qtbot.wait(20)
    assert not called


def test_an_error_in_a_callback_does_not_lose_the_others(qtbot: QtBot, runner: JobRunner) -> None:
    seen: list[int] = []

    def broken(_result: int) -> None:
        raise RuntimeError("in the callback")

    with qtbot.captureExceptions() as errors:
        runner.submit(lambda _job: 1, key="a", done=broken)
        runner.submit(lambda _job: 2, key="b", done=seen.append)
        qtbot.waitUntil(lambda: seen == [2])
    assert len(errors) == 1


def test_the_event_loop_turns_while_closing_waits_for_stubborn_work(qtbot: QtBot) -> None:
    """What cannot be interrupted, a batch of the encoder say, does not hold the window."""
    runner = JobRunner()
    release, called = threading.Event(), []

    def stubborn(_job: Job[None]) -> None:
        release.wait(10)

    runner.submit(stubborn, key="a", done=lambda _n: called.append("done"))
    qtbot.waitUntil(lambda: runner.active[0].state is JobState.RUNNING)
    beats = []
    timer = QTimer()
    timer.setInterval(10)
    timer.timeout.connect(lambda: beats.append(1))
    timer.timeout.connect(lambda: release.set() if len(beats) > 20 else None)
    timer.start()
    runner.close()
    timer.stop()
    assert len(beats) > 20
    assert not called


def test_a_worker_that_waits_for_a_dead_drive_is_left_behind(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.GIVE_UP_S", 0.2)
    answers, waits = threading.Event(), threading.Event()

    def work(job: Job[None]) -> None:
        waits.set()
        answers.wait()

    runner = JobRunner(workers=1)
    runner.submit(work, key="stuck")
    waits.wait(5)
    runner.close()
    assert runner.is_stuck
    answers.set()  # the thread ends with the test
