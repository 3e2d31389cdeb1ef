"""The journal as one sink sees it: batches of what it wants, read on from a cursor.

Reads ahead a little, so that a selective filter or a small batch does not ask the
journal once per event, and bounds what a batch may hold in memory.
"""

import math
from collections import deque
from typing import Final

import trio

from gateway.contracts.sink import Item, Record, SinkOptions
from gateway.delivery.batch import Batch
from gateway.delivery.filters import Filter
from gateway.journal import Journal

READ_RECORDS: Final = 500
"""Asked of the journal at once: a millisecond's work, whatever the batch size."""
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024
"""A batch of few but huge events ends here; one event larger than that still goes."""
MAX_SCAN_RECORDS: Final = 10_000
"""So far a batch may reach over events that the sink does not want."""
FILTERED_WAIT_SECONDS: Final = 1.0
"""How long the cursor may lag behind events that were only filtered: one write to
the journal a second, not one per event."""


class Overtaken(Exception):
    """Retention removed events that were next: the journal goes on with `record_seq`."""

    def __init__(self, record_seq: int) -> None:
        super().__init__(record_seq)
        self.record_seq = record_seq


class Feed:
    """Batches for one sink."""

    def __init__(self, journal: Journal, options: SinkOptions) -> None:
        self._journal = journal
        self._options = options
        self._filter = Filter(options)
        self._ahead: deque[Record] = deque()

    def item(self, record: Record) -> Item | None:
        """The event in the sink's format, or None when the sink does not want it."""
        return self.render(record) if self._filter.wants(record) else None

    def render(self, record: Record) -> Item:
        """The event in the sink's format, wanted or not."""
        include_raw = self._options.include_raw
        if self._options.format == "cloudevents":
            return Item(record, record.cloudevent(include_raw=include_raw))
        return Item(record, record.native(include_raw=include_raw))

    async def gather(self, after_seq: int, *, hurry: bool) -> Batch:
        """The next batch behind `after_seq`; waits for one event, and then `batch.wait`.

        In a `hurry` (the gateway stops, or something else is to be sent) it waits for no
        more than there is. Cancelled, it has taken nothing. Raises `Overtaken` when the
        next event is no longer there.
        """
        draft = _Draft(after_seq, self._options.batch.events)
        await self._fill(draft)
        while not (draft.full or (hurry and draft.begun)):
            deadline = self._deadline(draft)
            if trio.current_time() >= deadline:
                break
            with trio.move_on_at(deadline):
                await self._journal.wait_past(draft.to_seq)
            await self._fill(draft)
        return Batch(after_seq, draft.to_seq, draft.items)

    def _deadline(self, draft: "_Draft") -> float:
        if draft.first_item_at is not None:
            return draft.first_item_at + self._options.batch.wait
        if draft.begun_at is not None:
            return draft.begun_at + FILTERED_WAIT_SECONDS
        return math.inf

    async def _fill(self, draft: "_Draft") -> None:
        while not draft.full:
            next_seq = await self._look_ahead(draft.to_seq)
            if next_seq is None:
                return
            if next_seq != draft.to_seq + 1:
                if not draft.begun:
                    raise Overtaken(next_seq)
                draft.complete = True  # the next batch begins behind the hole
                return
            while self._ahead and not draft.full:
                record = self._ahead.popleft()
                draft.add(record, self.item(record))

    async def _look_ahead(self, after_seq: int) -> int | None:
        """The seq with which the journal goes on behind `after_seq`; None at its end."""
        if not self._ahead or self._ahead[0].seq != after_seq + 1:
            last_seq = self._journal.last_seq
            self._ahead = deque(await self._journal.read(after_seq, READ_RECORDS))
            if not self._ahead:
                # Retention may have taken everything that there was.
                return last_seq + 1 if last_seq > after_seq else None
        return self._ahead[0].seq


class _Draft:
    """A batch in the making."""

    def __init__(self, after_seq: int, max_items: int) -> None:
        self.after_seq = after_seq
        self.to_seq = after_seq
        self.items: list[Item] = []
        self.begun_at: float | None = None
        self.first_item_at: float | None = None
        self.complete = False
        """Nothing can be added, though it is not full."""
        self._bytes = 0
        self._max_items = max_items

    @property
    def begun(self) -> bool:
        return self.to_seq > self.after_seq

    @property
    def full(self) -> bool:
        return (
            self.complete
            or len(self.items) >= self._max_items
            or self._bytes >= MAX_BATCH_BYTES
            or self.to_seq - self.after_seq >= MAX_SCAN_RECORDS
        )

    def add(self, record: Record, item: Item | None) -> None:
        self.to_seq = record.seq
        if self.begun_at is None:
            self.begun_at = trio.current_time()
        if item is None:
            return
        if self.first_item_at is None:
            self.first_item_at = trio.current_time()
        self.items.append(item)
        self._bytes += len(item.body)
