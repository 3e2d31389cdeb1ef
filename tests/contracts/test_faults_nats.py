"""The nats sink keeps its promises while a real JetStream has trouble."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import Sink
from gateway.contracts.values import Secret
from gateway.sinks.nats import NatsSettings, open_nats, probe_nats
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
from tests.doubles.servers.nats import USER, NatsServer, open_nats_server
from tests.scenarios.faulty_disk import eat_space, mounted, needs_mount


class NatsPeer(ProcessPeer):
    """A NATS server with TLS, by a link."""

    process: NatsServer

    def _settings(self, **changes: Any) -> NatsSettings:
        given = {
            "servers": (self.link.address,),
            "username": USER,
            "password": Secret.of(CANARY),
            "tls": True,
            "ca_file": self.certificates.ca,
        }
        return NatsSettings(**(given | changes))

    def open(self, **changes: Any) -> AbstractAsyncContextManager[Sink]:
        return open_nats(self._settings(**changes), context("nats"))

    async def probe(self, **changes: Any) -> Sequence[ProbeFinding]:
        return await probe_nats(self._settings(**changes), context("nats"))

    async def held(self) -> Sequence[str]:
        messages = await self.process.messages("gateway")
        return [headers["Nats-Msg-Id"] for _, headers, _ in messages]

    async def change_password(self) -> None:
        await self._restart("of-tomorrow")

    async def change_password_back(self) -> None:
        await self._restart(CANARY)

    async def _restart(self, password: str) -> None:
        self.process.kill()
        self.process.password = password
        await self.process.start()


class SmallNats(NatsPeer):
    """The same on a small disk."""

    disk: Path

    def fill_disk(self) -> None:
        eat_space(self.disk)

    async def free_disk(self) -> None:
        (self.disk / "glutton").unlink()
        # It puts JetStream out of service when its disk is full, until it is started anew.
        self.process.kill()
        await self.process.start()


@pytest.fixture
async def peer(tmp_path: Path):
    """A server of the test's own."""
    async with open_peer(tmp_path / "nats", NatsPeer) as made:
        yield made


@pytest.fixture
async def small(tmp_path: Path):
    """A server on a disk of 8 MiB."""
    with mounted(tmp_path / "disk", 8) as disk:
        async with open_peer(disk / "nats", SmallNats) as made:
            made.disk = disk
            yield made


@asynccontextmanager
async def open_peer(folder: Path, kind: type[Any]) -> AsyncIterator[Any]:
    """A server that is up, and a link to it."""
    certificates = make_certificates(folder.parent / "certificates")
    async with (
        open_nats_server(folder, CANARY, certificates) as server,
        open_link(server.port) as link,
    ):
        yield kind(server, link, certificates)


class TestNats(ServerFaults, LoginFaults, LoginProbes):
    """`type: nats`."""


@needs_mount
class TestNatsDisk(DiskFaults):
    """`type: nats`, on a full disk."""
