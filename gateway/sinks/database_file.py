"""An SQLite file of a sink: opened, written to, followed when it is moved.

Everything here blocks and is called in a thread, one call at a time.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import apsw

MODE: Final = 0o640
"""Events tell positions and balances: nobody but the group may read along."""
CHECKPOINT_PAGES: Final = 1_000
"""Pages in the WAL (4 MB) after which they are folded into the database."""
WAL_BYTES: Final = 64 << 20
"""The WAL file is cut back to this after a long reader let it grow."""


class DatabaseFile:
    """The file at `path`, opened anew whenever what stands there is no longer ours.

    `prepare` is called within the first transaction of each opening, to make the tables.
    """

    def __init__(
        self, path: Path, prepare: Callable[[apsw.Connection], None], *, busy_seconds: float
    ) -> None:
        self.path = path
        self._prepare = prepare
        self._busy_ms = int(busy_seconds * 1000)
        self._connection: apsw.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._wal_pages = 0

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """What is done within is on disk at the end, all or nothing.

        Raises `OSError` and `apsw.Error`; the next call then begins with opening the file.
        """
        try:
            connection = self._open_current()
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
            if self._wal_pages >= CHECKPOINT_PAGES:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except BaseException:
            self._let_go()
            raise

    def close(self) -> None:
        """Close the file, if open; the next transaction opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open_current(self) -> apsw.Connection:
        if self._connection is not None and _identity(self.path) != self._identity:
            self._let_go()  # moved or removed, or another one was put in its place
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE))
            self._connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
            self._identity = _identity(self.path)
            self._make_ready(self._connection)
        return self._connection

    def _make_ready(self, connection: apsw.Connection) -> None:
        connection.set_busy_timeout(self._busy_ms)
        # In place of SQLite's own checkpoint, which keeps its errors to itself: after a
        # failed fsync that would be a loss that nobody hears of.
        connection.set_wal_hook(self._note_wal)
        for pragma in (
            "journal_mode=WAL",  # readers and the writer do not wait for each other
            "synchronous=FULL",
            f"journal_size_limit={WAL_BYTES}",
            "trusted_schema=OFF",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute("BEGIN IMMEDIATE")
        self._prepare(connection)
        connection.execute("COMMIT")

    def _note_wal(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _let_go(self) -> None:
        """Close without folding the WAL into a file that may be ill, or no longer ours."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(apsw.Error):
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                connection.close(True)


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


def describe(error: apsw.Error | OSError) -> str:
    """What an error means for whoever looks after the file."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    meaning = _MEANINGS.get(type(error))
    return str(error) if meaning is None else f"{meaning} ({error})"
