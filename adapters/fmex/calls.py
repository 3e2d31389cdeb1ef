"""Signed reading by REST: one request, one judged answer.

FMEX answers business errors with HTTP 400 and a JSON body, so the body is read
before the HTTP status is believed.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import msgspec

from adapters.fmex.auth import Key, signed_headers, url_with_query
from adapters.fmex.endpoints import SERVER_TIME_PATH
from adapters.fmex.frames import Envelope, NotUnderstood, Shape, decode_as
from adapters.fmex.refusals import error_of_code, error_of_http
from adapters.fmex.venue_clock import NS_PER_MS, VenueClock
from gateway.errors import ClockSkewed, VenueUnavailable
from gateway.telemetry.redaction import Redactor
from gateway.wire.rest import Answer

_GOOD: Final = ("0", "ok")

_CODE: Final = re.compile(r"-?\d{1,9}", re.ASCII)
"""A status that is no word; a number may come as text."""

_NO_KEY: Final = ""
"""Unsigned requests have a limit of their own."""


class Rest(Protocol):
    """What is asked of `gateway.wire.rest.RestClient`."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask once."""

    async def close_idle(self) -> None:
        """Close the connections that no request uses."""

    async def aclose(self) -> None:
        """Close the connections."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """The `data` of a good answer, and when it was asked for and came."""

    data: msgspec.Raw
    sent_ns: int
    received_ns: int

    def read_as(self, shape: type[Shape]) -> Shape:
        """The data in a known shape. Raises `VenueUnavailable` when it has another."""
        try:
            return decode_as(shape, self.data)
        except NotUnderstood as error:
            raise VenueUnavailable(
                f"FMEX answered in another shape than documented ({error.reason})"
            ) from None


class Calls:
    """Reads one account of FMEX by REST.

    `read_key` is asked at each request, so that a rotated key takes effect; `wait_turn`
    waits until a request with that key may go to FMEX.
    """

    def __init__(
        self,
        rest: Rest,
        *,
        sign_url: str,
        read_key: Callable[[], Key],
        clock: VenueClock,
        redactor: Redactor,
        wait_turn: Callable[[str], Awaitable[None]],
    ) -> None:
        self._rest = rest
        self._sign_url = sign_url.rstrip("/")
        self._read_key = read_key
        self._clock = clock
        self._redactor = redactor
        self._wait_turn = wait_turn

    async def learn_clock(self) -> None:
        """Ask for the venue's time, or wait for another account at this host that does.

        Raises `VenueUnavailable` or `RateLimited`.
        """
        await self._clock.asking.do(self._ask_time)

    async def _ask_time(self) -> None:
        await self._wait_turn(_NO_KEY)
        answer = await self._rest.request("GET", SERVER_TIME_PATH)
        reading = self._judge(answer)
        self._clock.learn(
            reading.read_as(int), answer.sent_ns / NS_PER_MS, answer.received_ns / NS_PER_MS
        )

    async def read(self, path: str, params: Mapping[str, str] | None = None) -> Reading:
        """A signed GET. Raises a `StreamError`; `NotFound` for an unknown path or order.

        A refused time is learned anew and the request sent once more.
        """
        try:
            return await self._read_once(path, params or {})
        except ClockSkewed:
            await self.learn_clock()
            return await self._read_once(path, params or {})

    async def _read_once(self, path: str, params: Mapping[str, str]) -> Reading:
        url = url_with_query(self._sign_url + path, params)
        key = self._read_key()
        # Before it is signed: a signature grows stale.
        await self._wait_turn(key.api_key)
        headers = signed_headers(key, url, self._clock.now_ms())
        ordered = dict(sorted(params.items()))  # as signed
        return self._judge(
            await self._rest.request("GET", path, params=ordered or None, headers=headers)
        )

    def _judge(self, answer: Answer) -> Reading:
        try:
            envelope = decode_as(Envelope, answer.body)
        except NotUnderstood:
            raise error_of_http(answer.status) from None
        word = str(envelope.status).lower()
        if word in _GOOD:
            return Reading(envelope.data, answer.sent_ns, answer.received_ns)
        if _CODE.fullmatch(word) is None:
            raise error_of_http(answer.status)
        raise error_of_code(int(word), self._redactor.redact(str(envelope.msg or "")))

    async def close_idle(self) -> None:
        """Close the connections, since nothing will be asked for a while."""
        await self._rest.close_idle()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._rest.aclose()
