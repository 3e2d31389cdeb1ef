"""The parquet sink keeps the promises of every sink, before and after its files are written."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import apsw
import pyarrow.parquet
import pytest

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import Sink, SinkContext, SinkOptions
from gateway.contracts.values import Seconds
from gateway.sinks.parquet import ParquetSettings, open_parquet
from gateway.sinks.parquet.staging import NAME
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import SinkSuite


class ParquetHarness:
    """A folder as the peer; broken, a file stands in its place, or the staging is locked."""

    def __init__(self, folder: Path, broken: str) -> None:
        self._folder = folder / "lake"
        self._broken = broken
        self._other: apsw.Connection | None = None
        self._settings = ParquetSettings(path="lake")
        self._context = SinkContext(
            name="lake",
            state_dir=folder,
            options=SinkOptions(type="parquet", timeout=Seconds(0.4)),
            clock=WALL_CLOCK,
            redactor=Redactor(),
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sink]:
        """The sink on that folder. The suite's events are of hours long over."""
        async with open_parquet(self._settings, self._context) as sink:
            yield sink

    async def held(self) -> Sequence[str]:
        """Ids in the files and in the staging, by seq."""
        rows = []
        for path in self._folder.glob("*/*/*.parquet"):
            table = pyarrow.parquet.ParquetFile(path).read(columns=["seq", "id"])
            rows += zip(table["seq"].to_pylist(), table["id"].to_pylist(), strict=True)
        with closing(apsw.Connection(str(self._folder / NAME))) as connection:
            staged = connection.execute("SELECT seq, id FROM staged").fetchall()
        # Closed between a file and its staging's end, both have them; the file has them once.
        rows += set(staged) - set(rows)
        return [id_ for _, id_ in sorted(rows)]

    async def break_peer(self) -> None:
        """Lock the staging, or put a file in the place of the folder."""
        if self._broken == "locked":
            self._folder.mkdir(exist_ok=True)
            self._other = apsw.Connection(str(self._folder / NAME))
            self._other.set_busy_timeout(10_000)  # the sink may be writing
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


class TestParquet(SinkSuite):
    """`type: parquet`."""

    @pytest.fixture(params=["locked", "gone"])
    def harness(self, tmp_path: Path, request: pytest.FixtureRequest):
        """A fresh folder."""
        return ParquetHarness(tmp_path, request.param)
