"""WebSocket by websockets' Sans-I/O protocol: no task of its own, and compression.

Plain text frames pass the library by (`fast_lane`); compressed ones are not among them.

Reading, decoding and answering pings all happen inside `receive`, so a list of
frames costs one pass of the scheduler however long it is.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI

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
from gateway.wire.upgrade import STAGE, UpgradeGuard, invalid_handshake

_WINDOW_BITS: Final = 12
"""4 KiB of history per direction instead of 32: frames are alike, accounts are many."""
_DATA_OPCODES: Final = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})


@asynccontextmanager
async def upgrade(
    stream: trio.abc.Stream, address: Address, timeout_seconds: float, max_message_bytes: int
) -> AsyncIterator["SansIOWebSocket"]:
    """Shake hands on `stream`; its closing is left to the caller.

    Raises `ConnectFailed` or `RateLimited`.
    """
    protocol = _protocol(address, max_message_bytes)
    websocket = SansIOWebSocket(UpgradeGuard(stream), protocol, FastLane(max_message_bytes))
    with stage(STAGE, timeout_seconds):
        await websocket.shake_hands()
    try:
        yield websocket
    finally:
        await websocket.say_goodbye()


def _protocol(address: Address, max_message_bytes: int) -> ClientProtocol:
    path, _, query = address.resource.partition("?")
    uri = WebSocketURI(address.secure, address.host, address.port, path, query)
    deflate = ClientPerMessageDeflateFactory(
        server_max_window_bits=_WINDOW_BITS,
        client_max_window_bits=_WINDOW_BITS,
        compress_settings={"memLevel": 5},
    )
    return ClientProtocol(uri, extensions=[deflate], max_size=max_message_bytes)


class SansIOWebSocket:
    """A `WebSocket` that drives a `ClientProtocol` over a stream."""

    def __init__(self, stream: trio.abc.Stream, protocol: ClientProtocol, lane: FastLane) -> None:
        self._stream = stream
        self._protocol = protocol
        self._lane = lane
        self._texts: list[str] = []
        """From the beginning of the last read; what the library makes of it comes after."""
        self._writing = trio.StrictFIFOLock()
        self._read_ns = 0
        self._parts = bytearray()
        """The fragments so far of a message that is not complete."""
        self._is_text = True
        self._invalid_text = False

    async def shake_hands(self) -> None:
        """Send the request and check the answer."""
        self._protocol.send_request(self._protocol.connect())
        await self._flush()
        await self._read()
        if self._protocol.handshake_exc is not None:
            raise invalid_handshake()

    async def receive(self) -> Received:
        """Read until there is at least one whole message; take all that are."""
        while True:
            frames = self._take_messages()
            if frames:
                return Received(frames, self._read_ns)
            if self._protocol.state is not State.OPEN:
                await self._flush()  # the close frame for text that was not UTF-8
                raise self._loss()
            await self._read()

    async def send(self, text: str) -> None:
        """Send a text frame."""
        try:
            self._protocol.send_text(text.encode())
        except InvalidState:
            raise self._loss() from None
        await self._flush()
        if self._protocol.state is State.CLOSED:
            raise self._loss()

    async def say_goodbye(self) -> None:
        """Send a close frame, if none was sent. The answer is not waited for."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.NORMAL)
            with trio.move_on_after(CLOSE_SECONDS, shield=True):
                await self._flush()

    async def _read(self) -> None:
        """Feed the protocol once, and write what it answers (pongs, a close frame)."""
        try:
            data = await self._stream.receive_some(RECEIVE_BYTES)
        except trio.BrokenResourceError:
            data = b""
        self._read_ns = WALL_CLOCK.now_ns()
        if not data:
            self._protocol.receive_eof()
        elif self._protocol.state is State.CONNECTING:
            self._protocol.receive_data(self._lane.begin(data))
        else:
            self._texts, rest = self._lane.split(data)
            if rest:
                self._protocol.receive_data(rest)
        await self._flush()

    async def _flush(self) -> None:
        data = b"".join(self._protocol.data_to_send())
        if not data:
            return
        async with self._writing:
            try:
                await self._stream.send_all(data)
            except trio.BrokenResourceError:
                # Nothing readable is worth waiting for behind a socket that is reset.
                self._protocol.receive_eof()

    def _take_messages(self) -> list[str | bytes]:
        messages: list[str | bytes] = [*self._texts]
        self._texts = []
        try:
            for event in self._protocol.events_received():
                if isinstance(event, Frame) and event.opcode in _DATA_OPCODES:
                    self._add(event, messages)
        except UnicodeDecodeError:
            self._invalid_text = True
            if self._protocol.state is State.OPEN:
                self._protocol.fail(CloseCode.INVALID_UTF8, "invalid UTF-8")
        return messages

    def _add(self, frame: Frame, messages: list[str | bytes]) -> None:
        """Add the message that `frame` completes, if it does. The protocol checks the order."""
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._parts += frame.data
        if frame.fin:
            whole, self._parts = self._parts, bytearray()
            messages.append(whole.decode() if self._is_text else bytes(whole))

    def _loss(self) -> ConnectionLost:
        """Why the connection ended."""
        protocol = self._protocol
        if self._invalid_text:
            return lost_by_fault(CloseCode.INVALID_UTF8, "a text frame is not UTF-8")
        if isinstance(protocol.parser_exc, EOFError):
            return lost_without_close()
        if protocol.parser_exc is None and protocol.close_rcvd is not None:
            return lost_by_server(protocol.close_rcvd.code, protocol.close_rcvd.reason)
        sent = protocol.close_sent
        if sent is None:
            return lost_without_close()
        return lost_by_fault(sent.code, sent.reason)
