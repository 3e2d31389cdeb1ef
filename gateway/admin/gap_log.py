"""Gaps of the last day, put together from `stream` events in the journal.

Nothing runs until somebody asks: the first question looks back through the
journal, a later one reads only what came since.
"""

from typing import Final

import trio

from gateway.admin.house import EventLog
from gateway.admin.model import GapList, GapSpan
from gateway.clock import Clock
from gateway.contracts.sink import Record
from gateway.events.model import Kind, Stream, StreamStatus
from gateway.events.times import Timestamp, from_nanoseconds

SPAN_NS: Final = 24 * 3600 * 1_000_000_000
LOOK_BACK_EVENTS: Final = 200_000
"""The first look goes no further back: a second of work on a busy gateway."""
_STEP: Final = 1000


class GapLog:
    """Remembers the gaps that it has read so far."""

    def __init__(self, journal: EventLog, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._lock = trio.Lock()
        self._seen: int | None = None
        self._whole = True
        self._spans: dict[tuple[str, Timestamp], GapSpan] = {}

    async def recent(self) -> GapList:
        """Gaps that touch the last 24 hours, oldest first."""
        horizon_ns = self._clock.now_ns() - SPAN_NS
        async with self._lock:
            if self._seen is None:
                self._seen = await self._first_look(horizon_ns)
            await self._catch_up(self._seen)
        horizon = from_nanoseconds(horizon_ns)
        for key, span in list(self._spans.items()):
            if span.until is not None and span.until < horizon:
                del self._spans[key]
        ordered = sorted(self._spans.values(), key=lambda span: (span.since, span.account))
        return GapList(gaps=tuple(ordered), whole=self._whole)

    async def _first_look(self, horizon_ns: int) -> int:
        """The seq after which to read: a day ago, or as far back as is bearable."""
        low = self._journal.first_seq - 1
        nearest = self._journal.last_seq - LOOK_BACK_EVENTS
        if low < nearest:
            (record,) = await self._journal.read(nearest, 1)
            self._whole = record.received_ns < horizon_ns
            low = nearest
        return low

    async def _catch_up(self, seen: int) -> None:
        while records := await self._journal.read(seen, _STEP):
            for record in records:
                if record.kind is Kind.STREAM:
                    self._learn(record)
            self._seen = seen = records[-1].seq
            await trio.lowlevel.checkpoint()

    def _learn(self, record: Record) -> None:
        body = record.event().body
        if not isinstance(body, Stream) or body.since is None:
            return
        if body.status not in (StreamStatus.GAP_OPENED, StreamStatus.GAP_CLOSED):
            return
        closed = body.status is StreamStatus.GAP_CLOSED
        earlier = [
            self._spans.pop(key)
            for key, span in list(self._spans.items())
            if span.account == record.account and _is_within(span, body)
        ]
        self._spans[record.account, body.since] = GapSpan(
            account=record.account,
            since=body.since,
            until=body.until if closed else None,
            # What it began with says more than why it was dated back or closed.
            reason=earlier[0].reason if earlier else body.reason,
            complete=body.complete if closed else None,
            recovered=body.recovered if closed else None,
        )


def _is_within(span: GapSpan, told: Stream) -> bool:
    """Whether `told` is about the gap that `span` shows: perhaps with an earlier beginning."""
    assert told.since is not None
    if span.since < told.since:
        return False
    return span.until is None or (told.until is not None and span.until <= told.until)
