"""The kafka sink keeps its promises while librdkafka's mock brokers have trouble.

The mock knows no TLS and no users: the link speaks TLS for it, and a login stands before it.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import Sink
from gateway.contracts.values import Secret
from gateway.sinks.kafka import KafkaSettings, open_kafka, probe_kafka
from tests.contracts.sink_faults import (
    LoginFaults,
    LoginProbes,
    ProcessPeer,
    ServerFaults,
    context,
    insist,
)
from tests.contracts.sink_suite import CANARY, fills
from tests.doubles.link import Link, open_link
from tests.doubles.receiver import offering
from tests.doubles.servers.certificates import make_certificates
from tests.doubles.servers.kafka import KafkaCluster, open_kafka_cluster
from tests.doubles.servers.kafka_login import MECHANISMS, Login, open_login

HOST_BYTES = b"127.0.0.1"
USER = "desk"


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


class GuardedKafka(KafkaPeer):
    """The same behind a login."""

    login: Login
    mechanism = "SCRAM-SHA-512"

    def guard(self, login: Login) -> None:
        """Lead the link to the login, and that to the broker."""
        self.login = login
        login.broker_port = self.link.server_port
        self.link.server_port = login.port

    def _settings(self, **changes: Any) -> KafkaSettings:
        given = {
            "username": USER,
            "password": Secret.of(CANARY),
            "mechanism": self.mechanism,
        }
        return super()._settings(**(given | changes))

    async def change_password(self) -> None:
        self.login.change_password("of-tomorrow")

    async def change_password_back(self) -> None:
        self.login.change_password(CANARY)


@pytest.fixture
async def peer(tmp_path: Path):
    """A cluster of the test's own."""
    async with open_peer(tmp_path, KafkaPeer) as made:
        yield made


@pytest.fixture
async def guarded(tmp_path: Path):
    """A cluster of the test's own, behind a login."""
    async with open_peer(tmp_path, GuardedKafka) as made, open_login(USER, CANARY) as login:
        made.guard(login)
        yield made


@asynccontextmanager
async def open_peer(folder: Path, kind: type[Any]) -> AsyncIterator[Any]:
    """A broker that is up, and a link to it."""
    certificates = make_certificates(folder / "certificates")
    async with (
        open_kafka_cluster(folder / "kafka") as cluster,
        open_link(0, offering(certificates)) as link,
    ):
        yield kind(cluster, link, certificates)


class TestKafka(ServerFaults):
    """`type: kafka`."""

    forgets = True


class TestKafkaLogin(LoginFaults, LoginProbes):
    """`type: kafka` with a user."""

    @pytest.fixture
    def peer(self, guarded: GuardedKafka) -> GuardedKafka:
        """The broker that asks for one."""
        return guarded

    @pytest.mark.parametrize("mechanism", MECHANISMS)
    async def test_mechanisms(self, guarded: GuardedKafka, mechanism: str):
        """The sink logs in by the mechanism that it is configured with."""
        guarded.mechanism = mechanism
        async with guarded.open() as sink:
            await insist(sink, fills(3))

        assert {mechanism} == set(guarded.login.used)
