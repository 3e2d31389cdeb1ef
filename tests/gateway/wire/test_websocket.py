"""What holds on every transport, once a connection stands."""

import zlib

import pytest
import trio

from gateway.contracts.adapter import Transport
from gateway.errors import ConnectionLost, HeartbeatMissed
from gateway.events.model import StreamReason
from gateway.wire.websocket import WebSocket, open_websocket
from tests.gateway.wire import loopback
from tests.gateway.wire.loopback import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    accept_upgrade,
    frame,
    read_frame,
)

LIMIT = 10_000


def send(data: bytes):
    """A server that upgrades, sends `data`, and then listens until the client leaves."""

    async def handler(stream: trio.abc.Stream):
        await accept_upgrade(stream)
        await stream.send_all(data)
        await loopback.listen(stream)

    return handler


async def receive_until_lost(port: int, transport: Transport):
    """Everything that is handed over, and the loss that ends it."""
    frames = []
    async with open_websocket(
        f"ws://127.0.0.1:{port}/", transport=transport, max_message_bytes=LIMIT
    ) as websocket:
        try:
            while True:
                frames += (await websocket.receive()).frames
        except ConnectionLost as lost:
            return frames, lost


async def receive(websocket: WebSocket, count: int):
    """The next `count` frames."""
    frames = []
    while len(frames) < count:
        frames += (await websocket.receive()).frames
    return frames


async def test_frames_arrive_in_order_and_as_what_they_are(transport: Transport):
    """Text comes as str, binary as bytes, in the order of sending."""
    data = frame(TEXT, "é1".encode()) + frame(BINARY, b"\xff\x00") + frame(TEXT, b"")
    async with (
        loopback.serve(send(data)) as port,
        open_websocket(f"ws://127.0.0.1:{port}/", transport=transport) as websocket,
    ):
        assert await receive(websocket, 3) == ["é1", b"\xff\x00", ""]


async def test_frames_behind_the_handshake_are_kept(transport: Transport):
    """Frames in the same segment as the 101 are not lost."""

    async def handler(stream: trio.abc.Stream):
        await accept_upgrade(stream, more=frame(TEXT, b"hello") + frame(TEXT, b"world"))
        await loopback.listen(stream)

    async with (
        loopback.serve(handler) as port,
        open_websocket(f"ws://127.0.0.1:{port}/", transport=transport) as websocket,
    ):
        assert await receive(websocket, 2) == ["hello", "world"]


async def test_a_burst_is_complete_and_comes_in_lists(transport: Transport):
    """Of many frames none is missing, and frames are handed over several at a time."""
    data = b"".join(frame(TEXT, str(n).encode()) for n in range(5_000))
    lists = []
    async with (
        loopback.serve(send(data)) as port,
        open_websocket(f"ws://127.0.0.1:{port}/", transport=transport) as websocket,
    ):
        while sum(map(len, lists)) < 5_000:
            lists.append((await websocket.receive()).frames)
            await trio.lowlevel.checkpoint()  # a consumer that takes a moment
            await trio.lowlevel.checkpoint()
    assert [str(n) for n in range(5_000)] == [text for frames in lists for text in frames]
    assert max(map(len, lists)) > 1


async def test_fragments_are_assembled(transport: Transport):
    """A message in fragments, with a ping among them, comes whole."""
    text = "né".encode()
    data = (
        frame(TEXT, text[:2], fin=False)
        + frame(PING, b"p")
        + frame(CONTINUATION, text[2:], fin=False)
        + frame(CONTINUATION, b"!")
    )
    async with (
        loopback.serve(send(data)) as port,
        open_websocket(f"ws://127.0.0.1:{port}/", transport=transport) as websocket,
    ):
        assert await receive(websocket, 1) == ["né!"]


async def test_pings_are_answered(transport: Transport):
    """A protocol ping gets its pong while the client waits for frames."""

    async def handler(stream: trio.abc.Stream):
        await accept_upgrade(stream)
        await stream.send_all(frame(PING, b"abc"))
        assert await read_frame(stream) == (PONG, b"abc")
        await stream.send_all(frame(TEXT, b"thanks"))
        await loopback.listen(stream)

    async with (
        loopback.serve(handler) as port,
        open_websocket(f"ws://127.0.0.1:{port}/", transport=transport) as websocket,
    ):
        assert await receive(websocket, 1) == ["thanks"]


async def test_what_is_sent_arrives_as_text(transport: Transport):
    """`send` writes one masked text frame; several tasks may send."""

    async def handler(stream: trio.abc.Stream):
        await accept_upgrade(stream)
        got = {await read_frame(stream), await read_frame(stream)}
        assert got == {(TEXT, "é".encode()), (TEXT, b"2")}
        await stream.send_all(frame(TEXT, b"both"))
        await loopback.listen(stream)

    async with (
        loopback.serve(handler) as port,
        open_websocket(f"ws://127.0.0.1:{port}/", transport=transport) as websocket,
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(websocket.send, "é")
            nursery.start_soon(websocket.send, "2")
        assert await receive(websocket, 1) == ["both"]


async def test_a_close_frame_ends_it_after_what_came_before(transport: Transport):
    """Frames before a close frame are handed over; code and reason are told."""
    data = frame(TEXT, b"last") + frame(CLOSE, b"\x03\xf0key expired")
    async with loopback.serve(send(data)) as port:
        frames, lost = await receive_until_lost(port, transport)
    assert frames == ["last"]
    assert lost.reason is StreamReason.CONNECTION_LOST
    assert "1008" in str(lost)
    assert "key expired" in str(lost)


@pytest.mark.parametrize("ending", ["fin", "rst", "half a frame"])
async def test_a_stream_that_ends_is_a_lost_connection(transport: Transport, ending: str):
    """An end without a close frame is told as such."""

    async def handler(stream: trio.abc.Stream):
        await accept_upgrade(stream)
        await stream.send_all(frame(TEXT, b"one"))
        assert await read_frame(stream) == (TEXT, b"got it")
        if ending == "rst":
            loopback.reset(stream)
        if ending == "half a frame":
            await stream.send_all(frame(TEXT, b"two")[:-1])

    async with (
        loopback.serve(handler) as port,
        open_websocket(f"ws://127.0.0.1:{port}/", transport=transport) as websocket,
    ):
        assert await receive(websocket, 1) == ["one"]
        await websocket.send("got it")
        with pytest.raises(ConnectionLost, match="without a close frame") as lost:
            await websocket.receive()
        assert lost.value.reason is StreamReason.CONNECTION_LOST
        with pytest.raises(ConnectionLost):
            await websocket.send("anybody?")


FAULTS = {
    "a large message": (frame(TEXT, b"x" * (LIMIT + 1)), StreamReason.FRAME_TOO_LARGE, 1009),
    "large by fragments": (
        frame(TEXT, b"", fin=False) + frame(CONTINUATION, b"x" * 400, fin=False) * 30,
        StreamReason.FRAME_TOO_LARGE,
        1009,
    ),
    "invalid UTF-8": (frame(TEXT, b"\xff\xfe"), StreamReason.INVALID_UTF8, 1007),
    "a surrogate": (frame(TEXT, b"\xed\xa0\x80"), StreamReason.INVALID_UTF8, 1007),
    "a reserved opcode": (frame(3, b""), StreamReason.PROTOCOL_ERROR, 1002),
    "reserved bits": (frame(TEXT, b"x", compressed=True), StreamReason.PROTOCOL_ERROR, 1002),
    "no start": (frame(CONTINUATION, b"x"), StreamReason.PROTOCOL_ERROR, 1002),
    "masked": (b"\x81\x81\x00\x00\x00\x00x", StreamReason.PROTOCOL_ERROR, 1002),
    "garbage": (b"HTTP/1.1 500 Oops\r\n\r\n" + b"x" * 100, StreamReason.PROTOCOL_ERROR, 1002),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_the_server_is_named_and_answered_by_its_code(
    transport: Transport, fault: str
):
    """Frames before the fault are kept; the reason is told; the server gets the close code."""
    data, reason, code = FAULTS[fault]
    codes = []
    answered = trio.Event()

    async def handler(stream: trio.abc.Stream):
        await accept_upgrade(stream)
        await stream.send_all(frame(TEXT, b"fine"))
        assert await read_frame(stream) == (TEXT, b"got it")
        await stream.send_all(data)
        answer = await read_frame(stream)
        assert answer[0] == CLOSE
        codes.append(int.from_bytes(answer[1][:2], "big"))
        answered.set()

    async with loopback.serve(handler) as port:
        async with open_websocket(
            f"ws://127.0.0.1:{port}/", transport=transport, max_message_bytes=LIMIT
        ) as websocket:
            assert await receive(websocket, 1) == ["fine"]
            await websocket.send("got it")
            with pytest.raises(ConnectionLost) as lost:
                await websocket.receive()
        await answered.wait()
    assert lost.value.reason is reason
    assert str(code) in str(lost.value)
    assert codes == [code]


@pytest.mark.parametrize("fault", FAULTS)
async def test_frames_that_came_together_with_a_fault_are_kept(transport: Transport, fault: str):
    """Good frames in the same read as a fault are handed over before the loss is told."""
    data, reason, _ = FAULTS[fault]
    good = [f"good {number}" for number in range(50)]
    together = b"".join(frame(TEXT, text.encode()) for text in good) + data

    async with loopback.serve(send(together)) as port:
        frames, lost = await receive_until_lost(port, transport)
    assert frames == good
    assert lost.reason is reason


async def test_a_message_of_just_the_limit_passes(transport: Transport):
    """The limit itself is still allowed."""
    async with (
        loopback.serve(send(frame(TEXT, b"x" * LIMIT))) as port,
        open_websocket(
            f"ws://127.0.0.1:{port}/", transport=transport, max_message_bytes=LIMIT
        ) as websocket,
    ):
        assert await receive(websocket, 1) == ["x" * LIMIT]


async def test_endless_fragments_are_cut_off(transport: Transport):
    """A message that never ends is ended at the limit, while the server still sends."""

    async def handler(stream: trio.abc.Stream):
        await accept_upgrade(stream)
        await stream.send_all(frame(TEXT, b"x", fin=False))
        while True:
            await stream.send_all(frame(CONTINUATION, b"x" * 100, fin=False))

    async with loopback.serve(handler) as port:
        frames, lost = await receive_until_lost(port, transport)
    assert frames == []
    assert lost.reason is StreamReason.FRAME_TOO_LARGE


async def test_a_deflate_bomb_is_cut_off():
    """A small frame that would inflate past the limit ends the connection with 1009."""
    bomb = zlib.compressobj(wbits=-12)
    payload = bomb.compress(bytes(100 * 1024 * 1024)) + bomb.flush(zlib.Z_SYNC_FLUSH)
    small = zlib.compressobj(wbits=-12)
    greeting = small.compress(b"hello") + small.flush(zlib.Z_SYNC_FLUSH)

    async def handler(stream: trio.abc.Stream):
        head = await accept_upgrade(
            stream,
            headers="Sec-WebSocket-Extensions: permessage-deflate;"
            " server_max_window_bits=12; client_max_window_bits=12\r\n",
        )
        assert b"permessage-deflate" in head
        await stream.send_all(frame(TEXT, greeting[:-4], compressed=True))
        await stream.send_all(frame(TEXT, payload[:-4], compressed=True))
        await loopback.listen(stream)

    async with loopback.serve(handler) as port:
        frames, lost = await receive_until_lost(port, "websockets")
    assert frames == ["hello"]
    assert lost.reason is StreamReason.FRAME_TOO_LARGE


async def test_leaving_says_goodbye(transport: Transport):
    """At the end of the block the server gets a close frame with 1000, and the end."""
    got = []
    closed = trio.Event()

    async def handler(stream: trio.abc.Stream):
        await accept_upgrade(stream)
        got.extend([await read_frame(stream), await read_frame(stream)])
        closed.set()

    async with loopback.serve(handler) as port:
        async with open_websocket(f"ws://127.0.0.1:{port}/", transport=transport):
            pass
        await closed.wait()
    assert got == [(CLOSE, b"\x03\xe8"), (-1, b"")]


async def test_leaving_never_hangs(transport: Transport):
    """A server that reads nothing more, so that no goodbye fits, is left all the same."""

    async def handler(stream: trio.abc.Stream):
        await accept_upgrade(stream)
        await trio.sleep_forever()

    with trio.fail_after(20):
        async with (
            loopback.serve(handler) as port,
            open_websocket(f"ws://127.0.0.1:{port}/", transport=transport) as websocket,
        ):
            with trio.move_on_after(0.2):
                while True:
                    await websocket.send("x" * 1_000_000)


async def test_cancellation_passes_through(transport: Transport):
    """A cancelled reader leaves the block, and the connection is closed."""
    closed = trio.Event()

    async def handler(stream: trio.abc.Stream):
        await accept_upgrade(stream)
        await loopback.listen(stream)
        closed.set()

    async with loopback.serve(handler) as port:
        with trio.CancelScope() as scope:
            async with open_websocket(f"ws://127.0.0.1:{port}/", transport=transport) as websocket:
                scope.cancel()
                await websocket.receive()
        assert scope.cancelled_caught
        await closed.wait()


async def test_the_bodys_error_comes_out_as_it_is(transport: Transport):
    """What the block raises is not wrapped in a group."""
    async with loopback.serve(send(b"")) as port:
        with pytest.raises(HeartbeatMissed, match="quiet"):
            async with open_websocket(f"ws://127.0.0.1:{port}/", transport=transport):
                raise HeartbeatMissed("quiet")


async def test_request_carries_host_and_resource(transport: Transport):
    """The request line holds path and query as given, ``Host`` the port."""
    heads = []

    async def handler(stream: trio.abc.Stream):
        heads.append(await accept_upgrade(stream))
        await loopback.listen(stream)

    async with loopback.serve(handler) as port:
        url = f"ws://127.0.0.1:{port}/v2/user/ws?signature=a%2Bb%3D"
        async with open_websocket(url, transport=transport):
            pass
    assert heads[0].startswith(b"GET /v2/user/ws?signature=a%2Bb%3D HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{port}\r\n".encode() in heads[0]
