"""What may be deleted, and what becomes of sinks that still wait for it.

Age deletes only what no enabled sink waits for. The size limit is one for events: what
else the database holds (the book, dead letters, ids) has lives of its own. At the limit
the `overflow` of the sinks that are behind decides: `drop_oldest` loses the oldest
events, each counted; `block` stops the sources until the sink has moved.
"""

from collections.abc import Sequence
from itertools import takewhile
from time import monotonic
from typing import Final, cast

import apsw
import msgspec

from gateway.clock import Clock
from gateway.journal import event_table, sink_table
from gateway.journal.records import Ledger, SinkPosition
from gateway.journal.schema import PAGE_BYTES
from gateway.journal.settings import Retention
from gateway.journal.store import Transaction

_STEP_EVENTS: Final = 1_000
"""Deleted in one transaction: some milliseconds between two groups."""
_STEP_SHARE: Final = 8
"""No step takes more than one part in so many: else a small journal would lose, for one
sink that is behind, what the others are just about to take."""
_RELIEF: Final = 0.95
"""A blocked journal goes on once it is this far below its limit, or the sources
would be opened and closed with every batch."""
_NS_PER_SECOND: Final = 1_000_000_000
_LASTING_TABLES: Final = ("book", "dead_letters", "sealed_ids", "id_segments")
_PATIENCE: Final = 20
"""So many times the time that a measurement took passes before the next one."""


class Retired(msgspec.Struct, frozen=True):
    """What one step did."""

    first_seq: int
    lost: dict[str, int]
    """Events that sinks lost, by sink."""
    blocked_by: tuple[str, ...]
    """Sinks with `overflow: block` for which the sources have to pause."""
    more: bool
    """True when another step will find something to delete."""


class Plan(msgspec.Struct, frozen=True):
    """What one step is to do."""

    to_seq: int
    """Delete up to here."""
    held_by: tuple[str, ...] = ()
    """Sinks with `overflow: block` because of which nothing can be deleted."""


def plan(
    ledger: Ledger, aged_to_seq: int, is_over_size: bool, sinks: Sequence[SinkPosition]
) -> Plan:
    """Decide, purely, how far one step deletes."""
    waiting = [sink for sink in sinks if sink.holds_retention]
    if not is_over_size:
        return Plan(min([aged_to_seq, *(sink.cursor for sink in waiting)]))
    blockers = [sink for sink in waiting if sink.overflow == "block"]
    kept = ledger.next_seq - ledger.first_seq
    last = ledger.first_seq - 1 + min(_STEP_EVENTS, -(-kept // _STEP_SHARE))
    to_seq = min([last, *(sink.cursor for sink in blockers)])
    held = last >= ledger.first_seq > to_seq
    return Plan(to_seq, tuple(sink.name for sink in blockers if held and sink.cursor == to_seq))


class Retirement:
    """The step that the writer takes between groups: a command over its transaction."""

    def __init__(self, settings: Retention, clock: Clock) -> None:
        self._settings: Final = settings
        self._clock: Final = clock
        self._lasting: Final = _Lasting()
        self._blocked_by: tuple[str, ...] = ()

    def __call__(self, transaction: Transaction) -> Retired:
        """Delete what may go, at most a step of it."""
        connection, ledger = transaction.connection, transaction.ledger
        sinks = sink_table.positions(connection)
        is_over = self._is_over(connection)
        decided = plan(ledger, self._aged_to(connection, ledger), is_over, sinks)
        lost = _give_up(connection, sinks, decided.to_seq)
        deletes = decided.to_seq >= ledger.first_seq
        if deletes:
            connection.execute("DELETE FROM events WHERE seq <= ?", (decided.to_seq,))
            transaction.ledger = msgspec.structs.replace(ledger, first_seq=decided.to_seq + 1)
            event_table.write_ledger(connection, transaction.ledger)
        self._blocked_by = (decided.held_by or self._blocked_by) if is_over else ()
        return Retired(transaction.ledger.first_seq, lost, self._blocked_by, deletes)

    def _is_over(self, connection: apsw.Connection) -> bool:
        pages = cast("int", connection.pragma("page_count"))
        free = cast("int", connection.pragma("freelist_count"))
        used = (pages - free) * PAGE_BYTES
        limit = self._settings.size * (_RELIEF if self._blocked_by else 1)
        # Only events are deleted for their size. Were the rest counted, a book that
        # outgrew the limit would cost every event, and still not be enough.
        return used > limit and used - self._lasting.bytes(connection) > limit

    def _aged_to(self, connection: apsw.Connection, ledger: Ledger) -> int:
        """The last seq of those at the front that are too old; not more than a step."""
        oldest_ns = self._clock.now_ns() - int(self._settings.age * _NS_PER_SECOND)
        rows = connection.execute(
            "SELECT received_ns FROM events ORDER BY seq LIMIT ?", (_STEP_EVENTS,)
        )
        aged = takewhile(lambda row: cast("int", row[0]) < oldest_ns, rows)
        return ledger.first_seq - 1 + sum(1 for _ in aged)


class _Lasting:
    """How much of the database is not events.

    To measure it takes a look at each of its pages, so no more than one part in
    `_PATIENCE` of the time is spent on that.
    """

    def __init__(self) -> None:
        self._bytes = 0
        self._again_at = float("-inf")

    def bytes(self, connection: apsw.Connection) -> int:
        """As last measured."""
        began = monotonic()
        if began >= self._again_at:
            self._bytes = sum(_table_bytes(connection, name) for name in _LASTING_TABLES)
            now = monotonic()
            self._again_at = now + _PATIENCE * (now - began)
        return self._bytes


def _table_bytes(connection: apsw.Connection, name: str) -> int:
    query = "SELECT pgsize FROM dbstat WHERE name = ? AND aggregate = TRUE"
    return sum(cast("int", size) for (size,) in connection.execute(query, (name,)))


def _give_up(
    connection: apsw.Connection, sinks: Sequence[SinkPosition], to_seq: int
) -> dict[str, int]:
    """Move the sinks that are to lose events; how many each lost."""
    lost = {}
    for sink in sinks:
        events = to_seq - sink.cursor
        if events > 0:
            sink_table.save(connection, sink_table.advanced(sink, to_seq, 0, 0, events, 0))
            lost[sink.name] = events
    return lost
