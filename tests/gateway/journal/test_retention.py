"""What is deleted, what is kept for sinks, and what happens at the size limit."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from gateway.contracts.values import Bytes, Seconds
from gateway.journal import (
    BlockReason,
    Journal,
    JournalSettings,
    Retention,
    SinkPosition,
    happenings,
)
from gateway.journal.records import Ledger
from gateway.journal.retention import plan
from gateway.telemetry.metrics import Metrics
from tests.doubles.events import fill_event
from tests.gateway.journal.conftest import OpenAt, SetClock

QUICK = {"retention_seconds": 0.01, "retry_seconds": 0.01, "segment_ids": 500}
DAY_LATER = "2026-01-03T12:00:00.000000Z"


def keeping(age_seconds: float = 86_400, size: int = 1 << 30) -> JournalSettings:
    """Settings that differ in what is kept."""
    return JournalSettings(retain=Retention(age=Seconds(age_seconds), size=Bytes(size)))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a thread brings about."""
    with trio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - nobody rings when a thread is done
            await trio.sleep(0.005)


async def fill(journal: Journal, first: int, last: int, raw_bytes: int = 10) -> None:
    """Append fills in batches, each on disk before the next."""
    for begin in range(first, last + 1, 100):
        numbers = range(begin, min(begin + 100, last + 1))
        await (await journal.append([fill_event(n, raw="x" * raw_bytes) for n in numbers])).wait()


async def meet(journal: Journal, name: str = "desk", overflow: str = "drop_oldest") -> SinkPosition:
    """Register a sink that holds back retention."""
    return await journal.register_sink(
        name, "webhook", "earliest", holds_retention=True, overflow=overflow
    )


def sink(
    name: str, cursor: int, *, overflow: str = "drop_oldest", holds: bool = True
) -> SinkPosition:
    """A position with nothing but deliveries."""
    return SinkPosition(
        name=name,
        type="webhook",
        start_seq=0,
        cursor=cursor,
        delivered=cursor,
        holds_retention=holds,
        overflow=overflow,
    )


LEDGER = Ledger("e", 11, 101)


@pytest.mark.parametrize(
    ("aged_to", "sinks", "to_seq"),
    [
        (50, [], 50),
        (50, [sink("a", 30)], 30),
        (50, [sink("a", 30), sink("b", 20)], 20),
        (50, [sink("a", 30, holds=False)], 50),
        (50, [sink("a", 10)], 10),
    ],
)
def test_age_takes_only_what_nobody_waits_for(aged_to: int, sinks: list, to_seq: int):
    """Old records go up to the slowest sink that holds them back."""
    assert plan(LEDGER, aged_to, False, sinks).to_seq == to_seq


@pytest.mark.parametrize(
    ("sinks", "to_seq", "held_by"),
    [
        ([], 22, ()),
        ([sink("a", 30)], 22, ()),
        ([sink("a", 30), sink("b", 20, overflow="block")], 20, ()),
        ([sink("a", 30), sink("b", 10, overflow="block")], 10, ("b",)),
        ([sink("b", 10, overflow="block", holds=False)], 22, ()),
    ],
)
def test_at_the_size_limit_overflow_decides(sinks: list, to_seq: int, held_by: tuple):
    """Only a blocking sink keeps records beyond the size limit, and is named then.

    The others lose an eighth of the journal at most, before it is looked again.
    """
    decided = plan(LEDGER, 10, True, sinks)

    assert (decided.to_seq, decided.held_by) == (to_seq, held_by)


async def test_old_records_go_and_numbering_stays(open_at: OpenAt):
    """When everything was retired, the next event still gets the next number."""
    clock = SetClock("2026-01-02T03:04:06.000000Z")
    async with open_at(settings=keeping(), clock=clock, **QUICK) as journal:
        await fill(journal, 1, 2_500)
        clock.set(DAY_LATER)
        await until(lambda: journal.first_seq == 2_501)
        assert await journal.read(0, 10) == []
    async with open_at(settings=keeping(), clock=clock, **QUICK) as journal:
        assert (journal.first_seq, journal.last_seq) == (2_501, 2_500)
        ticket = await journal.append([fill_event(9_999)])
        assert (await ticket.wait()).seqs == (2_501,)


async def test_a_waiting_sink_keeps_old_records(open_at: OpenAt):
    """Age deletes nothing that an enabled sink has not taken, until it is released."""
    clock = SetClock("2026-01-02T03:04:06.000000Z")
    async with open_at(settings=keeping(), clock=clock, **QUICK) as journal:
        await fill(journal, 1, 300)
        await meet(journal)
        await journal.advance("desk", 100, delivered=100, filtered=0)
        clock.set(DAY_LATER)
        await until(lambda: journal.first_seq == 101)
        clock.set("2036-01-02T00:00:00.000000Z")
        await trio.sleep(0.1)
        assert journal.first_seq == 101
        await journal.release_sink("desk")
        await until(lambda: journal.first_seq == 301)
        [position] = await journal.sink_positions()
        assert (position.cursor, position.delivered, position.dropped) == (300, 100, 200)


async def test_drop_oldest_counts_each_drop(open_at: OpenAt, metrics: Metrics):
    """At the size limit a slow sink loses the oldest events, counted, measured and said."""
    before = happenings.SINK_OVERFLOWED.count
    async with open_at(settings=keeping(size=4 << 20), **QUICK) as journal:
        await meet(journal)
        await fill(journal, 1, 3_000, raw_bytes=3_000)
        await until(lambda: journal.first_seq > 1)
        await until(lambda: journal.status().bytes > 0 and not journal.blocked)
        first = journal.first_seq
        [position] = await journal.sink_positions()
    assert position.dropped == position.cursor >= first - 1 > 0
    assert metrics.cell("gateway_sink_dropped_events", "desk", "overflow").value >= first - 1
    assert happenings.SINK_OVERFLOWED.count > before


async def test_a_batch_under_way_counts_by_what_became_of_it(open_at: OpenAt):
    """Events given up while the sink was taking them count as delivered, not as both."""
    async with open_at(settings=keeping(size=4 << 20), **QUICK) as journal:
        await meet(journal)
        await fill(journal, 1, 2_000, raw_bytes=3_000)
        await until(lambda: journal.first_seq > 500)
        position = await journal.advance("desk", 400, delivered=400, filtered=0)
    assert position.delivered == 400
    assert position.cursor == position.delivered + position.dropped


async def test_block_stops_the_sources_until_the_sink_moves(open_at: OpenAt):
    """A blocking sink at the size limit blocks the journal; nothing of its events is deleted."""
    async with open_at(settings=keeping(size=4 << 20), **QUICK) as journal:
        await meet(journal, overflow="block")
        await fill(journal, 1, 2_000, raw_bytes=3_000)
        with trio.fail_after(30):
            await journal.wait_blocked()
        assert journal.blocked_reason is BlockReason.SINK_BLOCKED
        assert journal.first_seq == 1
        await (await journal.append([fill_event(5_000)])).wait()
        await journal.advance("desk", 1_900, delivered=1_900, filtered=0)
        with trio.fail_after(30):
            await journal.wait_unblocked()
        await until(lambda: journal.first_seq > 1)
        [position] = await journal.sink_positions()
    assert position.dropped == 0


async def test_space_comes_back(tmp_path: Path, open_at: OpenAt):
    """After records were retired the file shrinks, without a restart."""
    clock = SetClock("2026-01-02T03:04:06.000000Z")
    database = tmp_path / "state/journal.db"
    async with open_at(settings=keeping(), clock=clock, **QUICK) as journal:
        await fill(journal, 1, 6_000, raw_bytes=10_000)
        await until(lambda: database.stat().st_size > 40 << 20)
        clock.set(DAY_LATER)
        await until(lambda: journal.first_seq == 6_001)
        await until(lambda: database.stat().st_size < 40 << 20)


async def test_what_is_no_event_does_not_count(open_at: OpenAt, tmp_path: Path):
    """A book that is larger than the limit costs no event that a sink waits for."""
    async with open_at(tmp_path, keeping(size=200_000), **QUICK) as journal:
        await meet(journal)
        orders = [("a", "order", str(number), b"x" * 1000) for number in range(1000)]
        await (await journal.append([fill_event(1)], orders)).wait()
        await fill(journal, 2, 100)
        await journal.read(0, 1)
        await trio.sleep(0.1)  # several looks of the retention

        assert [1, 100] == [journal.first_seq, journal.last_seq]
