"""A whole copy of the journal while it is being written."""

import os
from pathlib import Path
from uuid import uuid4

import apsw
import msgspec

from gateway.errors import JournalFailed
from gateway.journal import event_table
from gateway.journal.marker import sync_directory


def write_copy(connection: apsw.Connection, target: Path) -> None:
    """Copy the database of this moment to a new file; it is there whole or not at all.

    One read transaction, so the gateway goes on writing meanwhile, into a WAL that
    grows for so long. The copy gets an epoch of its own: numbering would go on
    from it a second time, and consumers have to be able to tell.
    """
    if target.exists():
        raise JournalFailed(f"{target} exists already; backups are not overwritten")
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL, 0o600))
    connection.execute("VACUUM INTO ?", (str(partial),))
    _renew_epoch(partial)
    partial.rename(target)
    sync_directory(target.parent)


def _renew_epoch(path: Path) -> None:
    """By a connection that syncs, which makes the whole copy safe."""
    copy = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    with copy:
        ledger = event_table.read_ledger(copy)
        event_table.write_ledger(copy, msgspec.structs.replace(ledger, epoch=uuid4().hex))
    copy.close()
