"""Every way in which a connection fails to come about has a name, on both transports."""

import datetime as dt
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
import trustme

from gateway.contracts.adapter import Transport
from gateway.errors import ConnectFailed, ConnectionLost, ExtraMissing, RateLimited
from gateway.events.model import StreamReason
from gateway.wire.websocket import open_websocket
from tests.gateway.wire import loopback
from tests.gateway.wire.loopback import accept_upgrade, read_head

ServeAs = Callable[..., ssl.SSLContext]
SECRET = "s3cr3t-signature"


async def fail_to_open(url: str, transport: Transport, **options: Any) -> ConnectFailed:
    """The failure of opening `url`, which must not show the query."""
    with trio.fail_after(20), pytest.raises(ConnectFailed) as failed:
        async with open_websocket(f"{url}?key={SECRET}", transport=transport, **options):
            pass
    assert SECRET not in str(failed.value)
    return failed.value


async def answer_reset(stream: trio.abc.Stream):
    """RST instead of an answer."""
    await read_head(stream)
    loopback.reset(stream)


def answer(text: str):
    """A server that answers `text`, whatever was asked, and closes."""

    async def handler(stream: trio.abc.Stream):
        await read_head(stream)
        await stream.send_all(text.encode())

    return handler


def answer_and_stall(text: str):
    """A server that answers `text` and then keeps the connection open, silently."""

    async def handler(stream: trio.abc.Stream):
        await read_head(stream)
        await stream.send_all(text.encode())
        await loopback.stay_silent(stream)

    return handler


NO_ANSWERS = {
    "rst": (answer_reset, "cut the connection"),
    "eof": (answer(""), "closed the connection before it answered"),
    "half an answer": (answer("HTTP/1.1 101 Switch"), "closed the connection before it answered"),
    "garbage": (answer("\x00\x01garbage\r\n\r\n"), "not HTTP"),
    "another protocol": (answer("SSH-2.0-OpenSSH_9.2\r\n"), "not HTTP"),
    "endless head": (answer("HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 20_000), "not HTTP"),
    "wrong key": (
        answer_and_stall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"
        ),
        "not a valid WebSocket handshake",
    ),
    "no upgrade header": (
        answer_and_stall("HTTP/1.1 101 Switching Protocols\r\nX: y\r\n\r\n"),
        "not a valid WebSocket handshake",
    ),
}


@pytest.mark.parametrize("case", NO_ANSWERS)
async def test_no_proper_answer_to_the_upgrade(transport: Transport, case: str):
    """Whatever is no HTTP answer fails the upgrade at once, with its cause."""
    handler, text = NO_ANSWERS[case]
    async with loopback.serve(handler) as port:
        failed = await fail_to_open(f"ws://127.0.0.1:{port}/", transport)
    assert failed.stage == "upgrade"
    assert text in str(failed)


PATIENCE = [
    ("429 Too Many Requests", "Retry-After: 30", 30.0),
    ("418 I'm a teapot", "Retry-After: 2.5", 2.5),
    ("429 Too Many Requests", "X: y", None),
    ("503 Service Unavailable", "Retry-After: 120", 120.0),
]


@pytest.mark.parametrize(("status", "header", "seconds"), PATIENCE)
async def test_an_upgrade_refused_for_now_tells_how_long(
    transport: Transport, status: str, header: str, seconds: float | None
):
    """A server that says 'not now' is no broken server: the wait it asks for is told."""
    refuse = answer(f"HTTP/1.1 {status}\r\n{header}\r\nContent-Length: 0\r\n\r\n")
    async with loopback.serve(refuse) as port:
        with trio.fail_after(20), pytest.raises(RateLimited, match=status[:3]) as limited:
            async with open_websocket(f"ws://127.0.0.1:{port}/", transport=transport):
                pass

    assert seconds == limited.value.retry_after_seconds


REFUSALS = {
    "json": ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 15\r\n\r\n", '{"code": 10007}', 401),
    "until eof": ("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n", "go away", 403),
    "redirect": ("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "", 302),
    "plain page": ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", "<html>", 200),
    "half a body": ("HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\n", "later", 503),
}


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("server", [answer, answer_and_stall])
async def test_a_refused_upgrade_tells_status_and_body(
    transport: Transport, case: str, server: Callable[[str], loopback.Handler]
):
    """An HTTP answer other than 101 is told, also by a server that stalls in the middle."""
    head, body, status = REFUSALS[case]
    async with loopback.serve(server(head + body)) as port:
        failed = await fail_to_open(f"ws://127.0.0.1:{port}/", transport)
    assert (failed.stage, failed.status, failed.body) == ("upgrade", status, body)


async def test_a_chunked_refusal_is_unpacked_and_cut(transport: Transport):
    """Of an endless refusal only the beginning is kept."""

    async def handler(stream: trio.abc.Stream):
        await read_head(stream)
        await stream.send_all(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await stream.send_all(b"4\r\nspam\r\n" * 100)

    async with loopback.serve(handler) as port:
        failed = await fail_to_open(f"ws://127.0.0.1:{port}/", transport)
    assert failed.status == 500
    assert failed.body == "spam" * 512


async def test_a_silent_server_is_named_in_time(transport: Transport):
    """A server that accepts and never answers fails the upgrade within its limit."""
    async with loopback.serve(loopback.stay_silent) as port:
        failed = await fail_to_open(f"ws://127.0.0.1:{port}/", transport, connect_timeout=0.2)
    assert str(failed) == "upgrade: no answer within 0.2 s"


async def test_garbage_behind_a_good_answer_is_a_lost_connection(transport: Transport):
    """The upgrade succeeds; what follows breaks the protocol."""

    async def handler(stream: trio.abc.Stream):
        await accept_upgrade(stream, more=b"\xff" * 200)
        await loopback.listen(stream)

    async with (
        loopback.serve(handler) as port,
        open_websocket(f"ws://127.0.0.1:{port}/", transport=transport) as websocket,
    ):
        with pytest.raises(ConnectionLost) as lost:
            await websocket.receive()
    assert lost.value.reason is StreamReason.PROTOCOL_ERROR


async def test_nobody_listens(transport: Transport):
    """A refused TCP connection is named."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        failed = await fail_to_open(f"ws://127.0.0.1:{port}/", transport)
    assert str(failed) == "tcp: connection refused"


class Resolver(trio.abc.HostnameResolver):
    """Answers for every name with an error, or never."""

    def __init__(self, error: OSError | None) -> None:
        self._error = error

    async def getaddrinfo(self, *_question: object, **_more: object):
        """Fail or hang."""
        if self._error is None:
            await trio.sleep_forever()
        raise self._error

    async def getnameinfo(self, *_question: object):
        """Not asked."""
        raise NotImplementedError


async def test_an_unknown_name(transport: Transport):
    """A name that nobody knows fails the dns stage in the resolver's words."""
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    trio.socket.set_custom_hostname_resolver(Resolver(error))
    failed = await fail_to_open("wss://ws.example.invalid/", transport)
    assert str(failed) == "dns: Name or service not known"


async def test_a_resolver_that_hangs(transport: Transport):
    """A dead name server fails the dns stage within its limit."""
    trio.socket.set_custom_hostname_resolver(Resolver(None))
    failed = await fail_to_open("wss://ws.example.invalid/", transport, connect_timeout=0.1)
    assert str(failed) == "dns: no answer within 0.1 s"


async def test_tls_verifies_and_carries(
    transport: Transport, serve_as: ServeAs, trust: ssl.SSLContext
):
    """With a good certificate the connection stands."""

    async def handler(stream: trio.abc.Stream):
        await accept_upgrade(stream, more=loopback.frame(loopback.TEXT, b"safe"))
        await loopback.listen(stream)

    async with (
        loopback.serve(handler, serve_as("127.0.0.1")) as port,
        open_websocket(
            f"wss://127.0.0.1:{port}/", transport=transport, ssl_context=trust
        ) as websocket,
    ):
        assert (await websocket.receive()).frames == ["safe"]


LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


async def test_an_expired_certificate(
    transport: Transport, serve_as: ServeAs, trust: ssl.SSLContext
):
    """An expired certificate is refused by that name."""
    context = serve_as("127.0.0.1", not_after=LONG_AGO)
    async with loopback.serve(loopback.stay_silent, context) as port:
        failed = await fail_to_open(f"wss://127.0.0.1:{port}/", transport, ssl_context=trust)
    assert str(failed) == "tls: the certificate was refused: certificate has expired"


async def test_a_certificate_for_another_host(
    transport: Transport, serve_as: ServeAs, trust: ssl.SSLContext
):
    """A certificate that names another host is refused."""
    async with loopback.serve(loopback.stay_silent, serve_as("evil.example")) as port:
        failed = await fail_to_open(f"wss://127.0.0.1:{port}/", transport, ssl_context=trust)
    assert failed.stage == "tls"
    assert "not valid for" in str(failed)


@pytest.mark.parametrize("trusting", ["the system", "another CA"])
async def test_an_unknown_authority(
    transport: Transport, serve_as: ServeAs, trust: ssl.SSLContext, trusting: str
):
    """A certificate of an authority that is not trusted is refused, by default too."""
    context = serve_as("127.0.0.1", ca=trustme.CA())
    options = {"ssl_context": trust} if trusting == "another CA" else {}
    async with loopback.serve(loopback.stay_silent, context) as port:
        failed = await fail_to_open(f"wss://127.0.0.1:{port}/", transport, **options)
    assert failed.stage == "tls"
    assert "the certificate was refused" in str(failed)


async def test_a_server_without_tls(transport: Transport, trust: ssl.SSLContext):
    """Plain text where TLS was expected fails the tls stage."""

    async def handler(stream: trio.abc.Stream):
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with loopback.serve(handler) as port:
        failed = await fail_to_open(f"wss://127.0.0.1:{port}/", transport, ssl_context=trust)
    assert failed.stage == "tls"


async def test_a_handshake_that_never_ends(transport: Transport, trust: ssl.SSLContext):
    """Silence in the TLS handshake is named within the limit."""
    async with loopback.serve(loopback.stay_silent) as port:
        failed = await fail_to_open(
            f"wss://127.0.0.1:{port}/", transport, ssl_context=trust, connect_timeout=0.2
        )
    assert str(failed) == "tls: no answer within 0.2 s"


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_a_cancelled_dial_leaks_nothing(
    transport: Transport, trust: ssl.SSLContext, scheme: str
):
    """Cancelled in the middle of TLS or of the upgrade, the socket is closed."""
    asked, left = trio.Event(), trio.Event()

    async def handler(stream: trio.abc.Stream):
        async for _ in stream:
            asked.set()
        left.set()

    async def dial(url: str):
        async with open_websocket(url, transport=transport, ssl_context=trust):
            raise AssertionError("the server never answered")

    async with loopback.serve(handler) as port:
        await trio.testing.wait_all_tasks_blocked()
        tasks = trio.lowlevel.current_statistics().tasks_living
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dial, f"{scheme}://127.0.0.1:{port}/")
            await asked.wait()
            nursery.cancel_scope.cancel()
        await left.wait()
        await trio.testing.wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().tasks_living <= tasks


@pytest.mark.parametrize(
    "url",
    [
        "https://host/",
        "ws:///nohost",
        "ws://host:99999/",
        "ws://user:pa55word@host/",
        "ws://host/a b",
        "ws://host/\u00e9",
        "ws://[::1/",
        "",
    ],
)
async def test_an_impossible_url_is_refused_without_showing_it(url: str):
    """What cannot be dialled fails the address stage, in words that hold none of it."""
    with pytest.raises(ConnectFailed) as failed:
        async with open_websocket(url):
            pass
    assert failed.value.stage == "address"
    assert "pa55word" not in str(failed.value)


async def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch):
    """Without websockets installed, the message says what to install."""
    monkeypatch.setitem(sys.modules, "gateway.wire.via_websockets", None)
    monkeypatch.delattr("gateway.wire.via_websockets", raising=False)
    async with loopback.serve(loopback.stay_silent) as port:
        with pytest.raises(ExtraMissing, match=r"exchange-event-gateway\[websockets\]"):
            async with open_websocket(f"ws://127.0.0.1:{port}/", transport="websockets"):
                pass


async def test_the_gate_is_asked_for_the_host():
    """The turn at the gate comes before the dialling, with the account's rate."""
    asked = []

    class Gate:
        async def wait_turn(self, host: str, per_second: float) -> None:
            asked.append((host, per_second))

    async with loopback.serve(answer("")) as port:
        with pytest.raises(ConnectFailed):
            async with open_websocket(f"ws://127.0.0.1:{port}/", gate=Gate(), connect_rate=3):
                pass
    assert asked == [("127.0.0.1", 3)]
