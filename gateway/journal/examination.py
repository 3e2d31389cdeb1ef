"""What can be told of a journal's files before SQLite touches them.

Cheap enough for every start. It has to come first: SQLite silently leaves out
what follows a bad frame of the WAL, and the first write then destroys the evidence.
"""

import struct
from pathlib import Path
from typing import Final

import apsw

from gateway.errors import JournalDamaged, StateDirectoryError
from gateway.journal import schema
from gateway.journal.database import DATABASE_NAME, connect_reader, our_errors
from gateway.journal.event_table import read_ledger
from gateway.journal.marker import MARKER_NAME, Marker, read_marker
from gateway.journal.wal import WalFinding, inspect

WAL_NAME: Final = DATABASE_NAME + "-wal"

_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_HEADER_BYTES: Final = 100
_RESTORE: Final = "restore a backup (docs/operations.md)"


def examine(directory: Path) -> WalFinding:
    """Look at the files. Raises `JournalDamaged`, naming what is wrong and what to do."""
    database, wal = directory / DATABASE_NAME, directory / WAL_NAME
    marker = read_marker(directory)
    has_wal = wal.exists() and wal.stat().st_size > 0
    if not database.exists():
        if marker is not None or has_wal:
            raise JournalDamaged(
                f"journal damaged: {database} is missing; {_RESTORE}, or remove"
                f" {MARKER_NAME} and {WAL_NAME} to begin anew"
            )
        return WalFinding()
    if marker is not None and marker.open and not wal.exists():
        raise JournalDamaged(
            f"journal damaged: {wal} is missing, and it held the newest events; {_RESTORE}"
        )
    _check_header(database, has_wal=has_wal)
    if marker is not None:
        _check_owner(database, marker)
    finding = inspect(wal)
    if finding.damaged_frame is not None:
        raise _damaged_wal(wal, finding)
    return finding


def _check_owner(database: Path, marker: Marker) -> None:
    """See that database and marker belong together: a WAL is not for any database."""
    with our_errors():
        connection = connect_reader(database, immutable=True)
    try:
        epoch = read_ledger(connection).epoch
    except (apsw.Error, JournalDamaged):
        # A page that a crash left half written is mended by the WAL; what it cannot
        # mend shows as soon as the journal is read with it.
        return
    finally:
        connection.close()
    if epoch != marker.epoch:
        raise JournalDamaged(
            f"journal damaged: {database} and {database.with_name(MARKER_NAME)} are of different"
            " journals; a backup has to be restored into an empty state directory"
            " (docs/operations.md)"
        )


def _check_header(database: Path, *, has_wal: bool) -> None:
    with database.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(_SQLITE_MAGIC):
        raise JournalDamaged(f"journal damaged: {database} is no SQLite database; {_RESTORE}")
    page_bytes, pages, version, application = (
        struct.unpack_from(">H", header, 16)[0],
        *(struct.unpack_from(">I", header, offset)[0] for offset in (28, 60, 68)),
    )
    if application != schema.APPLICATION_ID or page_bytes != schema.PAGE_BYTES:
        raise JournalDamaged(f"journal damaged: {database} is no gateway's journal; {_RESTORE}")
    if version > schema.VERSION:
        raise StateDirectoryError(
            f"{database} has schema version {version}, and this gateway knows up to"
            f" {schema.VERSION}: a newer gateway has opened it; install that one again"
        )
    # With a WAL the file may lag behind its own header; that is how checkpoints work.
    if not has_wal and database.stat().st_size < pages * page_bytes:
        raise JournalDamaged(f"journal damaged: {database} has been cut short; {_RESTORE}")


def _damaged_wal(wal: Path, finding: WalFinding) -> JournalDamaged:
    where = f"frame {finding.damaged_frame}" if finding.damaged_frame else "the header"
    return JournalDamaged(
        f"journal damaged: {where} of {wal} is not what was written, and"
        f" {finding.commits_behind or 'all'} transactions behind it cannot be read; {_RESTORE}"
    )
