"""The newest records, in memory, so that readers that keep up never touch the disk."""

from collections import deque
from collections.abc import Sequence

from gateway.contracts.sink import Record


class RecentRecords:
    """A window over the end of the journal, bounded by count and by bytes.

    Records come and go by groups, so that nobody has to weigh each of them.
    """

    def __init__(self, last_seq: int, max_events: int, max_bytes: int) -> None:
        self._records: list[Record] = []
        self._groups: deque[tuple[int, int]] = deque()
        """Events and bytes of each group."""
        self._first_seq = last_seq + 1
        self._bytes = 0
        self._max_events = max_events
        self._max_bytes = max_bytes

    def extend(self, records: Sequence[Record], size: int) -> None:
        """Take a group's new records, `size` bytes of text; the oldest groups make room."""
        self._records += records
        self._groups.append((len(records), size))
        self._bytes += size
        going = 0
        while len(self._records) - going > self._max_events or self._bytes > self._max_bytes:
            events, size = self._groups.popleft()
            going += events
            self._bytes -= size
        if going:
            del self._records[:going]
            self._first_seq += going

    def after(self, seq: int, limit: int) -> list[Record] | None:
        """Up to `limit` records after `seq`; None when that lies before the window."""
        if seq + 1 < self._first_seq:
            return None
        begin = seq + 1 - self._first_seq
        return self._records[begin : begin + limit]
