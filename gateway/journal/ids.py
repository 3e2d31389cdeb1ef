"""Which event ids the journal holds, however many.

One unique index over millions of random ids was measured to write a page of it
for nearly every event, and to get slower as it grows (`benchmarks/journal_growth.py`).
So ids live in three places:

- the newest in memory, read back from the records themselves at opening;
- every full segment of them is sealed: written to `sealed_ids` in its order, in
  small slices between groups, so that each page is written once;
- a filter in memory says which sealed segment may hold an id, mostly none.

A segment goes when all its records are retired.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, cast

import apsw
import msgspec

from gateway.errors import JournalDamaged
from gateway.journal.id_filter import FilterTable, SegmentFilter
from gateway.journal.many_rows import insert_rows
from gateway.journal.records import checksum

_SLICE: Final = 1_024
"""Ids moved in one transaction, two milliseconds in which a group has to wait."""
_FASTER: Final = 2
"""Or so many times as many as came since the last step: else a burst would bring more
than is moved, and sealing would never end."""
_PARTS: Final = 256
"""A segment is put in order by parts: all at once, nobody else would run for 30 ms."""


class Step(msgspec.Struct, frozen=True):
    """One piece of housekeeping."""

    write: Callable[[], None]
    """Inside a transaction; may be called again when that fails."""
    done: Callable[[], None]
    """After its commit."""


class HeldIds:
    """Answers for the writer whether an id is journalled, and keeps that quick."""

    def __init__(self, connection: apsw.Connection, segment_ids: int) -> None:
        self._connection: Final = connection
        self._segment_ids: Final = segment_ids
        [(segments,)] = connection.execute("SELECT count(*) FROM id_segments").fetchall()
        self._filters: Final = FilterTable(cast("int", segments))
        self._segments: Final[dict[int, int]] = {}
        """Number of each sealed segment → its last seq, oldest first."""
        self._sealing: _Sealing | None = None
        self._learned = 0
        """Since the last step."""
        self._load_segments()
        sealed_to = max(self._segments.values(), default=0)
        rows = connection.execute("SELECT id FROM events WHERE seq > ?", (sealed_to,))
        self._fresh: set[bytes] = {cast("bytes", event_id) for (event_id,) in rows}
        self._released: set[bytes] = set()

    def held(self, event_id: bytes) -> bool:
        """True when a record with this id is kept (or was until lately)."""
        if event_id in self._released:
            return False
        if event_id in self._fresh:
            return True
        if self._sealing is not None and event_id in self._sealing.ids:
            return True
        return any(self._is_in(segment, event_id) for segment in self._filters.candidates(event_id))

    def learn(self, ids: set[bytes]) -> None:
        """These are journalled now."""
        before = len(self._fresh)
        self._fresh |= ids
        self._released -= ids
        self._learned += len(self._fresh) - before

    def release(self, ids: Iterable[bytes]) -> None:
        """Let each be journalled once more, until the journal is opened anew."""
        self._released.update(ids)

    def step(self, first_seq: int, last_seq: int) -> Step | None:
        """What to do next so that the ids stay quick to look up; None for nothing."""
        size = max(_SLICE, _FASTER * self._learned)
        self._learned = 0
        if self._sealing is None and len(self._fresh) >= self._segment_ids:
            number = max(self._segments, default=0) + 1
            self._sealing = _Sealing(number, last_seq, self._fresh)
            self._fresh = set()
        if self._sealing is not None:
            return self._seal(self._sealing, size)
        for number, segment_last_seq in self._segments.items():
            if segment_last_seq < first_seq:
                return self._drop(number, size)
        return None

    def _is_in(self, segment: int, event_id: bytes) -> bool:
        found = self._connection.execute(
            "SELECT 1 FROM sealed_ids WHERE segment = ? AND id = ?", (segment, event_id)
        )
        return found.fetchone() is not None

    def _load_segments(self) -> None:
        for number, last_seq, bits in read_segments(self._connection):
            self._segments[number] = last_seq
            self._filters.put(number, bits)
        # A crash may have cut a sealing short; it begins anew.
        self._connection.execute(
            "DELETE FROM sealed_ids WHERE segment > ?", (max(self._segments, default=0),)
        )

    def _seal(self, sealing: "_Sealing", size: int) -> Step:
        part, end = sealing.take(size)
        is_last = end == _PARTS

        def write() -> None:
            sealing.filter.add(part)
            rows = [(sealing.number, event_id) for event_id in part]
            insert_rows(self._connection, "INSERT INTO sealed_ids (segment, id)", rows)
            if is_last:
                row = (sealing.number, sealing.last_seq, sealing.filter.finish())
                self._connection.execute(
                    "INSERT INTO id_segments (number, last_seq, filter, checksum)"
                    " VALUES (?, ?, ?, ?)",
                    (*row, checksum(row)),
                )

        def done() -> None:
            sealing.written = end
            if is_last:
                self._segments[sealing.number] = sealing.last_seq
                self._filters.put(sealing.number, sealing.filter.finish())
                self._sealing = None

        return Step(write, done)

    def _drop(self, number: int, size: int) -> Step:
        is_last = False

        def write() -> None:
            nonlocal is_last
            self._connection.execute(
                "DELETE FROM sealed_ids WHERE segment = ?1 AND id IN"
                " (SELECT id FROM sealed_ids WHERE segment = ?1 LIMIT ?2)",
                (number, size),
            )
            is_last = self._connection.changes() < size
            if is_last:
                self._connection.execute("DELETE FROM id_segments WHERE number = ?", (number,))

        def done() -> None:
            if is_last:
                self._filters.drop(number)
                del self._segments[number]

        return Step(write, done)


class _Sealing:
    """A segment on its way to the table."""

    def __init__(self, number: int, last_seq: int, ids: set[bytes]) -> None:
        self.number = number
        self.last_seq = last_seq
        self.ids = ids
        self.filter = SegmentFilter()
        self.written = 0
        """Parts that are in the table."""
        self._parts: list[list[bytes]] = [[] for _ in range(_PARTS)]
        for event_id in ids:
            self._parts[event_id[0]].append(event_id)

    def take(self, at_least: int) -> tuple[list[bytes], int]:
        """The next ids in order, by whole parts, and how many parts are written then."""
        taken: list[bytes] = []
        end = self.written
        while end < _PARTS and len(taken) < at_least:
            taken += sorted(self._parts[end])
            end += 1
        return taken, end


def read_segments(connection: apsw.Connection) -> Iterator[tuple[int, int, bytes]]:
    """Number, last seq and filter of each sealed segment, oldest first."""
    rows = connection.execute(
        "SELECT number, last_seq, filter, checksum FROM id_segments ORDER BY number"
    )
    for number, last_seq, bits, stored in cast("Iterable[tuple[int, int, bytes, int]]", rows):
        if checksum((number, last_seq, bits)) != stored:
            raise JournalDamaged(
                f"journal damaged: segment {number} of the ids of {connection.filename} is not"
                " what was written; restore a backup (docs/operations.md)"
            )
        yield number, last_seq, bits
