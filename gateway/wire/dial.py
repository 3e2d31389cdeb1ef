"""From an address to a stream of bytes: DNS, TCP, proxy, TLS.

Each stage has a time limit of its own and fails as `ConnectFailed` with its name,
so that an operator reads ``tls: the certificate has expired`` and not
``connection failed``.
"""

import functools
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import trio
import truststore
from python_socks import ProxyError, ProxyType
from python_socks.async_.trio.v2 import Proxy

from gateway.errors import ConnectFailed
from gateway.wire.addresses import Address
from gateway.wire.proxies import ProxyAddress, choose_proxy
from gateway.wire.reads import MeasuredStream

CLOSE_SECONDS: Final = 2.0
"""How long a farewell may take before the socket is simply dropped."""

_PROXY_TYPES: Final = {
    "http": ProxyType.HTTP,
    "https": ProxyType.HTTP,
    "socks5": ProxyType.SOCKS5,
}


@functools.cache
def system_trust() -> ssl.SSLContext:
    """The context that trusts what the system trusts; one for the process, as it is large."""
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@asynccontextmanager
async def open_stream(
    address: Address,
    *,
    proxy: str | None,
    ssl_context: ssl.SSLContext | None,
    timeout_seconds: float,
) -> AsyncIterator[trio.abc.Stream]:
    """Connect to `address`, and close the stream at the end, within bounds.

    Raises `ConnectFailed`. `timeout_seconds` bounds each stage by itself.
    """
    via = choose_proxy(address.host, secure=address.secure, configured=proxy)
    stream = await dial(address.host, address.port, via, timeout_seconds)
    try:
        if address.secure:
            context = ssl_context or system_trust()
            stream = await start_tls(stream, address.host, context, timeout_seconds)
        yield stream
    finally:
        # Cut off by the limit, `aclose` still closes the socket, only without a goodbye.
        with trio.move_on_after(CLOSE_SECONDS, shield=True):
            await stream.aclose()


async def dial(
    host: str, port: int, via: ProxyAddress | None, timeout_seconds: float
) -> trio.abc.Stream:
    """A stream to `host`, directly or through a proxy; the caller closes it."""
    if via is not None:
        return await _connect_through(via, host, port, timeout_seconds)
    # Trio resolves again while it connects; that look-up is remembered by our
    # resolver. Asking first is what tells a dead name server from a dead host.
    with stage("dns", timeout_seconds):
        await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    with stage("tcp", timeout_seconds):
        return MeasuredStream(await trio.open_tcp_stream(host, port))


async def start_tls(
    stream: trio.abc.Stream, host: str, context: ssl.SSLContext, timeout_seconds: float
) -> trio.abc.Stream:
    """TLS over `stream`, verified for `host`; `stream` stays the caller's to close."""
    secured = trio.SSLStream(
        stream,
        context,
        server_hostname=host,
        https_compatible=True,  # WebSocket and HTTP know their own ends; few servers send TLS's
    )
    with stage("tls", timeout_seconds):
        await secured.do_handshake()
    return MeasuredStream(secured)


@contextmanager
def stage(name: str, timeout_seconds: float) -> Iterator[None]:
    """Bound a stage of connecting, and turn what goes wrong in it into `ConnectFailed`."""
    try:
        with trio.fail_after(timeout_seconds):
            yield
    except trio.TooSlowError:
        raise ConnectFailed(name, f"no answer within {timeout_seconds:g} s") from None
    except socket.gaierror as error:
        raise ConnectFailed("dns", error.strerror or "the name was not found") from error
    except (OSError, trio.BrokenResourceError, ProxyError) as error:
        raise ConnectFailed(name, describe(error)) from error


def describe(error: BaseException) -> str:
    """What a person should read of a failed connection: its root, not its wrapping."""
    if error.__cause__ is not None:
        return describe(error.__cause__)
    if error.args and isinstance(error.args[0], BaseException):
        return describe(error.args[0])  # how httpcore chains its own
    match error:
        case BaseExceptionGroup():
            return "; ".join(dict.fromkeys(describe(inner) for inner in error.exceptions))
        case ssl.SSLCertVerificationError():
            return f"the certificate was refused: {error.verify_message or error.reason}"
        case ssl.SSLError():
            return (error.reason or "TLS failed").replace("_", " ").lower()
        case OSError() if error.errno is not None:
            return os.strerror(error.errno).lower()
    return str(error) or "the connection was cut"


async def _connect_through(
    via: ProxyAddress, host: str, port: int, timeout_seconds: float
) -> trio.abc.Stream:
    proxy = Proxy(
        _PROXY_TYPES[via.scheme],
        via.host,
        via.port,
        via.username,
        via.password,
        rdns=True,
        proxy_ssl=system_trust() if via.scheme == "https" else None,
    )
    with stage("proxy", timeout_seconds):
        # Ours is the limit that counts; theirs would report it in other words.
        connected = await proxy.connect(host, port, timeout=2 * timeout_seconds)
    return MeasuredStream(connected.trio_stream)
