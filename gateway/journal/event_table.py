# ruff: noqa: S608 - the statements are put together from this module's own constants
"""The `events` and `book` tables, read and written over a connection.

Every record read from disk is compared with its checksum and has to follow the
one before it: what is not what was written is never handed on.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, cast

import apsw
import msgspec

from gateway.contracts.sink import Record
from gateway.errors import JournalDamaged
from gateway.journal.many_rows import insert_rows
from gateway.journal.records import (
    RECORD_COLUMNS,
    BookChange,
    Fields,
    Ledger,
    checksum,
    from_fields,
)

_INSERT: Final = f"INSERT INTO events ({RECORD_COLUMNS}, checksum)"
_REPLACE: Final = "INSERT OR REPLACE INTO book (account, section, key, value, checksum)"
_SELECT: Final = f"SELECT {RECORD_COLUMNS}, checksum FROM events WHERE seq > ? ORDER BY seq LIMIT ?"


def insert(connection: apsw.Connection, rows: Iterable[Fields]) -> None:
    """Write records."""
    insert_rows(connection, _INSERT, [(*row, checksum(row)) for row in rows])


def scan(connection: apsw.Connection, after_seq: int, limit: int) -> Iterator[Record | int]:
    """Records after `after_seq`; for one that is not what was written, its seq."""
    for *columns, stored in connection.execute(_SELECT, (after_seq, limit)):
        fields = cast("Fields", tuple(columns))
        yield from_fields(fields) if checksum(fields) == stored else fields[0]


def read_ledger(connection: apsw.Connection) -> Ledger:
    """What the numbering stands on."""
    row = connection.execute("SELECT epoch, first_seq, next_seq, checksum FROM ledger").fetchone()
    if row is None or checksum(row[:3]) != row[3]:
        raise JournalDamaged(
            f"journal damaged: {connection.filename} has lost count of its records; restore a"
            " backup (docs/operations.md)"
        )
    return Ledger(*cast("tuple[str, int, int]", row[:3]))


def write_ledger(connection: apsw.Connection, ledger: Ledger) -> None:
    """Write what the numbering stands on."""
    fields = msgspec.structs.astuple(ledger)
    connection.execute(
        "INSERT OR REPLACE INTO ledger (one, epoch, first_seq, next_seq, checksum)"
        " VALUES (1, ?, ?, ?, ?)",
        (*fields, checksum(fields)),
    )


@contextmanager
def snapshot(connection: apsw.Connection) -> Iterator[None]:
    """One state of the database for several reads; keep it short, it holds the WAL."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def read(connection: apsw.Connection, after_seq: int, limit: int, max_bytes: int) -> list[Record]:
    """Records after `after_seq`, without holes; from the first one kept on.

    At most `limit`, fewer when they are large. Raises `JournalDamaged` with the
    seq of a record that is missing or not what was written.
    """
    with snapshot(connection):
        ledger = read_ledger(connection)
        after_seq = max(after_seq, ledger.first_seq - 1)
        limit = min(limit, ledger.next_seq - 1 - after_seq)
        records: list[Record] = []
        size = 0
        for record in scan(connection, after_seq, limit):
            if isinstance(record, int) or record.seq != after_seq + len(records) + 1:
                break
            records.append(record)
            size += len(record.tail) + len(record.raw or b"")
            if size >= max_bytes:
                return records
    if len(records) < limit:
        raise damaged(after_seq + len(records) + 1, connection)
    return records


def check_ends(connection: apsw.Connection) -> None:
    """See that the first and the last record are where the ledger says."""
    ledger = read_ledger(connection)
    # Two questions: one that asks for both ends reads everything between them.
    [(first, last)] = connection.execute(
        "SELECT (SELECT min(seq) FROM events), (SELECT max(seq) FROM events)"
    ).fetchall()
    if (first or ledger.next_seq) != ledger.first_seq:
        raise damaged(ledger.first_seq, connection)
    if (last or ledger.next_seq - 1) != ledger.next_seq - 1:
        raise damaged(ledger.next_seq - 1, connection)


def damaged(seq: int, connection: apsw.Connection) -> JournalDamaged:
    """The error for a record that is not what was written, or is missing."""
    return JournalDamaged(
        f"journal damaged: record {seq} of {connection.filename} is missing or is not what was"
        " written; see `gateway journal verify`, then restore a backup (docs/operations.md)"
    )


def change_book(connection: apsw.Connection, changes: Iterable[BookChange]) -> None:
    """Remember and forget; of two changes to one key the later one counts."""
    latest = {change[:3]: change[3] for change in changes}
    told = [
        (*key, value, checksum((*key, value))) for key, value in latest.items() if value is not None
    ]
    insert_rows(connection, _REPLACE, told)
    connection.executemany(
        "DELETE FROM book WHERE account = ? AND section = ? AND key = ?",
        (key for key, value in latest.items() if value is None),
    )


def load_book(connection: apsw.Connection, account: str) -> dict[tuple[str, str], bytes]:
    """All that is remembered of an account, by section and key."""
    book = {}
    rows = connection.execute(
        "SELECT section, key, value, checksum FROM book WHERE account = ?", (account,)
    )
    for section, key, value, stored in cast("Iterator[tuple[str, str, bytes, int]]", rows):
        if checksum((account, section, key, value)) != stored:
            raise JournalDamaged(
                f"journal damaged: the book of {account} ({section} {key}) is not what was"
                " written; restore a backup (docs/operations.md)"
            )
        book[section, key] = value
    return book
