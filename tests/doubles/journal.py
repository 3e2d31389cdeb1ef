# ruff: noqa: A002 - names and meanings are documented where the journal is real
"""An in-memory journal inside the loop: the same interface, no files and no threads.

For tests in virtual time, which do not wait for threads. It passes the same
contract tests as the real one (tests/gateway/journal/test_contract.py). What is
appended is "on disk" at once, unless a test holds the commits back.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import trio

from gateway.contracts.sink import Record
from gateway.errors import JournalError
from gateway.events.model import Event
from gateway.journal.records import (
    BlockReason,
    BookChange,
    Committed,
    DeadLetter,
    JournalStatus,
    SinkPosition,
    prepare,
    to_record,
)
from gateway.journal.reply import Reply, Ticket
from gateway.journal.sink_table import advanced


class MemoryJournal:
    """See `gateway.journal.Journal`; extra attributes steer it from a test."""

    def __init__(self) -> None:
        self.epoch = "0" * 32
        self.first_seq = 1
        self.last_seq = 0
        self.failure: JournalError | None = None
        self.records: dict[int, Record] = {}
        self.book: dict[tuple[str, str, str], bytes] = {}
        self.room = True
        """False: `append` waits."""
        self._held: list[tuple[Sequence[Event], Sequence[BookChange], Ticket]] | None = None
        self._ids: set[str] = set()
        self._sinks: dict[str, SinkPosition] = {}
        self._letters: dict[int, DeadLetter] = {}
        self._letter_count = 0
        self._blocked: BlockReason | None = None
        self._bell = trio.lowlevel.ParkingLot()
        self._changed = trio.lowlevel.ParkingLot()

    # --- for tests ---------------------------------------------------------------

    def hold_commits(self) -> None:
        """Commit nothing until `commit_held`."""
        self._held = []

    def commit_held(self) -> None:
        """Commit what was held back, and everything from now on at once."""
        held, self._held = self._held or [], None
        for events, book, ticket in held:
            self._commit(events, book, ticket)

    def lose_held(self) -> None:
        """Forget what was held back, as a crash does; commit everything from now on at once."""
        self._held = None

    def set_blocked(self, reason: BlockReason | None) -> None:
        """Block the sources, or let them go on."""
        self._blocked = reason
        self._changed.unpark_all()

    def set_room(self, room: bool) -> None:
        """Let appends wait, or let them in."""
        self.room = room
        self._changed.unpark_all()

    def retire(self, below_seq: int) -> None:
        """Delete records as retention would."""
        for seq in range(self.first_seq, below_seq):
            self._ids.discard(self.records.pop(seq).id)
        self.first_seq = max(self.first_seq, below_seq)

    def overflow(self, name: str, to_seq: int) -> None:
        """Drop for a sink what it has not taken up to `to_seq`, as retention would."""
        position = self._require(name)
        lost = max(to_seq - position.cursor, 0)
        self._save(advanced(position, position.cursor + lost, 0, 0, lost, 0))

    @property
    def events(self) -> list[Event]:
        """Everything recorded, in order."""
        return [self.records[seq].event() for seq in sorted(self.records)]

    # --- the journal ---------------------------------------------------------------

    async def release_ids(self, ids: Iterable[str]) -> None:
        self._ids.difference_update(ids)

    async def append(self, events: Sequence[Event], book: Sequence[BookChange] = ()) -> Ticket:
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self.has_room:
            await self.wait_room()
        ticket = self.append_nowait(events, book)
        await trio.lowlevel.cancel_shielded_checkpoint()
        return ticket

    @property
    def has_room(self) -> bool:
        return self.room

    async def wait_room(self) -> None:
        await trio.lowlevel.checkpoint()
        while not self.room:
            await self._changed.park()

    def append_nowait(self, events: Sequence[Event], book: Sequence[BookChange] = ()) -> Ticket:
        if self.failure is not None:
            raise self.failure
        ticket: Ticket = Reply()
        if self._held is not None:
            self._held.append((events, book, ticket))
        else:
            self._commit(events, book, ticket)
        return ticket

    async def load_book(self, account: str) -> dict[tuple[str, str], bytes]:
        await trio.lowlevel.checkpoint()
        return {key[1:]: value for key, value in self.book.items() if key[0] == account}

    async def forget_book(self, account: str) -> None:
        await trio.lowlevel.checkpoint()
        for key in [key for key in self.book if key[0] == account]:
            del self.book[key]

    async def read(self, after_seq: int, limit: int) -> list[Record]:
        await trio.lowlevel.checkpoint()
        begin = max(after_seq + 1, self.first_seq)
        return [self.records[seq] for seq in range(begin, min(begin + limit, self.last_seq + 1))]

    async def wait_past(self, seq: int) -> None:
        await trio.lowlevel.checkpoint()
        while self.last_seq <= seq:
            await self._bell.park()

    async def register_sink(
        self, name: str, type: str, start: str, *, holds_retention: bool, overflow: str
    ) -> SinkPosition:
        await trio.lowlevel.checkpoint()
        known = self._sinks.get(name)
        if known is None or known.type != type:
            await self.forget_sink(name)
            begin = self.first_seq - 1 if start == "earliest" else self.last_seq
            known = SinkPosition(name=name, type=type, start_seq=begin, cursor=begin)
        return self._save(
            msgspec.structs.replace(known, holds_retention=holds_retention, overflow=overflow)
        )

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
        await trio.lowlevel.checkpoint()
        position = advanced(self._require(name), to_seq, delivered, filtered, dropped, len(dead))
        for letter in dead:
            self._letter_count += 1
            numbered = msgspec.structs.replace(letter, number=self._letter_count)
            self._letters[self._letter_count] = numbered
        return self._save(position)

    async def release_sink(self, name: str) -> None:
        await trio.lowlevel.checkpoint()
        if name in self._sinks:
            self._save(msgspec.structs.replace(self._sinks[name], holds_retention=False))

    async def forget_sink(self, name: str) -> None:
        await trio.lowlevel.checkpoint()
        self._sinks.pop(name, None)
        for number in [n for n, letter in self._letters.items() if letter.sink == name]:
            del self._letters[number]

    async def count_replayed(self, name: str, events: int) -> SinkPosition:
        await trio.lowlevel.checkpoint()
        position = self._require(name)
        return self._save(msgspec.structs.replace(position, replayed=position.replayed + events))

    async def sink_positions(self) -> list[SinkPosition]:
        await trio.lowlevel.checkpoint()
        return [self._sinks[name] for name in sorted(self._sinks)]

    async def dead_letters(
        self, sink: str | None = None, after: int = 0, limit: int = 100
    ) -> list[DeadLetter]:
        await trio.lowlevel.checkpoint()
        found = [
            letter
            for number, letter in self._letters.items()
            if number > after and sink in (None, letter.sink)
        ]
        return found[:limit]

    async def resolve_dead_letters(self, numbers: Sequence[int], outcome: str) -> dict[str, int]:
        await trio.lowlevel.checkpoint()
        held = [number for number in numbers if number in self._letters]
        resolved = Counter(self._letters[number].sink for number in held)
        for number in held:
            position = self._sinks[self._letters.pop(number).sink]
            moved: dict[str, Any] = {
                "dead_letters": position.dead_letters - 1,
                outcome: getattr(position, outcome) + 1,
            }
            self._save(msgspec.structs.replace(position, **moved))
        return dict(resolved)

    @property
    def blocked(self) -> bool:
        return self._blocked is not None

    @property
    def blocked_reason(self) -> BlockReason | None:
        return self._blocked

    async def wait_blocked(self) -> None:
        await self._wait_block_is(True)

    async def wait_unblocked(self) -> None:
        await self._wait_block_is(False)

    @property
    def writer_silent_seconds(self) -> float:
        return 0.0

    def status(self) -> JournalStatus:
        return JournalStatus(
            epoch=self.epoch,
            first_seq=self.first_seq,
            last_seq=self.last_seq,
            bytes=sum(len(record.tail) for record in self.records.values()),
            free_bytes=1 << 30,
            blocked=self.blocked,
            blocked_reason=self._blocked,
            queue_events=0 if self._held is None else sum(len(entry[0]) for entry in self._held),
        )

    # --- inside ----------------------------------------------------------------------

    def _commit(self, events: Sequence[Event], book: Sequence[BookChange], ticket: Ticket) -> None:
        seqs: list[int | None] = []
        for prepared in prepare(events):
            if prepared.event.id in self._ids:
                seqs.append(None)
                continue
            self.last_seq += 1
            self._ids.add(prepared.event.id)
            self.records[self.last_seq] = to_record(self.last_seq, prepared)
            seqs.append(self.last_seq)
        for *key, value in book:
            if value is None:
                self.book.pop(tuple(key), None)
            else:
                self.book[tuple(key)] = value
        ticket.settle(Committed(tuple(seqs)))
        self._bell.unpark_all()

    async def _wait_block_is(self, wanted: bool) -> None:
        await trio.lowlevel.checkpoint()
        while self.blocked is not wanted:
            await self._changed.park()

    def _require(self, name: str) -> SinkPosition:
        if name not in self._sinks:
            raise JournalError(f"the journal knows no sink {name!r}")
        return self._sinks[name]

    def _save(self, position: SinkPosition) -> SinkPosition:
        self._sinks[position.name] = position
        return position
