"""In which order the writer takes what waits for it."""

from typing import Any

from gateway.journal import commands
from gateway.journal.settings import Limits
from gateway.journal.writer import Job, Writer


def idle_writer(**limits: int) -> Writer:
    """One whose thread was never started: it only collects."""
    nothing: Any = None
    return Writer(nothing, nothing, nothing, Limits(**limits), nothing)


def job(events: int = 0) -> Job:
    """A request of that weight."""
    return Job(commands.pass_by, events)


def test_a_move_of_a_sink_passes_events_that_wait():
    """What is put ahead stands in the next group, however many events wait."""
    writer = idle_writer(group_events=2)
    events = [job(1) for _ in range(5)]
    for each in events:
        writer.put(each)
    move = job()
    writer.put(move, ahead=True)

    assert [move, *events[:2]] == writer._take(patient=False)
    assert events[2:4] == writer._take(patient=False)
    assert events[4:] == writer._take(patient=False)


def test_a_group_takes_what_comes_ahead_meanwhile():
    """Put ahead behind what fits into one group, it still is in that group, once."""
    writer = idle_writer(group_events=10)
    first, move, last = job(1), job(), job(1)
    writer.put(first)
    writer.put(move, ahead=True)
    writer.put(last)

    taken = writer._take(patient=False)

    assert {first, move, last} == set(taken)
    assert len(taken) == 3
    assert writer._take(patient=False) == []
