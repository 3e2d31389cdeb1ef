"""HTTP connections made by `dial`, for httpcore, which carries httpx's requests.

So REST knows the same proxies as sockets do, fails in the same words stage by stage,
and looks names up in the same threads.
"""

import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

import httpcore
import trio

from gateway.wire.dial import dial, start_tls
from gateway.wire.proxies import ProxyAddress
from gateway.wire.reads import MeasuredStream

_MOST_HELD_BACK_BYTES: Final = 64 * 1024
"""Of a request, until its answer is waited for. More fills several packets anyway."""


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
    """A Trio stream as httpcore wants it. Time limits are the caller's cancel scopes.

    httpcore writes a request in pieces, headers and body apart. They are held back until
    it reads, and leave in one packet: a small request costs the server one wake-up, not two.
    """

    def __init__(self, stream: trio.abc.Stream, stage_seconds: float) -> None:
        self._stream = stream
        self._stage_seconds = stage_seconds
        self._held_back = bytearray()
        self._is_reading = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 (above)
        """The next bytes; none at the end."""
        # A server may refuse a body before it is all there: what it says then is read.
        with suppress(httpcore.WriteError):
            while self._held_back:
                await self._send_held_back()
        self._is_reading = True
        try:
            return bytes(await self._stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore.ReadError(error) from error
        finally:
            self._is_reading = False

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 (above)
        """Send it at the latest when an answer is waited for."""
        self._held_back += buffer
        if self._is_reading or len(self._held_back) > _MOST_HELD_BACK_BYTES:
            await self._send_held_back()

    async def _send_held_back(self) -> None:
        buffer, self._held_back = self._held_back, bytearray()
        try:
            await self._stream.send_all(buffer)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
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
        """What httpcore asks of a connection.

        ``is_readable`` tells it that an idle one was closed by the server, ``ssl_object``
        which protocol was agreed on.
        """
        stream: Any = self._stream
        while isinstance(stream, MeasuredStream | trio.SSLStream):
            if info == "ssl_object" and isinstance(stream, trio.SSLStream):
                return stream
            stream = stream.below if isinstance(stream, MeasuredStream) else stream.transport_stream
        return stream.socket.is_readable() if info == "is_readable" else None
