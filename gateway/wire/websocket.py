"""WebSocket connections: dialled, upgraded, bounded; frames come in lists.

Two libraries can carry them, behind one interface and one set of tests:
trio-websocket, the default, and websockets' Sans-I/O protocol, which is faster and
knows compression.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol

import trio

from gateway.contracts.adapter import ConnectGate, Transport
from gateway.errors import ExtraMissing
from gateway.wire.addresses import Address, parse_websocket_url
from gateway.wire.dial import open_stream
from gateway.wire.messages import Received

__all__ = ["Received", "WebSocket", "open_websocket"]

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""No documented frame of any venue comes near; a snapshot of 1,000 orders is 0.5 MiB."""


class WebSocket(Protocol):
    """One open connection. One task receives; any number may send."""

    async def receive(self) -> Received:
        """Wait for frames and take all that are there.

        Raises `ConnectionLost` with the reason, once everything before it was handed
        over. The connection is unusable after this was cancelled in the middle.
        """

    async def send(self, text: str) -> None:
        """Send a text frame. Raises `ConnectionLost`."""


@asynccontextmanager
async def open_websocket(
    url: str,
    *,
    transport: Transport = "trio-websocket",
    proxy: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
    connect_timeout: float = 10,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    gate: ConnectGate | None = None,
    connect_rate: float = 10,
) -> AsyncIterator[WebSocket]:
    """Connect to `url`, and close the connection at the end, within bounds.

    `connect_timeout` bounds each stage (dns, tcp, proxy, tls, upgrade) by itself; the
    turn at `gate` is not counted. `ssl_context` is for a private CA: by default the
    system's trust decides, and nothing is ever left unverified.

    Raises `ConnectFailed` with the stage; `RateLimited` when the server says to come
    back later; `ExtraMissing` when `transport` is not installed. Errors of the body
    come out as they are, never in a group.
    """
    address = parse_websocket_url(url)
    if gate is not None:
        await gate.wait_turn(address.host, connect_rate)
    async with (
        open_stream(
            address, proxy=proxy, ssl_context=ssl_context, timeout_seconds=connect_timeout
        ) as stream,
        _upgrade(transport, stream, address, connect_timeout, max_message_bytes) as websocket,
    ):
        yield websocket


def _upgrade(
    transport: Transport,
    stream: trio.abc.Stream,
    address: Address,
    timeout_seconds: float,
    max_message_bytes: int,
) -> AbstractAsyncContextManager[WebSocket]:
    if transport == "trio-websocket":
        from gateway.wire import via_trio_websocket

        return via_trio_websocket.upgrade(stream, address, timeout_seconds, max_message_bytes)
    try:
        from gateway.wire import via_websockets
    except ImportError as error:
        raise ExtraMissing(
            "transport websockets needs its library:"
            " pip install 'exchange-event-gateway[websockets]'"
        ) from error
    return via_websockets.upgrade(stream, address, timeout_seconds, max_message_bytes)
