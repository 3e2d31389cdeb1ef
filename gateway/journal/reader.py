"""Reading a journal without writing: for the gateway's own readers and for commands.

Synchronous, over read-only connections; usable beside a running gateway and on a
stopped one's files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final, cast

import apsw
import msgspec

from gateway.contracts.sink import Record
from gateway.errors import StateDirectoryError
from gateway.events.model import Kind
from gateway.journal import event_table, sink_table
from gateway.journal.backup import write_copy
from gateway.journal.database import DATABASE_NAME, connect_reader, our_errors
from gateway.journal.examination import examine
from gateway.journal.lock import is_held
from gateway.journal.meters import journal_bytes
from gateway.journal.records import DeadLetter, Ledger, SinkPosition

_READ_BYTES: Final = 4 << 20
"""One read gives no more text, however many records were asked for."""
_SCAN_RECORDS: Final = 1_000


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which records somebody wants to see."""

    account: str | None = None
    kind: Kind | None = None
    symbol: str | None = None
    """In either spelling."""
    since_ns: int | None = None
    """Received at or after this instant."""

    def wants(self, record: Record) -> bool:
        """True when all that is given agrees."""
        return (
            self.account in (None, record.account)
            and self.kind in (None, record.kind)
            and self.symbol in (None, record.symbol, record.venue_symbol)
            and (self.since_ns is None or record.received_ns >= self.since_ns)
        )


EVERYTHING: Final = Selection()


class JournalInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A journal at a glance, for `gateway journal info`."""

    epoch: str
    schema_version: int
    first_seq: int
    last_seq: int
    first_received_ns: int | None
    last_received_ns: int | None
    bytes: int
    sinks: list[SinkPosition]


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

    def select(self, after_seq: int = 0, wanted: Selection = EVERYTHING) -> Iterator[Record]:
        """Records after `after_seq` that are wanted, up to the end as it is when reached."""
        while records := self.read(after_seq, _SCAN_RECORDS):
            yield from filter(wanted.wants, records)
            after_seq = records[-1].seq

    def select_last(self, count: int, wanted: Selection = EVERYTHING) -> list[Record]:
        """The newest `count` wanted records, oldest first, without reading the whole journal."""
        ledger = self.ledger()
        found: list[Record] = []
        end = ledger.next_seq
        while end > ledger.first_seq and len(found) < count:
            begin = max(end - _SCAN_RECORDS, ledger.first_seq)
            part = islice(self.select(begin - 1), end - begin)
            found = [record for record in part if wanted.wants(record)] + found
            end = begin
        return found[-count:] if count else []

    def seq_at(self, received_ns: int) -> int:
        """The first seq received at or after an instant; one past the last if there is none."""
        for record in self.select(wanted=Selection(since_ns=received_ns)):
            return record.seq
        return self.ledger().next_seq

    def info(self) -> JournalInfo:
        """The journal at a glance."""
        ledger = self.ledger()
        ends = self.read(ledger.first_seq - 1, 1) + self.read(ledger.next_seq - 2, 1)
        with our_errors(self._connection):
            version = cast("int", self._connection.pragma("user_version"))
        return JournalInfo(
            epoch=ledger.epoch,
            schema_version=version,
            first_seq=ledger.first_seq,
            last_seq=ledger.next_seq - 1,
            first_received_ns=ends[0].received_ns if ends else None,
            last_received_ns=ends[-1].received_ns if ends else None,
            bytes=journal_bytes(Path(self._connection.filename)),
            sinks=self.sink_positions(),
        )

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

    def back_up(self, target: Path) -> None:
        """Write a whole copy of this moment to `target`; beside a running gateway too."""
        with our_errors(self._connection):
            write_copy(self._connection, target)

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
    try:
        if not is_held(directory):
            examine(directory)
        reader = connect(directory)
    except PermissionError as error:
        raise StateDirectoryError(
            f"{error.filename}: permission denied; ask as the gateway's user or as root"
        ) from None
    try:
        yield reader
    finally:
        reader.close()
