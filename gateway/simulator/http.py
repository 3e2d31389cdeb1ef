"""A small HTTP/1.1 server side: one connection, request after request, by h11."""

from typing import Final
from urllib.parse import unquote

import h11
import trio

from gateway.simulator.dialect import Reply, Request

MAX_BODY_BYTES: Final = 1024 * 1024
_READ_BYTES: Final = 64 * 1024
_IDLE_SECONDS: Final = 300
"""A kept-alive connection without requests is closed after this."""


class BadRequest(Exception):
    """The client does not speak HTTP/1.1, or sends more than a simulator reads."""


class HttpConnection:
    """One connection of one client."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._h11 = h11.Connection(h11.SERVER)

    async def next_request(self) -> Request | None:
        """The next request; None once the client leaves or wants no more."""
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        if self._h11.our_state is not h11.IDLE:
            return None
        return await self._read_request()

    async def answer(self, reply: Reply) -> None:
        """Send a whole answer."""
        await self.begin(reply, len(reply.body))
        await self.send(reply.body)
        end = self._h11.send(h11.EndOfMessage())
        if end:
            await self.stream.send_all(end)

    async def begin(self, reply: Reply, length: int | None) -> None:
        """Send the head of an answer; without a length it is chunked."""
        headers = [("content-type", reply.content_type), *reply.headers]
        if length is not None:
            headers.append(("content-length", str(length)))
        head = self._h11.send(h11.Response(status_code=reply.status, headers=headers))
        await self.stream.send_all(head or b"")

    async def send(self, data: bytes) -> None:
        """Send a piece of the body."""
        if data:
            await self.stream.send_all(self._h11.send(h11.Data(data=data)) or b"")

    async def switch_protocols(self, headers: list[tuple[str, str]]) -> bytes:
        """Answer an upgrade; gives what the client sent behind its request."""
        event = h11.InformationalResponse(status_code=101, headers=headers)
        await self.stream.send_all(self._h11.send(event) or b"")
        return self._h11.trailing_data[0]

    async def _read_request(self) -> Request | None:
        head = await self._next_event()
        if not isinstance(head, h11.Request):
            return None
        body = bytearray()
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            if len(body) > MAX_BODY_BYTES:
                raise BadRequest("body too large")
        path, _, query = head.target.decode("ascii").partition("?")
        return Request(
            method=head.method.decode("ascii"),
            path=unquote(path),
            raw_query=query,
            headers={name.decode("ascii"): value.decode("latin-1") for name, value in head.headers},
            body=bytes(body),
        )

    async def _next_event(self) -> object:
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                raise BadRequest(str(error)) from None
            if event is not h11.NEED_DATA:
                return event
            with trio.move_on_after(_IDLE_SECONDS) as idle:
                self._h11.receive_data(bytes(await self.stream.receive_some(_READ_BYTES)))
            if idle.cancelled_caught:
                return h11.PAUSED
