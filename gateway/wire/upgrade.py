"""The server's answer to a WebSocket handshake, read before any library sees it.

The libraries differ in what they make of a bad answer, and trio-websocket waits
for ever when the server goes away before it answered (its issue 199). So the
stream that they get reads the answer by itself, with h11, and raises
`ConnectFailed` unless it is a ``101``; `RateLimited` if it is told to come back later.
"""

from typing import Final

import h11
import trio

from gateway.clock import WALL_CLOCK
from gateway.errors import ConnectFailed, RateLimited
from gateway.wire.messages import RECEIVE_BYTES, CloseCode
from gateway.wire.patience import asks_for_patience, read_retry_after

STAGE: Final = "upgrade"

_HTTP: Final = b"HTTP/1."
_MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_BODY_BYTES: Final = 2 * 1024
"""Enough of a refusal to show a person what the server said."""
_BODY_SECONDS: Final = 1.0
"""How long to wait for the rest of a refusal; the status alone is worth raising."""
CLOSE_OPCODE: Final = 0x88
"""First byte of a close frame that stands alone (RFC 6455, 5.2)."""


class UpgradeGuard(trio.abc.Stream):
    """A stream that lets nothing through but a successful upgrade and what follows it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._upgraded = False
        self.close_code_sent: int | None = None
        """The code of the last close frame that the library wrote; it tells nobody else."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Read; the first time, the whole answer, which may be longer than `max_bytes`."""
        if self._upgraded:
            return await self._stream.receive_some(max_bytes)
        answer = await _read_answer(self._stream)
        self._upgraded = True
        return answer

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write, noting a close frame on its way out."""
        if data[0] == CLOSE_OPCODE:
            self.close_code_sent = _close_code(data)
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError:
            if self._upgraded:
                raise
            raise _cut_off() from None

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until a write would likely go through at once."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream below."""
        await self._stream.aclose()


def _close_code(data: bytes | bytearray | memoryview) -> int:
    """The code in a client's close frame: 2 bytes of header, 4 of mask, then the code."""
    if len(data) < 8:
        return CloseCode.NO_STATUS
    return (data[6] ^ data[2]) << 8 | (data[7] ^ data[3])


async def _read_answer(stream: trio.abc.Stream) -> bytes:
    """Read until the ``101`` is complete; whatever came behind it is part of the result."""
    parser = _parser()
    answer = bytearray()
    while True:
        try:
            event = parser.next_event()
        except h11.RemoteProtocolError:
            raise _not_http() from None
        if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
            return bytes(answer)
        if isinstance(event, h11.Response):
            raise await _refusal(stream, parser, event)
        if event is h11.NEED_DATA:
            data = await _receive(stream)
            answer += data
            if not answer.startswith(_HTTP[: len(answer)]):
                raise _not_http()  # h11 would wait for the end of a line
            parser.receive_data(bytes(data))


def _parser() -> h11.Connection:
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
    # The real request is the library's; this one only makes h11 expect an answer.
    headers = [("Host", "-"), ("Upgrade", "websocket"), ("Connection", "Upgrade")]
    parser.send(h11.Request(method="GET", target="/", headers=headers))
    parser.send(h11.EndOfMessage())
    return parser


async def _receive(stream: trio.abc.Stream) -> bytes | bytearray:
    try:
        data = await stream.receive_some(RECEIVE_BYTES)
    except trio.BrokenResourceError:
        raise _cut_off() from None
    if not data:
        raise ConnectFailed(STAGE, "the server closed the connection before it answered")
    return data


async def _refusal(
    stream: trio.abc.Stream, parser: h11.Connection, response: h11.Response
) -> ConnectFailed | RateLimited:
    said = f"the server refused with HTTP status {response.status_code}"
    retry_after = dict(response.headers).get(b"retry-after", b"").decode("latin-1")
    if asks_for_patience(response.status_code, retry_after):
        return RateLimited(
            f"{STAGE}: {said}",
            retry_after_seconds=read_retry_after(retry_after, WALL_CLOCK.now_ns()),
        )
    body = bytearray()
    with trio.move_on_after(_BODY_SECONDS):
        await _read_body(stream, parser, body)
    return ConnectFailed(
        STAGE,
        said,
        status=response.status_code,
        body=body[:_MAX_BODY_BYTES].decode("utf-8", "replace"),
    )


async def _read_body(stream: trio.abc.Stream, parser: h11.Connection, body: bytearray) -> None:
    """Add what comes to `body` until it ends, breaks off or is long enough."""
    try:
        while len(body) < _MAX_BODY_BYTES:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                parser.receive_data(bytes(await stream.receive_some(RECEIVE_BYTES)))
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                return
    except (h11.RemoteProtocolError, trio.BrokenResourceError):
        return  # what was read so far says enough


def _cut_off() -> ConnectFailed:
    return ConnectFailed(STAGE, "the server cut the connection before it answered")


def _not_http() -> ConnectFailed:
    return ConnectFailed(STAGE, "the server's answer is not HTTP")


def invalid_handshake() -> ConnectFailed:
    """A ``101`` that does not fit the request: a wrong key, an extension nobody offered."""
    return ConnectFailed(STAGE, "the server's answer is not a valid WebSocket handshake")
