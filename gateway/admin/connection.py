"""One client's life: read a request, answer it, and again until somebody has enough.

HTTP/1.1 by h11, which does no I/O, so every wait stands here with its deadline.
Whatever a client does (garbage, a trickle of bytes, silence, reading nothing) ends
this connection at worst; nothing raised by a peer leaves `Connection.run`.
"""

from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, unquote

import h11
import msgspec
import trio

from gateway.admin.messages import Headers, Peer, Problem, Reply, Request, Streaming
from gateway.admin.outbox import PIECE_BYTES, Outbox, Patience, SlowReader
from gateway.telemetry.happenings import Happening, Level

Answer = Callable[[Request], Awaitable[Reply | Streaming]]

READER_CUT: Final = Happening(
    "http_reader_cut", Level.INFO, "A client that did not read in time was disconnected."
)
CLIENT_FAILED: Final = Happening(
    "http_client_failed", Level.ERROR, "A defect ended one client's connection; others go on."
)

SAFETY_HEADERS: Final[Headers] = (
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "same-origin"),
    # Not `no-referrer`: browsers would then send `Origin: null` with our own forms.
    ("referrer-policy", "same-origin"),
)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of us one client may have."""

    header_bytes: int = 16 * 1024
    body_bytes: int = 64 * 1024
    idle_seconds: float = 75
    """Between two requests."""
    request_seconds: float = 10
    """From a request's first byte to its last; also for a TLS handshake."""
    goodbye_seconds: float = 1
    """To let the client read our last answer before the socket goes."""
    connections: int = 512
    patience: Patience = Patience()


class Connection:
    """Serves one connected stream."""

    def __init__(self, stream: trio.abc.Stream, peer: Peer, answer: Answer, limits: Limits) -> None:
        self._stream = stream
        self._peer = peer
        self._answer = answer
        self._limits = limits
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.header_bytes)
        self._scope = trio.CancelScope()
        self._answering = False
        self._last = False

    async def run(self) -> None:
        """Serve until the client goes, breaks a rule, or `finish` is called."""
        with self._scope:
            try:
                while await self._serve_one():
                    self._http.start_next_cycle()
                await self._say_goodbye()
            except* SlowReader as slow:
                READER_CUT.emit(peer=self._peer.address, detail=str(slow.exceptions[0]))
            except* (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # the client is gone; nobody is left to tell
            except* Exception:  # noqa: BLE001 - one client's trouble must not become another's
                CLIENT_FAILED.emit(peer=self._peer.address, exc_info=True)
        await trio.aclose_forcefully(self._stream)

    def finish(self) -> None:
        """End it: at once if idle or streaming, else after the answer in the making."""
        self._last = True
        if not self._answering:
            self._scope.cancel()

    # --- one exchange ---------------------------------------------------------

    async def _serve_one(self) -> bool:
        try:
            request = await self._read_request()
        except Problem as problem:
            self._last = True
            await self._send(problem.reply(), head=False)
            return False
        if request is None:
            return False
        self._answering = True
        reply = await self._answer(request)
        if isinstance(reply, Streaming):
            self._answering = False
            await self._send_stream(reply, head=request.method == "HEAD")
            return False
        await self._send(reply, head=request.method == "HEAD")
        self._answering = False
        return not self._last and self._http.our_state is h11.DONE

    async def _read_request(self) -> Request | None:
        """The next request; None when the client is gone or has nothing to say."""
        with trio.move_on_after(self._limits.idle_seconds) as scope:
            try:
                head = await self._next_event(scope)
                if not isinstance(head, h11.Request):
                    return None
                body = await self._read_body(head, scope)
            except h11.RemoteProtocolError as error:
                raise Problem(
                    HTTPStatus(error.error_status_hint),
                    f"not a valid HTTP/1.1 request: {error}",
                ) from None
            return _to_request(head, body, self._peer)
        if self._http.their_state is h11.IDLE and not self._http.trailing_data[0]:
            return None
        raise Problem(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the request was not complete after {self._limits.request_seconds:g} s",
        )

    async def _read_body(self, head: h11.Request, scope: trio.CancelScope) -> bytes:
        body = bytearray()
        declared = next((int(v) for name, v in head.headers if name == b"content-length"), 0)
        while declared <= self._limits.body_bytes >= len(body):
            event = await self._next_event(scope)
            if not isinstance(event, h11.Data):
                return bytes(body)
            body += event.data
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is larger than {self._limits.body_bytes} bytes",
        )

    async def _next_event(self, scope: trio.CancelScope) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._send_event(
                    h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[])
                )
            # h11 measures what is incomplete, so no piece may be larger than the limit.
            data = await self._stream.receive_some(self._limits.header_bytes)
            if self._http.their_state is h11.IDLE and not self._http.trailing_data[0]:
                # The first byte of a request: from here on it must not dawdle.
                scope.deadline = trio.current_time() + self._limits.request_seconds
            self._http.receive_data(bytes(data))
        return event

    # --- answering ------------------------------------------------------------

    async def _send(self, reply: Reply, *, head: bool) -> None:
        headers = [("content-length", str(len(reply.body))), *reply.headers]
        if reply.body:
            headers.append(("content-type", reply.content_type))
        await self._send_event(self._response(reply.status, headers))
        if not head:
            for start in range(0, len(reply.body), PIECE_BYTES):
                await self._send_event(h11.Data(data=reply.body[start : start + PIECE_BYTES]))
        await self._send_event(h11.EndOfMessage())

    async def _send_stream(self, streaming: Streaming, *, head: bool) -> None:
        self._last = True
        headers = [("content-type", streaming.content_type), ("x-accel-buffering", "no")]
        await self._send_event(self._response(HTTPStatus.OK, headers))
        if head:
            return
        outbox = Outbox(self._limits.patience)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_for_goodbye, nursery.cancel_scope)
            nursery.start_soon(self._send_pieces, outbox)
            await streaming.produce(outbox)

    async def _send_pieces(self, outbox: Outbox) -> None:
        while True:
            piece = await outbox.take()
            await self._send_event(h11.Data(data=piece))
            outbox.sent(len(piece))

    async def _watch_for_goodbye(self, scope: trio.CancelScope) -> None:
        # What a client still says while it is being streamed to is of no interest,
        # but that it hangs up is: else a quiet stream would hold a dead socket.
        while await self._stream.receive_some(PIECE_BYTES):
            pass
        scope.cancel()

    def _response(self, status: int, headers: list[tuple[str, str]]) -> h11.Response:
        if self._last:
            headers.append(("connection", "close"))
        headers.append(("date", formatdate(usegmt=True)))
        given = {name for name, _ in headers}
        headers += [header for header in SAFETY_HEADERS if header[0] not in given]
        return h11.Response(
            status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode()
        )

    async def _send_event(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            with trio.move_on_after(self._limits.patience.stall_seconds) as scope:
                await self._stream.send_all(data)
            if scope.cancelled_caught:
                raise SlowReader(f"took nothing for {self._limits.patience.stall_seconds:g} s")

    async def _say_goodbye(self) -> None:
        """Close so that our last answer arrives.

        Closing while bytes of the client are unread sends RST, which may overtake
        the answer (the 413 above all). So: no more from us, then read on a moment.
        """
        with trio.move_on_after(self._limits.goodbye_seconds):
            if isinstance(self._stream, trio.SocketStream):
                await self._stream.send_eof()
                while await self._stream.receive_some(PIECE_BYTES):
                    pass
            else:
                await self._stream.aclose()


def _to_request(head: h11.Request, body: bytes, peer: Peer) -> Request:
    target = head.target.decode("ascii")
    if not target.startswith("/"):
        raise Problem(HTTPStatus.BAD_REQUEST, "the request target does not start with /")
    path, _, query = target.partition("?")
    return Request(
        method=head.method.decode("ascii"),
        path=unquote(path, errors="replace"),
        query=_parse_query(query),
        headers={name.decode("ascii"): value.decode("latin-1") for name, value in head.headers},
        body=body,
        peer=peer,
    )


def _parse_query(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise Problem(HTTPStatus.BAD_REQUEST, "the query has more than 20 parameters") from None
    query = dict(pairs)
    if len(query) != len(pairs):
        raise Problem(HTTPStatus.BAD_REQUEST, "a query parameter is given twice")
    return query
