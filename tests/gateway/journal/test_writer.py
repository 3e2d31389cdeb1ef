"""In which order the writer takes what waits for it, and when a disk is full for it."""

import math
from pathlib import Path
from typing import Any

from gateway.errors import JournalBlocked
from gateway.journal import commands
from gateway.journal.reserve import Reserve
from gateway.journal.settings import Limits
from gateway.journal.writer import Job, SpaceChanged, Writer


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


def test_a_move_of_a_sink_waits_for_few():
    """A group that moves a sink takes fewer events along, so that it is soon on disk."""
    writer = idle_writer(group_events=100, hurried_events=3)
    for _ in range(10):
        writer.put(job(1))
    writer.put(job(), ahead=True)

    assert len(writer._take(patient=False)) == 4
    assert len(writer._take(patient=False)) == 7


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


class CrampedStore:
    """A database that cannot grow while others have the disk."""

    def __init__(self) -> None:
        self.full = True

    def tidy(self) -> bool:
        """Fold the WAL in, or not."""
        if self.full:
            raise JournalBlocked("no space left")
        return False


def test_a_disk_too_full_for_the_database_is_full_once(tmp_path: Path):
    """That its last words would still fit does not make it free again, a moment later."""
    store: Any = CrampedStore()
    nothing: Any = None
    news: list[object] = []
    reserve = Reserve(tmp_path / "reserve", 4096)
    writer = Writer(store, reserve, nothing, Limits(), news.append)
    writer._retire_at = math.inf  # nothing to delete
    for _ in range(3):
        assert not writer._tidy()
    assert [SpaceChanged(full=True)] == news

    store.full = False
    writer._tidy()
    assert [SpaceChanged(full=True), SpaceChanged(full=False)] == news
    assert (tmp_path / "reserve").exists()
