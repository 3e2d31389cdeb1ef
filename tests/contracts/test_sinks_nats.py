"""The nats sink keeps the promises of every sink, before a real JetStream."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import Sink, SinkContext, SinkOptions
from gateway.contracts.values import Seconds, Secret
from gateway.sinks.nats import NatsSettings, open_nats
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import CANARY, SinkSuite
from tests.doubles.servers.nats import USER, NatsServer, open_nats_server


class NatsHarness:
    """A server as the peer: killed, or with another password."""

    def __init__(self, server: NatsServer, broken: str) -> None:
        self._server = server
        self._broken = broken
        self._settings = NatsSettings(
            servers=(server.address,), username=USER, password=Secret.of(CANARY)
        )
        self._context = SinkContext(
            name="bus",
            state_dir=Path("/nonexistent"),
            options=SinkOptions(type="nats", timeout=Seconds(5)),
            clock=WALL_CLOCK,
            redactor=Redactor(),
        )

    def open(self) -> AbstractAsyncContextManager[Sink]:
        """The sink in front of it."""
        return open_nats(self._settings, self._context)

    async def held(self) -> Sequence[str]:
        """The message ids that the stream holds."""
        return [headers["Nats-Msg-Id"] for _, headers, _ in await self._server.messages("gateway")]

    async def break_peer(self) -> None:
        """Gone; perhaps to come back with another password."""
        self._server.kill()
        if self._broken == "turning away":
            self._server.password = "another-password"
            await self._server.start()

    async def mend_peer(self) -> None:
        """Back, with the password that fits."""
        self._server.kill()
        self._server.password = CANARY
        await self._server.start()


class TestNats(SinkSuite):
    """`type: nats`."""

    @pytest.fixture(params=["killed", "turning away"])
    async def harness(self, tmp_path: Path, request: pytest.FixtureRequest):
        """A server of its own."""
        async with open_nats_server(tmp_path, CANARY) as server:
            yield NatsHarness(server, request.param)
