"""A sink's progress on its way into the journal, while the next batch is under way.

Were each batch to wait until the cursor is on disk behind the one before it, a busy
journal would hold up its own sinks: a move of the cursor takes as long as the group
that is being written, whatever the sink could do meanwhile. And on a quiet gateway
each event would cost a second fsync. So the sink goes on, and what it settles within
`MOVE_SECONDS` makes up one move.

What is not on disk yet comes again after a crash, with the same ids. That is why it
is bounded: by a batch's worth of events, beside the batch that is being delivered.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import trio

from gateway.delivery.batch import Step
from gateway.journal import DeadLetter, Journal, SinkPosition

MOVE_SECONDS: Final = 0.05
"""A move waits so long for company, unless many events are in it already."""
CLOSE_SECONDS: Final = 1.0
"""How long the last move may take once the worker has ended: the disk may be full."""


class Settled(msgspec.Struct, frozen=True, gc=False):
    """A stretch of the journal that the cursor may move over."""

    step: Step
    dead: Sequence[DeadLetter]

    @property
    def sent(self) -> int:
        """Events that would come again."""
        return self.step.delivered + len(self.dead)


class Progress:
    """What one sink has settled. One task takes it, another brings it to disk."""

    def __init__(
        self,
        sink: str,
        journal: Journal,
        most_events: int,
        on_disk: Callable[[SinkPosition, Sequence[DeadLetter]], None],
    ) -> None:
        self._sink = sink
        self._journal = journal
        self._most_events = most_events
        self._on_disk = on_disk
        self._waiting: list[Settled] = []
        self._sent = 0
        """Events that are settled and not on disk."""
        self._moving = False
        self._hurry = trio.Event()
        """Set when a move is not to wait for company."""
        self._changed = trio.lowlevel.ParkingLot()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Bring to disk what is taken inside; at the end, wait for the last of it.

        What the journal raises cancels the block and comes out of here.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run, name=f"sink:{self._sink}:progress")
            yield
            with trio.move_on_after(CLOSE_SECONDS):
                await self.wait_on_disk()
            nursery.cancel_scope.cancel()

    async def take(self, settled: Settled) -> None:
        """Take what was settled; waits while too many events are not on disk."""
        self._waiting.append(settled)
        self._sent += settled.sent
        self._changed.unpark_all()
        if settled.dead or self._sent * 2 >= self._most_events:
            self._hurry.set()
        while self._sent > self._most_events:
            await self._changed.park()

    async def wait_on_disk(self) -> None:
        """Wait until all that was taken is on disk."""
        while self._moving or self._waiting:
            self._hurry.set()
            await self._changed.park()

    async def _run(self) -> None:
        while True:
            while not self._waiting:
                await self._changed.park()
            with trio.move_on_after(MOVE_SECONDS):
                await self._hurry.wait()
            await self._move()

    async def _move(self) -> None:
        taken, self._waiting = self._waiting, []
        self._moving, self._hurry = True, trio.Event()
        dead = [letter for each in taken for letter in each.dead]
        position = await self._journal.advance(
            self._sink,
            taken[-1].step.to_seq,
            delivered=sum(each.step.delivered for each in taken),
            filtered=sum(each.step.filtered for each in taken),
            dead=dead,
        )
        self._moving = False
        self._sent -= sum(each.sent for each in taken)
        self._on_disk(position, dead)
        self._changed.unpark_all()
