"""The newest records, in memory, so that readers that keep up never touch the disk."""

from collections.abc import Sequence

from gateway.contracts.sink import Record


class RecentRecords:
    """A window over the end of the journal, bounded by count and by bytes."""

    def __init__(self, last_seq: int, max_events: int, max_bytes: int) -> None:
        self._records: list[Record] = []
        self._first_seq = last_seq + 1
        self._bytes = 0
        self._max_events = max_events
        self._max_bytes = max_bytes

    def extend(self, records: Sequence[Record]) -> None:
        """Take newly committed records; the oldest make room."""
        self._records += records
        self._bytes += sum(map(record_bytes, records))
        going = max(len(self._records) - self._max_events, 0)
        self._bytes -= sum(map(record_bytes, self._records[:going]))
        while self._bytes > self._max_bytes:
            self._bytes -= record_bytes(self._records[going])
            going += 1
        del self._records[:going]
        self._first_seq += going

    def after(self, seq: int, limit: int) -> list[Record] | None:
        """Up to `limit` records after `seq`; None when that lies before the window."""
        if seq + 1 < self._first_seq:
            return None
        begin = seq + 1 - self._first_seq
        return self._records[begin : begin + limit]


def record_bytes(record: Record) -> int:
    """The size of a record's text."""
    raw = record.raw
    return len(record.tail) if raw is None else len(record.tail) + len(raw)
