"""A TCP link between a client and a server, which a test slows down or silences."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio

HOST = "127.0.0.1"
CHUNK_BYTES = 65536
GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


class Wire:
    """What some connections go through."""

    def __init__(self, *, silent: bool = False) -> None:
        self.silent = silent


class Link:
    """Listens, and passes on what it hears to a server, both ways; with TLS on this side alone."""

    def __init__(self, server_port: int, ssl_context: ssl.SSLContext | None = None) -> None:
        self.server_port = server_port
        self._ssl_context = ssl_context
        self._wire = Wire()
        self.edit: Callable[[bytes], bytes] = bytes
        """Changes what the server says."""
        self.delay_seconds = 0.0
        """How long each piece is on its way."""
        self.connections = 0
        """How many there were."""
        self.swallowed = 0
        """Pieces that went into the silence."""
        self.port = 0

    @property
    def address(self) -> str:
        """As in `servers`."""
        return f"{HOST}:{self.port}"

    def silence(self) -> None:
        """Carry nothing any more, neither bytes nor an end, for old connections and new ones."""
        self._wire.silent = True
        self._wire = Wire(silent=True)

    def restore(self) -> None:
        """Carry new connections; those from before stay half open for good."""
        self._wire = Wire()

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Serve until cancelled."""
        [tcp] = await trio.open_tcp_listeners(self.port, host=HOST)
        self.port = tcp.socket.getsockname()[1]
        listener: Any = tcp
        if self._ssl_context is not None:
            listener = trio.SSLListener(tcp, self._ssl_context, https_compatible=True)
        task_status.started()
        await trio.serve_listeners(self._serve, [listener])

    async def _serve(self, client: trio.abc.Stream) -> None:
        self.connections += 1
        async with client:
            await self._connect(self._wire, client)

    async def _connect(self, wire: Wire, client: trio.abc.Stream) -> None:
        if wire.silent:
            await trio.sleep_forever()
        try:
            server = await trio.open_tcp_stream(HOST, self.server_port)
        except OSError:
            return  # the client sees its connection end, as behind any proxy
        async with server, trio.open_nursery() as nursery:
            nursery.start_soon(self._carry, wire, client, server, bytes)
            await self._carry(wire, server, client, self.edit)
            nursery.cancel_scope.cancel()  # one end gone, the other is let go

    async def _carry(
        self,
        wire: Wire,
        source: trio.abc.ReceiveStream,
        target: trio.abc.SendStream,
        edit: Callable[[bytes], bytes],
    ) -> None:
        with suppress(*GONE):
            while data := await source.receive_some(CHUNK_BYTES):
                await trio.sleep(self.delay_seconds)
                await self._keep_silent(wire)
                await target.send_all(edit(bytes(data)))
        await self._keep_silent(wire)
        await trio.aclose_forcefully(target)

    async def _keep_silent(self, wire: Wire) -> None:
        if wire.silent:
            self.swallowed += 1
            await trio.sleep_forever()


@asynccontextmanager
async def open_link(
    server_port: int, ssl_context: ssl.SSLContext | None = None
) -> AsyncIterator[Link]:
    """A link that carries everything."""
    async with trio.open_nursery() as nursery:
        link = Link(server_port, ssl_context)
        await nursery.start(link.run)
        yield link
        nursery.cancel_scope.cancel()
