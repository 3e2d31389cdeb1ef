"""From a directory to a store: made if new, looked over, migrated."""

import os
from functools import partial
from pathlib import Path
from typing import Final, cast
from uuid import uuid4

import apsw
import msgspec

from gateway.journal import event_table, schema
from gateway.journal.checkpoints import open_checkpointer
from gateway.journal.database import DATABASE_NAME, connect_writer, let_go, our_errors
from gateway.journal.examination import examine
from gateway.journal.marker import Marker, sync_directory, write_marker
from gateway.journal.records import Ledger
from gateway.journal.settings import JournalSettings
from gateway.journal.store import Store

_NEW_SUFFIX: Final = ".new"


class Opened(msgspec.Struct, frozen=True):
    """A store, and what was noticed on the way."""

    store: Store
    healed: bool
    """The last write before a crash was cut short, and is left out."""


def open_store(directory: Path, settings: JournalSettings, segment_ids: int) -> Opened:
    """Open the journal of a state directory for writing."""
    finding = examine(directory)
    path = directory / DATABASE_NAME
    if not path.exists():
        _create(path)
    with our_errors():
        connection = connect_writer(path, settings.durability)
    checkpointer = None
    try:
        with our_errors(connection):
            _migrate(connection)
            event_table.check_ends(connection)
            epoch = event_table.read_ledger(connection).epoch
            # From here on the WAL exists, and may come to hold what nothing else does.
            write_marker(directory, Marker(epoch, open=True))
        say_closed = partial(write_marker, directory, Marker(epoch, open=False))
        with our_errors():
            checkpointer = open_checkpointer(path, settings.durability)
        store = Store(connection, segment_ids, say_closed, checkpointer)
    except BaseException:
        if checkpointer is not None:
            checkpointer.close()
        let_go(connection)
        raise
    return Opened(store, finding.torn)


def _create(path: Path) -> None:
    """Make a journal beside its place and move it in whole, so that none is ever half made."""
    new = path.with_name(path.name + _NEW_SUFFIX)
    for leftover in path.parent.glob(f"{new.name}*"):
        leftover.unlink()
    with our_errors():
        # SQLite gives its WAL the mode of the database.
        os.close(os.open(new, os.O_CREAT | os.O_EXCL, 0o600))
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
    for step, statements in enumerate(schema.MIGRATIONS[version:], start=version + 1):
        with connection:
            connection.execute(statements)
            connection.execute(f"PRAGMA user_version={step}")
