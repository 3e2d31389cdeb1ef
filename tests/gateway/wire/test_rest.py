"""One request, one bounded answer, and a clear word for whatever else happens."""

import gc
import gzip
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from gateway.errors import ConnectFailed, RateLimited, StreamError, VenueUnavailable
from gateway.wire.rest import Answer, RestClient
from tests.gateway.wire import loopback
from tests.gateway.wire.loopback import read_head

SECRET = "k3y-0f-the-desk"
LIMIT = 10_000
NOON_NS = 1_600_000_000 * 10**9  # 2020-09-13T12:26:40Z


class TickingClock:
    """Each look is a second later."""

    def __init__(self) -> None:
        self.now = NOON_NS

    def now_ns(self) -> int:
        """Nanoseconds since 1970."""
        self.now += 10**9
        return self.now


class Server:
    """Answers each request with the same bytes; keeps what was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.connections = 0

    async def __call__(self, stream: trio.abc.Stream) -> None:
        """Serve one connection until the client leaves."""
        self.connections += 1
        while head := await read_head(stream):
            self.heads.append(head)
            await stream.send_all(self.answer)


def http(body: bytes = b"", status: str = "200 OK", *headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@asynccontextmanager
async def client_of(handler: loopback.Handler, **options: Any) -> AsyncIterator[RestClient]:
    """A client of a server on loopback."""
    async with loopback.serve(handler) as port:
        client = RestClient(
            f"http://127.0.0.1:{port}",
            clock=TickingClock(),
            max_answer_bytes=LIMIT,
            **options,
        )
        try:
            yield client
        finally:
            await client.aclose()


async def ask(handler: loopback.Handler, **options: Any) -> Answer:
    """One request with secrets in all places that an error must not show."""
    async with client_of(handler, **options) as client:
        try:
            return await client.request(
                "POST",
                "/v2/x.do",
                params={"sign": SECRET},
                headers={"X-Key": SECRET},
                form={"k": "v"},
            )
        except StreamError as error:
            failure = error
    raise failure  # out here, where the server's nursery does not wrap it


async def test_an_answer_comes_whole_with_its_stamps():
    """Status, lower-case headers, body, and the times right before and after."""
    answer = await ask(Server(http(b'{"a": 1}', "200 OK", "X-Thing: 7")))
    assert (answer.status, answer.body, answer.headers["x-thing"]) == (200, b'{"a": 1}', "7")
    assert (answer.sent_ns, answer.received_ns) == (NOON_NS + 10**9, NOON_NS + 2 * 10**9)


async def test_the_request_carries_what_was_given():
    """Query, headers and form arrive as given, percent-encoded."""
    bodies = []

    async def handler(stream: trio.abc.Stream):
        data = await read_head(stream)
        while not data.endswith(b"symbol=eth_btc&b=%2B"):
            data += await stream.receive_some()
        bodies.append(data)
        await stream.send_all(http())

    async with client_of(handler) as client:
        await client.request(
            "POST",
            "/a/b.do",
            params={"q": "a b"},
            headers={"echostr": "e"},
            form={"symbol": "eth_btc", "b": "+"},
        )
    assert bodies[0].startswith(b"POST /a/b.do?q=a")
    assert b"echostr: e\r\n" in bodies[0]
    assert b"Content-Type: application/x-www-form-urlencoded\r\n" in bodies[0]


async def test_a_header_of_the_callers_replaces_ours():
    """However its name is written, it is sent once, as given."""
    heads = []

    async def handler(stream: trio.abc.Stream):
        heads.append((await read_head(stream)).lower())
        await stream.send_all(http())

    async with client_of(handler) as client:
        await client.request("GET", "/", headers={"user-agent": "desk", "ACCEPT": "text/plain"})
    assert [b"user-agent: desk"] == [one for one in heads[0].split(b"\r\n") if b"agent" in one]
    assert 1 == heads[0].count(b"\r\naccept: ")


async def test_content_is_sent_as_it_is():
    """A body of bytes with its own type, as a webhook wants it."""
    bodies = []

    async def handler(stream: trio.abc.Stream):
        data = await read_head(stream)
        while not data.endswith(b"[1,2]"):
            data += await stream.receive_some()
        bodies.append(data)
        await stream.send_all(http(status="204 No Content"))

    async with client_of(handler) as client:
        answer = await client.request(
            "POST", "/hook", content=b"[1,2]", headers={"Content-Type": "application/json"}
        )
    assert answer.status == 204
    assert b"Content-Type: application/json\r\n" in bodies[0]


async def test_the_connection_is_kept():
    """Requests one after the other share a connection."""
    server = Server(http(b"x"))
    async with client_of(server) as client:
        for _ in range(3):
            await client.request("GET", "/")
    assert (server.connections, len(server.heads)) == (1, 3)


async def test_idle_connections_are_closed_when_asked():
    """A kept connection that is let go is closed, and the next request opens another."""
    server, left = Server(http(b"x")), trio.Event()

    async def serve(stream: trio.abc.Stream) -> None:
        await server(stream)
        left.set()

    async with client_of(serve) as client:
        await client.request("GET", "/")
        await client.close_idle()
        await left.wait()
        await client.request("GET", "/")
    assert (server.connections, len(server.heads)) == (2, 2)


async def test_a_request_under_way_keeps_its_connection():
    """Closing what is idle cuts off no answer that another task waits for."""
    asked, may_answer = trio.Event(), trio.Event()

    async def serve(stream: trio.abc.Stream) -> None:
        await read_head(stream)
        asked.set()
        await may_answer.wait()
        await stream.send_all(http(b"x"))

    answers = []

    async def ask_slowly() -> None:
        answers.append(await client.request("GET", "/"))

    async with client_of(serve) as client, trio.open_nursery() as nursery:
        nursery.start_soon(ask_slowly)
        await asked.wait()
        await client.close_idle()
        may_answer.set()
    assert [b"x"] == [answer.body for answer in answers]


@pytest.mark.parametrize(
    ("status", "counted"),
    [("200 OK", "ok"), ("302 Found", "http_3xx"), ("404 No", "http_4xx"), ("503 No", "http_5xx")],
)
async def test_a_status_is_returned_not_judged(status: str, counted: str):
    """Refusals and redirects come back as answers; the count tells them apart."""
    counts = []
    answer = await ask(Server(http(b"why", status, "Location: /y")), count=counts.append)
    assert (answer.status, answer.body) == (int(status[:3]), b"why")
    assert counts == [counted]


async def test_unavailable_until():
    """A 503 that names a time asks for patience; it is still counted as the trouble it is."""
    counts = []
    with pytest.raises(RateLimited, match="503") as limited:
        await ask(Server(http(b"", "503 Busy", "Retry-After: 9")), count=counts.append)
    assert 9 == limited.value.retry_after_seconds
    assert ["http_5xx"] == counts


@pytest.mark.parametrize("status", ["429 Too Many Requests", "418 I'm a teapot"])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 7", 7),
        ("Retry-After: 1.5", 1.5),
        ("Retry-After: Sun, 13 Sep 2020 12:27:42 GMT", 60),
        ("Retry-After: Sun, 13 Sep 2020 12:00:00 GMT", 0),
        ("Retry-After: 999999999", 86_400),
        ("Retry-After: nan", 86_400),
        ("Retry-After: -3", 0),
        ("Retry-After: soon", None),
        ("X: y", None),
    ],
)
async def test_asked_for_less(status: str, header: str, seconds: float | None):
    """429 and 418 are `RateLimited`, with the wait in seconds when it was told."""
    counts = []
    with pytest.raises(RateLimited, match=status[:3]) as limited:
        await ask(Server(http(b"", status, header)), count=counts.append)
    # Two looks at the clock for the stamps, one to compare a date with now.
    assert limited.value.retry_after_seconds == (
        seconds if seconds != 60 else pytest.approx(59, abs=3)
    )
    assert counts == ["rate_limited"]


async def read_form(stream: trio.abc.Stream):
    """Read the whole of what `ask` sends: leaving some unread would end in an RST."""
    data = await read_head(stream)
    while not data.endswith(b"k=v"):
        data += await stream.receive_some()


async def half(stream: trio.abc.Stream):
    """Promise ten bytes, send four, leave."""
    await read_form(stream)
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")


async def leave(stream: trio.abc.Stream):
    """Leave without an answer."""
    await read_form(stream)


async def cut(stream: trio.abc.Stream):
    """Reset instead of an answer."""
    await read_head(stream)
    loopback.reset(stream)


async def drip(stream: trio.abc.Stream):
    """An answer that comes one byte at a time, for ever."""
    await read_head(stream)
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
    while True:
        await stream.send_all(b"x")
        await trio.sleep(0.05)


async def flood(stream: trio.abc.Stream):
    """An answer without end."""
    await read_head(stream)
    await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await stream.send_all(b"x" * 4096)


BOMB = gzip.compress(bytes(50 * 1024 * 1024))
FAILURES: dict[str, tuple[Callable[..., Any], str, str]] = {
    "half an answer": (half, "unreachable", "without sending complete"),
    "no answer": (leave, "unreachable", "disconnected"),
    "reset": (cut, "unreachable", ""),
    "garbage": (Server(b"\x00\x01\r\n\r\n"), "unreachable", ""),
    "silence": (loopback.stay_silent, "timeout", "no whole answer within 0.3 s"),
    "dripping": (drip, "timeout", "no whole answer within 0.3 s"),
    "endless": (flood, "too_large", "10000 bytes"),
    "bomb": (Server(http(BOMB, "200 OK", "Content-Encoding: gzip")), "too_large", "10000 bytes"),
    "not gzip": (Server(http(b"x", "200 OK", "Content-Encoding: gzip")), "unreachable", ""),
    "unasked": (Server(http(b"x", "200 OK", "Content-Encoding: br")), "unreachable", "'br'"),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_no_whole_answer(case: str):
    """Whatever goes wrong is `VenueUnavailable`: host, path, why, and never a secret."""
    handler, counted, text = FAILURES[case]
    counts = []
    with trio.fail_after(20), pytest.raises(VenueUnavailable) as failed:
        await ask(handler, timeout_seconds=0.3 if counted == "timeout" else 15, count=counts.append)
    message = str(failed.value)
    assert message.startswith("POST 127.0.0.1/v2/x.do: ")
    assert text in message
    assert SECRET not in message
    assert counts == [counted]


async def test_an_error_keeps_nothing_of_a_large_answer():
    """Whoever holds the error while it waits to try again does not hold the answer too."""
    limit = 4 * 1024 * 1024
    async with loopback.serve(flood) as port:
        url = f"http://127.0.0.1:{port}"
        client = RestClient(url, clock=TickingClock(), max_answer_bytes=limit)
        tracemalloc.start()
        try:
            with trio.fail_after(20), pytest.raises(VenueUnavailable) as failed:
                await client.request("GET", "/")
            held, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            await client.aclose()

    assert failed.value is not None
    assert peak > limit
    assert held < limit / 4


async def test_a_body_that_was_sent_is_let_go_at_once():
    """Large batches do not pile up until the garbage collector finds their cycles."""
    async with client_of(take_and_answer) as client:
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(10):
                await client.request("POST", "/", content=bytes(1024 * 1024))
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()

    assert held < 1024 * 1024


async def take_and_answer(stream: trio.abc.Stream) -> None:
    """Read a MiB after each head, and say that all is well."""
    while head := await read_head(stream):
        left = 1024 * 1024 - len(head.partition(b"\r\n\r\n")[2])
        while left:
            left -= len(await stream.receive_some(left))
        await stream.send_all(http())


async def test_gzip_is_unpacked():
    """A packed answer comes unpacked."""
    packed = gzip.compress(b"hello " * 100)
    answer = await ask(Server(http(packed, "200 OK", "Content-Encoding: gzip")))
    assert answer.body == b"hello " * 100


async def test_nobody_listens():
    """A refused connection is named."""
    client = RestClient("http://127.0.0.1:1", clock=TickingClock())
    with pytest.raises(VenueUnavailable, match="tcp: connection refused"):
        await client.request("GET", "/")
    await client.aclose()


async def test_a_kept_connection_that_was_closed_is_replaced():
    """A server may close an idle connection; the next request just takes a new one."""
    closed = trio.Event()

    async def handler(stream: trio.abc.Stream):
        await read_head(stream)
        await stream.send_all(http())
        await stream.aclose()
        closed.set()

    async with client_of(handler) as client:
        await client.request("GET", "/")
        await closed.wait()
        assert (await client.request("GET", "/")).status == 200


async def test_tls_is_verified(serve_as: Callable[..., Any]):
    """An unknown authority makes the venue unavailable, by that name."""
    async with loopback.serve(Server(http()), serve_as("127.0.0.1")) as port:
        client = RestClient(f"https://127.0.0.1:{port}", clock=TickingClock())
        with pytest.raises(VenueUnavailable, match="tls: the certificate was refused"):
            await client.request("GET", "/")
        await client.aclose()


@pytest.mark.parametrize("value", [f"{SECRET}\r\nX: y", f"{SECRET}\u20ac", f"{SECRET}\x00"])
async def test_a_bad_header_is_refused_without_showing_it(value: str):
    """A key with a line break in it must not end up in an error message or its causes."""
    async with client_of(Server(http())) as client:
        with pytest.raises(VenueUnavailable) as failed:
            await client.request("GET", "/", headers={"X-Key": value})
    assert SECRET not in str(failed.value)
    assert SECRET not in "".join(traceback.format_exception(failed.value))


async def test_cancelled_while_waiting_for_the_answer():
    """Cancellation passes through and closes the connection."""
    asked, left = trio.Event(), trio.Event()

    async def handler(stream: trio.abc.Stream):
        await read_head(stream)
        asked.set()
        await loopback.stay_silent(stream)
        left.set()

    async with client_of(handler) as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.request, "GET", "/")
            await asked.wait()
            nursery.cancel_scope.cancel()
        await left.wait()


@pytest.mark.parametrize("url", ["", "api.example.com", "ftp://x", "https://", "http://h:bad"])
def test_an_impossible_address_is_refused(url: str):
    """A base URL must name a scheme and a host."""
    with pytest.raises(ConnectFailed, match="REST address"):
        RestClient(url, clock=TickingClock())
