"""REST: one request, one bounded answer. The only module that knows httpx.

It judges nothing about the answer but "come back later" (`patience`): whether a
status or a body means refusal is the venue's affair.
"""

import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from urllib.parse import urlencode

import httpcore
import httpx
import msgspec
import trio

from gateway.clock import Clock
from gateway.errors import ConnectFailed, RateLimited, VenueUnavailable
from gateway.wire.dial import CLOSE_SECONDS, describe, system_trust
from gateway.wire.http_streams import DialledBackend
from gateway.wire.patience import ASKING_LESS, asks_for_patience, read_retry_after
from gateway.wire.proxies import choose_proxy

MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
_MAX_CONNECTIONS: Final = 8
_MAX_IDLE_CONNECTIONS: Final = 4
_IDLE_SECONDS: Final = 30.0
_STAGE_SHARE: Final = 0.5
"""Share of the time limit for one stage of connecting, so that it is that which is named."""


class Answer(msgspec.Struct, frozen=True):
    """What the peer answered, whole."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    sent_ns: int
    """Epoch ns right before the request: what the answer tells is no older."""
    received_ns: int
    """Epoch ns right after the answer was complete."""

    @property
    def retry_after(self) -> str:
        """The header as it came; empty without one."""
        return self.headers.get("retry-after", "")

    @property
    def retry_after_seconds(self) -> float | None:
        """How long the peer asks to be left alone."""
        return read_retry_after(self.retry_after, self.received_ns)


class RestClient:
    """Requests to one host, over kept connections.

    `count` is called once per request with a word for its result: ``ok`` ``http_3xx``
    ``http_4xx`` ``http_5xx`` ``rate_limited`` ``timeout`` ``unreachable`` ``too_large``.

    With an `ssl_context` of its own HTTP/2 is offered, for one request at a time. What is
    offered is a property of the context, and the system's is shared with sockets, which
    speak HTTP/1.1 alone.
    """

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        timeout_seconds: float = 10,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        count: Callable[[str], None] | None = None,
    ) -> None:
        self._base = _parse(base_url)
        self._host = self._base.host
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._max_answer_bytes = max_answer_bytes
        self._count = count if count is not None else _count_nothing
        self._under_way = 0
        """Requests that were not answered yet."""
        via = choose_proxy(self._host, secure=self._base.scheme == "https", configured=proxy)
        self._backend = DialledBackend(via, timeout_seconds * _STAGE_SHARE)
        self._ssl_context = ssl_context
        self._transport: _DialledTransport | None = None
        """None while nothing is kept open: most accounts ask for nothing for minutes."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        cut_answer: bool = False,
    ) -> Answer:
        """Ask once, within the time limit.

        A body is either `form` (URL-encoded) or `content`. Redirects are not followed:
        they come back as the answer they are, and no key goes where it was not meant to.
        `cut_answer` takes the beginning of an answer that passes the limit for the whole,
        where the status is all that counts.

        Raises `RateLimited` for 429, 418, and a 503 that names a time, with the wait that
        the peer asked for;
        `VenueUnavailable` when there is no whole answer. Both name host and path, never
        the query, a header or a body. Any other status is returned.
        """
        what = f"{method} {self._host}{path.partition('?')[0]}"
        with self._named(what):
            body = content if form is None else urlencode(form).encode()
            described = _described(body, form, headers)
            request = httpx.Request(method, self._url_of(path), params=params, headers=described)
            request.stream = _OneChunk(body or b"")
            answer = await self._send(request, cut_answer=cut_answer)
        self._judge(answer, what)
        return answer

    async def close_idle(self) -> None:
        """Close the kept connections, since nothing will be asked for a while.

        They would be closed at the next request, minutes later; a thousand accounts hold
        8 KiB each in them until then, and over TLS 30. Beside a request under way, which
        may use any of them, nothing is closed.
        """
        if not self._under_way:
            with trio.move_on_after(CLOSE_SECONDS):
                await self.aclose()

    async def aclose(self) -> None:
        """Close the kept connections."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    def _url_of(self, path: str) -> httpx.URL:
        root = self._base.raw_path.rstrip(b"/") + b"/"
        return self._base.copy_with(raw_path=root + httpx.URL(path).raw_path.lstrip(b"/"))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def _send(self, request: httpx.Request, *, cut_answer: bool) -> Answer:
        sent_ns = self._clock.now_ns()
        with trio.fail_after(self._timeout_seconds), self._counted():
            if self._transport is None:
                self._transport = _DialledTransport(self._backend, self._ssl_context)
            transport = self._transport
            async with transport.guarded():
                response = await transport.handle_async_request(request)
                try:
                    body, is_whole = await self._read_body(response, cut=cut_answer)
                    if not is_whole:
                        await transport.let_go()
                finally:
                    await response.aclose()
        return Answer(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
            sent_ns=sent_ns,
            received_ns=self._clock.now_ns(),
        )

    async def _read_body(self, response: httpx.Response, *, cut: bool) -> tuple[bytes, bool]:
        body = _Body(response.headers.get("content-encoding", ""), self._max_answer_bytes)
        with trio.CancelScope() as enough:
            async for chunk in response.aiter_raw():
                if not body.take(chunk):
                    # Leaving the loop would abandon half a dozen nested generators of
                    # httpx to the garbage collector; a cancellation unwinds them all.
                    enough.cancel()
        return body.beginning() if cut else body.whole(), not enough.cancelled_caught

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        """Turn what goes wrong in a request into our errors.

        Raised `from None`: h11 quotes a bad header in its message, and a header may be a key.
        """
        try:
            yield
        except (trio.TooSlowError, httpx.TimeoutException):
            self._count("timeout")
            problem = f"no whole answer within {self._timeout_seconds:g} s"
        except _AnswerTooLarge:
            self._count("too_large")
            problem = f"the answer passed {self._max_answer_bytes} bytes"
        except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError):
            self._count("unreachable")
            problem = "a header or the path holds characters that HTTP does not allow"
        except ConnectFailed as error:
            self._count("unreachable")
            problem = str(error)
        except httpx.RequestError as error:
            self._count("unreachable")
            problem = describe(error)
        else:
            return
        raise VenueUnavailable(f"{what}: {problem}") from None

    def _judge(self, answer: Answer, what: str) -> None:
        self._count(_result_of(answer.status))
        if asks_for_patience(answer.status, answer.retry_after):
            raise RateLimited(
                f"{what}: answered {answer.status}",
                retry_after_seconds=answer.retry_after_seconds,
            )


def _result_of(status: int) -> str:
    if status in ASKING_LESS:
        return "rate_limited"
    return "ok" if status < 300 else f"http_{status // 100}xx"


class _AnswerTooLarge(Exception):
    """The body passed the limit."""


class _DialledTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport, over a pool that dials our way; it offers no other door."""

    def __init__(self, backend: DialledBackend, ssl_context: ssl.SSLContext | None) -> None:
        self._http2 = ssl_context is not None
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context or system_trust(),
            max_connections=_MAX_CONNECTIONS,
            max_keepalive_connections=_MAX_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=backend,
            http2=self._http2,
        )

    @asynccontextmanager
    async def guarded(self) -> AsyncIterator[None]:
        """For one request: one that ends early takes its connection with it."""
        whole = False
        try:
            yield
            whole = True
        finally:
            if not whole:
                await self.let_go()

    async def let_go(self) -> None:
        """Close an HTTP/2 connection: httpcore would go on with it, however dead it is.

        Of HTTP/1.1 it closes by itself what did not carry a whole answer.
        """
        if self._http2:
            with trio.move_on_after(CLOSE_SECONDS, shield=True):
                await self._pool.aclose()


def _described(
    body: bytes | None, form: Mapping[str, str] | None, headers: Mapping[str, str] | None
) -> httpx.Headers:
    """The headers, with those that a body needs; what the caller says replaces ours."""
    found = httpx.Headers(
        {"User-Agent": "exchange-event-gateway", "Accept-Encoding": "gzip", "Accept": "*/*"}
    )
    if form is not None:
        found["Content-Type"] = "application/x-www-form-urlencoded"
    if body is not None:
        found["Content-Length"] = str(len(body))
    found.update(headers)  # however the caller writes their names
    return found


class _OneChunk(httpx.AsyncByteStream):
    """A request's body, held until it is sent.

    httpx's own would be held by the request, which is part of a cycle with its answer:
    a webhook's large batches made dozens of MiB that waited for the garbage collector.
    And it is a generator, left behind when a write fails.
    """

    def __init__(self, content: bytes) -> None:
        self._chunks = [content]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._chunks:
            raise StopAsyncIteration
        return self._chunks.pop()


def _parse(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConnectFailed("address", "a REST address is written https://host or http://host:port")
    return url


class _Body:
    """Collects a body, unpacked. httpx would inflate whole chunks first: a bomb."""

    def __init__(self, encoding: str, max_bytes: int) -> None:
        if encoding not in {"", "identity", "gzip"}:
            raise httpx.DecodingError(
                f"the answer is packed by {encoding[:20]!r}, which was not asked for"
            )
        self._max_bytes = max_bytes
        self._gzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if encoding == "gzip" else None
        self._bytes = bytearray()
        self._problem = ""

    def take(self, chunk: bytes) -> bool:
        """Take the next piece as it came; False when no more is wanted."""
        try:
            self._bytes += chunk if self._gzip is None else self._unpack(self._gzip, chunk)
        except zlib.error as error:
            self._problem = str(error)
        return not self._problem and not self._is_too_large

    def beginning(self) -> bytes:
        """What there is of it, up to the limit."""
        self._check_packing()
        return bytes(self._bytes[: self._max_bytes])

    def whole(self) -> bytes:
        """All of it, once the last piece came."""
        self._check_packing()
        if self._is_too_large:
            # The error may be kept for as long as somebody waits to try again, and with
            # its traceback all that stands here.
            self._bytes.clear()
            raise _AnswerTooLarge
        if self._gzip is not None and not self._gzip.eof:
            raise httpx.DecodingError("the answer's gzip ends too early")
        return bytes(self._bytes)

    @property
    def _is_too_large(self) -> bool:
        return len(self._bytes) > self._max_bytes

    def _unpack(self, gzip: "zlib._Decompress", chunk: bytes) -> bytes:
        room = self._max_bytes - len(self._bytes)
        return gzip.decompress(chunk, max(room, 0) + 1)

    def _check_packing(self) -> None:
        if self._problem:
            raise httpx.DecodingError(self._problem)


def _count_nothing(_result: str) -> None:
    pass
