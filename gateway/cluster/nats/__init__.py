"""The engine `nats`: JetStream keeps the notes, the leases and the shared log.

`connection` is the one connection and the streams that it sees to, `board` the notes,
`log` the events. The client knows only asyncio, so all of it runs in a thread's loop.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.cluster.board import Engine, Epochs
from gateway.cluster.settings import ClusterSettings
from gateway.sinks.extras import load_client


@asynccontextmanager
async def open_nats(settings: ClusterSettings, epochs: Epochs) -> AsyncIterator[Engine]:
    """Open the engine; the first question connects."""
    load_client("nats", extra="nats")
    from gateway.cluster.nats.board import NatsBoard
    from gateway.cluster.nats.connection import Connection
    from gateway.cluster.nats.log import NatsLog

    connection = Connection(settings)
    try:
        yield Engine(NatsBoard(connection), NatsLog(connection, epochs))
    finally:
        await connection.aclose()
