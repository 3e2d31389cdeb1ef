"""Servers on loopback that behave as badly as a test wants, byte by byte."""

import base64
import hashlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import trio

Handler = Callable[[trio.abc.Stream], Awaitable[None]]

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@asynccontextmanager
async def serve(handler: Handler, ssl_context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Run `handler` for each connection; yields the port."""

    async def handle(stream: trio.abc.Stream) -> None:
        async with stream:
            # The client under test may leave at any time.
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await handler(stream)

    if ssl_context is None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    else:
        listeners = await trio.open_ssl_over_tcp_listeners(
            0, ssl_context, host="127.0.0.1", https_compatible=True
        )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield port_of(listeners[0])
        nursery.cancel_scope.cancel()


def port_of(listener: trio.SocketListener | trio.SSLListener) -> int:
    """The port that the system gave."""
    inner = listener if isinstance(listener, trio.SocketListener) else listener.transport_listener
    return inner.socket.getsockname()[1]


async def read_head(stream: trio.abc.Stream) -> bytes:
    """Read an HTTP head; gives what came before the client left if it is incomplete."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = await stream.receive_some(4096)
        if not data:
            break
        head += data
    return head


async def accept_upgrade(stream: trio.abc.Stream, more: bytes = b"", headers: str = "") -> bytes:
    """Answer a handshake with 101, and `more` in the same write; gives the request's head."""
    head = await read_head(stream)
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    key = next(value for name, value in fields.items() if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key + _WEBSOCKET_GUID).digest()).decode()
    await stream.send_all(
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
        ).encode()
        + more
    )
    return head


def frame(opcode: int, payload: bytes, *, fin: bool = True, compressed: bool = False) -> bytes:
    """A frame as a server sends it: unmasked."""
    first = opcode | (0x80 if fin else 0) | (0x40 if compressed else 0)
    size = len(payload)
    if size < 126:
        return bytes([first, size]) + payload
    if size < 65536:
        return bytes([first, 126]) + struct.pack(">H", size) + payload
    return bytes([first, 127]) + struct.pack(">Q", size) + payload


async def read_frame(stream: trio.abc.Stream) -> tuple[int, bytes]:
    """The next frame of a client (short ones only), unmasked; (-1, b"") at the end."""
    data = b""
    while len(data) < 2 or len(data) < 6 + (data[1] & 0x7F):
        more = await stream.receive_some(1 if len(data) < 2 else 6 + (data[1] & 0x7F) - len(data))
        if not more:
            return -1, b""
        data += more
    mask, payload = data[2:6], data[6:]
    return data[0] & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def reset(stream: trio.abc.Stream) -> None:
    """Make the coming close an RST instead of a FIN."""
    while not isinstance(stream, trio.SocketStream):
        stream = stream.transport_stream
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def stay_silent(stream: trio.abc.Stream) -> None:
    """Read whatever comes and never answer."""
    async for _ in stream:
        pass


async def listen(stream: trio.abc.Stream) -> None:
    """Read an upgraded client's frames until it says goodbye or leaves."""
    while (await read_frame(stream))[0] not in {CLOSE, -1}:
        pass
