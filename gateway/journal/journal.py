"""The journal as the rest of the house sees it: async, in the loop.

`append` hands events to the writer's thread; `read` and `wait_past` are the bus
on which the sinks travel. An event can be read only after it is on disk.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast

import trio

from gateway.contracts.sink import Record
from gateway.errors import GatewayError, JournalBlocked, JournalDamaged, JournalError
from gateway.events.model import Event
from gateway.journal import commands, happenings
from gateway.journal.database import DATABASE_NAME
from gateway.journal.meters import Meters, journal_bytes
from gateway.journal.reader import JournalReader, connect
from gateway.journal.recent import RecentRecords
from gateway.journal.records import (
    BlockReason,
    BookChange,
    Committed,
    DeadLetter,
    JournalStatus,
    Ledger,
    SinkPosition,
    prepare,
)
from gateway.journal.reply import Reply, Ticket
from gateway.journal.retention import Retired
from gateway.journal.room import Room
from gateway.journal.settings import Limits
from gateway.journal.sink_table import Counts, Outcome
from gateway.journal.store import Addition, Transaction
from gateway.journal.writer import (
    GroupWritten,
    Job,
    News,
    SpaceChanged,
    Writer,
    WriterFailed,
    WriterStopped,
)

T = TypeVar("T")

_READERS: Final = 4
"""Threads that read older records from disk at the same time."""


class Journal:
    """An open journal. Made by `open_journal`."""

    def __init__(
        self,
        directory: Path,
        ledger: Ledger,
        limits: Limits,
        meters: Meters,
        make_writer: Callable[[Callable[[News], None]], Writer],
        give_up: Callable[[], None],
    ) -> None:
        self.epoch: Final = ledger.epoch
        self.first_seq = ledger.first_seq
        self.last_seq = ledger.next_seq - 1
        self.failure: JournalError | None = None
        """Set once nothing more can be written, or what was read was damaged."""
        self._directory = directory
        self._meters = meters
        self._give_up = give_up
        self._blocks: set[BlockReason] = set()
        self._block_changed = trio.lowlevel.ParkingLot()
        self._bell = trio.lowlevel.ParkingLot()
        self._room = Room(limits.queue_events, limits.queue_bytes)
        self._recent = RecentRecords(self.last_seq, limits.recent_events, limits.recent_bytes)
        self._replies: dict[Job, Reply[Any]] = {}
        self._readers: list[JournalReader] = []
        self._read_threads = trio.CapacityLimiter(_READERS)
        self._stopped = trio.Event()
        self._loop = trio.lowlevel.current_trio_token()
        self._writer = make_writer(self._announce)
        self._writer.start()

    # --- writing ---------------------------------------------------------------

    async def append(self, events: Sequence[Event], book: Sequence[BookChange] = ()) -> Ticket:
        """Take events, and changes to the book that move in the same transaction.

        Returns once they are queued for the writer, in the order of the calls;
        waits while the queue is full. Cancelled, it has taken nothing. Raises
        `JournalError` when the journal has failed.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self.has_room:
            await self.wait_room()
        ticket = self.append_nowait(events, book)
        # The events are taken: a cancellation from here on must not say otherwise.
        await trio.lowlevel.cancel_shielded_checkpoint()
        return ticket

    @property
    def has_room(self) -> bool:
        """True when events can be appended without passing anybody who waits."""
        return self._room.free

    async def wait_room(self) -> None:
        """Wait for room, in the order of the calls; append before the next checkpoint."""
        await self._room.wait()

    def append_nowait(self, events: Sequence[Event], book: Sequence[BookChange] = ()) -> Ticket:
        """Take events and changes at once, even where there is no room.

        For callers that have to move their own state and the journal in one step:
        they wait for room before that step.
        """
        prepared = prepare(events)
        ticket: Ticket = Reply()
        size = sum(event.size for event in prepared)
        self._put(Job(Addition(prepared, book), len(prepared), size), ticket)
        return ticket

    async def load_book(self, account: str) -> dict[tuple[str, str], bytes]:
        """All that is remembered of an account, by section and key."""
        await self._ask(commands.pass_by)
        return await self._on_disk(lambda reader: reader.load_book(account))

    async def forget_book(self, account: str) -> None:
        """Forget all that is remembered of an account."""
        await self._ask(partial(commands.forget_book, account=account))

    # --- reading ---------------------------------------------------------------

    async def read(self, after_seq: int, limit: int) -> list[Record]:
        """Records after `after_seq`, without holes; from the oldest kept on.

        At most `limit`; fewer when they are large; none when there is no newer one.
        """
        after_seq = max(after_seq, self.first_seq - 1)
        # What is on disk but not yet announced here is not there yet for anybody.
        limit = max(min(limit, self.last_seq - after_seq), 0)
        recent = self._recent.after(after_seq, limit)
        if recent is not None:
            await trio.lowlevel.checkpoint()
            return recent
        return await self._on_disk(lambda reader: reader.read(after_seq, limit))

    async def wait_past(self, seq: int) -> None:
        """Wait until a record after `seq` can be read."""
        if self.last_seq > seq:
            await trio.lowlevel.checkpoint()
        while self.last_seq <= seq:
            await self._bell.park()

    # --- sinks -----------------------------------------------------------------

    async def register_sink(
        self,
        name: str,
        type: str,  # noqa: A002 - the word of the configuration
        start: Literal["earliest", "latest"],
        *,
        holds_retention: bool,
        overflow: str,
    ) -> SinkPosition:
        """Meet a sink: a known one goes on where it was, a changed type is a new sink."""
        wanted = SinkPosition(
            name=name,
            type=type,
            start_seq=0,
            cursor=0,
            holds_retention=holds_retention,
            overflow=overflow,
        )
        position, forgotten = await self._ask(
            partial(commands.register_sink, wanted=wanted, start=start)
        )
        self._tell_forgotten(name, forgotten)
        return position

    async def advance(
        self,
        name: str,
        to_seq: int,
        *,
        delivered: int,
        filtered: int,
        dropped: int = 0,
        dead: Sequence[DeadLetter] = (),
    ) -> SinkPosition:
        """Move a sink over everything up to `to_seq`; on disk when this returns."""
        # Ahead of what waits: else a burst slows every sink to one batch per queueful.
        return await self._ask(
            partial(
                commands.advance,
                name=name,
                to_seq=to_seq,
                delivered=delivered,
                filtered=filtered,
                dropped=dropped,
                dead=dead,
            ),
            ahead=True,
        )

    async def release_sink(self, name: str) -> None:
        """Hold back retention for this sink no longer; it keeps its place."""
        await self._ask(partial(commands.release_sink, name=name))

    async def forget_sink(self, name: str) -> None:
        """Forget a sink, its place and its dead letters."""
        self._tell_forgotten(name, await self._ask(partial(commands.forget_sink, name=name)))

    async def count_replayed(self, name: str, events: int) -> SinkPosition:
        """Note that events were sent again by request."""
        return await self._ask(partial(commands.count_replayed, name=name, events=events))

    async def sink_positions(self) -> list[SinkPosition]:
        """Every sink the journal knows, by name."""
        return await self._on_disk(JournalReader.sink_positions)

    async def release_ids(self, ids: Iterable[str]) -> None:
        """Let events with these ids be journalled once more: they never got to where they should.

        Not remembered when the journal is opened anew.
        """
        released = [bytes.fromhex(event_id) for event_id in ids]
        if released:
            await self._ask(lambda transaction: transaction.release(released))

    async def dead_letters(
        self, sink: str | None = None, after: int = 0, limit: int = 100
    ) -> list[DeadLetter]:
        """Dead letters with a number above `after`, oldest first."""
        return await self._on_disk(lambda reader: reader.dead_letters(sink, after, limit))

    async def resolve_dead_letters(self, numbers: Sequence[int], outcome: Outcome) -> Counts:
        """Let dead letters go, counted as `outcome`; how many of each sink were still there."""
        return await self._ask(
            partial(commands.resolve_dead_letters, numbers=tuple(numbers), outcome=outcome)
        )

    # --- health ----------------------------------------------------------------

    @property
    def blocked(self) -> bool:
        """True while the sources have to pause."""
        return bool(self._blocks)

    @property
    def blocked_reason(self) -> BlockReason | None:
        """Why; a full disk comes first."""
        return min(self._blocks, default=None)

    async def wait_blocked(self) -> None:
        """Wait until the sources have to pause."""
        await self._wait_block_is(True)

    async def wait_unblocked(self) -> None:
        """Wait until the sources may go on."""
        await self._wait_block_is(False)

    @property
    def writer_silent_seconds(self) -> float:
        """How long the writer's thread has shown no life: it is stuck when this grows."""
        return time.monotonic() - self._writer.last_life

    def status(self) -> JournalStatus:
        """The journal at a glance."""
        space = os.statvfs(self._directory)
        return JournalStatus(
            epoch=self.epoch,
            first_seq=self.first_seq,
            last_seq=self.last_seq,
            bytes=journal_bytes(self._directory / DATABASE_NAME),
            free_bytes=space.f_bavail * space.f_frsize,
            blocked=self.blocked,
            blocked_reason=self.blocked_reason,
            queue_events=self._room.events,
        )

    async def back_up(self, target: Path) -> None:
        """Write a whole copy of the journal to a new file, while it goes on."""
        await self._on_disk(lambda reader: reader.back_up(target))

    async def aclose(self, seconds: float) -> None:
        """Write what was taken, and end; called by `open_journal`."""
        for reader in self._readers:
            reader.close()
        self._writer.stop()
        with trio.move_on_after(seconds, shield=True) as deadline:
            await self._stopped.wait()
        if deadline.cancelled_caught:
            happenings.CLOSE_TIMED_OUT.emit(seconds=seconds)

    # --- between the loop and the threads ----------------------------------------

    def _put(self, job: Job, reply: Reply[Any], *, ahead: bool = False) -> None:
        if self.failure is not None:
            raise self.failure
        self._room.add(job.events, job.bytes)
        self._replies[job] = reply
        self._meters.queue_events.set(self._room.events)
        self._writer.put(job, ahead=ahead)

    async def _ask(self, command: Callable[[Transaction], T], *, ahead: bool = False) -> T:
        reply: Reply[T] = Reply()
        self._put(Job(command), reply, ahead=ahead)
        return await reply.wait()

    async def _on_disk(self, read: Callable[[JournalReader], T]) -> T:
        """Read in a thread, over a connection that nobody else uses meanwhile."""
        spare = self._readers.pop() if self._readers else None

        def in_thread() -> T:
            nonlocal spare
            spare = spare or connect(self._directory)
            return read(spare)

        try:
            return await trio.to_thread.run_sync(in_thread, limiter=self._read_threads)
        except JournalDamaged as damage:
            self._fail(damage)
            raise
        finally:
            if spare is not None:
                self._readers.append(spare)

    def _announce(self, news: News) -> None:
        """Called in the writer's thread."""
        try:
            self._loop.run_sync_soon(self._hear, news)
        except trio.RunFinishedError:
            # Closing timed out and the process is on its way out.
            return

    def _hear(self, news: News) -> None:
        match news:
            case GroupWritten() if self.failure is None:
                self._on_written(news)  # else all who wait were told of the failure
            case Retired():
                self._on_retired(news)
            case SpaceChanged(full):
                self._set_block(BlockReason.DISK_FULL, full)
            case WriterFailed(error):
                self._fail(error)
            case WriterStopped():
                self._stopped.set()

    def _on_written(self, group: GroupWritten) -> None:
        for job, result in zip(group.jobs, group.written.results, strict=True):
            self._room.remove(job.events, job.bytes)
            reply = self._replies.pop(job)
            if isinstance(result, GatewayError):
                reply.fail(result)
            elif isinstance(job.request, Addition):
                seqs = cast("tuple[int | None, ...]", result)
                reply.settle(Committed(seqs))
                self._meters.recorded([prepared.event for prepared in job.request.events], seqs)
            else:
                reply.settle(result)
        self._meters.committed(group.seconds)
        self._meters.queue_events.set(self._room.events)
        self._recent.extend(group.written.records, sum(job.bytes for job in group.jobs))
        self.last_seq += len(group.written.records)
        if group.written.records:
            self._bell.unpark_all()

    def _on_retired(self, retired: Retired) -> None:
        self.first_seq = retired.first_seq
        for sink, events in retired.lost.items():
            self._meters.overflowed(sink, events)
            happenings.SINK_OVERFLOWED.emit(sink=sink, events=events, first_seq=self.first_seq)
        self._set_block(BlockReason.SINK_BLOCKED, bool(retired.blocked_by), retired.blocked_by)

    def _set_block(self, reason: BlockReason, blocked: bool, sinks: Sequence[str] = ()) -> None:
        if blocked is (reason in self._blocks):
            return
        if blocked:
            self._blocks.add(reason)
            happenings.BLOCKED.emit(reason=reason.value, sinks=list(sinks))
        else:
            self._blocks.discard(reason)
            happenings.UNBLOCKED.emit(reason=reason.value)
        self._block_changed.unpark_all()

    async def _wait_block_is(self, wanted: bool) -> None:
        await trio.lowlevel.checkpoint()
        while self.blocked is not wanted:
            await self._block_changed.park()

    def _fail(self, error: JournalError) -> None:
        if self.failure is not None:
            return
        self.failure = error
        self._meters.write_failed(type(error).__name__)
        happenings.FAILED.emit(error=str(error))
        for reply in self._replies.values():
            reply.fail(error)
        self._replies.clear()
        if not isinstance(error, JournalBlocked):
            self._give_up()

    def _tell_forgotten(self, name: str, forgotten: commands.Forgotten) -> None:
        if forgotten.dead_letters:
            happenings.DEAD_LETTERS_FORGOTTEN.emit(sink=name, dead_letters=forgotten.dead_letters)
