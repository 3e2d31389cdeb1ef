"""One of each peer that a sink delivers to, real servers all, and what each of them holds."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import apsw
import pyarrow.parquet

from gateway.sinks.tables import TABLES
from tests.doubles.receiver import open_receiver
from tests.doubles.servers.kafka import open_kafka_cluster
from tests.doubles.servers.mosquitto import open_mosquitto
from tests.doubles.servers.nats import USER, open_nats_server
from tests.doubles.servers.postgres import PostgresServer
from tests.doubles.servers.process import ServerProcess
from tests.doubles.servers.redis import open_redis_server

PASSWORD = "password-of-the-crowd"
_IDS = " UNION ALL ".join(f'SELECT id, seq FROM "{table.name}"' for table in TABLES.values())
QUERY = f"SELECT id FROM ({_IDS}) AS every ORDER BY seq"
"""Tables have no order of arrival: readers go by `seq`."""


class Member:
    """One peer."""

    def __init__(
        self,
        options: dict[str, str],
        read: Callable[[], Awaitable[Sequence[str]]],
        process: ServerProcess | None = None,
    ) -> None:
        self._options = {"start": "earliest", "retry": "{initial: 50ms, max: 1s}"} | options
        self.read = read
        """Ids of what it holds, in order of arrival, repeats included."""
        self.process = process

    def sink(self) -> str:
        """The sink that leads to it, as it stands in gateway.yaml."""
        return "{" + ", ".join(f"{name}: {value}" for name, value in self._options.items()) + "}"


@asynccontextmanager
async def open_crowd(
    folder: Path, state_dir: Path, postgres: PostgresServer
) -> AsyncIterator[dict[str, Member]]:
    """All of them, up, by the type of their sink; `folder` is there already."""
    async with AsyncExitStack() as stack:
        yield {
            "sqlite": _sqlite(state_dir / "events.db"),
            "parquet": _parquet(state_dir / "lake"),
            "postgres": _postgres(postgres),
            "webhook": await _webhook(stack),
            "redis": await _redis(stack, folder / "redis"),
            "nats": await _nats(stack, folder / "nats"),
            "kafka": await _kafka(stack, folder / "kafka"),
            "mqtt": await _mqtt(stack, folder / "mqtt"),
        }


def _sqlite(path: Path) -> Member:
    async def read() -> Sequence[str]:
        with closing(apsw.Connection(str(path))) as connection:
            return [row[0] for row in connection.execute(QUERY)]

    return Member({"type": "sqlite", "path": path.name}, read)


def _parquet(folder: Path) -> Member:
    async def read() -> Sequence[str]:
        return _read_lake(folder)

    return Member({"type": "parquet", "path": folder.name}, read)


def _read_lake(folder: Path) -> list[str]:
    with closing(apsw.Connection(str(folder / ".staging.db"))) as connection:
        rows = set(connection.execute("SELECT seq, id FROM staged").fetchall())
    for path in folder.glob("*/*/*.parquet"):
        table = pyarrow.parquet.ParquetFile(path).read(columns=["seq", "id"])
        rows |= set(zip(table["seq"].to_pylist(), table["id"].to_pylist(), strict=True))
    return [id_ for _, id_ in sorted(rows)]


def _postgres(server: PostgresServer) -> Member:
    server.add_database("crowd", PASSWORD)

    async def read() -> Sequence[str]:
        return [row[0] for row in server.ask(QUERY, database="crowd")]

    where = {"servers": f'["{server.address}"]', "database": "crowd", "username": "crowd"}
    return Member({"type": "postgres", **where, "password": PASSWORD}, read, server)


async def _webhook(stack: AsyncExitStack) -> Member:
    receiver = await stack.enter_async_context(open_receiver())

    async def read() -> Sequence[str]:
        return receiver.held()

    return Member({"type": "webhook", "url": f'"{receiver.url}"', "mode": "batch"}, read)


async def _redis(stack: AsyncExitStack, folder: Path) -> Member:
    server = await stack.enter_async_context(open_redis_server(folder, PASSWORD))

    async def read() -> Sequence[str]:
        return [entry["id"] for entry in await server.entries("events")]

    options = {"servers": f'["{server.address}"]', "password": PASSWORD, "stream": "events"}
    return Member({"type": "redis", **options}, read, server)


async def _nats(stack: AsyncExitStack, folder: Path) -> Member:
    server = await stack.enter_async_context(open_nats_server(folder, PASSWORD))

    async def read() -> Sequence[str]:
        return [headers["Nats-Msg-Id"] for _, headers, _ in await server.messages("gateway")]

    options = {"servers": f'["{server.address}"]', "username": USER, "password": PASSWORD}
    return Member({"type": "nats", **options}, read, server)


async def _kafka(stack: AsyncExitStack, folder: Path) -> Member:
    cluster = await stack.enter_async_context(open_kafka_cluster(folder))

    async def read() -> Sequence[str]:
        messages = await cluster.messages("events")
        return [dict(message.headers())["id"].decode() for message in messages]

    options = {"servers": f'["{cluster.address}"]', "topic": "events"}
    return Member({"type": "kafka", **options}, read, cluster)


async def _mqtt(stack: AsyncExitStack, folder: Path) -> Member:
    broker, subscriber = await stack.enter_async_context(open_mosquitto(folder))

    async def read() -> Sequence[str]:
        return [json.loads(message.payload)["id"] for message in await subscriber.catch_up()]

    return Member({"type": "mqtt", "server": f'"{broker.address}"'}, read, broker)
