"""Where events wait until their hour's files are written: fsynced, each id once. Blocks."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec

from gateway.contracts.sink import Record
from gateway.events.model import Kind
from gateway.events.times import from_nanoseconds
from gateway.sinks.database_file import DatabaseFile

NAME: Final = ".staging.db"
"""Beside the files; readers of the folder pass over names with a dot."""

_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS staged (
        id TEXT PRIMARY KEY,
        hour TEXT NOT NULL,
        kind TEXT NOT NULL,
        account TEXT NOT NULL,
        seq INTEGER NOT NULL,
        event BLOB NOT NULL
    )
"""
_INDEX: Final = "CREATE INDEX IF NOT EXISTS staged_by_file ON staged (hour, kind, account, seq)"


class StagingClosed(Exception):
    """You get this in a thread that goes on while the sink closes."""


class Part(msgspec.Struct, frozen=True, order=True):
    """What one file holds."""

    hour: str
    """``2026-11-22T13``: the UTC hour of receipt."""
    kind: Kind
    account: str


class Staging:
    """The waiting events of one sink."""

    def __init__(self, folder: Path, *, include_raw: bool, busy_seconds: float) -> None:
        self._file = DatabaseFile(folder / NAME, _prepare, busy_seconds=busy_seconds)
        self._include_raw = include_raw
        # Deliveries and the writing of files have a thread each.
        self._lock = threading.Lock()
        self._closed = False

    def add(self, records: Sequence[Record]) -> set[str]:
        """Have the records on disk, all or none; gives the hours that they belong to."""
        rows = [
            (
                record.id,
                hour_of(record.received_ns),
                record.kind.value,
                record.account,
                record.seq,
                record.native(include_raw=self._include_raw),
            )
            for record in records
        ]
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO staged VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows
            )
        return {row[1] for row in rows}

    def parts(self, before_hour: str) -> list[Part]:
        """What files there are to write of the hours before `before_hour`."""
        query = "SELECT DISTINCT hour, kind, account FROM staged WHERE hour < ?"
        with self._transaction() as connection:
            rows: list[Any] = connection.execute(query, (before_hour,)).fetchall()
        return sorted(Part(hour, Kind(kind), account) for hour, kind, account in rows)

    def mark(self) -> int:
        """The last event staged so far: what comes while a file is written is left to the next."""
        with self._transaction() as connection:
            [(last,)] = connection.execute("SELECT coalesce(max(rowid), 0) FROM staged")
        return int(last)

    def events(self, part: Part, mark: int, at_once: int) -> Iterator[list[bytes]]:
        """The events of a file up to the mark, in order of seq, so many at a time."""
        query = (
            "SELECT seq, event FROM staged WHERE hour = ? AND kind = ? AND account = ?"
            " AND seq > ? AND rowid <= ? ORDER BY seq LIMIT ?"
        )
        after_seq = -1
        while True:
            wanted = (part.hour, part.kind.value, part.account, after_seq, mark, at_once)
            with self._transaction() as connection:
                rows: list[Any] = connection.execute(query, wanted).fetchall()
            if not rows:
                return
            after_seq = rows[-1][0]
            yield [event for _, event in rows]

    def drop(self, part: Part, mark: int) -> None:
        """Forget what a file holds now."""
        query = "DELETE FROM staged WHERE hour = ? AND kind = ? AND account = ? AND rowid <= ?"
        with self._transaction() as connection:
            connection.execute(query, (part.hour, part.kind.value, part.account, mark))

    @property
    def path(self) -> Path:
        """Where it stands."""
        return self._file.path

    def shut(self) -> None:
        """Let nothing begin any more; a file that is being written is given up."""
        self._closed = True

    def close(self) -> None:
        """Close the file, for good."""
        self.shut()
        with self._lock:
            self._file.close()

    @contextmanager
    def _transaction(self) -> Iterator[apsw.Connection]:
        with self._lock:
            if self._closed:
                raise StagingClosed
            with self._file.transaction() as connection:
                yield connection


def hour_of(epoch_ns: int) -> str:
    """The UTC hour of an instant, as file names carry it."""
    return from_nanoseconds(epoch_ns)[: len("2026-11-22T13")]


def _prepare(connection: apsw.Connection) -> None:
    connection.execute(_TABLE)
    connection.execute(_INDEX)
