"""The sqlite sink keeps the promises of every sink, whatever is wrong with its file."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

import apsw
import pytest

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import Sink, SinkContext, SinkOptions
from gateway.contracts.values import Seconds
from gateway.sinks.sqlite import SqliteSettings, open_sqlite
from gateway.sinks.tables import TABLES
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import SinkSuite


class SqliteHarness:
    """A folder as the peer; broken, a file stands in its place, or another program locks it."""

    def __init__(self, folder: Path, broken: str) -> None:
        self._folder = folder / "data"
        self._path = self._folder / "events.db"
        self._broken = broken
        self._other: apsw.Connection | None = None
        self._settings = SqliteSettings(path="data/events.db")
        self._context = SinkContext(
            name="ledger",
            state_dir=folder,
            options=SinkOptions(type="sqlite", timeout=Seconds(0.4)),
            clock=WALL_CLOCK,
            redactor=Redactor(),
        )

    def open(self) -> AbstractAsyncContextManager[Sink]:
        """The sink on that file."""
        return open_sqlite(self._settings, self._context)

    async def held(self) -> Sequence[str]:
        """Ids in all tables, by seq."""
        each = (f'SELECT id, seq FROM "{table.name}"' for table in TABLES.values())
        with closing(apsw.Connection(str(self._path))) as connection:
            return [row[0] for row in connection.execute(f"{' UNION ALL '.join(each)} ORDER BY 2")]

    async def break_peer(self) -> None:
        """Lock the file, or put a file in the place of its folder."""
        if self._broken == "locked":
            self._folder.mkdir(exist_ok=True)
            self._other = apsw.Connection(str(self._path))
            self._other.execute("BEGIN EXCLUSIVE")
            return
        aside = self._folder.with_name("aside")
        if self._folder.exists():
            self._folder.rename(aside)
        self._folder.touch()

    async def mend_peer(self) -> None:
        """Undo that."""
        if self._other is not None:
            self._other.close()
            return
        aside = self._folder.with_name("aside")
        self._folder.unlink()
        if aside.exists():
            aside.rename(self._folder)


class TestSqlite(SinkSuite):
    """`type: sqlite`."""

    @pytest.fixture(params=["locked", "gone"])
    def harness(self, tmp_path: Path, request: pytest.FixtureRequest):
        """A fresh folder."""
        return SqliteHarness(tmp_path, request.param)
