"""The server on real sockets, spoken to by clients that nobody here wrote."""

import httpx
import pytest
import trio
import trio_websocket
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.uri import parse_uri
from wsproto.connection import Connection, ConnectionType
from wsproto.events import Message
from wsproto.extensions import PerMessageDeflate

from adapters.fmex.simulator import SIMULATOR as FMEX
from adapters.lbank.simulator import SIMULATOR as LBANK
from gateway.simulator import QUIET, Scenario, frames, open_simulator, steps
from tests.doubles.simulated import CLOCK, FmexClient


async def test_keep_alive():
    """Many requests go over one connection, of any size of answer."""
    async with (
        open_simulator(LBANK, scenario=QUIET) as simulator,
        httpx.AsyncClient(base_url=simulator.rest_url) as client,
    ):
        for path in ("/v2/timestamp.do", "/v2/accuracy.do", "/nothing.do") * 3:
            answer = await client.get(path)
            assert answer.status_code == (404 if "nothing" in path else 200)


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\nhost: x"]
)
async def test_clients_that_do_not_speak_http(sent: bytes):
    """TLS, nonsense and a client that leaves in the middle do no harm."""
    async with open_simulator(LBANK, scenario=QUIET) as simulator:
        async with await trio.open_tcp_stream(simulator.host, simulator.port) as stream:
            await stream.send_all(sent)
            await stream.send_eof()
            with trio.fail_after(20):
                while await stream.receive_some():
                    pass
        async with httpx.AsyncClient(base_url=simulator.rest_url) as client:
            assert (await client.get("/v2/timestamp.do")).status_code == 200


async def test_a_body_too_large_is_refused():
    """More than a megabyte is not read."""
    async with (
        open_simulator(LBANK, scenario=QUIET) as simulator,
        await trio.open_tcp_stream(simulator.host, simulator.port) as stream,
    ):
        head = b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n"
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(head + b"x" * 99_999_999)


async def test_a_reset_is_a_reset():
    """A dropped TCP client gets RST, which is an error and not an end of stream."""
    async with (
        open_simulator(LBANK, scenario=QUIET) as simulator,
        await trio.open_tcp_stream(simulator.host, simulator.port) as stream,
    ):
        await stream.send_all(
            b"GET /ws/V2/ HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        head = await stream.receive_some()
        # The key and its answer of RFC 6455, section 1.3.
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        simulator.cut()
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()


async def test_protocol_pings_can_be_ignored():
    """LBank is known not to answer RFC 6455 pings; the switch of the scenario does the same."""
    for answers in (True, False):
        scenario = Scenario(rate=0, answer_pings=answers)
        async with (
            open_simulator(LBANK, scenario=scenario) as simulator,
            trio_websocket.open_websocket_url(simulator.websocket_url) as connection,
        ):
            with trio.move_on_after(5 if answers else 0.3) as patience:
                await connection.ping()
            assert patience.cancelled_caught is not answers


async def test_pushes_are_compressed_for_those_who_ask():
    """A client that offers permessage-deflate hears the same in fewer bytes."""
    async with open_simulator(LBANK, scenario=Scenario(rate=0, deflate=True)) as simulator:
        client = ClientProtocol(
            parse_uri(simulator.websocket_url), extensions=[ClientPerMessageDeflateFactory()]
        )
        async with await trio.open_tcp_stream(simulator.host, simulator.port) as stream:
            client.send_request(client.connect())
            await _flush(client, stream)
            while not client.extensions:
                client.receive_data(bytes(await stream.receive_some()))
                client.events_received()
            client.send_text(b'{"action":"ping","ping":"' + b"a" * 500 + b'"}')
            await _flush(client, stream)
            received = bytes(await stream.receive_some())
            client.receive_data(received)
            [pong] = client.events_received()
    assert len(received) < 200 < len(pong.data)


async def _flush(client: ClientProtocol, stream: trio.abc.Stream) -> None:
    for data in client.data_to_send():
        if data:
            await stream.send_all(data)


async def test_a_blast_over_a_socket():
    """Twenty thousand frames arrive, in pieces of any size, and each is another order."""
    async with open_simulator(FMEX, scenario=QUIET, clock=CLOCK) as simulator:
        address = f"ws://{simulator.host}:{simulator.port}{FmexClient(simulator).login()}"
        async with trio_websocket.open_websocket_url(address) as connection:
            await connection.get_message()
            simulator.do(steps.Blast(frames=20_000))
            with trio.fail_after(60):
                heard = {await connection.get_message() for _ in range(20_000)}
    assert len(heard) == 20_000


@given(st.text(), st.booleans())
def test_frames_are_what_they_hold(text: str, deflate: bool):
    """Any text comes out of a frame as it went in, compressed or not."""
    extension = PerMessageDeflate()
    extension.accept("permessage-deflate")
    client = Connection(ConnectionType.CLIENT, [extension])
    client.receive_data(frames.text_frame(text, deflate=deflate))
    pieces = [event.data for event in client.events() if isinstance(event, Message)]
    assert "".join(pieces) == text
