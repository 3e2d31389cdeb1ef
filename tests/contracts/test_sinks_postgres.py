"""The postgres sink keeps the promises of every sink, before a real PostgreSQL."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path

import pytest

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import Sink, SinkContext, SinkOptions
from gateway.contracts.values import Seconds, Secret
from gateway.sinks.postgres import PostgresSettings, open_postgres
from gateway.sinks.tables import TABLES
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import CANARY, SinkSuite
from tests.doubles.servers.postgres import PostgresServer, running_postgres

NUMBERS = count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One server for all; the tests break it one after the other."""
    with running_postgres() as up:
        yield up


class PostgresHarness:
    """A database of its own as the peer: its server killed, or its user turned away."""

    def __init__(self, server: PostgresServer, broken: str) -> None:
        self._server = server
        self._broken = broken
        self._name = f"desk{next(NUMBERS)}"
        server.add_database(self._name, CANARY)
        self._settings = PostgresSettings(
            servers=(server.address,),
            database=self._name,
            username=self._name,
            password=Secret.of(CANARY),
        )
        self._context = SinkContext(
            name="ledger",
            state_dir=Path("/nonexistent"),
            options=SinkOptions(type="postgres", include_raw=True, timeout=Seconds(10)),
            clock=WALL_CLOCK,
            redactor=Redactor(),
        )

    def open(self) -> AbstractAsyncContextManager[Sink]:
        """The sink in front of it."""
        return open_postgres(self._settings, self._context)

    async def held(self) -> Sequence[str]:
        """Ids of all rows; a table has no order of arrival, `seq` is what readers go by."""
        tables = " UNION ALL ".join(f"SELECT id, seq FROM {t.name}" for t in TABLES.values())
        query = f"SELECT id FROM ({tables}) AS every ORDER BY seq"
        return [row[0] for row in self._server.ask(query, database=self._name)]

    async def break_peer(self) -> None:
        """Gone, or not for us."""
        if self._broken == "killed":
            self._server.kill()
        else:
            self._server.turn_away(self._name, away=True)

    async def mend_peer(self) -> None:
        """Back, or for us again."""
        if self._broken == "killed":
            await self._server.start()
        else:
            self._server.turn_away(self._name, away=False)


class TestPostgres(SinkSuite):
    """`type: postgres`."""

    @pytest.fixture(params=["killed", "turned away"])
    def harness(self, server: PostgresServer, request: pytest.FixtureRequest):
        """A database of its own."""
        return PostgresHarness(server, request.param)
