"""Connections to the journal's SQLite file, and what SQLite's errors mean for us.

Exactly one connection writes, and one more copies what was written from the WAL into the
database (`checkpoints`); every other one is opened read-only.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

import apsw

from gateway.errors import JournalBlocked, JournalDamaged, JournalError, JournalFailed
from gateway.journal.schema import PAGE_BYTES
from gateway.journal.settings import Durability

DATABASE_NAME: Final = "journal.db"

NO_SPACE: Final = "no space left for the journal"

_BUSY_MS: Final = 5_000
"""Readers hold no lock for long; only a foreign program can keep us waiting."""
_CACHE_KIB: Final = 16_384
_WAL_BYTES: Final = 64 << 20
"""The WAL file is cut back to this after a long reader let it grow."""

_WARY: Final = ("cell_size_check=ON", "trusted_schema=OFF")

_OUT_OF_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_ROTTEN: Final = frozenset({apsw.SQLITE_IOERR_SHORT_READ, apsw.SQLITE_IOERR_CORRUPTFS})
"""The file ends where a page should stand, or the file system says itself that it is ill."""
_SYNC_FAILURES: Final = frozenset(
    {apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC, apsw.SQLITE_IOERR_TRUNCATE}
)


def connect_writer(path: Path, durability: Durability) -> apsw.Connection:
    """The one connection that writes. It checkpoints only when told to."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(str(path), flags=flags)
    connection.set_busy_timeout(_BUSY_MS)
    _set(
        connection,
        f"page_size={PAGE_BYTES}",
        "auto_vacuum=INCREMENTAL",
        "journal_mode=WAL",
        *_when_to_sync(durability),
        f"cache_size=-{_CACHE_KIB}",
        *_WARY,
    )
    return connection


def connect_checkpointer(path: Path, durability: Durability) -> apsw.Connection:
    """The connection that checkpoints beside the writer's; it writes nothing of its own."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    # A first look at the database: only then does a connection know that there is a WAL.
    _set(connection, *_when_to_sync(durability), *_WARY, "user_version")
    return connection


def connect_reader(path: Path, *, immutable: bool = False) -> apsw.Connection:
    """A connection that cannot write.

    `immutable` reads the database file alone, as if there were no WAL and no lock.
    """
    uri = f"file:{quote(str(path))}?mode=ro" + ("&immutable=1" if immutable else "")
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(uri, flags=flags)
    connection.set_busy_timeout(_BUSY_MS)
    _set(connection, *_WARY)
    return connection


def _when_to_sync(durability: Durability) -> tuple[str, ...]:
    return (
        f"synchronous={'FULL' if durability == 'fsync' else 'NORMAL'}",
        # SQLite's own checkpoints swallow their errors; after a failed fsync that
        # would lose data silently. So there are none but those asked for.
        "wal_autocheckpoint=0",
        f"journal_size_limit={_WAL_BYTES}",
    )


def _set(connection: apsw.Connection, *pragmas: str) -> None:
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}").fetchall()


def let_go(connection: apsw.Connection) -> None:
    """Close without folding the WAL into the database, whatever state things are in."""
    with suppress(apsw.Error):
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.close(True)


@contextmanager
def our_errors(connection: apsw.Connection | None = None) -> Iterator[None]:
    """Turn errors of SQLite and of the files into ours: the one boundary at which that happens."""
    try:
        yield
    except apsw.Error as error:
        system_errno = connection.system_errno if connection is not None else 0
        raise _translate(error, system_errno) from error
    except UnicodeDecodeError as error:
        raise JournalDamaged(
            "journal damaged: a text is not what was written; see `gateway journal verify`"
        ) from error
    except OSError as error:
        if error.errno in _OUT_OF_SPACE:
            raise JournalBlocked(NO_SPACE) from error
        raise JournalFailed(f"journal: {error}; check the disk and its permissions") from error


def _translate(error: apsw.Error, system_errno: int) -> JournalError:
    extended = getattr(error, "extendedresult", 0)
    if isinstance(error, apsw.CorruptError | apsw.NotADBError) or extended in _ROTTEN:
        return JournalDamaged(
            f"journal damaged: SQLite says {error}; see `gateway journal verify`, then restore"
            " a backup (docs/operations.md)"
        )
    # An fsync that fails for want of space has still lost track of what is on
    # disk: only a fresh look, after a restart, tells.
    full = isinstance(error, apsw.FullError) or (
        # SQLite keeps the number of the last failed call: other errors do not set it.
        isinstance(error, apsw.IOError | apsw.CantOpenError) and system_errno in _OUT_OF_SPACE
    )
    if full and extended not in _SYNC_FAILURES:
        return JournalBlocked(NO_SPACE)
    name = apsw.mapping_extended_result_codes.get(extended, type(error).__name__)
    return JournalFailed(f"journal: {error} ({name}); check the disk and the kernel log")
