"""One bad client: refused, timed out or cut, and nobody else notices."""

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.admin.connection import Connection, Limits
from gateway.admin.messages import Peer, Reply, Request
from tests.doubles.http_client import Client, connect
from tests.gateway.admin.conftest import Serve

HASTY = Limits(request_seconds=0.05, idle_seconds=0.1, goodbye_seconds=0.05)


async def answer_ok(request: Request) -> Reply:
    """What a site would do for a good request."""
    await trio.lowlevel.checkpoint()
    return Reply(body=request.body or b"{}")


async def serve_bytes(sent: bytes) -> bytes:
    """Everything that a client gets who sends these bytes and hangs up."""
    client, server = trio.testing.memory_stream_pair()
    received = b""
    async with trio.open_nursery() as nursery:
        connection = Connection(server, Peer(address="test"), answer_ok, HASTY)
        nursery.start_soon(connection.run)
        await client.send_all(sent)
        await client.send_eof()
        while data := await client.receive_some():
            received += data
    return received


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
async def test_garbage_ends_in_an_answer_or_a_closed_socket(garbage: bytes):
    """Whatever bytes come, the connection ends and no error leaves it."""
    received = await serve_bytes(garbage)

    assert received == b"" or received.startswith(b"HTTP/1.1 ")


METHODS = st.sampled_from(["GET", "POST", "HEAD", "BREW", "get", "OPTIONS"])
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30)


@settings(max_examples=150, deadline=None)
@given(METHODS, TEXT, st.lists(st.tuples(TEXT, TEXT), max_size=4), st.binary(max_size=50))
async def test_half_right_requests_end_in_an_answer_or_a_closed_socket(
    method: str, target: str, headers: list[tuple[str, str]], body: bytes
):
    """A request that begins well may go wrong anywhere."""
    lines = [f"{method} /{target} HTTP/1.1", "host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers]
    received = await serve_bytes("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    assert received == b"" or received.startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/x\r\nhost: a\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"* / HTTP/1.1\r\nhost: a\r\n\r\n", 200),  # an odd method is a token like any
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"y" * 40_000, 431),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
             b"fff0\r\n" + b"z" * 0xFFF0 + b"\r\n" + b"ff\r\n" + b"z" * 0xFF + b"\r\n0\r\n\r\n",
            413,
        ),
        (b"GET /?" + b"a=1&" * 30 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ],
)  # fmt: skip
async def test_each_bad_request_has_its_status(sent: bytes, status: int):
    """The client learns what was wrong before the socket closes."""
    received = await serve_bytes(sent)

    assert received.startswith(b"HTTP/1.1 %d " % status)


async def test_a_header_that_never_ends_is_answered_408():
    """A client that dawdles over its request is told so and cut."""
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Connection(server, Peer(address="t"), answer_ok, HASTY).run)
        await client.send_all(b"GET / HT")

        assert b"408" in (await client.receive_some())[:20]


async def test_an_idle_connection_is_closed_without_a_word():
    """A client that says nothing is let go."""
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Connection(server, Peer(address="t"), answer_ok, HASTY).run)

        assert await client.receive_some() == b""


async def test_requests_may_follow_each_other_on_one_connection():
    """Keep-alive and pipelining: answers come in order."""
    one = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n"
    received = await serve_bytes(one + b"one" + one + b"two")

    assert received.count(b"HTTP/1.1 200") == 2
    assert received.index(b"one") < received.index(b"two")


async def test_a_client_that_asks_first_is_told_to_continue():
    """`Expect: 100-continue` is answered before the body is read."""
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Connection(server, Peer(address="t"), answer_ok, Limits()).run)
        await client.send_all(
            b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"
        )
        assert b" 100 " in await client.receive_some()
        await client.send_all(b"hi")
        assert b" 200 " in await client.receive_some()
        await client.aclose()


async def test_a_crowd_is_turned_away_and_those_inside_are_served(serve: Serve):
    """Beyond the limit a client gets 503 at once; the others go on."""
    async with (
        serve(limits=Limits(connections=2)) as served,
        connect(served.url) as first,
        connect(served.url) as second,
    ):
        assert [(await c.ask("/healthz")).status for c in (first, second)] == [200, 200]
        async with connect(served.url) as third:
            assert (await third.ask("/healthz")).status == 503
        assert (await first.ask("/healthz")).status == 200


async def test_closing_lets_an_answer_finish_and_ends_the_idle(serve: Serve):
    """A reload in the making is answered; an idle keep-alive is simply closed."""
    gate, asked = trio.Event(), trio.Event()
    told = []

    async def reload_slowly(client: Client):
        await client.send_request("/api/v1/reload", "POST")
        told.append(await client.read_answer())

    async with trio.open_nursery() as nursery:
        async with serve() as served:
            original = served.house.reload

            async def slow_reload():
                asked.set()
                await gate.wait()
                return await original()

            served.house.reload = slow_reload
            busy = await nursery.start(_hold, served.url)
            idle = await nursery.start(_hold, served.url)
            assert (await idle.ask("/healthz")).status == 200
            nursery.start_soon(reload_slowly, busy)
            await asked.wait()
            nursery.start_soon(_open_after_a_moment, gate)
        nursery.cancel_scope.cancel()

    assert [each.status for each in told] == [200]
    assert told[0].headers["connection"] == "close"


async def _hold(url: str, task_status: trio.TaskStatus[Client]):
    async with connect(url) as client:
        task_status.started(client)
        await trio.sleep_forever()


async def _open_after_a_moment(gate: trio.Event):
    for _ in range(20):
        await trio.lowlevel.checkpoint()
    gate.set()
