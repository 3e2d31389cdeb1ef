"""One of each server that a sink delivers to, each in a process of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from benchmarks.processes import open_process
from gateway.config import load_config
from gateway.contracts.sink import ConfiguredSink
from tests.doubles.servers.kafka import open_kafka_cluster
from tests.doubles.servers.mosquitto import Mosquitto
from tests.doubles.servers.nats import USER, open_nats_server
from tests.doubles.servers.postgres import PostgresServer
from tests.doubles.servers.redis import open_redis_server

PASSWORD: Final = "password-of-the-benchmark"
DATABASE: Final = "benchmark"


@asynccontextmanager
async def open_sinks(
    folder: Path, postgres: PostgresServer
) -> AsyncIterator[dict[str, ConfiguredSink]]:
    """Every sink type that needs a peer or a file, configured, by its type."""
    mosquitto = Mosquitto(folder)
    async with (
        open_redis_server(folder / "redis", PASSWORD) as redis,
        open_nats_server(folder / "nats", PASSWORD) as nats,
        open_kafka_cluster(folder / "kafka") as kafka,
    ):
        await mosquitto.start()
        try:
            with open_process("-m", "benchmarks.receiver") as receiver:
                assert receiver.stdout is not None
                url = receiver.stdout.readline().strip()
                secret = f"password: {PASSWORD}"
                yield _configured(
                    folder / "gateway.yaml",
                    {
                        "jsonl": "path: events.jsonl",
                        "sqlite": "path: events.db",
                        "parquet": "path: lake",
                        "webhook": f'url: "{url}", mode: batch',
                        "webhook-single": f'url: "{url}"',
                        "redis": f'servers: ["{redis.address}"], {secret}',
                        "postgres": f'servers: ["{postgres.address}"], {secret},'
                        f" database: {DATABASE}, username: {DATABASE}",
                        "nats": f'servers: ["{nats.address}"], username: {USER}, {secret}',
                        "kafka": f'servers: ["{kafka.address}"]',
                        "mqtt": f'server: "{mosquitto.address}"',
                    },
                )
        finally:
            mosquitto.kill()


def _configured(path: Path, options: dict[str, str]) -> dict[str, ConfiguredSink]:
    lines = [
        f"  {name}: {{type: {name.partition('-')[0]}, start: earliest, {text}}}"
        for name, text in options.items()
    ]
    path.write_text("\n".join(["sinks:", *lines, "accounts: {}", ""]))
    return dict(load_config(path).sinks)
