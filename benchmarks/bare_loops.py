"""What a sink's client library does by itself: the same events, in batches, acknowledged.

No journal, no cursor, no filters, no verdict for each event, nothing that is tried again:
the shortest program that a user of the library would write. Each takes `batches` and
returns when the peer has acknowledged the last.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import apsw
import confluent_kafka
import coredis
import httpx
import nats
import psycopg
import trio
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from gateway.contracts.sink import ConfiguredSink, Item
from gateway.sinks.peers import Peer, parse_peer

Batches = Sequence[Sequence[Item]]
_WINDOW: Final = 65_535
"""Messages on their way: as many as MQTT has numbers for."""


def jsonl(folder: Path, _: Any, batches: Batches) -> None:
    """Write lines and fsync."""
    with (folder / "bare.jsonl").open("wb", buffering=0) as file:
        for batch in batches:
            file.write(b"".join(item.body + b"\n" for item in batch))
            os.fdatasync(file.fileno())


def sqlite(folder: Path, _: Any, batches: Batches) -> None:
    """Insert the text of each event by its id, a transaction a batch, and fsync."""
    with closing(apsw.Connection(str(folder / "bare.db"))) as connection:
        connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE events (id TEXT PRIMARY KEY, event TEXT)")
        for batch in batches:
            with connection:
                rows = [(item.record.id, item.body.decode()) for item in batch]
                connection.executemany("INSERT INTO events VALUES (?, ?)", rows)


def postgres(_: Path, settings: Any, batches: Batches) -> None:
    """The same in PostgreSQL."""
    peer = parse_peer(settings.servers[0], 0)
    with psycopg.connect(
        host=peer.host,
        port=peer.port,
        dbname=settings.database,
        user=settings.username,
        password=settings.password.read(),
    ) as connection:
        connection.execute("CREATE TABLE bare (id text PRIMARY KEY, event jsonb)")
        for batch in batches:
            with connection.transaction(), connection.cursor() as cursor:
                rows = [(item.record.id, item.body.decode()) for item in batch]
                cursor.executemany("INSERT INTO bare VALUES (%s, %s)", rows)


def webhook(_: Path, settings: Any, batches: Batches) -> None:
    """POST each batch as an array."""

    async def run() -> None:
        async with httpx.AsyncClient() as client:
            for batch in batches:
                body = b"[%b]" % b",".join(item.body for item in batch)
                (await client.post(settings.url, content=body)).raise_for_status()

    trio.run(run)


def webhook_single(_: Path, settings: Any, batches: Batches) -> None:
    """POST each event."""
    webhook(_, settings, [[item] for batch in batches for item in batch])


def redis(_: Path, settings: Any, batches: Batches) -> None:
    """Add to a stream, a pipeline a batch."""
    peer = parse_peer(settings.servers[0], 0)

    async def run() -> None:
        password = settings.password.read()
        async with coredis.Redis(peer.host, peer.port, password=password) as client:
            for batch in batches:
                async with client.pipeline(transaction=True) as pipe:
                    for item in batch:
                        pipe.xadd("bare", {b"event": item.body})

    trio.run(run)


def nats_(_: Path, settings: Any, batches: Batches) -> None:
    """Publish to JetStream, and wait for the acknowledgements of each batch."""

    async def run() -> None:
        client = await nats.connect(
            f"nats://{settings.servers[0]}",
            user=settings.username,
            password=settings.password.read(),
        )
        jetstream = client.jetstream(publish_async_max_pending=_WINDOW)
        await jetstream.add_stream(name="bare", subjects=["bare"])
        for batch in batches:
            futures = [await jetstream.publish_async("bare", item.body) for item in batch]
            await asyncio.gather(*futures)
        await client.close()

    asyncio.run(run())


def kafka(_: Path, settings: Any, batches: Batches) -> None:
    """Produce idempotently, and flush after each batch."""
    options = {"bootstrap.servers": settings.servers[0], "enable.idempotence": True, "linger.ms": 0}
    producer = confluent_kafka.Producer(options)
    for batch in batches:
        for item in batch:
            producer.produce("bare", item.body, key=item.record.account)
            producer.poll(0)
        producer.flush()


def mqtt(_: Path, settings: Any, batches: Batches) -> None:
    """Publish with QoS 1, and wait for the last acknowledgement of each batch."""
    peer: Peer = parse_peer(settings.server, 0)
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client.max_inflight_messages_set(_WINDOW)
    client.connect(peer.host, peer.port)
    client.loop_start()
    for batch in batches:
        infos = [client.publish("bare", item.body, 1) for item in batch]
        for info in infos:
            info.wait_for_publish()
    client.disconnect()
    client.loop_stop()


BARE_LOOPS: Final[dict[str, Callable[[Path, Any, Batches], None]]] = {
    "jsonl": jsonl,
    "sqlite": sqlite,
    "postgres": postgres,
    "webhook": webhook,
    "webhook-single": webhook_single,
    "redis": redis,
    "nats": nats_,
    "kafka": kafka,
    "mqtt": mqtt,
}
"""By the name of the sink. Parquet has none: its library writes files, not events."""


def run_bare(name: str, sink: ConfiguredSink, folder: Path, batches: Batches) -> None:
    """The loop of one sink, if it has one."""
    BARE_LOOPS[name](folder, sink.settings, batches)
