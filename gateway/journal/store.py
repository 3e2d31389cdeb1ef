"""The journal as the writer's thread sees it: synchronous, over the one writing connection.

A group of requests is one transaction. Nothing in memory moves before its commit
returned, so a group that failed for want of space can be written again as it is.
"""

from collections.abc import Callable, Sequence
from typing import Final

import apsw
import msgspec

from gateway.contracts.sink import Record
from gateway.errors import GatewayError
from gateway.journal import event_table
from gateway.journal.database import our_errors
from gateway.journal.ids import HeldIds
from gateway.journal.records import BookChange, Ledger, Prepared, Row, to_record, to_row

_CHECKPOINT_PAGES: Final = 1_000
"""SQLite's own default; longer WALs make neither commits nor checkpoints faster."""


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
        self._ids = ids
        self._new_ids: set[bytes] = set()
        self._rows: list[Row] = []
        self._book: list[BookChange] = []

    def add(self, addition: Addition) -> tuple[int | None, ...]:
        """Give each event that is new its seq; None for the others."""
        self._book += addition.book
        return tuple(self._number(prepared) for prepared in addition.events)

    def flush(self) -> None:
        """Bring what was added into the tables, before a command looks at them."""
        if self._rows:
            event_table.insert(self.connection, self._rows)
            event_table.write_ledger(self.connection, self.ledger)
        if self._book:
            event_table.change_book(self.connection, self._book)
        self._rows, self._book = [], []

    def _number(self, prepared: Prepared) -> int | None:
        if prepared.id in self._new_ids or self._ids.held(prepared.id):
            return None
        seq = self.ledger.next_seq
        self.ledger = msgspec.structs.replace(self.ledger, next_seq=seq + 1)
        record = to_record(seq, prepared)
        self.records.append(record)
        self._rows.append(to_row(record, prepared.id))
        self._new_ids.add(prepared.id)
        return seq


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

    def __init__(self, connection: apsw.Connection, ledger: Ledger) -> None:
        self.ledger = ledger
        self._connection = connection
        self._ids = HeldIds(connection)
        self._wal_pages = 0
        connection.set_wal_hook(self._note_wal)

    def write(self, group: Sequence[Request]) -> Written:
        """Write a group in one transaction; it is on disk when this returns.

        Raises `JournalBlocked` when there is no space (write it again later),
        `JournalFailed` or `JournalDamaged` otherwise (never use the store again).
        """
        transaction = Transaction(self._connection, self.ledger, self._ids)
        with our_errors(self._connection):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                results = [_apply(request, transaction) for request in group]
                transaction.flush()
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        self.ledger = transaction.ledger
        return Written(results, transaction.records)

    def checkpoint_if_due(self) -> None:
        """Move the WAL into the database file once it is long enough."""
        if self._wal_pages >= _CHECKPOINT_PAGES:
            with our_errors(self._connection):
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._wal_pages = 0

    def close(self) -> None:
        """Close the connection; the last one to close folds the WAL into the database."""
        with our_errors(self._connection):
            self._connection.close()

    def _note_wal(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except apsw.Error:
                # SQLite often has rolled back by itself after a failed write; the
                # first error is the one that tells.
                return


def _apply(request: Request, transaction: Transaction) -> object:
    if isinstance(request, Addition):
        return transaction.add(request)
    transaction.flush()
    try:
        return request(transaction)
    except GatewayError as refusal:
        return refusal
