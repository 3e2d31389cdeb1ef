"""Redis itself: one server, a cluster of three, or a primary with its replica and sentinel."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import coredis
import trio
from coredis.tokens import PureToken

from tests.doubles.servers.certificates import Certificates
from tests.doubles.servers.process import (
    HOST,
    POLL_SECONDS,
    START_SECONDS,
    ServerProcess,
    free_port,
    need,
)

PACKAGE = "redis-server"
SLOTS = 16384
"""Of every cluster."""
DOWN_AFTER_MS = 500
"""After which silence a sentinel thinks of a failover."""


class RedisServer(ServerProcess):
    """`redis-server`, which keeps what it holds when it is killed."""

    def __init__(self, folder: Path, password: str, *options: str) -> None:
        binary = need("redis-server", PACKAGE)
        self.port = free_port()
        self.password = password
        self.options = list(options)
        self._binary, self._folder = binary, folder
        super().__init__(self._arguments, folder, "eady to accept connections")

    @property
    def address(self) -> str:
        """As in `servers`."""
        return f"{HOST}:{self.port}"

    def _arguments(self) -> list[str]:
        config = self._folder / "redis.conf"
        if not config.exists():
            config.write_text(f"requirepass {self.password}\nmasterauth {self.password}\n")
        listen = [] if "--tls-port" in self.options else ["--port", str(self.port)]
        safe = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        place = ["--bind", HOST, "--dir", str(self._folder)]
        return [self._binary, str(config), *listen, *place, *safe, *self.options]

    def client(self, password: str | None = None) -> coredis.Redis[bytes]:
        """A client of the test's own."""
        return coredis.Redis(HOST, self.port, password=password or self.password)

    def cluster_client(self) -> coredis.RedisCluster[bytes]:
        """A client of the cluster."""
        return coredis.RedisCluster(HOST, self.port, password=self.password)

    async def end_connections(self, password: str) -> None:
        """Cut every connection but the one that says so."""
        async with self.client(password) as client:
            await client.client_kill(type_=PureToken.NORMAL, skipme=True)

    async def ask(self, *words: str) -> Any:
        """One command, by a connection of its own."""
        async with self.client() as client:
            return await client.create_request(
                words[0].encode(), *words[1:], callback=lambda answer, **_: answer
            )

    async def entries(self, stream: str) -> list[dict[str, str]]:
        """The fields of each entry of a stream."""
        answer = await self.ask("XRANGE", stream, "-", "+")
        found = []
        for _, flat in answer:
            words = [word.decode() for word in flat]
            found.append(dict(zip(words[::2], words[1::2], strict=True)))
        return found


def certificate_options(certificates: Certificates) -> list[str]:
    """What a server with a TLS port is started with."""
    own = [
        "--tls-cert-file",
        str(certificates.certificate),
        "--tls-key-file",
        str(certificates.key),
    ]
    return [*own, "--tls-ca-cert-file", str(certificates.ca), "--tls-auth-clients", "no"]


class RedisNode(RedisServer):
    """One server of a cluster."""

    def __init__(self, folder: Path, password: str) -> None:
        self.bus_port = free_port()
        bus = ["--cluster-announce-ip", HOST, "--cluster-port", str(self.bus_port)]
        # A node that is gone takes its slots with it, and no others.
        alone = ["--cluster-require-full-coverage", "no"]
        super().__init__(folder, password, "--cluster-enabled", "yes", *bus, *alone)

    async def ask_cluster(self, *words: str) -> str:
        """One command about the cluster, and its answer as text."""
        answer = await self.ask("CLUSTER", *words)
        return answer.decode() if isinstance(answer, bytes) else str(answer)


class RedisSentinel(ServerProcess):
    """A sentinel that watches one primary, called `desk`."""

    def __init__(self, folder: Path, primary: RedisServer) -> None:
        self.port = free_port()
        folder.mkdir(exist_ok=True)
        config = folder / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind {HOST}\ndir {folder}\n"
            f"sentinel monitor desk {HOST} {primary.port} 1\n"
            f"sentinel auth-pass desk {primary.password}\n"
            f"sentinel down-after-milliseconds desk {DOWN_AFTER_MS}\n"
        )
        binary = need("redis-server", PACKAGE)
        super().__init__(lambda: [binary, str(config), "--sentinel"], folder, "+monitor")

    @property
    def address(self) -> str:
        """As in `servers`."""
        return f"{HOST}:{self.port}"


@asynccontextmanager
async def open_redis_server(
    folder: Path, password: str, certificates: Certificates | None = None
) -> AsyncIterator[RedisServer]:
    """A server that is up, with TLS alone where there are certificates."""
    server = RedisServer(folder, password)
    if certificates is not None:
        server.options += ["--port", "0", "--tls-port", str(server.port)]
        server.options += certificate_options(certificates)
    try:
        await server.start()
        yield server
    finally:
        server.kill()


@asynccontextmanager
async def open_redis_cluster(folder: Path, password: str) -> AsyncIterator[list[RedisNode]]:
    """Three nodes that share the slots."""
    nodes = [RedisNode(folder / f"node-{number}", password) for number in range(3)]
    try:
        for number, node in enumerate(nodes):
            await node.start()
            first, last = (SLOTS * edge // len(nodes) for edge in (number, number + 1))
            await node.ask_cluster("ADDSLOTSRANGE", str(first), str(last - 1))
            await node.ask_cluster("SET-CONFIG-EPOCH", str(number + 1))
            await nodes[0].ask_cluster("MEET", HOST, str(node.port), str(node.bus_port))
        for node in nodes:
            await _until_the_cluster_stands(node)
        yield nodes
    finally:
        for node in nodes:
            node.kill()


async def _until_the_cluster_stands(node: RedisNode) -> None:
    """As this node sees it: it knows of all slots first, and takes requests some time later."""
    wanted = (f"cluster_slots_ok:{SLOTS}", "cluster_state:ok")
    with trio.fail_after(START_SECONDS):
        # No bell rings for what a node hears from the others.
        while True:
            told = await node.ask_cluster("INFO")
            if all(each in told for each in wanted):
                return
            await trio.sleep(POLL_SECONDS)


@asynccontextmanager
async def open_redis_sentinel(
    folder: Path, password: str
) -> AsyncIterator[tuple[RedisServer, RedisServer, RedisSentinel]]:
    """A primary, its replica, and the sentinel that knows both."""
    replica = RedisServer(folder / "replica", password)
    async with open_redis_server(folder / "primary", password) as primary:
        replica.options += ["--replicaof", f"{HOST} {primary.port}"]
        sentinel = RedisSentinel(folder / "sentinel", primary)
        try:
            await replica.start()
            await replica.wait_log("Finished with success")
            await sentinel.start()
            await sentinel.wait_log("+slave ")
            yield primary, replica, sentinel
        finally:
            sentinel.kill()
            replica.kill()
