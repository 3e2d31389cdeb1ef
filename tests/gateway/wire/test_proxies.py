"""Which proxy is used, and what becomes of a connection through one."""

import base64
import struct

import pytest
import trio
import trio.testing

from gateway.clock import WALL_CLOCK
from gateway.contracts.adapter import Transport
from gateway.errors import ConnectFailed, VenueUnavailable
from gateway.wire.proxies import ProxyAddress, choose_proxy, parse_proxy
from gateway.wire.rest import RestClient
from gateway.wire.websocket import open_websocket
from tests.gateway.wire import loopback
from tests.gateway.wire.loopback import TEXT, accept_upgrade, frame, read_head

USER, PASSWORD = "desk", "pa55:word"


def test_a_proxy_is_read_from_its_url():
    """Ports have defaults; credentials are percent-decoded and never shown."""
    proxy = parse_proxy("socks5://desk:pa55%3Aword@proxy.corp")
    assert proxy == ProxyAddress("socks5", "proxy.corp", 1080, USER, PASSWORD)
    assert str(proxy) == repr(proxy) == "socks5://proxy.corp:1080"
    assert parse_proxy("http://[::1]:3128").host == "::1"


@pytest.mark.parametrize("url", ["", "ftp://x", "proxy.corp:3128", "http://", "http://h:99999"])
def test_what_is_no_proxy_is_refused_without_showing_it(url: str):
    """The message says how to write it, and where from it came."""
    with pytest.raises(ConnectFailed, match=r"^proxy: proxy: write http://host:port"):
        choose_proxy("api.example", secure=True, configured=url)


@pytest.mark.parametrize(
    ("variables", "secure", "expected"),
    [
        ({}, True, None),
        ({"HTTPS_PROXY": "http://one:1"}, True, "http://one:1"),
        ({"HTTPS_PROXY": "http://one:1"}, False, None),
        ({"HTTP_PROXY": "http://one:1"}, False, "http://one:1"),
        ({"HTTP_PROXY": "http://one:1"}, True, None),
        ({"ALL_PROXY": "socks5h://one:1"}, True, "socks5://one:1"),
        ({"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:1"}, True, "http://low:1"),
        ({"HTTPS_PROXY": "one:1"}, True, "http://one:1"),
        ({"HTTPS_PROXY": "http://one:1", "NO_PROXY": "api.example"}, True, None),
        ({"HTTPS_PROXY": "http://one:1", "no_proxy": ".example"}, True, None),
        ({"HTTPS_PROXY": "http://one:1", "NO_PROXY": "*"}, True, None),
        ({"HTTPS_PROXY": "http://one:1", "NO_PROXY": "other.example"}, True, "http://one:1"),
    ],
)
def test_the_environment_decides(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], secure: bool, expected: str | None
):
    """As everywhere: by scheme, then for all, but not for what NO_PROXY lists."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    chosen = choose_proxy("api.example", secure=secure, configured=None)
    assert expected == (str(chosen) if chosen is not None else None)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "a.localhost"])
def test_loopback_never_goes_through_the_environments_proxy(
    monkeypatch: pytest.MonkeyPatch, host: str
):
    """A simulator on this machine is reached directly, unless configured otherwise."""
    monkeypatch.setenv("ALL_PROXY", "http://one:1")
    assert choose_proxy(host, secure=True, configured=None) is None
    assert str(choose_proxy(host, secure=True, configured="http://two:2")) == "http://two:2"


def test_the_environments_mistake_is_named(monkeypatch: pytest.MonkeyPatch):
    """An operator learns which variable to look at."""
    monkeypatch.setenv("HTTPS_PROXY", "gopher://x")
    with pytest.raises(ConnectFailed, match="HTTPS_PROXY"):
        choose_proxy("api.example", secure=True, configured=None)


async def carry(one: trio.abc.Stream, host: str, port: int):
    """Join a client and the server it asked for, until either leaves."""
    async with await trio.open_tcp_stream(host, port) as other, trio.open_nursery() as nursery:

        async def pump(source: trio.abc.Stream, target: trio.abc.Stream):
            async for data in source:
                await target.send_all(data)
            nursery.cancel_scope.cancel()

        nursery.start_soon(pump, one, other)
        nursery.start_soon(pump, other, one)


async def http_proxy(stream: trio.abc.Stream):
    """A CONNECT proxy that wants a password."""
    head = (await read_head(stream)).decode()
    wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    if f"Basic {wanted}" not in head:
        await stream.send_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        return
    method, target, _ = head.split(" ", 2)
    assert method == "CONNECT"
    host, port = target.rsplit(":", 1)
    await stream.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await carry(stream, host, int(port))


async def receive_exactly(stream: trio.abc.Stream, count: int) -> bytes:
    """The next `count` bytes."""
    data = b""
    while len(data) < count:
        data += await stream.receive_some(count - len(data))
    return data


async def socks_proxy(stream: trio.abc.Stream):
    """A SOCKS5 proxy (RFC 1928, 1929) that wants a password."""
    methods = await receive_exactly(stream, (await receive_exactly(stream, 2))[1])
    if 2 not in methods:
        await stream.send_all(b"\x05\xff")
        return
    await stream.send_all(b"\x05\x02")
    user = await receive_exactly(stream, (await receive_exactly(stream, 2))[1])
    password = await receive_exactly(stream, (await receive_exactly(stream, 1))[0])
    if (user.decode(), password.decode()) != (USER, PASSWORD):
        await stream.send_all(b"\x01\x01")
        return
    await stream.send_all(b"\x01\x00")
    kind = (await receive_exactly(stream, 4))[3]
    if kind == 1:
        host = ".".join(map(str, await receive_exactly(stream, 4)))
    else:
        host = (await receive_exactly(stream, (await receive_exactly(stream, 1))[0])).decode()
    (port,) = struct.unpack(">H", await receive_exactly(stream, 2))
    await stream.send_all(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    await carry(stream, host, port)


PROXIES = {"http": http_proxy, "socks5": socks_proxy}


async def greet(stream: trio.abc.Stream):
    """A WebSocket server that says hello."""
    await accept_upgrade(stream, more=frame(TEXT, b"hello"))
    await loopback.listen(stream)


@pytest.mark.parametrize("scheme", PROXIES)
async def test_a_websocket_through_a_proxy(transport: Transport, scheme: str):
    """With the right password the connection stands, and works as if direct."""
    async with (
        loopback.serve(greet) as port,
        loopback.serve(PROXIES[scheme]) as proxy,
        open_websocket(
            f"ws://127.0.0.1:{port}/",
            transport=transport,
            proxy=f"{scheme}://desk:pa55%3Aword@127.0.0.1:{proxy}",
        ) as websocket,
    ):
        assert (await websocket.receive()).frames == ["hello"]


async def fail_through(proxy: str, **options: float) -> str:
    """The message of a connection that fails at its proxy."""
    with trio.fail_after(20), pytest.raises(ConnectFailed) as failed:
        async with open_websocket("ws://127.0.0.1:1/", proxy=proxy, **options):
            pass
    assert failed.value.stage == "proxy"
    assert "wr0ng" not in str(failed.value)
    return str(failed.value)


@pytest.mark.parametrize("scheme", PROXIES)
@pytest.mark.parametrize("credentials", ["", "desk:wr0ng-password@"])
async def test_a_proxy_that_refuses_the_password(scheme: str, credentials: str):
    """The proxy stage fails in the proxy's words, without the password."""
    async with loopback.serve(PROXIES[scheme]) as proxy:
        message = await fail_through(f"{scheme}://{credentials}127.0.0.1:{proxy}")
    assert "407" in message or "auth" in message.lower()


@pytest.mark.parametrize("scheme", PROXIES)
async def test_a_proxy_that_answers_garbage(scheme: str):
    """Whatever it answers, the proxy stage is named."""

    async def handler(stream: trio.abc.Stream):
        await stream.receive_some()
        await stream.send_all(b"\x00garbage\r\n\r\n")

    async with loopback.serve(handler) as proxy:
        await fail_through(f"{scheme}://127.0.0.1:{proxy}")


@pytest.mark.parametrize("scheme", PROXIES)
async def test_a_proxy_that_leaves(scheme: str):
    """An end of the stream in the middle of the talk is named."""

    async def handler(stream: trio.abc.Stream):
        await stream.receive_some()

    async with loopback.serve(handler) as proxy:
        await fail_through(f"{scheme}://127.0.0.1:{proxy}")


@pytest.mark.parametrize("scheme", PROXIES)
async def test_a_silent_proxy_is_named_in_time(scheme: str):
    """The proxy stage has a limit of its own."""
    async with loopback.serve(loopback.stay_silent) as proxy:
        message = await fail_through(f"{scheme}://127.0.0.1:{proxy}", connect_timeout=0.2)
    assert message == "proxy: no answer within 0.2 s"


async def test_a_proxy_that_is_not_there():
    """A refused connection to the proxy is not blamed on the venue."""
    message = await fail_through("http://127.0.0.1:1")
    assert "connection refused" in message


async def answer_ok(stream: trio.abc.Stream):
    """An HTTP server that answers once."""
    await read_head(stream)
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")


@pytest.mark.parametrize("scheme", PROXIES)
async def test_rest_through_a_proxy(scheme: str, serve_as, trust):  # noqa: ANN001  (fixtures)
    """REST takes the same proxies, by the same rules."""
    async with (
        loopback.serve(answer_ok, serve_as("127.0.0.1")) as port,
        loopback.serve(PROXIES[scheme]) as proxy,
    ):
        client = RestClient(
            f"https://127.0.0.1:{port}",
            clock=WALL_CLOCK,
            ssl_context=trust,
            proxy=f"{scheme}://desk:pa55%3Aword@127.0.0.1:{proxy}",
        )
        assert (await client.request("GET", "/")).body == b"hi"
        await client.aclose()


@pytest.mark.parametrize("scheme", PROXIES)
async def test_rest_through_a_proxy_that_refuses(scheme: str):
    """A refusing proxy makes the venue unavailable, without showing the password."""
    async with loopback.serve(PROXIES[scheme]) as proxy:
        client = RestClient(
            "https://127.0.0.1:1",
            clock=WALL_CLOCK,
            proxy=f"{scheme}://desk:wr0ng-password@127.0.0.1:{proxy}",
        )
        with pytest.raises(VenueUnavailable) as failed:
            await client.request("GET", "/")
        await client.aclose()
    assert str(failed.value).startswith("GET 127.0.0.1/: proxy: ")
    assert "wr0ng" not in str(failed.value)
