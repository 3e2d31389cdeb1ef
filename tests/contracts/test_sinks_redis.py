"""The redis sink keeps the promises of every sink, before a real Redis."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import Sink, SinkContext, SinkOptions
from gateway.contracts.values import Seconds, Secret
from gateway.sinks.redis import RedisSettings, open_redis
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import CANARY, SinkSuite
from tests.doubles.servers.redis import RedisServer, open_redis_server


class RedisHarness:
    """One server as the peer, killed or out of memory."""

    def __init__(self, server: RedisServer, folder: Path, broken: str) -> None:
        self._server = server
        self._broken = broken
        self._settings = RedisSettings(
            servers=(server.address,), password=Secret.of(CANARY), stream="events"
        )
        self._context = SinkContext(
            name="stream",
            state_dir=folder,
            options=SinkOptions(type="redis", timeout=Seconds(5)),
            clock=WALL_CLOCK,
            redactor=Redactor(),
        )

    def open(self) -> AbstractAsyncContextManager[Sink]:
        """The sink in front of it."""
        return open_redis(self._settings, self._context)

    async def held(self) -> Sequence[str]:
        """The field `id` of each entry."""
        return [fields["id"] for fields in await self._server.entries("events")]

    async def break_peer(self) -> None:
        """Gone, or refusing writes."""
        if self._broken == "killed":
            self._server.kill()
        else:
            await self._server.ask("CONFIG", "SET", "maxmemory", "1")

    async def mend_peer(self) -> None:
        """Back, or with memory again."""
        if self._broken == "killed":
            await self._server.start()
        else:
            await self._server.ask("CONFIG", "SET", "maxmemory", "0")


class TestRedis(SinkSuite):
    """`type: redis`."""

    @pytest.fixture(params=["killed", "out of memory"])
    async def harness(self, tmp_path: Path, request: pytest.FixtureRequest):
        """A server of its own."""
        async with open_redis_server(tmp_path, CANARY) as server:
            yield RedisHarness(server, tmp_path, request.param)
