"""The postgres sink keeps its promises while a real PostgreSQL has trouble."""

import os
import pwd
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import Sink
from gateway.contracts.values import Secret
from gateway.sinks.postgres import PostgresSettings, open_postgres, probe_postgres
from tests.contracts.sink_faults import (
    DiskFaults,
    LoginFaults,
    LoginProbes,
    ProcessPeer,
    ServerFaults,
    context,
)
from tests.contracts.sink_suite import CANARY
from tests.doubles.link import Link, open_link
from tests.doubles.servers.postgres import PostgresServer, running_postgres
from tests.scenarios.faulty_disk import eat_space, mounted, needs_mount

NUMBERS = count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One server for all; the tests break it one after the other."""
    with running_postgres() as up:
        yield up


class PostgresPeer(ProcessPeer):
    """A database and its user, by a link."""

    process: PostgresServer

    def __init__(self, server: PostgresServer, link: Link) -> None:
        super().__init__(server, link, server.certificates)
        self.name = f"faults{next(NUMBERS)}"
        server.add_database(self.name, CANARY)

    def _settings(self, **changes: Any) -> PostgresSettings:
        given = {
            "servers": (self.link.address,),
            "database": self.name,
            "username": self.name,
            "password": Secret.of(CANARY),
            "tls": True,
            "ca_file": self.certificates.ca,
        }
        return PostgresSettings(**(given | changes))

    def open(self, **changes: Any) -> AbstractAsyncContextManager[Sink]:
        return open_postgres(self._settings(**changes), context("postgres"))

    async def probe(self, **changes: Any) -> Sequence[ProbeFinding]:
        return await probe_postgres(self._settings(**changes), context("postgres"))

    async def held(self) -> Sequence[str]:
        query = "SELECT id FROM fills ORDER BY seq"
        return [row[0] for row in self.process.ask(query, database=self.name)]

    def pause(self) -> None:
        self.process.pause_backends(self.name)
        super().pause()

    def resume(self) -> None:
        super().resume()
        self.process.resume_all()

    async def change_password(self) -> None:
        self.process.set_password(self.name, "of-tomorrow")

    async def change_password_back(self) -> None:
        self.process.set_password(self.name, CANARY)


class SmallPostgres(PostgresPeer):
    """A database whose tables are on a small disk."""

    disk: Path

    def fill_disk(self) -> None:
        eat_space(self.disk)

    async def free_disk(self) -> None:
        (self.disk / "glutton").unlink()


@pytest.fixture
async def peer(server: PostgresServer):
    """A database of the test's own."""
    async with open_link(server.port) as link:
        yield PostgresPeer(server, link)


@pytest.fixture
def disk() -> Iterator[Path]:
    """16 MiB, where the server's user may go."""
    with tempfile.TemporaryDirectory(prefix="gateway-postgres-") as folder:
        Path(folder).chmod(0o755)
        with mounted(Path(folder) / "disk", 16) as place:
            os.chown(place, pwd.getpwnam("nobody").pw_uid, -1)
            yield place


@pytest.fixture
async def small(server: PostgresServer, disk: Path):
    """A database of the test's own on a small disk."""
    async with open_link(server.port) as link:
        made = SmallPostgres(server, link)
        made.disk = disk
        server.move_database(made.name, disk)
        yield made
        server.drop_database(made.name)


class TestPostgres(ServerFaults, LoginFaults, LoginProbes):
    """`type: postgres`."""


@needs_mount
class TestPostgresDisk(DiskFaults):
    """`type: postgres`, on a full disk."""
