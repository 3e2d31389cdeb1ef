"""The `sqlite` sink: a database file of typed tables, for people and programs that ask SQL.

`database` fills the tables; what they are is `gateway.sinks.tables`' affair, and how a file
is kept `gateway.sinks.database_file`'s.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import apsw
import msgspec
import trio

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import ACCEPTED, Item, SinkContext, SinkSpec, Verdict
from gateway.errors import SinkUnavailable
from gateway.sinks.database_file import describe
from gateway.sinks.one_thread import OneThread
from gateway.sinks.sqlite.database import Database

__all__ = ["SINK", "SqliteSettings", "SqliteSink", "open_sqlite", "probe_sqlite"]

BUSY_SHARE: Final = 0.5
"""Share of the time limit to wait for a program that writes to the same file, so that the
delivery ends by saying so and not by being cut."""
CLOSE_SECONDS: Final = 2.0
"""How long closing may wait for a disk that hangs."""


class SqliteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a `sqlite` sink."""

    path: str
    """The file, relative to `state_dir`. Folders on the way are made."""

    def problems(self) -> list[tuple[str, str]]:
        """Mistakes that no type shows: the key, and what is wrong with it."""
        if not self.path.strip("/. "):
            return [("path", "must name a file")]
        if Path(self.path).name == "journal.db":
            return [("path", "this name is the journal's own")]
        return []


class SqliteSink:
    """Inserts each batch in a thread, as one transaction, and answers when it is on disk."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = OneThread()

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Insert all of them, or none and raise `SinkUnavailable`."""
        records = [item.record for item in items]
        try:
            await self._thread.run(self._database.add, records)
        except (apsw.Error, OSError) as error:
            raise SinkUnavailable(f"{self._database.path}: {describe(error)}") from error
        return [ACCEPTED] * len(items)

    async def aclose(self) -> None:
        """Close the file, unless a hanging disk still holds it."""
        await self._thread.finish(self._database.close, CLOSE_SECONDS)


@asynccontextmanager
async def open_sqlite(settings: SqliteSettings, context: SinkContext) -> AsyncIterator[SqliteSink]:
    """Open the sink. The file itself is opened by the first delivery."""
    sink = SqliteSink(_database(settings, context))
    try:
        yield sink
    finally:
        await sink.aclose()


async def probe_sqlite(settings: SqliteSettings, context: SinkContext) -> list[ProbeFinding]:
    """Open the file and see to its tables; no event is written."""
    database = _database(settings, context)
    try:
        await trio.to_thread.run_sync(_try_database, database)
    except (apsw.Error, OSError) as error:
        detail = f"{database.path}: {describe(error)}"
        return [ProbeFinding(what="database", ok=False, detail=detail)]
    return [ProbeFinding(what="database", ok=True, detail=str(database.path))]


def _database(settings: SqliteSettings, context: SinkContext) -> Database:
    return Database(
        context.state_dir / settings.path,
        include_raw=context.options.include_raw,
        busy_seconds=BUSY_SHARE * context.options.timeout,
    )


def _try_database(database: Database) -> None:
    try:
        database.add([])
    finally:
        database.close()


SINK: Final = SinkSpec(
    name="sqlite",
    summary="Typed tables in an SQLite file of its own, with views of the latest states.",
    settings=SqliteSettings,
    open=open_sqlite,
    probe=probe_sqlite,
    writes_to=lambda settings: settings.path,
    guarantees=(
        "An event is accepted once its transaction is fsynced. Each event is there once: its id is"
        " the primary key, and what comes again changes nothing. Events of a batch become visible"
        " together. Any tool may read while the gateway writes. Numbers are text with all their"
        " digits, since SQLite knows no exact decimals."
    ),
    quick_start="""\
sinks:
  ledger:
    type: sqlite
    path: events.db
    start: earliest
""",
)
