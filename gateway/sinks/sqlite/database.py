"""The database file: opened, given its tables, written to, followed when it is moved.

Everything here blocks and is called in a thread, one call at a time.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import apsw

from gateway.contracts.sink import Record
from gateway.events.model import Kind
from gateway.sinks.tables import (
    SQLITE,
    TABLES,
    Table,
    add_column,
    create_indexes,
    create_table,
    create_view,
    drop_view,
    insert,
    row_of,
)

MODE: Final = 0o640
"""Events tell positions and balances: nobody but the group may read along."""
CHECKPOINT_PAGES: Final = 1_000
"""Pages in the WAL (4 MB) after which they are folded into the database."""
WAL_BYTES: Final = 64 << 20
"""The WAL file is cut back to this after a long reader let it grow."""

_INSERTS: Final = {kind: insert(table, SQLITE) for kind, table in TABLES.items()}


class Database:
    """The file at `path`, opened anew whenever what stands there is no longer ours."""

    def __init__(self, path: Path, *, include_raw: bool, busy_seconds: float) -> None:
        self.path = path
        self._busy_ms = int(busy_seconds * 1000)
        self._include_raw = include_raw
        self._connection: apsw.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._wal_pages = 0

    def add(self, records: Sequence[Record]) -> None:
        """Put the records on disk, all or none; those that are there already stay as they are.

        Raises `OSError` and `apsw.Error`; the next call then begins with opening the file.
        """
        rows: dict[Kind, list[tuple[str | int | bool | None, ...]]] = {}
        for record in records:
            row = row_of(record, include_raw=self._include_raw)
            rows.setdefault(record.kind, []).append(row)
        connection = self._open_current()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for kind, values in rows.items():
                connection.executemany(_INSERTS[kind], values)
            connection.execute("COMMIT")
            self._checkpoint(connection)
        except apsw.Error:
            self._let_go()
            raise

    def close(self) -> None:
        """Close the file, if open; the next call opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open_current(self) -> apsw.Connection:
        if self._connection is not None and _identity(self.path) != self._identity:
            self._let_go()  # moved or removed, or another one was put in its place
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE))
            self._connection = self._connect()
            self._identity = _identity(self.path)
            try:
                _prepare(self._connection)
            except apsw.Error:
                self._let_go()
                raise
        return self._connection

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(self._busy_ms)
        # In place of SQLite's own checkpoint, which keeps its errors to itself: after a
        # failed fsync that would be a loss that nobody hears of.
        connection.set_wal_hook(self._note_wal)
        return connection

    def _note_wal(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self, connection: apsw.Connection) -> None:
        if self._wal_pages >= CHECKPOINT_PAGES:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def _let_go(self) -> None:
        """Close without folding the WAL into a file that may be ill, or no longer ours."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(apsw.Error):
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                connection.close(True)


def _prepare(connection: apsw.Connection) -> None:
    for pragma in (
        "journal_mode=WAL",  # readers and the writer do not wait for each other
        "synchronous=FULL",
        f"journal_size_limit={WAL_BYTES}",
        "trusted_schema=OFF",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.execute("BEGIN IMMEDIATE")
    for table in TABLES.values():
        _prepare_table(connection, table)
    connection.execute("COMMIT")


def _prepare_table(connection: apsw.Connection, table: Table) -> None:
    connection.execute(create_table(table, SQLITE))
    for statement in create_indexes(table):
        connection.execute(statement)
    found = {name for _, name, *_ in connection.execute(f'PRAGMA table_info("{table.name}")')}
    missing = [column for column in table.columns if column.name not in found]
    for column in missing:
        connection.execute(add_column(table, column, SQLITE))
    if table.view is not None and (missing or not _has_view(connection, table.view)):
        connection.execute(drop_view(table))
        connection.execute(create_view(table))


def _has_view(connection: apsw.Connection, name: str) -> bool:
    query = "SELECT 1 FROM sqlite_schema WHERE type = 'view' AND name = ?"
    return connection.execute(query, (name,)).fetchone() is not None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino)


_MEANINGS: Final[Mapping[type[apsw.Error], str]] = {
    apsw.BusyError: "another program holds a lock on it",
    apsw.LockedError: "another program holds a lock on it",
    apsw.FullError: "no space left on the disk",
    apsw.CorruptError: "it is damaged: move it away, and a new one is begun",
    apsw.NotADBError: "it is no SQLite database: move it away, and a new one is begun",
    apsw.ReadOnlyError: "it cannot be written to",
    apsw.PermissionsError: "it cannot be written to",
    apsw.CantOpenError: "it, or a file beside it, cannot be opened",
    apsw.IOError: "the disk failed",
}


def describe(error: apsw.Error) -> str:
    """What an error of SQLite means for whoever looks after the file."""
    meaning = _MEANINGS.get(type(error))
    return str(error) if meaning is None else f"{meaning} ({error})"
