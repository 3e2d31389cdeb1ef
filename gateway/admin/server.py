"""`open_admin`: the HTTP server as one rung of `gateway.app`'s ladder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import trio

from gateway.admin.connection import Connection, Limits
from gateway.admin.doors import Door, open_doors
from gateway.admin.guard import Guard
from gateway.admin.house import House
from gateway.admin.messages import Peer
from gateway.admin.settings import HttpSettings
from gateway.admin.site import Site
from gateway.clock import WALL_CLOCK, Clock
from gateway.contracts.values import Secret
from gateway.telemetry.happenings import Happening, Level
from gateway.telemetry.redaction import REDACTOR

CLOSE_SECONDS: Final = 2
"""For answers in the making when the gateway stops."""

SERVING: Final = Happening("http_serving", Level.INFO, "The API and the status page are served.")
CROWDED: Final = Happening(
    "http_crowded", Level.WARNING, "A client was turned away: too many are connected."
)

_CROWDED_ANSWER: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n"
    b"retry-after: 5\r\nconnection: close\r\n\r\n"
)


class Admin:
    """The running server."""

    def __init__(self, site: Site, limits: Limits) -> None:
        self._site = site
        self._limits = limits
        self._connections: set[Connection] = set()
        self._empty = trio.Event()
        self.addresses: tuple[str, ...] = ()
        """Where it listens, for people; `control.sock` first."""

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._connections)

    async def serve(self, door: Door, stream: trio.SocketStream) -> None:
        """One client, from the door to the end. Never raises."""
        admitted = None
        try:
            admitted = await door.admit(stream, self._limits.request_seconds)
        finally:
            if admitted is None:
                await trio.aclose_forcefully(stream)
        if admitted is not None:
            await self._attend(*admitted)

    async def _attend(self, stream: trio.abc.Stream, peer: Peer) -> None:
        if self.clients >= self._limits.connections:
            CROWDED.emit(peer=peer.address, clients=self.clients)
            with trio.move_on_after(1):
                await _send_and_close(stream)
            return
        connection = Connection(stream, peer, self._site.answer, self._limits)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            if not self._connections:
                self._empty.set()

    async def finish(self) -> None:
        """End every connection; those in the middle of an answer get a moment."""
        if not self._connections:
            return
        self._empty = trio.Event()
        for connection in list(self._connections):
            connection.finish()
        with trio.move_on_after(CLOSE_SECONDS):
            await self._empty.wait()


@asynccontextmanager
async def open_admin(
    settings: HttpSettings,
    house: House,
    *,
    state_dir: Path,
    clock: Clock = WALL_CLOCK,
    limits: Limits | None = None,
) -> AsyncIterator[Admin]:
    """Serve the API for as long as the block runs.

    Raises `DoorShut` when an address
    cannot be had, `SecretUnreadable` when the token cannot.
    """
    guard = Guard(settings, None if settings.token is None else _read(settings.token), clock)
    admin = Admin(Site(house, guard, clock), limits or Limits())
    async with open_doors(settings, state_dir) as doors, trio.open_nursery() as clients:
        async with trio.open_nursery() as listening:
            for door in doors:
                listening.start_soon(
                    partial(
                        trio.serve_listeners,
                        partial(admin.serve, door),
                        door.listeners,
                        handler_nursery=clients,
                    )
                )
            admin.addresses = tuple(door.address for door in doors)
            SERVING.emit(addresses=admin.addresses)
            yield admin
            listening.cancel_scope.cancel()
        await admin.finish()
        clients.cancel_scope.cancel()


def _read(secret: Secret) -> str:
    token = secret.read()
    REDACTOR.add(token)
    return token


async def _send_and_close(stream: trio.abc.Stream) -> None:
    try:
        await stream.send_all(_CROWDED_ANSWER)
    except trio.BrokenResourceError:
        pass
    finally:
        await trio.aclose_forcefully(stream)
