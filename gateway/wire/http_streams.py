"""HTTP connections made by `dial`, for httpcore, which carries httpx's requests.

So REST knows the same proxies as sockets do, fails in the same words stage by stage,
and looks names up in the same threads.
"""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import trio

from gateway.wire.dial import dial, start_tls
from gateway.wire.proxies import ProxyAddress


class DialledBackend(httpcore.AsyncNetworkBackend):
    """Where httpcore gets its streams from."""

    def __init__(self, via: ProxyAddress | None, stage_seconds: float) -> None:
        self._via = via
        self._stage_seconds = stage_seconds

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  (stages have a limit of their own)
        local_address: str | None = None,  # noqa: ARG002  (never asked for)
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002  (Trio sets TCP_NODELAY)
    ) -> httpcore.AsyncNetworkStream:
        """A connection to `host`. Raises `ConnectFailed`."""
        stream = await dial(host, port, self._via, self._stage_seconds)
        return DialledStream(stream, self._stage_seconds)


class DialledStream(httpcore.AsyncNetworkStream):
    """A Trio stream as httpcore wants it. Time limits are the caller's cancel scopes."""

    def __init__(self, stream: trio.abc.Stream, stage_seconds: float) -> None:
        self._stream = stream
        self._stage_seconds = stage_seconds

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """The next bytes; none at the end."""
        try:
            return bytes(await self._stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore.ReadError(error) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send all of it."""
        try:
            await self._stream.send_all(buffer)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            # httpcore goes on to read: a server may refuse a body before it is all there.
            raise httpcore.WriteError(error) from error

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  (as above)
    ) -> httpcore.AsyncNetworkStream:
        """TLS over this stream. Raises `ConnectFailed`, and then closes it."""
        try:
            secured = await start_tls(
                self._stream, server_hostname or "", ssl_context, self._stage_seconds
            )
        except BaseException:
            await trio.aclose_forcefully(self._stream)
            raise
        return DialledStream(secured, self._stage_seconds)

    def get_extra_info(self, info: str) -> Any:
        """``is_readable`` tells httpcore that an idle connection was closed by the server."""
        stream: Any = self._stream
        while isinstance(stream, trio.SSLStream):
            stream = stream.transport_stream
        return stream.socket.is_readable() if info == "is_readable" else None
