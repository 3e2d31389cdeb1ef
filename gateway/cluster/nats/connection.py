"""The connection to NATS, and the streams that a cluster lives in.

Trio's side calls `ask`; the work itself is asyncio's. A connection is thrown away after
any trouble with it, and the next question makes another, to the next server: a server
that went silent must not cost the lease, so nobody waits for it twice.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import nats.errors
import nats.js.errors
import trio
from nats.aio.client import Client, ServerVersion
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StreamConfig

from gateway.cluster import happenings
from gateway.cluster.board import BoardUnavailable
from gateway.cluster.notes import LEASE_SECONDS
from gateway.cluster.settings import ClusterSettings
from gateway.errors import SecretUnreadable, SinkUnavailable
from gateway.sinks.nats.loop import STOP_SECONDS, LoopThread
from gateway.sinks.peers import trust

ANSWER_SECONDS: Final = 2.0
"""How long an answer may take: shorter than the lease, so that another server can be asked."""

CLOSE_SECONDS: Final = 1.0

DUPLICATE_WINDOW_SECONDS: Final = 2 * 3600.0
"""How long the log recognises an event that comes again; after that, consumers go by id."""

WRONG_LAST: Final = (10071, 10164)
"""JetStream's codes for: somebody else wrote to that subject before."""

FAITHFUL_SINCE: Final = (2, 12)
"""Servers of one NATS cluster are not sure to hold the same messages before. After a partition
in which leaders changed one of them may lack for good what the others acknowledged
(https://github.com/nats-io/nats-server/pull/6944 mended the last such case found in elections
alone; https://jepsen.io/analyses/nats-2.12.1 tells of earlier ones, and of what is left)."""

T = TypeVar("T")

Trouble = (
    nats.errors.Error,
    nats.js.errors.Error,
    OSError,
    asyncio.TimeoutError,
)
"""What the library raises when a server cannot be used."""


class Connection:
    """One connection at a time."""

    def __init__(self, settings: ClusterSettings) -> None:
        self.members: Final = f"{settings.name}-members"
        """The bucket whose notes go away by themselves."""
        self.notes: Final = f"{settings.name}-notes"
        self.log: Final = f"{settings.name}-log"
        """The stream of events; their subjects begin with the same."""
        self._settings = settings
        self._servers = deque(f"nats://{peer}" for peer in settings.peers())
        random.shuffle(self._servers)  # gateways spread over the servers
        self._thread = LoopThread("cluster:nats")
        self._client: Client | None = None
        self._jetstream: JetStreamContext | None = None
        self._one_at_a_time = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._has_warned = False

    async def ask(self, work: Callable[[JetStreamContext], Awaitable[T]]) -> T:
        """Let it work in the other loop. Raises `BoardUnavailable`."""
        try:
            return await self._thread.run(self._use(work))
        except Trouble as error:
            raise BoardUnavailable(_describe(error)) from None
        except (SecretUnreadable, SinkUnavailable) as error:  # of a password, of `ca_file`
            raise BoardUnavailable(str(error)) from None

    async def aclose(self) -> None:
        """Close the connection and end the thread."""
        with trio.move_on_after(STOP_SECONDS, shield=True):
            await self._thread.run(self._close(self._client))
        await self._thread.aclose()

    # --- asyncio ---------------------------------------------------------------------

    async def _use(self, work: Callable[[JetStreamContext], Awaitable[T]]) -> T:
        async with self._one_at_a_time:
            client, jetstream = await self._connected()
        try:
            return await work(jetstream)
        except nats.js.errors.APIError:
            raise  # the server answered
        except Trouble:
            self._throw_away(client)
            raise
        except asyncio.CancelledError:
            if client is self._client:
                raise
            # Somebody else threw the connection away while we waited for an answer.
            raise nats.errors.StaleConnectionError from None

    async def _connected(self) -> tuple[Client, JetStreamContext]:
        if self._client is not None and self._jetstream is not None and self._client.is_connected:
            return self._client, self._jetstream
        self._throw_away(self._client)
        options = _options(self._settings)
        self._servers.rotate(-1)
        client = Client()
        try:
            await client.connect(list(self._servers), **options)
            self._warn_of(client.connected_server_version)
            jetstream = client.jetstream(timeout=ANSWER_SECONDS)
            await self._see_to_streams(jetstream)
        except BaseException:
            self._throw_away(client)
            raise
        self._client, self._jetstream = client, jetstream
        return client, jetstream

    def _warn_of(self, server: ServerVersion) -> None:
        version = (server.major, server.minor)
        if is_forgetful(version, self._settings.copies) and not self._has_warned:
            self._has_warned = True
            happenings.FORGETFUL_ENGINE.emit(version=".".join(map(str, version)))

    def _throw_away(self, client: Client | None) -> None:
        """Use it no more, at once; that its server has to be told is no reason to wait."""
        if client is not None:
            if client is self._client:
                self._client = self._jetstream = None
            closing = asyncio.create_task(self._close(client))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _close(self, client: Client | None) -> None:
        if client is None:
            return
        if client is self._client:
            self._client = self._jetstream = None
        try:
            await asyncio.wait_for(client.close(), CLOSE_SECONDS)
        except Trouble:
            return

    async def _see_to_streams(self, jetstream: JetStreamContext) -> None:
        copies = self._settings.copies
        for config in (
            _bucket(self.members, copies, LEASE_SECONDS),
            _bucket(self.notes, copies, 0),
            StreamConfig(
                name=self.log,
                subjects=[f"{self.log}.*"],
                duplicate_window=DUPLICATE_WINDOW_SECONDS,
                num_replicas=copies,
            ),
        ):
            assert config.name is not None
            try:
                await jetstream.stream_info(config.name)
            except nats.js.errors.NotFoundError:
                await jetstream.add_stream(config)


def is_forgetful(version: tuple[int, int], copies: int) -> bool:
    """Whether the copies on servers of this version may come apart."""
    return copies > 1 and version < FAITHFUL_SINCE


def _bucket(name: str, copies: int, seconds: float) -> StreamConfig:
    """A key-value bucket, as NATS itself lays it out."""
    return StreamConfig(
        name=f"KV_{name}",
        subjects=[f"$KV.{name}.>"],
        max_msgs_per_subject=1,
        max_age=seconds,
        duplicate_window=min(seconds or 120.0, 120.0),
        num_replicas=copies,
        discard=DiscardPolicy.NEW,
        allow_rollup_hdrs=True,
        deny_delete=True,
    )


def _describe(error: BaseException) -> str:
    match error:
        case nats.js.errors.APIError():
            return f"JetStream: {error.description} ({error.err_code})"
        case asyncio.TimeoutError() | nats.errors.TimeoutError():
            return "NATS does not answer, or has no quorum"
    return " ".join(str(error).removeprefix("nats: ").split()) or type(error).__name__


def _options(settings: ClusterSettings) -> dict[str, Any]:
    async def ignore(_error: Exception) -> None:
        """What matters comes out of the question that it spoiled."""

    options: dict[str, Any] = {
        "dont_randomize": True,
        "name": "exchange-event-gateway",
        "error_cb": ignore,
        "connect_timeout": ANSWER_SECONDS,
        # Ours to do, since a new connection may be to another server.
        "allow_reconnect": False,
        "max_reconnect_attempts": 1,
        "reconnect_time_wait": 0,
        # A server that went silent is noticed within the lease.
        "ping_interval": 1,
        "max_outstanding_pings": 2,
    }
    if settings.tls:
        options["tls"] = trust(settings.ca_file)
    password = None if settings.password is None else settings.password.read()
    if settings.credentials_file is not None:
        options["user_credentials"] = str(settings.credentials_file)
    elif settings.username is None:
        options["token"] = password
    else:
        options |= {"user": settings.username, "password": password}
    return options
