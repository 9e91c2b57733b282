from __future__ import annotations

import pytest

from carl_core.errors import Cancelled
from carl_core.progress import Monitor, Progress


def test_rate_and_time_left_follow_the_clock() -> None:
    at = [0.0]
    seen: list[Progress] = []
    monitor = Monitor(seen.append, now=lambda: at[0])
    monitor.start("embedding", 100)
    for _ in range(10):
        at[0] += 0.5
        monitor.advance(5)
    assert seen[-1].rate == pytest.approx(10.0)
    assert seen[-1].remaining_s == pytest.approx(5.0)
    assert seen[0] == Progress("embedding", 0, 100, "frames", 0.0, None)


def test_reports_are_throttled_but_the_last_always_comes() -> None:
    at = [0.0]
    seen: list[Progress] = []
    monitor = Monitor(seen.append, interval_s=0.1, now=lambda: at[0])
    monitor.start("decoding", 1000)
    for _ in range(1000):
        at[0] += 0.001
        monitor.advance()
    assert len(seen) < 20
    assert seen[-1].done == 1000


def test_what_an_earlier_run_did_does_not_count_as_speed() -> None:
    at = [0.0]
    seen: list[Progress] = []
    monitor = Monitor(seen.append, now=lambda: at[0])
    monitor.start("embedding", 100, done=90)
    at[0] = 1.0
    monitor.advance(5)
    assert seen[-1].rate == pytest.approx(5.0)


def test_cancel_raises_at_the_next_step() -> None:
    monitor = Monitor()
    monitor.start("aligning", None)
    monitor.advance()
    monitor.cancel()
    with pytest.raises(Cancelled):
        monitor.advance()
    with pytest.raises(Cancelled):
        monitor.check()


def test_what_another_process_measured_is_passed_on_as_it_is() -> None:
    seen: list[Progress] = []
    monitor = Monitor(seen.append)
    monitor.cancel()  # whoever relays decides what that means
    told = Progress("sorting", 3.0, 10.0, "rows", 2.5, 2.8)
    monitor.relay(told)
    monitor.relay(told)
    assert seen == [told, told]
