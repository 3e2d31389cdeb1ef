"""The redis sink keeps its promises while a real Redis has trouble."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import Sink
from gateway.contracts.values import Secret
from gateway.sinks.redis import RedisSettings, open_redis, probe_redis
from tests.contracts.sink_faults import (
    DiskFaults,
    LoginFaults,
    LoginProbes,
    ProcessPeer,
    ServerFaults,
    context,
)
from tests.contracts.sink_suite import CANARY
from tests.doubles.link import open_link
from tests.doubles.servers.certificates import make_certificates
from tests.doubles.servers.process import free_port
from tests.doubles.servers.redis import RedisServer, certificate_options
from tests.scenarios.faulty_disk import eat_space, mounted, needs_mount

OTHER_PASSWORD = "of-tomorrow"


class RedisPeer(ProcessPeer):
    """A Redis with TLS, by a link."""

    process: RedisServer

    def _settings(self, **changes: Any) -> RedisSettings:
        given = {
            "servers": (self.link.address,),
            "password": Secret.of(CANARY),
            "tls": True,
            "ca_file": self.certificates.ca,
            "stream": "events",
        }
        return RedisSettings(**(given | changes))

    def open(self, **changes: Any) -> AbstractAsyncContextManager[Sink]:
        return open_redis(self._settings(**changes), context("redis"))

    async def probe(self, **changes: Any) -> Sequence[ProbeFinding]:
        return await probe_redis(self._settings(**changes), context("redis"))

    async def held(self) -> Sequence[str]:
        return [entry["id"] for entry in await self.process.entries("events")]

    async def change_password(self) -> None:
        await self.process.ask("CONFIG", "SET", "requirepass", OTHER_PASSWORD)
        self.process.password = OTHER_PASSWORD
        await self.process.end_connections(OTHER_PASSWORD)

    async def change_password_back(self) -> None:
        await self.process.ask("CONFIG", "SET", "requirepass", CANARY)
        self.process.password = CANARY


class SmallRedis(RedisPeer):
    """The same on a small disk."""

    disk: Path

    def fill_disk(self) -> None:
        eat_space(self.disk)

    async def free_disk(self) -> None:
        (self.disk / "glutton").unlink()
        # It ends itself rather than say that it has what it could not write.
        self.process.kill()
        await self.process.start()


@pytest.fixture
async def peer(tmp_path: Path):
    """A server of the test's own."""
    async with open_peer(tmp_path / "redis", RedisPeer) as made:
        yield made


@pytest.fixture
async def small(tmp_path: Path):
    """A server on a disk of 8 MiB."""
    with mounted(tmp_path / "disk", 8) as disk:
        async with open_peer(disk / "redis", SmallRedis) as made:
            made.disk = disk
            yield made


@asynccontextmanager
async def open_peer(folder: Path, kind: type[Any]) -> AsyncIterator[Any]:
    """A server that is up, and a link to it."""
    certificates = make_certificates(folder.parent / "certificates")
    server, tls_port = RedisServer(folder, CANARY), free_port()
    server.options += ["--port", str(server.port), "--tls-port", str(tls_port)]
    server.options += certificate_options(certificates)
    try:
        await server.start()
        async with open_link(tls_port) as link:
            yield kind(server, link, certificates)
    finally:
        server.kill()


class TestRedis(ServerFaults, LoginFaults, LoginProbes):
    """`type: redis`."""


@needs_mount
class TestRedisDisk(DiskFaults):
    """`type: redis`, on a full disk."""
