"""What everybody may rely on: the same tests for the real journal and for its double."""

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from gateway.contracts.sink import Record
from gateway.errors import JournalError
from gateway.journal import DeadLetter, Journal, SinkPosition
from tests.doubles.events import fill_event
from tests.doubles.journal import MemoryJournal
from tests.gateway.journal.conftest import OpenAt


@pytest.fixture(params=["real", "memory"])
async def journal(
    request: pytest.FixtureRequest, open_at: OpenAt
) -> AsyncIterator[Journal | MemoryJournal]:
    """A fresh journal of either kind."""
    if request.param == "memory":
        yield MemoryJournal()
        return
    async with open_at() as opened:
        yield opened


def letter(record: Record, sink: str = "desk") -> DeadLetter:
    """What a sink refused."""
    return DeadLetter(
        sink=sink,
        record=record,
        reason="400",
        excerpt="no such desk",
        attempts=3,
        first_try_ns=1,
        last_try_ns=2,
    )


async def add(
    journal: Journal, *numbers: int, account: str = "lbank-main"
) -> tuple[int | None, ...]:
    """Append fills and wait for their seqs."""
    ticket = await journal.append([fill_event(n, account=account) for n in numbers])
    return (await ticket.wait()).seqs


async def meet(
    journal: Journal, name: str = "desk", *, kind: str = "webhook", start: str = "earliest"
) -> SinkPosition:
    """Register a sink."""
    return await journal.register_sink(
        name, kind, start, holds_retention=True, overflow="drop_oldest"
    )


async def test_events_get_seqs_without_holes(journal: Journal):
    """Events are numbered 1, 2, 3 in the order in which they were appended."""
    assert await add(journal, 1, 2) == (1, 2)
    assert await add(journal, 3) == (3,)
    assert (journal.first_seq, journal.last_seq) == (1, 3)


async def test_a_known_id_is_not_journalled_again(journal: Journal):
    """An event whose id is held gets no seq and leaves no hole, in the same append or later."""
    assert await add(journal, 1, 1, 2) == (1, None, 2)
    assert await add(journal, 2, 3) == (None, 3)


async def test_calls_are_numbered_in_their_order(journal: Journal):
    """Tickets that nobody waited for between the calls still get seqs in order of the calls."""
    tickets = [await journal.append([fill_event(n)]) for n in range(50)]

    assert [(n + 1,) for n in range(50)] == [(await ticket.wait()).seqs for ticket in tickets]


async def test_what_was_written_is_read(journal: Journal):
    """A record gives back the event that was appended."""
    await add(journal, 1, 2, 3)

    records = await journal.read(1, 10)
    assert [record.seq for record in records] == [2, 3]
    assert [fill_event(2), fill_event(3)] == [record.event() for record in records]


async def test_reading_is_bounded_and_ends(journal: Journal):
    """A read gives no more than asked for, and nothing behind the end."""
    await add(journal, 1, 2, 3)

    assert [record.seq for record in await journal.read(0, 2)] == [1, 2]
    assert await journal.read(3, 10) == []


async def test_the_bell_wakes_readers(journal: Journal):
    """Whoever waits past the end goes on as soon as there is a record to read."""

    async def append_later() -> None:
        await trio.testing.wait_all_tasks_blocked()
        await add(journal, 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(append_later)
        with trio.fail_after(10):
            await journal.wait_past(0)
    assert (await journal.read(0, 1))[0].seq == 1


async def test_the_book_moves_with_the_events(journal: Journal):
    """Book changes are remembered per account, replaced and forgotten."""
    ticket = await journal.append([fill_event(1)], [("a", "orders", "1", b"x")])
    await journal.append([], [("a", "orders", "2", b"y"), ("b", "orders", "1", b"z")])
    await journal.append([], [("a", "orders", "1", None)])
    await ticket.wait()

    assert await journal.load_book("a") == {("orders", "2"): b"y"}
    await journal.forget_book("a")
    assert await journal.load_book("a") == {}
    assert await journal.load_book("b") == {("orders", "1"): b"z"}


async def test_a_new_sink_starts_where_it_wants(journal: Journal):
    """`earliest` begins with the oldest record kept, `latest` behind the newest."""
    await add(journal, 1, 2, 3)

    early = await meet(journal, "early", start="earliest")
    late = await meet(journal, "late", start="latest")
    assert (early.start_seq, early.cursor) == (0, 0)
    assert (late.start_seq, late.cursor) == (3, 3)


async def test_a_known_sink_goes_on_where_it_was(journal: Journal):
    """Registering a sink again keeps its cursor and its counts."""
    await add(journal, 1, 2, 3)
    await meet(journal)
    moved = await journal.advance("desk", 2, delivered=1, filtered=1)

    assert moved == await meet(journal, start="latest")


async def test_another_type_is_another_sink(journal: Journal):
    """A sink whose type changed starts anew, without the old one's counts and dead letters."""
    await add(journal, 1, 2)
    await meet(journal)
    [record] = await journal.read(0, 1)
    await journal.advance("desk", 1, delivered=0, filtered=0, dead=[letter(record)])

    anew = await meet(journal, kind="jsonl", start="latest")
    assert (anew.start_seq, anew.cursor, anew.dead_letters) == (2, 2, 0)
    assert await journal.dead_letters() == []


async def test_counts_follow_the_cursor(journal: Journal):
    """A batch moves the cursor over exactly what became of its events."""
    await add(journal, 1, 2, 3, 4)
    await meet(journal)
    [record] = await journal.read(2, 1)

    position = await journal.advance(
        "desk", 4, delivered=1, filtered=1, dropped=1, dead=[letter(record)]
    )
    assert (
        position.cursor,
        position.delivered,
        position.filtered,
        position.dropped,
        position.dead_letters,
    ) == (4, 1, 1, 1, 1)
    assert [position] == await journal.sink_positions()


@pytest.mark.parametrize("to_seq", [1, 3])
async def test_a_batch_that_does_not_follow_is_refused(journal: Journal, to_seq: int):
    """A batch that would leave a hole or count an event twice is refused, and others stand."""
    await add(journal, 1, 2, 3)
    await meet(journal)
    before = await journal.advance("desk", 1, delivered=1, filtered=0)

    with pytest.raises(JournalError, match="does not follow"):
        await journal.advance("desk", to_seq, delivered=1, filtered=0)
    assert [before] == await journal.sink_positions()
    assert await add(journal, 4) == (4,)


async def test_an_unknown_sink_is_refused(journal: Journal):
    """Moving a sink that was never met is an error, not a new sink."""
    with pytest.raises(JournalError, match="no sink 'desk'"):
        await journal.advance("desk", 1, delivered=1, filtered=0)


async def test_dead_letters_keep_their_own_copy(journal: Journal):
    """A dead letter gives back the whole event with reason, attempts and times."""
    await add(journal, 1, 2)
    await meet(journal)
    [record] = await journal.read(0, 1)
    await journal.advance("desk", 1, delivered=0, filtered=0, dead=[letter(record)])

    [held] = await journal.dead_letters("desk")
    assert fill_event(1) == held.record.event()
    assert (
        held.reason,
        held.excerpt,
        held.attempts,
        held.first_try_ns,
        held.last_try_ns,
    ) == ("400", "no such desk", 3, 1, 2)


@pytest.mark.parametrize("outcome", ["delivered", "dropped"])
async def test_resolved_dead_letters_are_counted(journal: Journal, outcome: str):
    """A replayed dead letter moves to delivered, a given-up one to dropped, each once."""
    await add(journal, 1, 2)
    await meet(journal)
    dead = [letter(record) for record in await journal.read(0, 2)]
    await journal.advance("desk", 2, delivered=0, filtered=0, dead=dead)
    first, second = await journal.dead_letters()

    assert await journal.resolve_dead_letters([first.number], outcome) == {"desk": 1}
    assert await journal.resolve_dead_letters([first.number], outcome) == {}
    [position] = await journal.sink_positions()
    assert (position.dead_letters, getattr(position, outcome)) == (1, 1)
    assert [second] == await journal.dead_letters(after=first.number)


async def test_a_forgotten_sink_is_met_anew(journal: Journal):
    """After `forget_sink` the name starts like one that was never seen."""
    await add(journal, 1, 2)
    await meet(journal)
    await journal.advance("desk", 2, delivered=2, filtered=0)
    await journal.forget_sink("desk")

    assert await journal.sink_positions() == []
    assert (await meet(journal)).delivered == 0


async def test_replays_are_counted_apart(journal: Journal):
    """Events sent again by request change no other count."""
    await meet(journal)

    position = await journal.count_replayed("desk", 7)
    assert (position.replayed, position.delivered) == (7, 0)


async def test_a_cancelled_append_took_nothing(journal: Journal):
    """An append that was cancelled before it began leaves nothing in the journal."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await journal.append([fill_event(1)])

    assert scope.cancelled_caught
    assert await add(journal, 2) == (1,)


async def test_status_tells_the_range(journal: Journal):
    """The status has the epoch, the range and whether the sources have to pause."""
    await add(journal, 1, 2)

    status = journal.status()
    assert (
        len(status.epoch),
        status.first_seq,
        status.last_seq,
        status.blocked,
    ) == (32, 1, 2, False)


async def test_a_released_id_is_journalled_once_more(journal: Journal | MemoryJournal):
    """What was released is new again, one time; all else is known still."""
    first, second = fill_event(1), fill_event(2)
    await (await journal.append([first, second])).wait()

    await journal.release_ids([first.id])
    again = await (await journal.append([first, second])).wait()
    and_again = await (await journal.append([first])).wait()

    assert ((3, None), (None,)) == (again.seqs, and_again.seqs)
