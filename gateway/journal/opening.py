"""From a directory to a store: made if new, looked over, migrated.

Damage has to be found before SQLite opens the files: it silently leaves out what
follows a bad frame of the WAL, and the first write then destroys the evidence.
"""

import os
from pathlib import Path
from typing import Final, cast
from uuid import uuid4

import apsw

from gateway.errors import JournalFailed
from gateway.journal import event_table, schema
from gateway.journal.database import DATABASE_NAME, connect_writer, our_errors
from gateway.journal.records import Ledger
from gateway.journal.settings import JournalSettings
from gateway.journal.store import Store

_NEW_SUFFIX: Final = ".new"


def open_store(directory: Path, settings: JournalSettings) -> Store:
    """Open the journal of a state directory for writing."""
    path = directory / DATABASE_NAME
    if not path.exists():
        _create(path)
    with our_errors():
        connection = connect_writer(path, settings.durability)
    try:
        with our_errors(connection):
            _migrate(connection)
            return Store(connection, event_table.read_ledger(connection))
    except BaseException:
        connection.close()
        raise


def _create(path: Path) -> None:
    """Make a journal beside its place and move it in whole, so that none is ever half made."""
    new = path.with_name(path.name + _NEW_SUFFIX)
    for leftover in path.parent.glob(f"{new.name}*"):
        leftover.unlink()
    with our_errors():
        connection = connect_writer(new, "fsync")
    with our_errors(connection):
        connection.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
        _migrate(connection)
        event_table.write_ledger(connection, Ledger(uuid4().hex, 1, 1))
        connection.close()
    new.rename(path)
    sync_directory(path.parent)


def _migrate(connection: apsw.Connection) -> None:
    version = cast("int", connection.pragma("user_version"))
    if version > schema.VERSION:
        raise JournalFailed(
            f"{connection.filename} has schema version {version}, newer than this gateway's"
            f" {schema.VERSION}: it was opened by a newer gateway; install that one again"
        )
    for step, statements in enumerate(schema.MIGRATIONS[version:], start=version + 1):
        with connection:
            connection.execute(statements)
            connection.execute(f"PRAGMA user_version={step}")


def sync_directory(directory: Path) -> None:
    """Make renames and new files in a directory survive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
