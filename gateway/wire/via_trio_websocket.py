"""WebSocket by trio-websocket: a reader task of the library's feeds a channel.

Plain text frames pass the library by (`fast_lane`) on their way into that channel.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import h11
import trio
import wsproto.utilities
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream
from wsproto.frame_protocol import FrameProtocol

from gateway.clock import WALL_CLOCK
from gateway.errors import ConnectionLost
from gateway.wire.addresses import Address
from gateway.wire.dial import CLOSE_SECONDS, stage
from gateway.wire.fast_lane import FastLane
from gateway.wire.messages import (
    RECEIVE_BYTES,
    CloseCode,
    Received,
    lost_by_fault,
    lost_by_server,
    lost_without_close,
)
from gateway.wire.onefailure import open_single_failure_nursery
from gateway.wire.upgrade import CLOSE_OPCODE, STAGE, UpgradeGuard, invalid_handshake

_AHEAD_MESSAGES: Final = 32
"""While so many wait to be taken nothing more is read: large ones cost memory."""
_QUEUE_MESSAGES: Final = _AHEAD_MESSAGES + RECEIVE_BYTES // 2
"""Room for all that one more read can bring, so that the reader never waits in the
middle: the shortest message has two bytes."""
_TOO_LARGE: Final = "Exceeded maximum message size"
"""How the library's own 1009 differs from one that the server sent."""


_FAULTS: Final = {
    CloseCode.PROTOCOL_ERROR: "not a valid frame",
    CloseCode.INVALID_UTF8: "a text frame is not UTF-8",
    CloseCode.TOO_LARGE: "a message passed the size limit",
}
_READER_ERRORS: Final = (h11.ProtocolError, wsproto.utilities.ProtocolError, ConnectionClosed)
"""What the library's reader task dies of when a step of the protocol does not fit."""


@asynccontextmanager
async def upgrade(
    stream: trio.abc.Stream, address: Address, timeout_seconds: float, max_message_bytes: int
) -> AsyncIterator["TrioWebSocket"]:
    """Shake hands on `stream`; its closing is left to the caller.

    Raises `ConnectFailed` or `RateLimited`.
    """
    guard = PacedStream(stream, FastLane(max_message_bytes))
    websocket: TrioWebSocket | None = None
    try:
        async with open_single_failure_nursery() as nursery:
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
            _let_handshake_go(connection)
            websocket = TrioWebSocket(connection, guard)
            try:
                yield websocket
            finally:
                await websocket.say_goodbye()
                nursery.cancel_scope.cancel()
    except _READER_ERRORS:
        raise (websocket.loss() if websocket is not None else invalid_handshake()) from None


def _let_handshake_go(connection: WebSocketConnection) -> None:
    """Free what only the upgrade needed: h11's side of it, 3 KiB for as long as it is kept.

    The library keeps it and asks it nothing once the connection is open.
    """
    # Where another version of the library has no such thing, nothing is lost.
    with suppress(AttributeError):
        handshake: Any = connection._wsproto.handshake  # noqa: SLF001  (nobody else lets go)
        handshake._h11_connection = None  # noqa: SLF001  (its own field, of no public name)
        handshake._events = ()  # noqa: SLF001  (for ever empty)


class PacedStream(UpgradeGuard):
    """What the library's reader reads from; knows when that has handed over all it has.

    The reader yields after every message. Whoever takes each one at once pays two passes
    of the scheduler for it, and gets lists of one; whoever waits until the reader is back
    for more gets all that came together.
    """

    def __init__(self, stream: trio.abc.Stream, lane: FastLane) -> None:
        super().__init__(stream)
        self.untaken: Callable[[], int] = lambda: 0
        """How many messages stand in the queue."""
        self.put_texts: Callable[[list[str]], None] | None = None
        """Where plain texts go, once there is somebody to take them."""
        self.before_close: Callable[[], None] = lambda: None
        """Called before a close frame is written."""
        self._reader_waits = False
        self._reader_came = trio.lowlevel.ParkingLot()
        self._taken = trio.lowlevel.ParkingLot()
        self._lane = lane
        self._answered = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Read until there is something for the library.

        Never while the consumer is too far behind.
        """
        self._reader_waits = True
        self._reader_came.unpark_all()
        while True:
            while self.untaken() >= _AHEAD_MESSAGES:
                await self._taken.park()
            data = await super().receive_some(max_bytes)
            if not data or (data := self._divide(data)):
                self._reader_waits = False
                return data

    def _divide(self, data: bytes | bytearray) -> bytes:
        """Put texts where they are waited for; gives what the library has to see."""
        if not self._answered:
            self._answered = True
            return self._lane.begin(data)
        if self.put_texts is None:
            return self._lane.pass_by(data)
        texts, rest = self._lane.split(data)
        if texts:
            self.put_texts(texts)
        return rest

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write; before a close frame, have what is in the queue saved.

        After a message beyond the size limit the library says goodbye and throws away
        the good ones before it.
        """
        if data[0] == CLOSE_OPCODE:
            self.before_close()
        await super().send_all(data)

    async def wait_reader(self) -> None:
        """Wait until all that was read is in the queue.

        The reader comes back after every message, even after the last: it only ends
        by an error of its own, which ends whoever waits here too.
        """
        if not self._reader_waits:
            await self._reader_came.park()

    def tell_taken(self) -> None:
        """Let the reader go on."""
        self._taken.unpark_all()


class TrioWebSocket:
    """A `WebSocket` over a `WebSocketConnection`."""

    def __init__(self, connection: WebSocketConnection, guard: PacedStream) -> None:
        self._connection = connection
        self._guard = guard
        self._fault: CloseCode | None = None
        self._channel = connection._recv_channel  # noqa: SLF001  (no other way without waiting)
        self._queue = connection._send_channel  # noqa: SLF001  (so that order and closing hold)
        self._texts_ahead = 0
        """Of those that the library did not see, not taken yet."""
        self._saved: list[str | bytes] = []
        """Taken from the queue before the library could drop them."""
        guard.untaken = self._untaken
        guard.put_texts = self._put_texts
        guard.before_close = self._save

    async def receive(self) -> Received:
        """Wait for a message, then take all that were read with it."""
        frames: list[str | bytes] = []
        if not self._saved:
            try:
                frames += _flat(await self._connection.get_message())
            except ConnectionClosed:
                if not self._saved:
                    raise self.loss() from None
        received_ns = WALL_CLOCK.now_ns()
        if frames:
            await self._guard.wait_reader()
        self._save()
        frames += self._saved
        self._saved = []
        self._texts_ahead = 0
        self._guard.tell_taken()
        return Received(frames, received_ns)

    def _save(self) -> None:
        try:
            while True:
                self._saved += _flat(self._channel.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
            return

    def _put_texts(self, texts: list[str]) -> None:
        self._texts_ahead += len(texts)
        # Closed: then they are for nobody. Full it cannot be, see `_QUEUE_MESSAGES`.
        with suppress(trio.ClosedResourceError, trio.BrokenResourceError):
            self._queue.send_nowait(texts)  # type: ignore[arg-type]  # as one; see `_flat`

    def _untaken(self) -> int:
        return self._channel.statistics().current_buffer_used + self._texts_ahead

    async def send(self, text: str) -> None:
        """Send a text frame."""
        try:
            await self._connection.send_message(text)
        except ConnectionClosed:
            raise self.loss() from None

    async def say_goodbye(self) -> None:
        """Send a close frame, if none was sent. The answer is not waited for.

        Not by the library's `aclose`: that waits for its reader task, which is dead
        when the connection was cancelled or lost.
        """
        if self._guard.close_code_sent is not None:
            return
        farewell = FrameProtocol(client=True, extensions=[]).close(self._fault or CloseCode.NORMAL)
        with (
            trio.move_on_after(CLOSE_SECONDS, shield=True),
            suppress(trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError),
        ):
            await self._guard.send_all(farewell)

    def loss(self) -> ConnectionLost:
        """Why the connection ended."""
        self._fault = self._find_fault()
        if self._fault is not None:
            return lost_by_fault(self._fault, _FAULTS[self._fault])
        closed = self._connection.closed
        if closed is None or closed.code == CloseCode.ABNORMAL:
            return lost_without_close()
        return lost_by_server(closed.code, closed.reason or "")

    def _find_fault(self) -> CloseCode | None:
        """The code for what the server did wrong, if it is that which ended the connection.

        The library reports our 1009 and a server's close frame alike; what differs is
        its own wording, and whether it answered with a close frame.
        """
        closed = self._connection.closed
        if closed is None:
            return CloseCode.PROTOCOL_ERROR
        if closed.code == CloseCode.TOO_LARGE and (closed.reason or "").startswith(_TOO_LARGE):
            return CloseCode.TOO_LARGE
        if closed.code in _FAULTS and self._guard.close_code_sent is None:
            return CloseCode(closed.code)
        return None


def _flat(message: str | bytes | list[str]) -> Sequence[str | bytes]:
    """What stands in the queue: a message from the library, or texts that passed it by."""
    return message if isinstance(message, list) else (message,)
