"""The bounded queue, group commits, the memory window and the numbers."""

import trio
import trio.testing

from gateway.journal.recent import RecentRecords
from gateway.journal.records import prepare, to_record
from gateway.journal.room import Room
from gateway.telemetry.metrics import Metrics
from tests.doubles.events import fill_event
from tests.gateway.journal.conftest import OpenAt
from tests.gateway.journal.crash import fill_one_by_one


async def test_room_is_given_in_the_order_of_asking():
    """Whoever waited first is let in first, one request past the bound at most."""
    room = Room(max_events=10, max_bytes=1_000)
    room.add(10, 0)
    order: list[int] = []

    async def ask(number: int) -> None:
        await room.wait()
        room.add(10, 0)
        order.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(ask, number)
            await trio.testing.wait_all_tasks_blocked()
        assert not room.free
        for expected in range(5):
            room.remove(10, 0)
            await trio.testing.wait_all_tasks_blocked()
            assert order == list(range(expected + 1))
            assert room.events == 10


async def test_bytes_bound_the_room_too():
    """Few but large events fill the queue as many small ones do."""
    room = Room(max_events=10, max_bytes=1_000)
    room.add(1, 1_000)

    assert not room.free


async def test_a_cancelled_wait_takes_no_turn():
    """Somebody who gives up waiting does not hold up those behind."""
    room = Room(max_events=1, max_bytes=1_000)
    room.add(1, 0)
    with trio.move_on_after(0):
        await room.wait()
    room.remove(1, 0)

    assert room.free


async def test_append_waits_while_the_queue_is_full(open_at: OpenAt):
    """A small queue slows the source down, and loses and reorders nothing."""
    async with open_at(queue_events=10) as journal:
        tickets = [await journal.append([fill_event(n)]) for n in range(1, 501)]
        assert [(n,) for n in range(1, 501)] == [(await ticket.wait()).seqs for ticket in tickets]


async def test_waiting_requests_share_a_commit(open_at: OpenAt, metrics: Metrics):
    """Under load a commit takes as many as wait; alone an event is committed at once."""
    commits = metrics.histogram("gateway_journal_commit_duration_seconds")
    async with open_at() as journal:
        await fill_one_by_one(journal, 1, 10)
        assert sum(commits.counts) == 10
        tickets = [journal.append_nowait([fill_event(n)]) for n in range(11, 1_011)]
        await tickets[-1].wait()
    assert sum(commits.counts) < 10 + 500


async def test_events_are_counted(open_at: OpenAt, metrics: Metrics):
    """Recorded, duplicate and lag are counted per account, and the gauges follow."""
    async with open_at() as journal:
        await (await journal.append([fill_event(1), fill_event(1), fill_event(2)])).wait()
        list(metrics.collect())
        assert metrics.cell("gateway_journal_last_seq").value == 2
        assert metrics.cell("gateway_journal_bytes").value > 0
    assert metrics.cell("gateway_events_recorded", "lbank-main", "fill", "push").value == 2
    assert metrics.cell("gateway_events_duplicate", "lbank-main").value == 1
    assert sum(metrics.histogram("gateway_venue_lag_seconds", "lbank-main").counts) == 2
    assert metrics.cell("gateway_journal_queue_events").value == 0


async def test_old_and_new_records_are_read_as_one(open_at: OpenAt):
    """A reader passes from disk to memory without hole or repeat."""
    async with open_at(recent_events=100) as journal:
        await (await journal.append([fill_event(n) for n in range(1, 1_001)])).wait()
        at, seen = 0, []
        while records := await journal.read(at, 30):
            seen += [record.seq for record in records]
            at = seen[-1]
    assert seen == list(range(1, 1_001))


def test_the_window_is_bounded_by_bytes():
    """Large records push older ones out of memory."""
    window = RecentRecords(0, max_events=100, max_bytes=5_000)
    for seq in range(1, 11):
        [prepared] = prepare([fill_event(seq, raw="x" * 1_000)])
        window.extend([to_record(seq, prepared)], prepared.size)

    assert window.after(0, 10) is None
    newest = window.after(7, 10)
    assert newest is not None
    assert [record.seq for record in newest] == [8, 9, 10]
    assert window.after(10, 10) == []
