"""A client that writes bytes and reads bytes: it can be as rude as a test needs."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import h11
import msgspec
import trio


class Told(msgspec.Struct, frozen=True):
    """One answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


class Client:
    """One connection."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._http = h11.Connection(h11.CLIENT)
        self._unread = b""

    async def ask(
        self,
        target: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Told:
        """Send a request and read its answer."""
        await self.send_request(target, method, headers, body)
        return await self.read_answer()

    async def send_request(
        self,
        target: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        """Send a request only."""
        given = {"host": "localhost", **(headers or {})}
        if body:
            given["content-length"] = str(len(body))
        request = h11.Request(method=method, target=target, headers=list(given.items()))
        data = self._http.send(request)
        if body:
            data += self._http.send(h11.Data(data=body))
        await self.stream.send_all(data + self._http.send(h11.EndOfMessage()))

    async def read_answer(self) -> Told:
        """Read an answer to its end."""
        head = await self._event()
        assert isinstance(head, h11.Response)
        body = b""
        while isinstance(event := await self._event(), h11.Data):
            body += event.data
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        headers = {name.decode(): value.decode() for name, value in head.headers}
        return Told(head.status_code, headers, body)

    async def begin_stream(self, target: str, headers: Mapping[str, str] | None = None) -> None:
        """Ask for Server-Sent Events and read on past the first comment."""
        await self.send_request(target, headers=headers)
        head = await self._event()
        assert isinstance(head, h11.Response), head
        assert head.status_code == 200
        await self.next_fields()

    async def next_fields(self) -> dict[str, str]:
        """The fields of the next block of a stream; a comment's name is empty."""
        while b"\n\n" not in self._unread:
            event = await self._event()
            if not isinstance(event, h11.Data):
                raise trio.EndOfChannel
            self._unread += event.data
        block, _, self._unread = self._unread.partition(b"\n\n")
        return _fields(block.decode())

    async def _event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self.stream.receive_some(65536))
        return event


def _fields(block: str) -> dict[str, str]:
    fields = {}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        fields[name] = value.removeprefix(" ")
    return fields


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[Client]:
    """A connection to `http://HOST:PORT` or `unix:/PATH`."""
    if address.startswith("unix:"):
        stream: trio.SocketStream = await trio.open_unix_socket(address.removeprefix("unix:"))
    else:
        host, _, port = address.removeprefix("http://").rpartition(":")
        stream = await trio.open_tcp_stream(host, int(port))
    async with stream:
        yield Client(stream)
