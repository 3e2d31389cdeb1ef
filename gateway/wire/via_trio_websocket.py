"""WebSocket by trio-websocket: a reader task of the library's feeds a channel."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from gateway.clock import WALL_CLOCK
from gateway.errors import ConnectionLost, StreamError
from gateway.wire.addresses import Address
from gateway.wire.dial import CLOSE_SECONDS, stage
from gateway.wire.messages import (
    RECEIVE_BYTES,
    CloseCode,
    Received,
    lost_by_fault,
    lost_by_server,
    lost_without_close,
)
from gateway.wire.upgrade import STAGE, UpgradeGuard, invalid_handshake

_QUEUE_MESSAGES: Final = 32
"""Read ahead while the consumer works. Longer gives no speed, and costs memory when
messages are large."""
_TOO_LARGE: Final = "Exceeded maximum message size"
"""How the library's own 1009 differs from one that the server sent."""


@asynccontextmanager
async def upgrade(
    stream: trio.abc.Stream, address: Address, timeout_seconds: float, max_message_bytes: int
) -> AsyncIterator["TrioWebSocket"]:
    """Shake hands on `stream`. Raises `ConnectFailed`; leaves closing `stream` to the caller."""
    guard = UpgradeGuard(stream)
    websocket: TrioWebSocket | None = None

    def explain(error: Exception) -> Exception:
        if isinstance(error, StreamError):
            return error
        # wsproto and h11 raise whatever step of theirs did not fit.
        return websocket.loss() if websocket is not None else invalid_handshake()

    async with _open_reader_nursery(explain) as nursery:
        with stage(STAGE, timeout_seconds):
            connection = await wrap_client_stream(
                nursery,
                guard,  # type: ignore[arg-type]  # any trio.abc.Stream will do
                address.host_header,
                address.resource,
                message_queue_size=_QUEUE_MESSAGES,
                max_message_size=max_message_bytes,
                receive_buffer_size=RECEIVE_BYTES,
            )
        websocket = TrioWebSocket(connection, guard)
        try:
            yield websocket
        finally:
            await websocket.say_goodbye()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def _open_reader_nursery(
    explain: Callable[[Exception], Exception],
) -> AsyncIterator[trio.Nursery]:
    """A nursery whose body's error comes out as it is, not in a group.

    What a background task dies of comes out as `explain` puts it.
    """
    raised: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                yield nursery
            except BaseException as error:
                raised = error
                raise
    except BaseExceptionGroup as group:
        first = group.exceptions[0]
        if raised is not None and raised in group.exceptions:
            failure = raised
        else:
            failure = explain(first) if isinstance(first, Exception) else first
    else:
        return
    # Raised out here, so that the group does not become part of its traceback.
    raise failure


class TrioWebSocket:
    """A `WebSocket` over a `WebSocketConnection`."""

    def __init__(self, connection: WebSocketConnection, guard: UpgradeGuard) -> None:
        self._connection = connection
        self._guard = guard
        self._lost = False
        self._channel = connection._recv_channel  # noqa: SLF001  (no public way to take without waiting)

    async def receive(self) -> Received:
        """Wait for a message, then take those that stand behind it."""
        try:
            frames = [await self._connection.get_message()]
        except ConnectionClosed:
            raise self.loss() from None
        received_ns = WALL_CLOCK.now_ns()
        try:
            while True:
                frames.append(self._channel.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
            return Received(frames, received_ns)

    async def send(self, text: str) -> None:
        """Send a text frame."""
        try:
            await self._connection.send_message(text)
        except ConnectionClosed:
            raise self.loss() from None

    async def say_goodbye(self) -> None:
        """Close by handshake, if the peer plays along in time."""
        if self._lost:
            return  # the library would wait for an answer that cannot come
        with trio.move_on_after(CLOSE_SECONDS, shield=True):
            await self._connection.aclose()

    def loss(self) -> ConnectionLost:
        """Why the connection ended."""
        self._lost = True
        closed = self._connection.closed
        sent = self._guard.close_code_sent
        if closed is None:
            # The library closes on a protocol error without noting which.
            return lost_by_fault(sent or CloseCode.PROTOCOL_ERROR, "not a valid frame")
        if closed.code == CloseCode.TOO_LARGE and (closed.reason or "").startswith(_TOO_LARGE):
            return lost_by_fault(CloseCode.TOO_LARGE, "a message was too large")
        if closed.code == CloseCode.ABNORMAL:
            return lost_without_close()
        return lost_by_server(closed.code, closed.reason or "")
