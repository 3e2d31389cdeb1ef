"""A TCP link between a client and a server, which a test slows down or silences."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio

HOST = "127.0.0.1"
CHUNK_BYTES = 65536
GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


class Path:
    """The way that some connections take."""

    def __init__(self, *, silent: bool = False) -> None:
        self.silent = silent


class Link:
    """Listens, and passes on what it hears to a server, both ways."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._path = Path()
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
        self._path.silent = True
        self._path = Path(silent=True)

    def restore(self) -> None:
        """Carry new connections; those from before stay half open for good."""
        self._path = Path()

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Serve until cancelled."""
        [listener] = await trio.open_tcp_listeners(self.port, host=HOST)
        self.port = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._serve, [listener])

    async def _serve(self, client: trio.SocketStream) -> None:
        self.connections += 1
        path = self._path
        with suppress(*GONE, OSError):
            async with client, trio.open_nursery() as nursery:
                if path.silent:
                    await trio.sleep_forever()
                async with await trio.open_tcp_stream(HOST, self._server_port) as server:
                    nursery.start_soon(self._carry, path, server, client, nursery)
                    await self._carry(path, client, server, nursery)

    async def _carry(
        self, path: Path, source: trio.SocketStream, target: trio.SocketStream, line: trio.Nursery
    ) -> None:
        data = b"."
        while data:
            try:
                data = bytes(await source.receive_some(CHUNK_BYTES))
                await trio.sleep(self.delay_seconds)
                if not path.silent:
                    await target.send_all(data)
            except GONE:
                data = b""
            if path.silent:
                self.swallowed += 1
                await trio.sleep_forever()
        line.cancel_scope.cancel()  # one end gone, the other is let go


@asynccontextmanager
async def open_link(server_port: int) -> AsyncIterator[Link]:
    """A link that carries everything."""
    async with trio.open_nursery() as nursery:
        link = Link(server_port)
        await nursery.start(link.run)
        yield link
        nursery.cancel_scope.cancel()
