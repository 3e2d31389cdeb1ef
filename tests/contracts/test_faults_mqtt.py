"""The mqtt sink keeps its promises while a real Mosquitto has trouble."""

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import trio

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import Sink
from gateway.contracts.values import Secret
from gateway.sinks.mqtt import MqttSettings, open_mqtt, probe_mqtt
from tests.contracts.sink_faults import (
    LoginFaults,
    LoginProbes,
    ProcessPeer,
    ServerFaults,
    context,
)
from tests.contracts.sink_suite import CANARY
from tests.doubles.link import Link, open_link
from tests.doubles.servers.certificates import Certificates, make_certificates
from tests.doubles.servers.mosquitto import USER, Mosquitto, Subscriber, open_mosquitto


class MqttPeer(ProcessPeer):
    """A broker with TLS, by a link; a subscriber says what it passed on."""

    process: Mosquitto

    def __init__(
        self, broker: Mosquitto, link: Link, certificates: Certificates, subscriber: Subscriber
    ) -> None:
        super().__init__(broker, link, certificates)
        self._subscriber = subscriber

    def _settings(self, **changes: Any) -> MqttSettings:
        given = {
            "server": self.link.address,
            "username": USER,
            "password": Secret.of(CANARY),
            "tls": True,
            "ca_file": self.certificates.ca,
        }
        return MqttSettings(**(given | changes))

    def open(self, **changes: Any) -> AbstractAsyncContextManager[Sink]:
        return open_mqtt(self._settings(**changes), context("mqtt"))

    async def probe(self, **changes: Any) -> Sequence[ProbeFinding]:
        return await probe_mqtt(self._settings(**changes), context("mqtt"))

    async def held(self) -> Sequence[str]:
        return [json.loads(one.payload)["id"] for one in await self._subscriber.catch_up()]

    async def start(self) -> None:
        await super().start()
        # The broker keeps nothing for a subscriber that is away.
        await trio.to_thread.run_sync(self._subscriber.wait_subscribed)

    async def change_password(self) -> None:
        self.process.set_password("of-tomorrow")

    async def change_password_back(self) -> None:
        self.process.set_password(CANARY)


@pytest.fixture
async def peer(tmp_path: Path):
    """A broker of the test's own."""
    certificates = make_certificates(tmp_path / "certificates")
    async with (
        open_mosquitto(tmp_path, CANARY, certificates) as (broker, subscriber),
        open_link(broker.tls_port) as link,
    ):
        yield MqttPeer(broker, link, certificates, subscriber)


# The library leaves a socket whose TLS handshake failed to Python to close.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
class TestMqtt(ServerFaults, LoginFaults, LoginProbes):
    """`type: mqtt`."""
