"""Events of a training run: round trip, half-written lines, wrong lines."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

import pytest

from carl_core.errors import StoreError
from carl_core.runs import (
    EVENTS_NAME,
    Checkpoint,
    Evaluated,
    Event,
    EventTail,
    EventWriter,
    Exported,
    Failed,
    Finished,
    Judged,
    Progressed,
    Started,
    Step,
    event_from_json,
    event_to_json,
    read_events,
)

if TYPE_CHECKING:
    from pathlib import Path

EVENTS: list[Event] = [
    Started(1.5, 0, 20, {"run": {"dir": "außen", "steps": 20}}, "cpu"),
    Step(2.0, 5, {"total": 0.5, "scl": 0.25}, 1e-3, 2.5, 400.0, 0.1, 12.5),
    Evaluated(2.5, 5, {"encoder_mean_s": 0.3}),
    Progressed(2.6, "reading", 5.0, 20.0, "pictures", 2.5, 6.0),
    Judged(2.7, 4.5, 3.0, 0.25, True, "Better by more than chance."),
    Checkpoint(3.0, 5, "step-00000005.pt"),
    Exported(4.0, 20, "encoder.onnx"),
    Finished(4.5, 20, True),
    Failed(5.0, 3, "a message\nwith two lines"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_an_event_survives_the_round_trip(event: Event) -> None:
    line = event_to_json(event)
    assert "\n" not in line
    assert event_from_json(line) == event


def test_written_events_are_read_in_order(tmp_path: Path) -> None:
    with EventWriter(tmp_path / "run") as writer:
        for event in EVENTS:
            writer.write(event)
    assert list(read_events(tmp_path / "run")) == EVENTS


def test_a_non_finite_number_is_valid_json_and_comes_back_as_nan() -> None:
    line = event_to_json(Evaluated(1.0, 2, {"score": math.inf}))
    assert "null" in line
    event = event_from_json(line)
    assert isinstance(event, Evaluated)
    assert math.isnan(event.scores["score"])


def test_no_run_means_no_events(tmp_path: Path) -> None:
    assert list(read_events(tmp_path / "none")) == []
    assert EventTail(tmp_path / "none").new_events() == []


def test_an_unfinished_line_is_left_until_it_is_whole(tmp_path: Path) -> None:
    tail = EventTail(tmp_path)
    first, second = event_to_json(EVENTS[3]), event_to_json(EVENTS[5])
    path = tmp_path / EVENTS_NAME
    path.write_text(first + "\n" + second[:10])
    assert tail.new_events() == [EVENTS[3]]
    assert list(read_events(tmp_path)) == [EVENTS[3]]
    path.write_text(first + "\n" + second + "\n")
    assert tail.new_events() == [EVENTS[5]]
    assert tail.new_events() == []


def test_a_killed_run_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / EVENTS_NAME
    path.write_text(event_to_json(EVENTS[3]) + "\n" + '{"event": "st')
    with EventWriter(tmp_path) as writer:
        writer.write(EVENTS[5])
    assert list(read_events(tmp_path)) == [EVENTS[3], EVENTS[5]]


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[1, 2]",
        '{"event": "unknown", "time_s": 1}',
        '{"event": "finished", "time_s": 1, "step": 2}',
        '{"event": "finished", "time_s": 1, "step": 2, "complete": true, "more": 1}',
        '{"event": "finished", "time_s": 1, "step": "two", "complete": true}',
        '{"event": "finished", "time_s": 1, "step": 2, "complete": 1}',
        '{"event": "evaluated", "time_s": 1, "step": 2, "scores": 3}',
    ],
)
def test_a_line_that_is_not_ours_is_refused(line: str) -> None:
    with pytest.raises(StoreError):
        event_from_json(line)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        EventWriter(tmp_path / "file")


def test_reader_and_writer_run_side_by_side(tmp_path: Path) -> None:
    tail = EventTail(tmp_path)
    count = 200

    def write() -> None:
        with EventWriter(tmp_path) as writer:
            for number in range(count):
                writer.write(Checkpoint(float(number), number, "x"))

    thread = threading.Thread(target=write)
    thread.start()
    seen: list[Event] = []
    while thread.is_alive():
        seen += tail.new_events()
    thread.join()
    seen += tail.new_events()
    assert [event.step for event in seen] == list(range(count))
