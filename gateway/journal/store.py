"""The journal as the writer's thread sees it: synchronous, over the one writing connection.

A group of requests is one transaction. Nothing in memory moves before its commit
returned, so a group that failed for want of space can be written again as it is.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, cast

import apsw
import msgspec

from gateway.contracts.sink import Record
from gateway.errors import GatewayError, JournalBlocked
from gateway.journal import event_table
from gateway.journal.checkpoints import Checkpointer
from gateway.journal.database import let_go, our_errors
from gateway.journal.ids import HeldIds
from gateway.journal.records import BookChange, Fields, Ledger, Prepared, to_fields, to_record

_CHECKPOINT_PAGES: Final = 1_000
"""SQLite's own default; longer WALs make neither commits nor checkpoints faster."""
_LONGEST_PAGES: Final = 8_000
"""A WAL begins anew only where nothing was written during the end of a checkpoint. Under a
burst that would be never: at 32 MiB the writer does the rest of one itself."""
_MOST_PAGES: Final = 16_000
"""Where a disk takes in less than it is given, the writer waits for it: 64 MiB."""

_SPARE_PAGES: Final = 4_096
"""Free pages that are kept for what comes next: 16 MiB."""
_SPARE_SHARE: Final = 8
"""Or an eighth of the file: giving back what is soon needed again would be work for nothing."""
_SHRINK_PAGES: Final = 256
_SHRINK_SECONDS: Final = 1.0
"""How often it is looked whether there are too many."""

_NORMAL: Final = 1
"""Of SQLite's `synchronous`: a commit reaches the disk with a later one, or a checkpoint."""


class Addition(msgspec.Struct, frozen=True):
    """Events and book changes of one `append`."""

    events: Sequence[Prepared]
    book: Sequence[BookChange]


class Transaction:
    """One group on its way to disk."""

    def __init__(self, connection: apsw.Connection, ledger: Ledger, ids: HeldIds) -> None:
        self.connection: Final = connection
        self.ledger = ledger
        self.records: Final[list[Record]] = []
        """The new ones, in order."""
        self._next_seq = ledger.next_seq
        self._ids = ids
        self.new_ids: Final[set[bytes]] = set()
        self._rows: list[Fields] = []
        self._book: list[BookChange] = []

    def add(self, addition: Addition) -> tuple[int | None, ...]:
        """Give each event that is new its seq; None for the others."""
        self._book += addition.book
        return tuple(self._number(prepared) for prepared in addition.events)

    def release(self, ids: Iterable[bytes]) -> None:
        """Let events with these ids be journalled once more."""
        self._ids.release(ids)

    def flush(self) -> None:
        """Bring what was added into the tables, before a command looks at them."""
        if self._rows:
            self.ledger = msgspec.structs.replace(self.ledger, next_seq=self._next_seq)
            event_table.insert(self.connection, self._rows)
            event_table.write_ledger(self.connection, self.ledger)
        if self._book:
            event_table.change_book(self.connection, self._book)
        self._rows, self._book = [], []

    def _number(self, prepared: Prepared) -> int | None:
        if prepared.id in self.new_ids or self._ids.held(prepared.id):
            return None
        record = to_record(self._next_seq, prepared)
        self.records.append(record)
        self._rows.append(to_fields(record, prepared.id))
        self.new_ids.add(prepared.id)
        self._next_seq += 1
        return record.seq


Command = Callable[[Transaction], object]
"""Anything else to be done inside the group's transaction: checks first, then writes."""

Request = Addition | Command


class Written(msgspec.Struct, frozen=True):
    """A group that is on disk."""

    results: Sequence[object]
    """One per request, in order: seqs, what the command gave, or the error it raised."""
    records: Sequence[Record]
    """The new ones."""


class Store:
    """The writing connection, with what has to be known to write."""

    def __init__(
        self,
        connection: apsw.Connection,
        segment_ids: int,
        say_closed: Callable[[], None],
        checkpointer: Checkpointer | None,
    ) -> None:
        with our_errors(connection):
            self.ledger = event_table.read_ledger(connection)
            self._ids = HeldIds(connection, segment_ids)
        self._connection = connection
        self._say_closed = say_closed
        self._checkpointer = checkpointer
        self._wal_pages = 0
        self._lacked_space = False
        """The checkpointer found the disk full: the writer has to see that it no longer is."""
        self._is_shrinking = False
        self._shrink_at = 0.0
        connection.set_wal_hook(self._note_wal)

    def write(self, group: Sequence[Request]) -> Written:
        """Write a group in one transaction; it is on disk when this returns.

        Raises `JournalBlocked` when there is no space (write it again later),
        `JournalFailed` or `JournalDamaged` otherwise (never use the store again).
        """
        transaction = Transaction(self._connection, self.ledger, self._ids)
        with our_errors(self._connection), self._transaction():
            results = [_apply(request, transaction) for request in group]
            transaction.flush()
        self.ledger = transaction.ledger
        self._ids.learn(transaction.new_ids)
        return Written(results, transaction.records)

    def tidy(self) -> bool:
        """Take one step of what keeps the journal quick and small; False when all is done."""
        with our_errors(self._connection):
            self._fold_if_due()
            step = self._ids.step(self.ledger.first_seq, self.ledger.next_seq - 1)
            if step is None:
                return self._shrink_if_due()
            with self._unsynced(), self._transaction():
                step.write()
            step.done()
            return True

    def close(self) -> None:
        """Fold the WAL into the database, say so, and close."""
        if self._checkpointer is not None:
            self._checkpointer.close()
        with our_errors(self._connection):
            try:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            except apsw.BusyError:
                # Another process reads. The WAL stays, and has to be there next time.
                return self.abandon()
            # Between these two the WAL is empty but there; the other way round, a
            # crash would leave a journal that looks robbed of its WAL.
            self._say_closed()
            self._connection.close()
            return None

    def abandon(self) -> None:
        """Let go after a failure, without another write: recovery at the next start tells."""
        if self._checkpointer is not None:
            self._checkpointer.close()
        let_go(self._connection)

    def _fold_if_due(self) -> None:
        """See to it that the WAL gets into the database, and does not grow for ever."""
        checkpointer = self._checkpointer
        if checkpointer is None:
            if self._wal_pages >= _CHECKPOINT_PAGES:
                self._checkpoint()
            return
        try:
            checkpointer.raise_failure()
        except JournalBlocked:
            self._lacked_space = True
            raise
        if checkpointer.is_busy:
            if self._wal_pages < _MOST_PAGES:
                return
            checkpointer.wait()
        if self._lacked_space or self._wal_pages >= _LONGEST_PAGES:
            self._checkpoint()
            self._lacked_space = False
            return
        # Of a WAL that began anew meanwhile nothing is folded.
        folded = checkpointer.folded if checkpointer.folded <= self._wal_pages else 0
        if self._wal_pages - folded >= _CHECKPOINT_PAGES:
            checkpointer.begin()

    def _shrink_if_due(self) -> bool:
        # To look costs as much as an insert: not behind every group.
        if time.monotonic() < self._shrink_at:
            return False
        more = self._shrink()
        if not more:
            self._shrink_at = time.monotonic() + _SHRINK_SECONDS
        return more

    def _shrink(self) -> bool:
        """Give free pages back to the file system, a few at a time."""
        free = cast("int", self._connection.pragma("freelist_count"))
        pages = cast("int", self._connection.pragma("page_count"))
        if free > max(_SPARE_PAGES, pages // _SPARE_SHARE):
            self._connection.execute(f"PRAGMA incremental_vacuum({_SHRINK_PAGES})").fetchall()
            self._is_shrinking = True
        elif self._is_shrinking:
            if self._checkpointer is not None and self._checkpointer.is_busy:
                return False  # and look again in a moment
            # Only a checkpoint makes the file itself shorter.
            self._checkpoint()
            self._is_shrinking = False
        return self._is_shrinking

    def _checkpoint(self) -> None:
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        # Only now: one that found the disk full has to be tried again.
        self._wal_pages = 0

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    @contextmanager
    def _unsynced(self) -> Iterator[None]:
        """Let a transaction reach the disk with the group that comes after it.

        For what a crash may undo, since it is done anew then: its own fsync would take as
        long as a group's.
        """
        durability = self._connection.pragma("synchronous")
        self._connection.pragma("synchronous", _NORMAL)
        try:
            yield
        finally:
            self._connection.pragma("synchronous", durability)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            # SQLite often has rolled back by itself after a failed write; the first
            # error is the one that tells.
            with suppress(apsw.Error):
                self._connection.execute("ROLLBACK")

    def _note_wal(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK


def _apply(request: Request, transaction: Transaction) -> object:
    if isinstance(request, Addition):
        return transaction.add(request)
    transaction.flush()
    try:
        return request(transaction)
    except GatewayError as refusal:
        return refusal
