"""The kafka sink keeps the promises of every sink, before librdkafka's mock brokers."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import Sink, SinkContext, SinkOptions
from gateway.contracts.values import Seconds
from gateway.sinks.kafka import KafkaSettings, open_kafka
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import SinkSuite
from tests.doubles.servers.kafka import KafkaCluster, open_kafka_cluster


class KafkaHarness:
    """A mock broker as the peer, paused; it would forget what it holds if it were killed."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self._cluster = cluster
        self._settings = KafkaSettings(servers=(cluster.address,), topic="events")
        self._context = SinkContext(
            name="bus",
            state_dir=Path("/nonexistent"),
            options=SinkOptions(type="kafka", timeout=Seconds(1.5)),
            clock=WALL_CLOCK,
            redactor=Redactor(),
        )

    def open(self) -> AbstractAsyncContextManager[Sink]:
        """The sink in front of it."""
        return open_kafka(self._settings, self._context)

    async def held(self) -> Sequence[str]:
        """The header `id` of each message; one account is one partition."""
        held = await self._cluster.messages("events")
        return [dict(message.headers())["id"].decode() for message in held]

    async def break_peer(self) -> None:
        """It answers nothing."""
        self._cluster.pause()

    async def mend_peer(self) -> None:
        """It goes on."""
        self._cluster.resume()


class TestKafka(SinkSuite):
    """`type: kafka`."""

    @pytest.fixture
    async def harness(self, tmp_path: Path):
        """A cluster of its own."""
        async with open_kafka_cluster(tmp_path) as cluster:
            yield KafkaHarness(cluster)
