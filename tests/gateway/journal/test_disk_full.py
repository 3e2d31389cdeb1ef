"""A full disk: nothing is lost, nothing stops, and it goes on by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from gateway.errors import JournalBlocked
from gateway.journal import BlockReason, Journal, happenings, verify
from gateway.journal.reply import Ticket
from tests.doubles.events import fill_event
from tests.gateway.journal.conftest import OpenAt
from tests.scenarios.faulty_disk import eat_space, mounted, needs_mount

LIMITS = {
    "reserve_bytes": 2 << 20,
    "retry_seconds": 0.02,
    "group_bytes": 128 << 10,
    # Far less than the disk holds: what waits while it is full has to fit afterwards.
    "queue_bytes": 1 << 20,
}
CYCLES = 3

pytestmark = needs_mount


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    with mounted(tmp_path / "disk", 16) as place:
        yield place


async def fill_until_blocked(journal: Journal, number: int) -> list[Ticket]:
    """Append like a source that does not look, as fast as the bounded queue lets it."""
    tickets: list[Ticket] = []

    async def fill() -> None:
        while True:
            event = fill_event(number + len(tickets), raw="x" * 2_000)
            tickets.append(await journal.append([event]))

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fill)
            await journal.wait_blocked()
            nursery.cancel_scope.cancel()
    return tickets


async def trickle_until_blocked(journal: Journal) -> int:
    """Append one by one, each on disk before the next; the number of the last."""
    number = 0
    with trio.fail_after(60):
        while not journal.blocked:
            number += 1
            await (await journal.append([fill_event(number, raw="x" * 2_000)])).wait()
    return number


async def test_a_full_disk_blocks_and_heals(small_disk: Path, open_at: OpenAt):
    """Whatever was taken before and during the full disk is there when space is back."""
    state = small_disk / "state"
    number = 1
    async with open_at(state, **LIMITS) as journal:
        await (await journal.append([])).wait()
        for _ in range(CYCLES):
            glutton = eat_space(small_disk, leave_bytes=300_000)
            tickets = await fill_until_blocked(journal, number)
            number += len(tickets)
            assert journal.blocked_reason is BlockReason.DISK_FULL
            glutton.unlink()
            with trio.fail_after(30):
                await journal.wait_unblocked()
                for ticket in tickets:
                    await ticket.wait()
        assert journal.last_seq == number - 1
    assert verify(state).findings == ()


async def test_last_words_fit_into_the_reserve(small_disk: Path, open_at: OpenAt):
    """While the disk is full and stays so, a gap event can still be written."""
    async with open_at(small_disk / "state", **LIMITS) as journal:
        await (await journal.append([])).wait()
        glutton = eat_space(small_disk)
        last = await trickle_until_blocked(journal)
        with trio.fail_after(30):
            gap = await journal.append([fill_event(0)])
            assert (await gap.wait()).seqs == (last + 1,)
        assert journal.blocked
        glutton.unlink()


async def test_it_starts_on_a_full_disk(small_disk: Path, open_at: OpenAt):
    """A gateway that finds the disk full at its start comes up blocked."""
    async with open_at(small_disk / "state", **LIMITS) as journal:
        await (await journal.append([fill_event(1)])).wait()
    (small_disk / "state/journal.reserve").unlink()
    glutton = eat_space(small_disk, leave_bytes=200_000)
    async with open_at(small_disk / "state", **LIMITS) as journal:
        with trio.fail_after(30):
            await journal.wait_blocked()
        glutton.unlink()
        with trio.fail_after(30):
            await journal.wait_unblocked()


async def test_stopping_while_full_keeps_what_was_acknowledged(small_disk: Path, open_at: OpenAt):
    """An orderly stop on a full disk ends, says which tickets failed, and damages nothing."""
    before = happenings.BLOCKED.count
    state = small_disk / "state"
    async with open_at(state, **LIMITS) as journal:
        await (await journal.append([])).wait()
        glutton = eat_space(small_disk)
        tickets = await fill_until_blocked(journal, 1)
        tickets += [
            journal.append_nowait([fill_event(20_000 + n, raw="x" * 2_000)]) for n in range(4_000)
        ]
    assert happenings.BLOCKED.count == before + 1
    acknowledged = 0
    for ticket in tickets:
        try:
            await ticket.wait()
            acknowledged += 1
        except JournalBlocked:
            continue
    assert acknowledged < len(tickets)
    glutton.unlink()
    async with open_at(state, **LIMITS) as journal:
        assert journal.last_seq == acknowledged
