"""Signed REST calls: credentials read, time learned, refusals told apart."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from adapters.lbank.answers import Reply, decode_reply
from adapters.lbank.auth import Signer, random_echo
from adapters.lbank.endpoints import TIMESTAMP_PATH
from adapters.lbank.refusals import refusal_by_code, without_address
from adapters.lbank.settings import Credentials, Settings
from adapters.lbank.venue_clock import VenueClock
from gateway.errors import (
    ClockSkewed,
    LoginRefused,
    SecretUnreadable,
    StreamError,
    VenueUnavailable,
)
from gateway.telemetry.happenings import Happening, Level
from gateway.telemetry.redaction import Redactor
from gateway.wire.rest import Answer

TIME_UNTOLD: Final = Happening(
    "lbank_time_untold",
    Level.WARNING,
    "LBank did not tell its time; requests are signed by what is known of it.",
)

WaitTurn = Callable[[str], Awaitable[None]]
"""Wait until a request with this API key may go to LBank."""

_NO_KEY: Final = ""
"""Unsigned requests: LBank counts them by address."""


class Rest(Protocol):
    """What is asked of `gateway.wire.rest.RestClient`."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask once and return the whole answer, whatever its status."""

    async def close_idle(self) -> None:
        """Close the connections that no request uses."""

    async def aclose(self) -> None:
        """Close the kept connections."""


class Answered(msgspec.Struct, frozen=True):
    """A good reply, and when it was asked for."""

    reply: Reply
    sent_ns: int
    received_ns: int


class Calls:
    """One account's requests to LBank."""

    def __init__(
        self,
        settings: Settings,
        rest: Rest,
        clock: VenueClock,
        redactor: Redactor,
        wait_turn: WaitTurn,
    ) -> None:
        self._credentials: Final = _SignerCache(settings, redactor)
        self._version: Final = settings.endpoints.api
        self._rest = rest
        self._clock = clock
        self._redactor = redactor
        self._wait_turn = wait_turn
        self._time_untold = False
        """True once the time was asked for in vain: only a refused signature asks again."""

    async def ask(self, path: str, **params: str) -> Answered:
        """A signed request. Raises the error that its refusal means.

        A refused timestamp is repeated once with the time relearned: LBank checks it
        before anything else, so nothing was done the first time.
        """
        if self._version == "v2" and not self._clock.learned and not self._time_untold:
            self._time_untold = not await self._learned_time()
        try:
            return await self._send(path, params)
        except ClockSkewed:
            if not await self._learned_time():
                raise
            return await self._send(path, params)

    async def learn_time(self) -> None:
        """Ask LBank what time it is, or wait for another account that does."""
        await self._clock.asking.do(self._ask_time)

    async def _ask_time(self) -> None:
        await self._wait_turn(_NO_KEY)
        answer = await self._rest.request("GET", TIMESTAMP_PATH)
        reply = decode_reply(TIMESTAMP_PATH, answer.status, answer.body)
        told = reply.milliseconds("data")
        if reply.refused or told is None:
            raise VenueUnavailable(f"{TIMESTAMP_PATH}: answered without a time")
        self._clock.learn(told, answer.sent_ns, answer.received_ns)

    async def _learned_time(self) -> bool:
        """Ask for the time; where nobody tells it, our own has to do."""
        try:
            await self.learn_time()
        except VenueUnavailable as error:
            TIME_UNTOLD.emit(error=str(error))
            return False
        return True

    async def close_idle(self) -> None:
        """Close the connections, since nothing will be asked for a while."""
        await self._rest.close_idle()

    async def aclose(self) -> None:
        """Close the kept connections."""
        await self._rest.aclose()

    async def _send(self, path: str, params: Mapping[str, str]) -> Answered:
        signer = self._credentials.signer()
        # Before it is signed: a signature is good for seconds.
        await self._wait_turn(signer.api_key)
        signed = signer.sign(params, timestamp_ms=self._clock.venue_ms(), echo=random_echo())
        answer = await self._rest.request("POST", path, headers=signed.headers, form=signed.form)
        reply = decode_reply(path, answer.status, answer.body)
        if reply.venue_ms is not None:
            self._clock.hear(reply.venue_ms, answer.sent_ns, answer.received_ns)
        if reply.refused:
            raise self._refusal(path, reply)
        return Answered(reply, answer.sent_ns, answer.received_ns)

    def _refusal(self, path: str, reply: Reply) -> StreamError:
        words = self._redactor.redact(without_address(reply.words))
        return refusal_by_code(path, reply.code, words)


class _SignerCache:
    """The signer, read anew when a secret's file changed."""

    def __init__(self, settings: Settings, redactor: Redactor) -> None:
        self._credentials: Final[Credentials] = settings.credentials
        self._version = settings.endpoints.api
        self._redactor = redactor
        self._state: tuple[Any, Any] | None = None
        self._signer: Signer | None = None

    def signer(self) -> Signer:
        """Raises `LoginRefused` for credentials that cannot be read or used."""
        credentials = self._credentials
        state = (credentials.api_key.fingerprint(), credentials.secret.fingerprint())
        if self._signer is None or state != self._state:
            try:
                api_key, secret = credentials.api_key.read(), credentials.secret.read()
            except SecretUnreadable as error:
                raise LoginRefused(f"credentials: {error}") from None
            self._redactor.add(api_key, secret)
            self._signer = Signer(api_key, secret, credentials.signature, self._version)
            self._state = state
        return self._signer
