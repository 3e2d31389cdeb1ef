"""The engine `postgres`: tables of one schema keep the notes, the leases and the shared log.

`connection` is how the server is asked, `tables` what it holds, `board` the notes, `log`
the events, `pulse` whether it is still the same server with the same clock.

Ownerships are rows and not advisory locks: a lock dies with its session, so that one broken
connection would take every account away at once, and it has no number that a write could be
checked against. A row stands until its lease is over by the server's clock, and its revision
fences.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.cluster.board import Engine, Epochs
from gateway.cluster.settings import ClusterSettings
from gateway.sinks.extras import load_client
from gateway.sinks.postgres.settings import CLIENT, EXTRA


@asynccontextmanager
async def open_postgres(settings: ClusterSettings, epochs: Epochs) -> AsyncIterator[Engine]:
    """Open the engine; the first question connects and sees to the tables."""
    load_client(CLIENT, extra=EXTRA)
    from gateway.cluster.postgres.board import PostgresBoard
    from gateway.cluster.postgres.connection import ANSWER_SECONDS, TELL_SECONDS, Line
    from gateway.cluster.postgres.log import PostgresLog

    # Three, so that a lease never waits behind a batch of events or a thousand ownerships.
    leases, notes = Line(settings, ANSWER_SECONDS), Line(settings, ANSWER_SECONDS)
    events = Line(settings, TELL_SECONDS)
    async with AsyncExitStack() as stack:
        for line in (leases, notes, events):
            stack.push_async_callback(line.aclose)
        yield Engine(PostgresBoard(leases, notes), PostgresLog(notes, events, epochs))
