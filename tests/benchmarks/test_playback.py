"""What counts as late when playing: by hand."""

from __future__ import annotations

import pytest

from benchmarks.playback import judge
from carl_core.playback.schedule import Schedule
from tests.helpers.recordings import fake_recording


def test_a_frame_is_late_when_its_time_is_over_or_when_it_never_comes() -> None:
    schedule = Schedule(fake_recording("a", 100), [fake_recording("b", 100)], {})  # 25 a second
    shown = [("a", k, k * 0.04 + 0.002) for k in range(12)]
    shown += [("b", k, k * 0.04 + 0.03) for k in range(12) if k not in (4, 7)]
    shown.append(("b", 7, 7 * 0.04 + 0.05))  # while the next one is due
    due, late, delays = judge(schedule, shown, (0.0, 0.42))
    assert (due, late) == (20, 2)
    assert len(delays) == 19
    assert max(delays) == pytest.approx(0.05, abs=0.002)
    assert min(delays) == pytest.approx(0.002, abs=0.002)


def test_nothing_is_late_when_all_comes_in_time() -> None:
    schedule = Schedule(fake_recording("a", 100), [], {})
    shown = [("a", k, k * 0.04) for k in range(100)]
    # The 25th is cut short by the end of playing, and does not count.
    assert judge(schedule, shown, (1.0, 2.0))[:2] == (24, 0)
