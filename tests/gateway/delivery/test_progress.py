"""How a sink's cursor gets to disk beside the batches that follow."""

from collections.abc import Sequence
from typing import Any

import trio

from gateway.delivery.batch import Step
from gateway.delivery.progress import MOVE_SECONDS, Progress, Settled
from gateway.journal import DeadLetter, SinkPosition
from tests.doubles.journal import MemoryJournal

BATCH = 10


class SlowJournal(MemoryJournal):
    """Takes its time over each move."""

    def __init__(self, seconds: float = 0.5) -> None:
        super().__init__()
        self._seconds = seconds
        self.moves: list[tuple[float, int]] = []

    async def advance(self, name: str, to_seq: int, **counts: Any) -> SinkPosition:
        """Note when it begins, and how far it goes."""
        self.moves.append((trio.current_time(), to_seq))
        await trio.sleep(self._seconds)
        return await super().advance(name, to_seq, **counts)


async def progress_on(journal: MemoryJournal, told: list[int]) -> Progress:
    """The progress of a sink whose batches have ten events."""
    await journal.register_sink("desk", "memory", "earliest", holds_retention=True, overflow="")

    def on_disk(position: SinkPosition, _: Sequence[DeadLetter]) -> None:
        told.append(position.cursor)

    return Progress("desk", journal, BATCH, on_disk)  # type: ignore[arg-type]  # a double


def settled(to_seq: int, delivered: int, filtered: int = 0) -> Settled:
    """A stretch that ends there."""
    step = Step(to_seq=to_seq, delivered=delivered, filtered=filtered, refused=())
    return Settled(step, ())


async def test_what_is_settled_soon_after_moves_together(autojump_clock: object):
    """Single events that follow each other closely cost one move of the cursor."""
    journal, told = SlowJournal(), list[int]()
    progress = await progress_on(journal, told)
    async with progress.kept():
        begun = trio.current_time()
        await progress.take(settled(1, 1))
        await trio.sleep(MOVE_SECONDS / 2)
        await progress.take(settled(3, 1, filtered=1))
        await progress.wait_on_disk()

    assert [3] == told
    assert [to_seq for _, to_seq in journal.moves] == [3]
    assert journal.moves[0][0] - begun <= MOVE_SECONDS


async def test_a_batch_is_moved_at_once(autojump_clock: object):
    """What would come again in numbers after a crash does not wait for company."""
    journal, told = SlowJournal(), list[int]()
    progress = await progress_on(journal, told)
    async with progress.kept():
        begun = trio.current_time()
        await progress.take(settled(BATCH, BATCH))
        await progress.wait_on_disk()

    assert [(begun, BATCH)] == journal.moves


async def test_no_more_than_a_batch_is_left_behind(autojump_clock: object):
    """Whoever delivers goes on during a move, and waits once another batch is settled."""
    journal, told = SlowJournal(), list[int]()
    progress = await progress_on(journal, told)
    async with progress.kept():
        begun = trio.current_time()
        await progress.take(settled(BATCH, BATCH))
        first = trio.current_time() - begun
        await trio.sleep(0.1)
        await progress.take(settled(2 * BATCH, BATCH))
        second = trio.current_time() - begun

    assert first == 0
    assert second == 0.5
    assert [BATCH, 2 * BATCH] == told


async def test_the_last_move_is_waited_for(autojump_clock: object):
    """At the end all that was settled is on disk."""
    journal, told = MemoryJournal(), list[int]()
    progress = await progress_on(journal, told)
    async with progress.kept():
        await progress.take(settled(1, 1))

    assert [1] == told


async def test_a_disk_that_is_full_does_not_hold_up_the_end(autojump_clock: object):
    """A move that cannot be made is given up after a second; its events come again."""
    told = list[int]()
    progress = await progress_on(SlowJournal(seconds=float("inf")), told)
    with trio.fail_after(2):
        async with progress.kept():
            await progress.take(settled(1, 1))

    assert told == []
