"""A webhook's receiver on loopback: it keeps what it is sent, and misbehaves on demand.

A real server on a real socket (h11 or h2, and Trio), of which a test writes the answers.
Over TLS it speaks HTTP/2 where its context offers that and the client wants it.
"""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import h11
import trio

from tests.doubles.http2 import converse_http2
from tests.doubles.posts import Opinion, Post, Reply
from tests.doubles.servers.certificates import Certificates

HOST = "127.0.0.1"


def offering(certificates: Certificates, *protocols: str) -> ssl.SSLContext:
    """A server's side of TLS that offers these by ALPN."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    context.set_alpn_protocols(protocols)
    return context


class Receiver:
    """Listens on one port for as long as it is up."""

    def __init__(self, nursery: trio.Nursery, ssl_context: ssl.SSLContext | None = None) -> None:
        self._nursery = nursery
        self._ssl_context = ssl_context
        self._scope = trio.CancelScope()
        self._down = trio.Event()
        self.port = 0
        self.connections = 0
        """How many there were."""
        self.protocols: list[str | None] = []
        """What each TLS connection agreed on by ALPN."""
        self._open = 0
        self._changed = trio.Event()
        self.posts: list[Post] = []
        """Every request, whatever it was answered."""
        self.accepted: list[Post] = []
        """Those answered 2xx; kept although the answer may be lost."""
        self.reply: Callable[[Post], Reply] = lambda _: Reply()
        """Its opinion of each request."""

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme = "http" if self._ssl_context is None else "https"
        return f"{scheme}://{HOST}:{self.port}/hook"

    def held(self) -> list[str]:
        """Ids of what it accepted, in order of arrival, repeats included."""
        return [one for post in self.accepted for one in post.ids()]

    async def start(self) -> None:
        """Listen; after a stop on the same port again."""
        self._scope, self._down = trio.CancelScope(), trio.Event()
        await self._nursery.start(self._run)

    async def stop(self) -> None:
        """Cut every connection and listen no longer."""
        self._scope.cancel()
        await self._down.wait()

    def use(self, ssl_context: ssl.SSLContext) -> None:
        """Show another certificate from the next start on."""
        self._ssl_context = ssl_context

    async def _run(self, task_status: trio.TaskStatus[None]) -> None:
        with self._scope:
            [tcp] = await trio.open_tcp_listeners(self.port, host=HOST)
            self.port = tcp.socket.getsockname()[1]
            listener: Any = tcp
            if self._ssl_context is not None:
                listener = trio.SSLListener(tcp, self._ssl_context, https_compatible=True)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.serve_listeners, self._serve, [listener])
                task_status.started()
        self._down.set()

    async def wait_idle(self) -> None:
        """Return once no connection is left open."""
        while self._open:
            await self._changed.wait()

    async def _serve(self, stream: trio.abc.Stream) -> None:
        self.connections += 1
        self._open += 1
        try:
            await self._converse(stream)
        finally:
            self._open -= 1
            self._changed.set()
            self._changed = trio.Event()

    async def _converse(self, stream: trio.abc.Stream) -> None:
        gone = (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError)
        with suppress(*gone):
            async with stream:
                protocol = await self._agree(stream)
                converse = converse_http2 if protocol == "h2" else _converse_http1
                await converse(stream, self._opinion)

    async def _agree(self, stream: trio.abc.Stream) -> str | None:
        if not isinstance(stream, trio.SSLStream):
            return None
        await stream.do_handshake()
        self.protocols.append(stream.selected_alpn_protocol())
        return self.protocols[-1]

    async def _opinion(self, post: Post) -> Reply:
        self.posts.append(post)
        reply = self.reply(post)
        await trio.sleep(reply.delay_seconds)
        if 200 <= reply.status < 300:
            self.accepted.append(post)
        return reply


async def _converse_http1(stream: trio.abc.Stream, opinion: Opinion) -> None:
    http = h11.Connection(h11.SERVER)
    while (post := await _read_post(http, stream)) is not None:
        reply = await opinion(post)
        if reply.cut:
            break
        headers = [*reply.headers, ("content-length", str(len(reply.body)))]
        data = http.send(h11.Response(status_code=reply.status, headers=headers))
        data += http.send(h11.Data(data=reply.body)) + http.send(h11.EndOfMessage())
        await stream.send_all(data)
        if http.our_state is not h11.DONE:
            break
        http.start_next_cycle()


async def _read_post(http: h11.Connection, stream: trio.abc.Stream) -> Post | None:
    head: h11.Request | None = None
    body = b""
    while True:
        event = http.next_event()
        match event:
            case h11.NEED_DATA:
                http.receive_data(await stream.receive_some(65536))
            case h11.Request():
                head = event
            case h11.Data():
                body += event.data
            case h11.EndOfMessage():
                assert head is not None
                headers = {name.decode(): value.decode() for name, value in head.headers}
                return Post(head.method.decode(), head.target.decode(), headers, body)
            case _:
                return None


@asynccontextmanager
async def open_receiver(ssl_context: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver that is up."""
    async with trio.open_nursery() as nursery:
        receiver = Receiver(nursery, ssl_context)
        await receiver.start()
        yield receiver
        nursery.cancel_scope.cancel()
