"""Reading a journal without writing: for the gateway's own readers and for commands.

Synchronous, over read-only connections; usable beside a running gateway and on a
stopped one's files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from gateway.contracts.sink import Record
from gateway.errors import StateDirectoryError
from gateway.journal import event_table, sink_table
from gateway.journal.database import DATABASE_NAME, connect_reader, our_errors
from gateway.journal.records import DeadLetter, Ledger, SinkPosition

_READ_BYTES: Final = 4 << 20
"""One read gives no more text, however many records were asked for."""


class JournalReader:
    """One read-only connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def ledger(self) -> Ledger:
        """Epoch, first and next seq."""
        with our_errors(self._connection):
            return event_table.read_ledger(self._connection)

    def read(self, after_seq: int, limit: int) -> list[Record]:
        """Records after `after_seq`, from the oldest kept on; fewer when they are large."""
        with our_errors(self._connection):
            return event_table.read(self._connection, after_seq, limit, _READ_BYTES)

    def load_book(self, account: str) -> dict[tuple[str, str], bytes]:
        """All that is remembered of an account."""
        with our_errors(self._connection):
            return event_table.load_book(self._connection, account)

    def sink_positions(self) -> list[SinkPosition]:
        """Every sink the journal knows, by name."""
        with our_errors(self._connection):
            return sink_table.positions(self._connection)

    def dead_letters(
        self, sink: str | None = None, after: int = 0, limit: int = 100
    ) -> list[DeadLetter]:
        """Dead letters with a number above `after`, oldest first."""
        with our_errors(self._connection):
            return sink_table.dead_letters(self._connection, sink, after, limit)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def connect(directory: Path) -> JournalReader:
    """Open a state directory's journal for reading. Raises `StateDirectoryError` if none."""
    path = directory / DATABASE_NAME
    if not path.exists():
        raise StateDirectoryError(
            f"{directory} holds no journal; is state_dir right, and did the gateway ever run?"
        )
    with our_errors():
        return JournalReader(connect_reader(path))


@contextmanager
def open_reader(directory: Path) -> Iterator[JournalReader]:
    """Read a state directory's journal, running or stopped."""
    reader = connect(directory)
    try:
        yield reader
    finally:
        reader.close()
