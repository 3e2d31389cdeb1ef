"""Sending again on request: a range of the journal, or dead letters after the mend.

An errand is run by the sink's own worker, a batch at a time between its other
batches, since nobody else may call the sink. The ids are the same, so a sink with
a key sees nothing twice. The cursor does not move.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec
import trio

from gateway.contracts.sink import Accepted, Item, Record, Refused, Verdict
from gateway.delivery.feed import READ_RECORDS, Feed
from gateway.journal import DeadLetter, Journal


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the journal, by seq, by time of receipt, or both. Bounds are included."""

    from_seq: int | None = None
    to_seq: int | None = None
    from_ns: int | None = None
    to_ns: int | None = None

    def holds(self, record: Record) -> bool:
        """Tell whether a record lies in it; `seq` bounds are the reader's to keep."""
        if self.from_ns is not None and record.received_ns < self.from_ns:
            return False
        return self.to_ns is None or record.received_ns <= self.to_ns


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an errand."""

    matched: int
    """Events in the range that the sink wants, or dead letters."""
    sent: int
    """Accepted by the sink; 0 in a dry run."""
    refused: int
    """Refused once more. Dead letters stay; a range leaves no new ones."""
    first_seq: int | None
    last_seq: int | None


class Source(Protocol):
    """Where an errand's events come from, and where their fate is noted."""

    async def load(self) -> list[Item]:
        """The next events; an empty list when there are no more."""

    async def accepted(self, items: Sequence[Item]) -> None:
        """Note what the sink took."""


class Errand:
    """One request to send again, as the worker and the requester see it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._unsettled: list[Item] = []
        self._first_seq: int | None = None
        self._last_seq: int | None = None
        self._matched = self._sent = self._refused = 0
        self.ended = trio.Event()
        self.completed = False

    async def items(self) -> list[Item]:
        """What is to be sent now; empty when all is done."""
        if not self._unsettled:
            self._unsettled = await self._source.load()
            self._matched += len(self._unsettled)
            self._note_seqs(item.record.seq for item in self._unsettled)
        return self._unsettled

    async def settle(self, verdicts: Sequence[Verdict]) -> bool:
        """Take the sink's answer to `items()`; True when it settled something."""
        answers = list(zip(self._unsettled, verdicts, strict=True))
        accepted = [item for item, verdict in answers if isinstance(verdict, Accepted)]
        self._sent += len(accepted)
        self._refused += sum(isinstance(verdict, Refused) for _, verdict in answers)
        self._unsettled = [
            item for item, verdict in answers if not isinstance(verdict, Accepted | Refused)
        ]
        if accepted:
            await self._source.accepted(accepted)
        return len(self._unsettled) < len(answers)

    async def rehearse(self) -> ReplayReport:
        """Find out what would be sent, and send nothing."""
        while await self.items():
            self._unsettled = []
        return self.report()

    def end(self, *, completed: bool) -> None:
        """Let the requester go on."""
        self.completed = completed
        self.ended.set()

    def report(self) -> ReplayReport:
        """What came of it so far."""
        return ReplayReport(
            matched=self._matched,
            sent=self._sent,
            refused=self._refused,
            first_seq=self._first_seq,
            last_seq=self._last_seq,
        )

    def _note_seqs(self, seqs: Iterable[int]) -> None:
        for seq in seqs:
            self._first_seq = seq if self._first_seq is None else min(seq, self._first_seq)
            self._last_seq = seq if self._last_seq is None else max(seq, self._last_seq)


class RangeSource:
    """Events of a range, in order, as far as the journal holds them and the sink wants them."""

    def __init__(self, journal: Journal, sink: str, feed: Feed, wanted: Range) -> None:
        self._journal = journal
        self._sink = sink
        self._feed = feed
        self._range = wanted
        self._at_seq = max(journal.first_seq, wanted.from_seq or 0) - 1
        # Fixed now: a replay that follows the journal's end would never be over.
        self._to_seq = min(journal.last_seq, wanted.to_seq or journal.last_seq)

    async def load(self) -> list[Item]:
        """The next events that match."""
        while self._at_seq < self._to_seq:
            limit = min(READ_RECORDS, self._to_seq - self._at_seq)
            records = await self._journal.read(self._at_seq, limit)
            if not records:
                break
            self._at_seq = records[-1].seq
            if items := [item for record in records if (item := self._wanted(record))]:
                return items
        return []

    async def accepted(self, items: Sequence[Item]) -> None:
        """Count them, apart from everything else."""
        await self._journal.count_replayed(self._sink, len(items))

    def _wanted(self, record: Record) -> Item | None:
        if record.seq > self._to_seq or not self._range.holds(record):
            return None
        return self._feed.item(record)


class DeadLetterSource:
    """Dead letters of one sink: those with the given numbers, or all that it has now."""

    def __init__(
        self, journal: Journal, sink: str, feed: Feed, numbers: Sequence[int] | None
    ) -> None:
        self._journal = journal
        self._sink = sink
        self._feed = feed
        self._wanted = None if numbers is None else frozenset(numbers)
        self._after = 0
        self._loaded: dict[int, int] = {}

    async def load(self) -> list[Item]:
        """The next dead letters, by number."""
        while letters := await self._journal.dead_letters(self._sink, self._after, READ_RECORDS):
            self._after = _number(letters[-1])
            chosen = [
                letter
                for letter in letters
                if self._wanted is None or _number(letter) in self._wanted
            ]
            self._loaded = {letter.record.seq: _number(letter) for letter in chosen}
            if chosen:
                return [self._feed.render(letter.record) for letter in chosen]
        return []

    async def accepted(self, items: Sequence[Item]) -> None:
        """Let them go as delivered."""
        numbers = [self._loaded[item.record.seq] for item in items]
        await self._journal.resolve_dead_letters(numbers, "delivered")


def _number(letter: DeadLetter) -> int:
    assert letter.number is not None  # the journal numbers what it keeps
    return letter.number
