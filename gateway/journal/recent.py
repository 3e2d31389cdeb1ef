"""The newest records, in memory, so that readers that keep up never touch the disk."""

from collections.abc import Sequence

from gateway.contracts.sink import Record


class RecentRecords:
    """A window over the end of the journal, bounded by count and by bytes."""

    def __init__(self, last_seq: int, max_events: int, max_bytes: int) -> None:
        self._records: dict[int, Record] = {}
        self._first_seq = last_seq + 1
        self._next_seq = last_seq + 1
        self._bytes = 0
        self._max_events = max_events
        self._max_bytes = max_bytes

    def extend(self, records: Sequence[Record]) -> None:
        """Take newly committed records; the oldest make room."""
        for record in records:
            self._records[record.seq] = record
            self._bytes += record_bytes(record)
        self._next_seq += len(records)
        while self._bytes > self._max_bytes or len(self._records) > self._max_events:
            self._bytes -= record_bytes(self._records.pop(self._first_seq))
            self._first_seq += 1

    def after(self, seq: int, limit: int) -> list[Record] | None:
        """Up to `limit` records after `seq`; None when that lies before the window."""
        if seq + 1 < self._first_seq:
            return None
        return [self._records[n] for n in range(seq + 1, min(seq + 1 + limit, self._next_seq))]


def record_bytes(record: Record) -> int:
    """The size of a record's text."""
    return len(record.tail) + len(record.raw or b"")
