"""The kafka sink keeps its promises while librdkafka's mock brokers have trouble.

The mock knows no TLS and no users: the link speaks TLS for it. Logins (SASL) are not tested.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import Sink
from gateway.sinks.kafka import KafkaSettings, open_kafka, probe_kafka
from tests.contracts.sink_faults import ProcessPeer, ServerFaults, context
from tests.doubles.link import Link, open_link
from tests.doubles.receiver import offering
from tests.doubles.servers.certificates import make_certificates
from tests.doubles.servers.kafka import KafkaCluster, open_kafka_cluster

HOST_BYTES = b"127.0.0.1"


class KafkaPeer(ProcessPeer):
    """A mock broker, by a link with TLS, of whose port it speaks as its own."""

    process: KafkaCluster

    def __init__(self, cluster: KafkaCluster, link: Link, certificates: Any) -> None:
        super().__init__(cluster, link, certificates)
        self._follow()

    def _follow(self) -> None:
        port = int(self.process.address.rpartition(":")[2])
        told, linked = (HOST_BYTES + one.to_bytes(4) for one in (port, self.link.port))
        self.link.server_port = port
        self.link.edit = lambda data: data.replace(told, linked)

    def _settings(self, **changes: Any) -> KafkaSettings:
        given = {
            "servers": (self.link.address,),
            "tls": True,
            "ca_file": self.certificates.ca,
            "topic": "events",
        }
        return KafkaSettings(**(given | changes))

    def open(self, **changes: Any) -> AbstractAsyncContextManager[Sink]:
        return open_kafka(self._settings(**changes), context("kafka"))

    async def probe(self, **changes: Any) -> Sequence[ProbeFinding]:
        return await probe_kafka(self._settings(**changes), context("kafka"))

    async def held(self) -> Sequence[str]:
        held = await self.process.messages("events")
        return [dict(message.headers())["id"].decode() for message in held]

    async def start(self) -> None:
        await super().start()
        self._follow()


@pytest.fixture
async def peer(tmp_path: Path):
    """A cluster of the test's own."""
    certificates = make_certificates(tmp_path / "certificates")
    async with (
        open_kafka_cluster(tmp_path / "kafka") as cluster,
        open_link(0, offering(certificates)) as link,
    ):
        yield KafkaPeer(cluster, link, certificates)


class TestKafka(ServerFaults):
    """`type: kafka`."""

    forgets = True
