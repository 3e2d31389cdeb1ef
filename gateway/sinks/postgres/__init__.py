"""The `postgres` sink: typed tables and views of last states, each event in them once.

`settings` its options, `connection` how the server is spoken to, `database` the tables,
`inserts` events on their way into them, `sink` the delivery, `probe` the check before the
start. All but `settings` need the library.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import SinkContext, SinkSpec
from gateway.sinks.extras import load_client
from gateway.sinks.postgres.settings import CLIENT, EXTRA, PostgresSettings

if TYPE_CHECKING:
    from gateway.sinks.postgres.sink import PostgresSink

__all__ = ["SINK", "PostgresSettings", "open_postgres", "probe_postgres"]


@asynccontextmanager
async def open_postgres(
    settings: PostgresSettings, context: SinkContext
) -> AsyncIterator["PostgresSink"]:
    """Open the sink; the first delivery connects and sees to the tables."""
    load_client(CLIENT, extra=EXTRA)
    from gateway.sinks.postgres.sink import PostgresSink

    sink = PostgresSink(settings, context)
    try:
        yield sink
    finally:
        await sink.aclose()


async def probe_postgres(settings: PostgresSettings, context: SinkContext) -> list[ProbeFinding]:
    """Connect, log in and look for the tables."""
    load_client(CLIENT, extra=EXTRA)
    from gateway.sinks.postgres.probe import findings

    return await findings(settings, context)


SINK: Final = SinkSpec(
    name="postgres",
    summary="Typed tables in PostgreSQL, with views of the latest states.",
    settings=PostgresSettings,
    open=open_postgres,
    probe=probe_postgres,
    extra=EXTRA,
    guarantees=(
        "An event is accepted once its transaction is committed, as durably as the server's"
        " `synchronous_commit` says. Each event is there once: its id is the primary key, and what"
        " comes again changes nothing. Events of a batch become visible together. A row that a"
        " constraint or a limit refuses goes to the dead letters, the rest of its batch does not;"
        " any other trouble is tried again. Numbers are `numeric`, exact with all their digits."
    ),
    quick_start="""\
sinks:
  ledger:
    type: postgres
    servers: [127.0.0.1:5432]
    database: trading
    username: gateway
    password: {env: PGPASSWORD}
    start: earliest
""",
)
