"""The mqtt sink keeps the promises of every sink, before a real Mosquitto."""

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import Sink, SinkContext, SinkOptions
from gateway.contracts.values import Seconds, Secret
from gateway.sinks.mqtt import MqttSettings, open_mqtt
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import CANARY, SinkSuite
from tests.doubles.servers.mosquitto import Mosquitto, Subscriber, open_mosquitto


class MqttHarness:
    """A broker as the peer, paused; a subscriber says what it passed on."""

    def __init__(self, broker: Mosquitto, subscriber: Subscriber) -> None:
        self._broker, self._subscriber = broker, subscriber
        self._settings = MqttSettings(
            server=broker.address, username="desk", password=Secret.of(CANARY)
        )
        self._context = SinkContext(
            name="home",
            state_dir=Path("/nonexistent"),
            options=SinkOptions(type="mqtt", timeout=Seconds(1.5)),
            clock=WALL_CLOCK,
            redactor=Redactor(),
        )

    def open(self) -> AbstractAsyncContextManager[Sink]:
        """The sink in front of it."""
        return open_mqtt(self._settings, self._context)

    async def held(self) -> Sequence[str]:
        """Ids of what the subscriber heard."""
        return [json.loads(one.payload)["id"] for one in await self._subscriber.catch_up()]

    async def break_peer(self) -> None:
        """It answers nothing."""
        self._broker.pause()

    async def mend_peer(self) -> None:
        """It goes on."""
        self._broker.resume()


class TestMqtt(SinkSuite):
    """`type: mqtt`."""

    @pytest.fixture
    async def harness(self, tmp_path: Path):
        """A broker of its own."""
        async with open_mosquitto(tmp_path) as (broker, subscriber):
            yield MqttHarness(broker, subscriber)
