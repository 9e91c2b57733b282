from __future__ import annotations

import numpy as np
import pytest

from carl_core.alignment.timemap import TimeMap
from carl_core.playback.schedule import Schedule, TimeBase
from tests.helpers.recordings import fake_recording


def half_speed_from_2s() -> TimeMap:
    """2..8 s of the reference are 0..3 s of the other."""
    knots = np.arange(0, 10.0, 0.1)
    other = (knots - 2) * 0.5
    return TimeMap(knots, np.where((knots < 1.999) | (knots > 8.001), np.nan, other))


def make(base: TimeBase = TimeBase.REFERENCE) -> Schedule:
    reference = fake_recording("reference", 250)
    other = fake_recording("other", 100)
    return Schedule(reference, [other], {"other": half_speed_from_2s()}, base=base)


def test_the_other_shows_the_frame_of_the_mapped_time() -> None:
    schedule = make()
    assert schedule.frames_at(4.0) == {"reference": 100, "other": 25}
    assert schedule.duration_s == pytest.approx(10.0)


def test_no_counterpart_is_none_not_a_frozen_frame() -> None:
    schedule = make()
    assert schedule.frames_at(1.0) == {"reference": 25, "other": None}
    assert schedule.times_at(9.0)["other"] is None
    assert schedule.rate_of("other", 1.0) is None


def test_momentary_rate_is_the_slope() -> None:
    schedule = make()
    assert schedule.rate_of("other", 5.0) == pytest.approx(0.5)
    assert schedule.rate_of("reference", 5.0) == pytest.approx(1.0)


def test_mean_time_base_runs_both_at_rates_that_average_to_one() -> None:
    schedule = make(TimeBase.MEAN)
    at = schedule.master_time_of("reference", 5.0)
    assert at is not None
    rates = [schedule.rate_of(k, at) for k in ("reference", "other")]
    assert rates[0] == pytest.approx(4 / 3, rel=0.02)
    assert rates[1] == pytest.approx(2 / 3, rel=0.02)
    # Ends without a counterpart run naturally: 2 s and 2 s, the middle takes 6 * 0.75 s.
    assert schedule.duration_s == pytest.approx(8.5, abs=0.1)
    assert schedule.frames_at(at)["reference"] in (124, 125)


def test_native_time_base_starts_together_and_warps_nobody() -> None:
    schedule = make(TimeBase.NATIVE)
    assert schedule.times_at(2.0) == {"reference": pytest.approx(2.0), "other": pytest.approx(0.0)}
    assert schedule.rate_of("other", 4.0) == pytest.approx(1.0)
    assert schedule.times_at(1.0)["other"] is None
    assert schedule.times_at(6.5)["other"] is None  # it lasts 4 s


def test_an_unaligned_recording_runs_from_its_start() -> None:
    schedule = Schedule(fake_recording("a", 250), [fake_recording("b", 50)], {})
    assert schedule.frames_at(1.0) == {"a": 25, "b": 25}
    assert schedule.frames_at(3.0) == {"a": 75, "b": None}


def test_clicking_in_a_lane_finds_the_master_time() -> None:
    for base in TimeBase:
        schedule = make(base)
        master = schedule.master_time_of("other", 1.5)
        assert master is not None
        assert schedule.times_at(master)["other"] == pytest.approx(1.5, abs=1e-3)
    assert make().master_time_of("other", 3.9) is None


def test_the_map_runs_on_to_the_last_frame_of_the_reference() -> None:
    reference, other = fake_recording("r", 250), fake_recording("o", 250)
    knots = np.arange(0, 9.95, 0.1)  # samples end a tenth before the recording does
    schedule = Schedule(reference, [other], {"o": TimeMap(knots, knots)})
    shown = schedule.frames_along(reference.index.times_s)["o"]
    assert shown.tolist() == list(range(250))


def test_vector_and_single_queries_agree() -> None:
    schedule = make(TimeBase.MEAN)
    times = np.linspace(0, schedule.duration_s, 37)
    along = schedule.frames_along(times)
    for k, at in enumerate(times):
        for name, frame in schedule.frames_at(float(at)).items():
            assert along[name][k] == (-1 if frame is None else frame)
        for name, own_s in schedule.times_at(float(at)).items():
            assert schedule.own_time_at(name, float(at)) == own_s


def test_two_recordings_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="different ids"):
        Schedule(fake_recording("a", 5), [fake_recording("a", 5)], {})
